"""The files of a recorded life, as far as ``follower`` asks for them: content, names, and what of both is synced."""

from __future__ import annotations

import re
from collections.abc import Mapping

from durakv_formats.frame import HEADER_BYTES, find_frames
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.specification.state import span
from durakv_fuzz.trace import Kind, Operation

_SEGMENT = re.compile(r"appendonly\.aof\.(\d+)\.incr\.aof")
_WRITES = frozenset({Kind.WRITE, Kind.WRITE_THROUGH})


def segment_number(name: str) -> int | None:
    """Which segment of the log a name is that of, if it is one."""
    match = _SEGMENT.fullmatch(name)
    return None if match is None else int(match[1])


class Files:
    """See the module.  Files that the life began with are durable."""

    def __init__(self, image: Image = NOTHING) -> None:
        self._content: dict[str, bytearray] = {name: bytearray(content[:]) for name, content in image.files.items()}
        self._changes: dict[str, int] = {}
        """How often the content of a name was changed since it was synced."""
        self._entries: dict[str, int] = {}
        """Names whose entries are in doubt, and the change of the directory that put them there."""
        self._entry = 0
        self._covered: dict[int, int] = {}

    @property
    def contents(self) -> Mapping[str, bytearray]:
        """By name."""
        return self._content

    def content(self, name: str) -> bytes:
        """Of the file of that name; empty if there is none."""
        return bytes(self._content.get(name, b""))

    def is_synced(self, name: str) -> bool:
        """Whether all of its content is."""
        return name in self._content and not self._changes.get(name)

    def is_durable(self, name: str) -> bool:
        """Whether its content is synced, and so is its name."""
        return self.is_synced(name) and name not in self._entries

    def numbers(self, name: str, identity: int, *, behind: int = 0) -> int:
        """The numbers of the batches that stand in a segment, as a set; only of frames that end behind an offset."""
        number, numbers = segment_number(name), 0
        if number is not None:
            data = self.content(name)
            for at, frame in find_frames(data, identity=identity, segment=number):
                if not frame.is_opening and at + frame_bytes(len(frame.payload)) > behind:
                    numbers |= span(frame.first_seq, frame.seq)
        return numbers

    def begin(self, operation: Operation) -> None:
        """A call begins; whatever is no barrier has taken effect then."""
        kind, name = operation.kind, operation.name
        if kind in _WRITES:
            self._write(operation)
        if kind in (Kind.SYNC, Kind.WRITE_THROUGH):
            self._covered[operation.start] = self._changes.get(name, 0)
        elif kind is Kind.SYNC_DIRECTORY:
            self._covered[operation.start] = self._entry
        if operation.done:
            self._rearrange(operation)

    def _write(self, operation: Operation) -> None:
        content = self._content.setdefault(operation.name, bytearray())
        end = operation.offset + len(operation.data)
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[operation.offset : end] = operation.data
        self._change(operation.name)

    def _rearrange(self, operation: Operation) -> None:
        kind, name = operation.kind, operation.name
        if kind is Kind.CREATE:
            self._content[name] = bytearray()
            self._changes[name] = 0
            self._enter(name)
        elif kind is Kind.TRUNCATE:
            content = self._content.setdefault(name, bytearray())
            del content[operation.size :]
            content.extend(bytes(operation.size - len(content)))
            self._change(name)
        elif kind is Kind.RENAME:
            new = operation.new_name
            self._content[new] = self._content.pop(name, bytearray())
            self._changes[new] = self._changes.pop(name, 0)
            self._entries.pop(name, None)
            self._enter(new)
        elif kind is Kind.REMOVE:
            self._content.pop(name, None)
            self._changes.pop(name, None)
            self._entries.pop(name, None)

    def end(self, operation: Operation) -> None:
        """A call returned."""
        covered = self._covered.pop(operation.start, 0)
        if operation.error or operation.killed:
            return
        if operation.kind in (Kind.SYNC, Kind.WRITE_THROUGH) and operation.name in self._changes:
            self._changes[operation.name] = max(0, self._changes[operation.name] - covered)
        elif operation.kind is Kind.SYNC_DIRECTORY:
            self._entries = {name: entry for name, entry in self._entries.items() if entry > covered}

    def _change(self, name: str) -> None:
        self._changes[name] = self._changes.get(name, 0) + 1

    def _enter(self, name: str) -> None:
        self._entry += 1
        self._entries[name] = self._entry


def frame_bytes(payload: int) -> int:
    """The size of a frame with so many bytes of payload."""
    return HEADER_BYTES + payload
