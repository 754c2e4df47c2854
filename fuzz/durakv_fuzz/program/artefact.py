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
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec

from durakv_fuzz.program.disks import Crash
from durakv_fuzz.program.oracle import Judgement, Told, Verdict
from durakv_fuzz.program.subject import Promise, Subject

FORMAT = "durakv-crash"
VERSION = 1
SUFFIX = ".crash.zip"

_PARTS = frozenset({"crash.json", "story.txt", "state.tar", "trace", "repro.py"})
_BYTES_MAX = 4 << 30
_NUMBERS_MAX = 1 << 24
_DAMAGED = (
    FileNotFoundError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    RuntimeError,  # of zipfile, for what is encrypted or compressed in other ways
    ValueError,  # of zipfile, for offsets and text that cannot be
    msgspec.MsgspecError,
)
_REPRO = '''\
"""Start the program again on what the power cut left: python repro.py; needs pip install 'durakv[cli,fuzz]'."""

import sys
from pathlib import Path

from durakv_fuzz.program.replay import replay

found = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
judgement = replay(found)
print(judgement.verdict, judgement.reason)
sys.exit(0 if judgement.is_kept else 1)
'''


Number: TypeAlias = Annotated[int, msgspec.Meta(ge=0)]


class BadArtefact(ValueError):
    """The file is no crash, or a damaged one; the message has its path and says why."""


class _Head(msgspec.Struct):
    """What every version of ``crash.json`` begins with."""

    format: str
    version: int


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

    answers: list[Number]
    stage: str
    acked: list[Number]
    owed: list[Number]
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


def load(path: Path) -> tuple[Crashed, bytes, bytes]:
    """What is needed to repeat it, with the state and the trace; from the file, or a directory it was unpacked into.

    Raises :class:`BadArtefact`.
    """
    try:
        if path.is_dir():
            words, state = (path / "crash.json").read_bytes(), (path / "state.tar").read_bytes()
            trace = (path / "trace").read_bytes() if (path / "trace").exists() else b""
        else:
            if path.stat().st_size > _BYTES_MAX:
                raise BadArtefact(f"{path}: it has more than {_BYTES_MAX} bytes")
            # From memory, where a damaged offset cannot look like an error of the disk.
            with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
                if sum(entry.file_size for entry in archive.infolist()) > _BYTES_MAX:
                    raise BadArtefact(f"{path}: unpacked it has more than {_BYTES_MAX} bytes")
                if strange := set(archive.namelist()) - _PARTS:
                    raise BadArtefact(f"{path}: it is no crash that durakv wrote: it has {min(strange)!r}")
                words, state = archive.read("crash.json"), archive.read("state.tar")
                trace = archive.read("trace") if "trace" in archive.namelist() else b""
        head = msgspec.json.decode(words, type=_Head)
        if head.format != FORMAT or head.version != VERSION:
            raise BadArtefact(f"{path}: it is {head.format!r} {head.version}, this durakv reads {FORMAT!r} {VERSION}")
        crashed = msgspec.json.decode(words, type=Crashed)
    except BadArtefact:
        raise
    except _DAMAGED as cause:
        raise BadArtefact(f"{path}: it is no crash that durakv wrote, or a damaged one: {cause}") from cause
    if max(len(crashed.acked), len(crashed.owed), len(crashed.answers)) > _NUMBERS_MAX:
        raise BadArtefact(f"{path}: it names more than {_NUMBERS_MAX} numbers")
    return crashed, state, trace


def unpack(state: bytes, directory: Path, path: Path) -> None:
    """Write the state out; a member that would leave the directory is refused, whatever the archive says."""
    try:
        with closing(tarfile.open(fileobj=io.BytesIO(state))) as archive:
            archive.extractall(directory, filter="data")
    except (tarfile.TarError, EOFError, ValueError) as cause:
        raise BadArtefact(f"{path}: its state is damaged: {cause}") from cause
