"""The promise: ``verify`` says of every file what an open would say of the first bad one, writes nothing, raises
nothing for damage, and can be run beside the owner.

Method: directories in memory, whole and spoilt; its verdict is compared with what an open does.
"""

from __future__ import annotations

import errno

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.errors import Corruption, DirectoryError, UnsupportedVersion
from durakv.verification import Severity
from durakv.verify import verify
from durakv_formats.resp import encode_command
from durakv_fuzz.disk import SimulatedDisk, SimulatedFile
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.image import Image
from durakv_fuzz.trace import Kind
from tests.badinput.places import Files, abandoned_directory, closed_directory, files_of, read
from tests.support import open_engine, put

BASE = "appendonly.aof.1.base.dkv"
FIRST, SECOND = "appendonly.aof.2.incr.aof", "appendonly.aof.3.incr.aof"


def verified(files: Files) -> dict[str, tuple[Severity, int]]:
    """The worst finding about each file; the files must stay as they are."""
    disk = SimulatedDisk(Image(dict(files)))
    verification = verify(disk)
    assert files_of(disk) == files
    assert len(disk.trace.operations) == 0, "something was written"
    worst: dict[str, tuple[Severity, int]] = {}
    for finding in verification.findings:
        if finding.severity > worst.get(finding.name, (Severity.OK, 0))[0]:
            worst[finding.name] = (finding.severity, finding.offset)
    return worst


def test_a_whole_directory_has_no_findings_and_all_its_figures() -> None:
    files, _ = closed_directory()
    verification = verify(SimulatedDisk(Image(files)))
    assert verification.findings == []
    assert verification.ok
    assert verification.severity is Severity.OK
    assert (verification.last_seq, verification.promised_seq) == (8, 8)
    assert [(check.entry.name, check.size, check.last) for check in verification.files] == [
        (BASE, len(files[BASE]), 3),
        (FIRST, len(files[FIRST]), 6),
        (SECOND, len(files[SECOND]), 8),
    ]
    ends = [check.end for check in verification.files if check.end is not None]
    assert [(end.batches, end.commands) for end in ends] == [(3, 3), (1, 2)]


def test_every_damaged_file_is_found_not_only_the_first() -> None:
    files, _ = closed_directory()
    spoilt = {
        **files,
        BASE: files[BASE][:-1],
        FIRST: files[FIRST].replace(b"put", b"pot", 1),
        SECOND: files[SECOND][:-1],
    }
    worst = verified(spoilt)
    assert {name: severity for name, (severity, _) in worst.items()} == dict.fromkeys(
        (BASE, FIRST, SECOND), Severity.CORRUPTION
    )
    assert worst[FIRST][1] == spoilt[FIRST].index(b"#DKV1 ", 1), "the frame that is bad"
    assert worst[SECOND][1] == spoilt[SECOND].index(b"#DKV1 ", 1)


def test_a_missing_file_does_not_hide_what_is_behind_it() -> None:
    files, _ = closed_directory()
    spoilt = {name: data for name, data in files.items() if name != FIRST}
    assert verified(spoilt) == {FIRST: (Severity.CORRUPTION, 0)}, "the last segment is whole, and said to be"
    assert verify(SimulatedDisk(Image(spoilt))).last_seq == 3


def test_an_unclosed_directory_is_a_note_and_a_torn_one_is_torn() -> None:
    files, _, promised = abandoned_directory()
    name = "appendonly.aof.2.incr.aof"
    end = len(files[name].rstrip(b"\0"))
    assert verified(files) == {name: (Severity.NOTE, end)}
    last = files[name].rindex(b"#DKV1 ")
    torn = {**files, name: files[name][: last + 100] + bytes(4096 - last - 100)}
    assert verified(torn) == {name: (Severity.TORN, last)}
    finding = verify(SimulatedDisk(Image(torn))).first(Severity.TORN)
    assert finding is not None
    assert f"from number {promised + 1} on would be cut" in finding.reason
    assert f"number {promised - 1} is the last one ever promised" in finding.reason, (
        "the frame that promised more is torn"
    )


def test_what_a_server_appended_is_counted() -> None:
    files, _ = closed_directory()
    appended = b"".join(encode_command(command) for command in (*put(9), *put(10)))
    grown = {**files, SECOND: files[SECOND] + appended}
    finding = verify(SimulatedDisk(Image(grown))).findings[0]
    assert finding.severity is Severity.NOTE
    assert "2 commands of a stock server" in finding.reason
    torn = {**files, SECOND: files[SECOND] + appended[:-1]}
    assert verified(torn)[SECOND][0] is Severity.TORN


