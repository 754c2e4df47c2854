"""How programs save their state without a library: a JSON file replaced or rewritten, and a log appended to.

Each way is one small function, to be read; what it leaves out is all that differs.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from durakv_fuzz.program.subject import Found, Plan, Promise, Teller, value_of
from durakv_fuzz.targets.target import found_among, in_words, key_of

STATE = "state.json"
LOG = "numbers.log"


def rename(directory: Path, content: bytes) -> None:
    """Write another file and rename it; nothing is synced."""
    temporary = directory / "state.tmp"
    temporary.write_bytes(content)
    temporary.replace(directory / STATE)


def fsync_rename(directory: Path, content: bytes) -> None:
    """The content is synced before the name changes; the name is not."""
    temporary = directory / "state.tmp"
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(directory / STATE)


def fsync_rename_dirsync(directory: Path, content: bytes) -> None:
    """The directory is synced as well: all that POSIX asks for."""
    fsync_rename(directory, content)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def truncate_write(directory: Path, content: bytes) -> None:
    """Write over the only copy."""
    (directory / STATE).write_bytes(content)


def append(directory: Path, line: bytes) -> None:
    """Append a line; nothing is synced."""
    with (directory / LOG).open("ab") as file:
        file.write(line)


def append_fsync(directory: Path, line: bytes) -> None:
    """Append a line and sync it; the file was there before."""
    with (directory / LOG).open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


_NOBODY = "in other words: nobody promises anything of files that are not synced (fsync(2))"
_FSYNC = (
    '"Calling fsync() does not necessarily ensure that the entry in the directory containing the file has also reached '
    'disk. For that an explicit fsync() on a file descriptor for the directory is also needed." (fsync(2))'
)
_WISHED = "in other words: programs that do this believe that a save which returned is kept; fsync(2) does not say so"


def targets() -> list[SavedFile]:
    """From what nobody should do to what everybody should."""
    return [
        SavedFile("truncate+write", Promise.ALWAYS, _WISHED, truncate_write),
        SavedFile("rename", Promise.ALWAYS, _WISHED, rename),
        SavedFile("fsync+rename", Promise.ALWAYS, _WISHED, fsync_rename),
        SavedFile("fsync+rename+dirsync", Promise.ALWAYS, _FSYNC, fsync_rename_dirsync),
        SavedFile("append", Promise.NONE, _NOBODY, append, is_log=True),
        SavedFile("append+fsync", Promise.ALWAYS, _FSYNC, append_fsync, is_log=True),
    ]


@dataclass(frozen=True, slots=True)
class SavedFile:
    """All numbers so far in one JSON object, saved anew for each, or a line of a log for each."""

    setting: str
    promise: Promise
    documented: str
    save: Callable[[Path, bytes], None]
    is_log: bool = False
    name: str = "file"
    window_seconds: float = 0.0
    plan: Plan = field(default=Plan(count=30))

    def missing(self) -> str:
        """Never."""
        return ""

    def versions(self) -> Mapping[str, str]:
        """Of Python."""
        return {"Python": ".".join(map(str, sys.version_info[:3]))}

    def prepare(self, directory: Path) -> None:
        """An empty log, or an object with nothing in it."""
        self.save(directory, b"" if self.is_log else b"{}")

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """See the module; a save that returned is an acknowledgement."""
        path = directory / (LOG if self.is_log else STATE)
        state: dict[str, str] = json.loads(path.read_bytes()) if not self.is_log and path.exists() else {}
        if self.is_log:
            _cut_unfinished_line(path)
        for number in numbers:
            key, value = key_of(number).decode(), value_of(number).decode()
            state[key] = value
            teller.issued(number)
            self.save(directory, f"{key} {value}\n".encode() if self.is_log else json.dumps(state).encode())
            teller.acked(number)

    def check(self, directory: Path) -> Found:
        """Read the one file; a last line of a log that was not finished is passed over, as readers of logs do."""
        path = directory / (LOG if self.is_log else STATE)
        try:
            content = path.read_bytes() if path.exists() else b""
            return found_among(_lines(content) if self.is_log else _members(content, there=path.exists()))
        except (OSError, ValueError) as error:
            return Found(refusal=f"{path.name}: {in_words(error)}")


def _cut_unfinished_line(path: Path) -> None:
    """What a crash left of a line would make one with the next."""
    if not path.exists():
        return
    content = path.read_bytes()
    whole = content.rfind(b"\n") + 1
    if whole < len(content):
        os.truncate(path, whole)


def _lines(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    for line in content.split(b"\n")[:-1]:
        key, _, value = line.partition(b" ")
        yield key, value


def _members(content: bytes, *, there: bool) -> Iterator[tuple[bytes, bytes]]:
    """A program without its file begins with nothing; one that finds half of it stops."""
    state: object = json.loads(content) if there else {}
    if not isinstance(state, dict):
        raise ValueError(f"there is no object in it, but {type(state).__name__}")
    for key, value in cast("dict[str, Any]", state).items():
        yield key.encode(), str(value).encode()
