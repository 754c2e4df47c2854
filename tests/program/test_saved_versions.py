"""The promise: of a program that saves files the laboratory sees each version, and convicts it of what a crash takes.

Method: a few lines of Python save in one way each.  Their versions are read off a recorded run; then they are crashed,
in memory and on a real ext4.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from durakv_fuzz.program.artefact import load
from durakv_fuzz.program.calls import call
from durakv_fuzz.program.campaign import CannotRecord, Limits
from durakv_fuzz.program.examine import Examination, examine
from durakv_fuzz.program.memory_disk import MemoryDisk
from durakv_fuzz.program.recording import Recording
from durakv_fuzz.program.saved_files import SavedFiles, Saves
from durakv_fuzz.program.seen import Seen
from durakv_fuzz.program.telling import RecordingTeller
from durakv_fuzz.recorder.recorder import Recorder
from tests.block.real_filesystems import needs

from .disks_here import needs_memory

_PRELUDE = """
import os, sys, time
from pathlib import Path

directory = Path(sys.argv[1])

def sync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)

def rename(text, *, whole=True, named=True):
    (directory / "new").write_text(text)
    if whole:
        sync(directory / "new")
    (directory / "new").replace(directory / "file")
    if named:
        sync(directory)

def say(word):
    print(word, flush=True)
    time.sleep(0.05)
