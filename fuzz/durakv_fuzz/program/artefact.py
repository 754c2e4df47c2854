"""One broken promise in one file, which anybody can look at and repeat: a zip with the state that the crash left.

crash.json    what broke, what had been said, the program, its versions, where the crash was
story.txt     the same for people
state.tar     the directory as the power cut left it
trace         every call that led to it (formats/trace-v2.md), where it was recorded in memory
repro.py      starts the program on the state again; status 1 if the promise is still broken
"""

from __future__ import annotations

import io
import tarfile
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from durakv_fuzz.program.calls import CallFailed, CallHung, become_reaper, call
from durakv_fuzz.program.disks import Crash
from durakv_fuzz.program.oracle import Judgement, Told, Verdict, judge
from durakv_fuzz.program.subject import Found, Promise, Subject

FORMAT = "durakv-crash"
VERSION = 1
SUFFIX = ".crash.zip"

_BYTES_MAX = 4 << 30
_NUMBERS_MAX = 1 << 24
_REPRO = '''\
"""Start the program again on what the power cut left: python repro.py; needs pip install 'durakv[cli,fuzz]'."""

import sys
from pathlib import Path

from durakv_fuzz.program.artefact import replay

found = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
judgement = replay(found)
print(judgement.verdict, judgement.reason)
sys.exit(0 if judgement.is_kept else 1)
'''


class BadArtefact(ValueError):
    """The file is no crash, or a damaged one; the message has its path and says why."""


class Crashed(msgspec.Struct, forbid_unknown_fields=True):
    """``crash.json``."""

    format: str
    version: int
    program: str
    setting: str
    promise: Promise
    versions: dict[str, str]
    command: dict[str, str]
    """Of a program that is no shipped target: what it was called with."""

    verdict: Verdict
    reason: str
    tier: str
    crash_seq: int
    model: str
    """Of the disk in memory, with ``answers``: what makes the state again from the trace."""

    answers: list[int]
    stage: str
    acked: list[int]
    owed: list[int]
    issued_max: int


@dataclass(frozen=True, slots=True)
class Artefact:
    """A broken promise, as it is written down."""

    crashed: Crashed
    story: Sequence[str]
    state: bytes
    """A tar archive."""
    trace: bytes = b""

    def save(self, path: Path) -> None:
        """Write it."""
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("crash.json", msgspec.json.format(msgspec.json.encode(self.crashed), indent=1))
            archive.writestr("story.txt", "\n".join([self.crashed.reason, *self.story]) + "\n")
            archive.writestr("state.tar", self.state)
            archive.writestr("repro.py", _REPRO)
            if self.trace:
                archive.writestr("trace", self.trace)


def described(subject: Subject, command: Mapping[str, str], judgement: Judgement, crash: Crash, told: Told) -> Crashed:
    """What is written down of one finding."""
    model, answers = crash.choices()
    return Crashed(
        FORMAT,
        VERSION,
        subject.name,
        subject.setting,
        subject.promise,
        dict(subject.versions()),
        dict(command),
        judgement.verdict,
        judgement.reason,
        crash.tier,
        crash.crash_seq,
        model,
        list(answers),
        crash.stage,
        sorted(told.acked),
        sorted(told.owed),
        told.issued_max,
    )


def pack(directory: Path) -> bytes:
    """The directory as a tar archive: files, directories, links, modes and owners."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for child in sorted(directory.iterdir()):
            archive.add(child, arcname=child.name)
    return stream.getvalue()


def load(path: Path) -> tuple[Crashed, bytes]:
    """Read what is needed to repeat it, from the file or from a directory that it was unpacked into."""
    try:
        if path.is_dir():
            words, state = (path / "crash.json").read_bytes(), (path / "state.tar").read_bytes()
        else:
            with zipfile.ZipFile(path) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _BYTES_MAX:
                    raise BadArtefact(f"{path}: unpacked it has more than {_BYTES_MAX} bytes")
                words, state = archive.read("crash.json"), archive.read("state.tar")
        crashed = msgspec.json.decode(words, type=Crashed)
    except (zipfile.BadZipFile, KeyError, msgspec.MsgspecError) as cause:
        raise BadArtefact(f"{path}: it is no crash that durakv wrote: {cause}") from cause
    if crashed.format != FORMAT or crashed.version != VERSION:
        raise BadArtefact(f"{path}: it is {crashed.format!r} {crashed.version}, this durakv reads {FORMAT!r} {VERSION}")
    if len(crashed.acked) > _NUMBERS_MAX or len(crashed.owed) > _NUMBERS_MAX:
        raise BadArtefact(f"{path}: it names more than {_NUMBERS_MAX} numbers")
    return crashed, state


def replay(path: Path, subject: Subject | None = None, *, seconds: float = 60.0) -> Judgement:
    """Start the program on the state again, in a temporary directory, and judge.

    The program is the shipped target of that name if none is given.  Raises :class:`BadArtefact`, ``LookupError``.
    """
    crashed, state = load(path)
    if subject is None:
        subject = subject_of(crashed)
    if reason := subject.missing():
        raise BadArtefact(f"{path}: {crashed.program} cannot be run here: {reason}")
    become_reaper()
    told = Told(frozenset(crashed.acked), frozenset(crashed.owed), crashed.issued_max)
    with tempfile.TemporaryDirectory(prefix="durakv-replay-") as name:
        directory = Path(name)
        unpack(state, directory, path)
        try:
            found = call(lambda: subject.check(directory), seconds)
        except CallHung:
            return Judgement(Verdict.HANG, f"it gave no answer within {seconds:g} s")
        except CallFailed as failure:
            found = Found(refusal=str(failure))
    return judge(told, found, crashed.promise)


def unpack(state: bytes, directory: Path, path: Path) -> None:
    """Write the state out; a member that would leave the directory is refused, whatever the archive says."""
    try:
        with closing(tarfile.open(fileobj=io.BytesIO(state))) as archive:
            archive.extractall(directory, filter="data")
    except tarfile.TarError as cause:
        raise BadArtefact(f"{path}: its state is damaged: {cause}") from cause


def subject_of(crashed: Crashed) -> Subject:
    """The program again."""
    from durakv_fuzz.targets import find

    return find(crashed.program, crashed.setting)
