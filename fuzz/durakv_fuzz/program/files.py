"""Programs that only save files: no driver, no checker, and nothing to configure.

Every line on the standard output acknowledges whatever was saved before it, and so does the end with status 0.  A file
counts if the program closed it after writing, or renamed it to its name, and if it is still there when the program has
ended: what was removed again or renamed away was temporary, and nobody is to find it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from durakv_fuzz.program.child import Tail, kill, outputs, spawn
from durakv_fuzz.program.commands import CommandFailed
from durakv_fuzz.program.lines import read_lines

_CHECK_SECONDS_MAX = 60.0


@dataclass(frozen=True, slots=True)
class Version:
    """What a file held when the program was done with it."""

    content: bytes
    position: int
    """In the trace: of the close or the rename that made it."""
    by_rename: bool = False
    """Whether it came under its name in one step, so that a part of it is never what the program means."""


class Damage(StrEnum):
    """What a crash may leave of a file that was saved."""

    MISSING = "missing"
    """It is not there, and a version of it was acknowledged."""
    EMPTY = "empty"
    TORN = "torn"
    """Neither one version nor another."""
    LOST = "lost"
    """It is a version from before the last that was acknowledged."""
    REPORTED = "reported"
    """The program's own check says so."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """A file that is not what it has to be."""

    path: str
    damage: Damage
    words: str
    acknowledged: bool
    """Whether a version of it was acknowledged.  If not, whoever reads it still finds what nobody wrote."""


def counted(versions: Mapping[str, Sequence[Version]], at_end: Mapping[str, bytes]) -> dict[str, Sequence[Version]]:
    """The files that are judged, of all that have versions; ``at_end`` is what there was when the program ended."""
    return {path: found for path, found in versions.items() if found and path in at_end}


def acknowledged(versions: Mapping[str, Sequence[Version]], position: int) -> dict[str, int]:
    """For each file its last version before a position of the trace, where a line was told; -1 if there is none."""
    return {
        path: max((index for index, version in enumerate(found) if version.position < position), default=-1)
        for path, found in versions.items()
    }


def judge_files(
    versions: Mapping[str, Sequence[Version]], acked: Mapping[str, int], tree_files: Mapping[str, bytes]
) -> list[Complaint]:
    """Compare what a crash left with what the program saved; a pure function.

    ``versions`` are those of files that count, over the whole run, in order.  ``acked`` says for each which one was
    the last acknowledged before the crash.  Right are the acknowledged version and all later ones; a beginning of a
    later one too, if the file grew in place and the acknowledged part is whole, as a log does.  Before anything is
    acknowledged a file may be missing.
    """
    complaints: list[Complaint] = []
    for path, known in versions.items():
        last = acked.get(path, -1)
        if not -1 <= last < len(known):
            raise ValueError(f"{path}: version {last} is acknowledged, and there are {len(known)}")
        found = _judge(known, last, tree_files.get(path))
        if found is not None:
            complaints.append(Complaint(path, *found, acknowledged=last >= 0))
    return complaints


def _judge(known: Sequence[Version], last: int, content: bytes | None) -> tuple[Damage, str] | None:
    if content is None:
        return None if last < 0 else (Damage.MISSING, f"it is not there, though {_named(last)} was acknowledged")
    if any(version.content == content for version in known[max(last, 0) :]):
        return None
    whole = known[last].content if last >= 0 else b""
    grows = any(v.content.startswith(content) and not v.by_rename for v in known[last + 1 :])
    if grows and content.startswith(whole):
        return None
    older = [index for index in range(max(last, 0)) if known[index].content == content]
    if older:
        return Damage.LOST, f"it is {_named(older[-1])}, though {_named(last)} was acknowledged"
    if not content:
        return Damage.EMPTY, "it is empty, and never was when the program was done with it"
    return Damage.TORN, _torn(known, content)


def _torn(known: Sequence[Version], content: bytes) -> str:
    begin = content.rstrip(b"\0")
    if not begin:
        return f"it is {len(content)} zero bytes"
    zeros = len(content) - len(begin)
    tail = f", then {zeros} zero bytes" if zeros else ""
    index, common = max(
        ((index, _common(version.content, begin)) for index, version in enumerate(known)), key=lambda pair: pair[1]
    )
    of = len(known[index].content)
    if common == len(begin):
        return f"it is the first {common} of {of} bytes of {_named(index)}{tail}"
    return f"its {len(content)} bytes are no version; the first {common} are those of {_named(index)}, which has {of}"


def _common(left: bytes, right: bytes) -> int:
    """How many bytes both begin with, found by halving."""
    low, high = 0, min(len(left), len(right))
    while low < high:
        middle = (low + high + 1) // 2
        if left[:middle] == right[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _named(index: int) -> str:
    return f"version {index + 1}"


@dataclass(frozen=True, slots=True)
class FilesSubject:
    """A program by its command line, in which ``{dir}`` is where it saves; optionally a command that checks."""

    argv: tuple[str, ...]
    check_argv: tuple[str, ...] = ()

    def run(self, directory: Path, acknowledge: Callable[[], None]) -> None:
        """Run it to its end; ``acknowledge`` is called for every line, and once more if it ends with status 0.

        Raises ``CommandFailed`` if it cannot be started or ends otherwise, and ``ProtocolError`` for endless lines.
        """
        process = _spawned(self.argv, directory)
        try:
            told, complaints = outputs(process)
            said = Tail(complaints)
            for _ in read_lines(told, self.argv[0]):
                acknowledge()
            status = process.wait()
        finally:
            kill(process)
        if status:
            raise CommandFailed(f"{self.argv[0]} ended with status {status}: {said.last_words() or 'it said nothing'}")
        acknowledge()

    def reported(self, directory: Path) -> Complaint | None:
        """What the check says of a directory after a crash: nothing if it ends with status 0, or if there is none."""
        if not self.check_argv:
            return None
        process = _spawned(self.check_argv, directory)
        told, said = map(Tail, outputs(process))
        try:
            status = process.wait(_CHECK_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            status = -1
        finally:
            kill(process)
        words = said.last_words() or told.last_words() or f"it ended with status {status}"
        return Complaint("", Damage.REPORTED, words, acknowledged=True) if status else None


def _spawned(argv: Sequence[str], directory: Path) -> subprocess.Popen[bytes]:
    try:
        return spawn(
            [part.replace("{dir}", str(directory)) for part in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except OSError as error:
        raise CommandFailed(f"{argv[0]}: {error.strerror or error}") from error