"""
EXAMINATION = Examination(limits=Limits(states=60), fresh=False, sync_seconds=0.0)


def saving(text: str, check: str = "") -> SavedFiles:
    """The program, and a check that ends with status 1 unless this holds."""
    python = [sys.executable, "-c"]
    checking = [*python, f"{_PRELUDE}sys.exit(not ({check}))", "{dir}"] if check else []
    return SavedFiles([*python, _PRELUDE + dedent(text), "{dir}"], checking)


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    needs_memory()
    with Recorder() as shared:
        yield shared


def saves_of(text: str, recorder: Recorder) -> Saves:
    subject = saving(text)

    def work(recording: Recording) -> None:
        teller = RecordingTeller(recording)
        call(lambda: subject.drive(recording.directory, range(1), teller), 30.0)

    return Saves.of(MemoryDisk(recorder).record(work, sync_seconds=0.0).played())


def contents(saves: Saves) -> dict[str, list[bytes]]:
    return {path: [version.content for version in versions] for path, versions in saves.versions.items()}


def acknowledged(saves: Saves) -> list[int]:
    return [by_path["file"] for by_path in saves.acked]


def crashed(subject: SavedFiles, examination: Examination = EXAMINATION) -> Seen:
    needs_memory()
    return examine(subject, replace(examination, start=subject.start), subject.plan)


def verdicts(seen: Seen) -> set[tuple[str, str]]:
    return {(tier, verdict) for tier, counts in seen.verdicts.items() for verdict in counts if verdict != "KEPT"}


def test_each_rename_makes_a_version_that_the_next_line_acknowledges(recorder: Recorder) -> None:
    saves = saves_of("for text in 'abc': rename(text); print(text, flush=True)", recorder)
    assert contents(saves) == {"file": [b"a", b"b", b"c"]}
    assert all(version.by_rename for version in saves.versions["file"])
    assert acknowledged(saves) == [-1, 0, 1, 2, 2]


def test_a_line_acknowledges_one_version_more_and_the_end_all(recorder: Recorder) -> None:
    """A line may be read late: who saved three times before it may have done so after it."""
    saves = saves_of("rename('a'); rename('b'); rename('c'); print('saved')", recorder)
    assert acknowledged(saves) == [-1, 0, 2]


def test_a_file_that_is_cut_to_be_written_anew_had_a_version(recorder: Recorder) -> None:
    saves = saves_of("for text in ('one', 'two'): (directory / 'file').write_text(text); say(text)", recorder)
    assert contents(saves) == {"file": [b"one", b"two"]}
    assert not any(version.by_rename for version in saves.versions["file"])
    assert acknowledged(saves) == [-1, -1, 0, 1]


def test_a_log_has_a_version_at_each_line(recorder: Recorder) -> None:
    saves = saves_of("for text in 'abc': (directory / 'file').open('a').write(text); say(text)", recorder)
    assert contents(saves) == {"file": [b"a", b"ab", b"abc"]}
    assert acknowledged(saves) == [-1, -1, 0, 1, 2]


def test_files_that_do_not_stay_do_not_count(recorder: Recorder) -> None:
    text = "(directory / 'gone').write_text('x'); say('x'); rename('a'); (directory / 'gone').unlink()"
    assert contents(saves_of(text, recorder)) == {"file": [b"a"]}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("rename('a' * 5000, named=False)", {"LOST_ACKED"}),
        pytest.param("rename('a' * 5000, whole=False)", {"CORRUPT"}, marks=pytest.mark.long),
        pytest.param("(directory / 'file').write_text('a' * 5000)", {"CORRUPT", "LOST_ACKED"}, marks=pytest.mark.long),
        ("rename('a'); (directory / 'file').write_text('b' * 5000); sync(directory / 'file')", {"CORRUPT"}),
    ],
    ids=["no sync of the directory", "no sync of the file", "no sync", "in place"],
)
def test_what_its_last_save_lacks_is_found_although_no_line_follows_it(text: str, found: set[str]) -> None:
    seen = crashed(saving(text))
    assert {verdict for _, verdict in verdicts(seen)} == found


@pytest.mark.parametrize(
    "text",
    [
        "for text in 'abcd': rename(text * 5000); print(text, flush=True)",
        "for text in 'abcd': rename(text * 5000)",
    ],
    ids=["with lines", "without"],
)
def test_who_waits_for_the_disk_is_not_convicted(text: str) -> None:
    seen = crashed(saving(text))
    assert not verdicts(seen), seen.findings[0]
    assert seen.states > 20


def test_a_synced_log_loses_no_line_and_what_a_crash_puts_behind_them_is_told() -> None:
    log = """
    with (directory / 'file').open('a') as log:
        sync(directory)
        for text in 'abcd':
            log.write(text * 3000)
            log.flush()
            os.fsync(log.fileno())
            say(text)
    """
    seen = crashed(saving(log))
    assert {verdict for _, verdict in verdicts(seen)} <= {"CORRUPT"}
    assert seen.findings
    assert all("zero bytes" in finding.reason or "no version" in finding.reason for finding in seen.findings)


def test_damage_that_the_program_reports_is_excused_and_a_lost_save_is_not() -> None:
    careless = "for text in 'abc': rename(text * 5000, whole=False, named=False); print(text, flush=True)"
    found = verdicts(crashed(saving(careless)))
    assert {verdict for _, verdict in found} == {"CORRUPT", "LOST_ACKED"}
    whole = "all(path.read_text() in ('a' * 5000, 'b' * 5000, 'c' * 5000) for path in directory.glob('file'))"
    reported = verdicts(crashed(saving(careless, check=whole), replace(EXAMINATION, shrink_seconds=0)))
    assert {verdict for _, verdict in reported} == {"LOST_ACKED"}


def test_a_check_that_complains_without_a_crash_convicts_nobody() -> None:
    with pytest.raises(CannotRecord, match="failed before any crash: its check says of what it saved"):
        crashed(saving("rename('a')", check="False"))


def test_on_a_real_file_system_it_is_compared_with_what_it_saved_in_memory(tmp_path: Path) -> None:
    needs("ext4")
    both = replace(EXAMINATION, disks=("memory", "ext4"), limits=Limits(states=40), directory=tmp_path)
    careless = saving("for text in 'abc': rename(text * 5000, named=False); print(text, flush=True)")
    seen = crashed(careless, both)
    assert ("ext4", "LOST_ACKED") in verdicts(seen)
    (finding,) = (finding for finding in seen.findings if finding.tier == "ext4")
    words, state, _ = load(tmp_path / finding.artefact)
    assert (words.tier, words.reason) == ("ext4", finding.reason)
    assert state

    careful = crashed(saving("for text in 'abc': rename(text * 5000); print(text, flush=True)"), both)
    assert not verdicts(careful)
    assert careful.worst("ext4") is not None


def test_on_a_real_file_system_alone_nobody_knows_what_is_right() -> None:
    needs("ext4")
    with pytest.raises(CannotRecord, match="recorded in memory first"):
        crashed(saving("rename('a')"), replace(EXAMINATION, disks=("ext4",)))