def test_what_a_crash_left_is_noted() -> None:
    files, _ = closed_directory()
    left = {
        **files,
        FIRST: files[FIRST] + bytes(100),
        "temp-appendonly.aof.2.base.dkv": b"half",
        "appendonly.aof.9.incr.aof": bytes(100),
        "broken-appendonly.aof.1.incr.aof-1": b"kept",
        "notes.txt": b"strange",
    }
    worst = verified(left)
    assert {severity for severity, _ in worst.values()} == {Severity.NOTE}
    assert worst.keys() == left.keys() - files.keys() | {FIRST}
    reasons = {finding.name: finding.reason for finding in verify(SimulatedDisk(Image(left))).findings}
    assert "100 bytes behind its end" in reasons[FIRST]
    assert "kept by a repair" in reasons["broken-appendonly.aof.1.incr.aof-1"]


def test_a_manifest_of_an_earlier_time_is_found() -> None:
    disk = SimulatedDisk()
    manifests: list[bytes] = []
    for number in (1, 2):
        opened = open_engine(disk)
        opened.engine.apply(put(number))
        opened.engine.close()
        manifests.append(files_of(disk)[MANIFEST_NAME])
    assert verified({**files_of(disk), MANIFEST_NAME: manifests[0]})[MANIFEST_NAME][0] is Severity.CORRUPTION


@pytest.mark.parametrize("name", [MANIFEST_NAME, BASE, FIRST, SECOND])
@pytest.mark.parametrize("kind", [Kind.OPEN, Kind.READ])
def test_a_file_that_cannot_be_read_is_left_unchecked_and_the_others_are_checked(name: str, kind: Kind) -> None:
    files, _ = closed_directory()
    disk = SimulatedDisk(Image(files), faults=fail_nth(0, Fault(errno.EIO), kinds=(kind,), name=name, times=1000))
    verification = verify(disk)
    assert verification.severity_of(name) is Severity.UNCHECKED
    if name != MANIFEST_NAME:
        assert {finding.name for finding in verification.findings} == {name}


def test_an_empty_or_missing_directory_is_no_damage() -> None:
    disk = SimulatedDisk()
    with pytest.raises(DirectoryError, match="does not exist"):
        verify(disk)
    disk.make_root()
    assert verify(disk).ok


def test_a_manifest_swapped_meanwhile_starts_the_check_again() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk)
    for number in range(1, 5):
        opened.engine.apply(put(number))
    opened.engine.close()
    opened = open_engine(disk)
    begun = 0

    def meanwhile(done: int, there: int) -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            opened.engine.apply(put(5))
            opened.engine.rewrite()

    verification = verify(disk, meanwhile)
    assert verification.severity <= Severity.NOTE, [str(finding) for finding in verification.findings]
    assert verification.manifest is not None
    assert verification.manifest.base is not None, "what is told is the directory of now"
    assert verification.last_seq == 5


class WhileWriting(SimulatedDisk):
    """The first reading of the open segment finds one of its frames half written; the frames behind it are whole."""

    def __init__(self, image: Image, name: str, offset: int) -> None:
        super().__init__(image)
        self.segment, self.offset, self.openings = name, offset, 0

    def open(self, name: str, /, *, writable: bool = False) -> SimulatedFile:
        file = super().open(name, writable=writable)
        if name == self.segment:
            self.openings += 1
            if self.openings == 2:  # the first opening only asks for the size
                return HalfWritten(file, self.offset)
        return file


class HalfWritten(SimulatedFile):
    def __init__(self, file: SimulatedFile, offset: int) -> None:
        self.file, self.offset = file, offset

    def read_at(self, size: int, offset: int, /) -> bytes:
        data = self.file.read_at(size, offset)
        at = self.offset - offset
        return data[:at] + b"\0" * len(data[at : at + 10]) + data[at + 10 :] if at >= 0 else data

    def size(self) -> int:
        return self.file.size()

    def close(self) -> None:
        self.file.close()


def test_a_frame_that_is_being_written_is_no_damage() -> None:
    files, _, _ = abandoned_directory()
    name = "appendonly.aof.2.incr.aof"
    disk = WhileWriting(Image(files), name, files[name].index(b"#DKV1 ", 200) + 50)
    assert verify(disk).severity is Severity.NOTE
    assert disk.openings > 2


def test_its_verdict_is_what_an_open_does() -> None:
    """For every length of every file, and with every file missing."""
    closed, _ = closed_directory()
    abandoned, _, _ = abandoned_directory()
    abandoned["appendonly.aof.2.incr.aof"] = abandoned["appendonly.aof.2.incr.aof"].rstrip(b"\0") + bytes(20)
    for files in (closed, abandoned):
        for name, data in files.items():
            variants = [{**files, name: data[:length]} for length in range(len(data) + 1)]
            for spoilt in (*variants, {key: value for key, value in files.items() if key != name}):
                severity = verify(SimulatedDisk(Image(spoilt))).severity
                outcome = read(spoilt)
                if isinstance(outcome.refusal, Corruption):
                    assert severity is Severity.CORRUPTION
                elif isinstance(outcome.refusal, UnsupportedVersion):
                    assert severity is Severity.UNCHECKED
                else:
                    assert outcome.report is not None
                    assert severity <= Severity.TORN
                    assert (severity is Severity.TORN) == (outcome.report.cut is not None)
