"""Loops that write a record and make it durable, and do nothing else: what the disk itself can do.

The first way of ``WAYS`` is *the* raw loop, the measure of all stores: a file whose zeros are on disk already, so that
a commit changes no metadata, and for each record ``pwrite`` and ``fdatasync``.
"""

from __future__ import annotations

import mmap
import os
from array import array
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from typing import NamedTuple

from durakv.bench.workload import KEY_BYTES
from durakv_formats import HEADER_BYTES
from durakv_formats.resp import encode_command

FILE_BYTES = 16 << 20
"""Of the files that are written into: as large as a segment of the log."""

_PAGE_BYTES = 4096


def record_bytes(value_bytes: int) -> int:
    """The size of the log's record of a SET."""
    return HEADER_BYTES + len(encode_command([b"SET", bytes(KEY_BYTES), bytes(value_bytes)]))


class RawFile:
    """A file of its own, and one way to commit a record to it."""

    def __init__(self, path: Path, way: Way, size: int) -> None:
        """Raises OSError where the file system does not know that way."""
        self._way = way
        self._size = _PAGE_BYTES * -(-size // _PAGE_BYTES) if way.is_direct else size
        self._record = mmap.mmap(-1, self._size)  # anonymous memory begins at a page, which O_DIRECT wants
        self._record.write(b"r" * self._size)
        self._offset = 0
        if way.is_filled:
            _fill(path)
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | way.flags, 0o600)

    def loop(self, seconds: float) -> tuple[int, array[int]]:
        """Commit for so long; return when it began, and when each commit ended."""
        commit, descriptor, record, size = self._way.commit, self._descriptor, self._record, self._size
        limit = FILE_BYTES - size
        ends = array("Q")
        offset = self._offset
        began = perf_counter_ns()
        deadline = began + int(seconds * 1e9)
        now = began
        while now < deadline:
            commit(descriptor, record, offset)
            now = perf_counter_ns()
            ends.append(now)
            offset += size
            if offset > limit:
                offset = 0
        self._offset = offset
        os.fdatasync(descriptor)  # the next loop must not pay for this one
        return began, ends

    def close(self) -> None:
        """Give the file back; it is not removed."""
        os.close(self._descriptor)
        self._record.close()


Commit = Callable[[int, mmap.mmap, int], object]


class Way(NamedTuple):
    """How a record is written and made durable."""

    name: str
    commit: Commit
    flags: int = 0
    is_filled: bool = True
    """Whether the file is full of synced zeros before."""
    is_direct: bool = False
    """Whether records are made up to whole pages."""


def _written_and_synced(descriptor: int, record: mmap.mmap, offset: int) -> None:
    os.pwrite(descriptor, record, offset)
    os.fdatasync(descriptor)


def _written_through(descriptor: int, record: mmap.mmap, offset: int) -> None:
    os.pwritev(descriptor, [record], offset, os.RWF_DSYNC)


def _appended_and_synced(descriptor: int, record: mmap.mmap, _offset: int) -> None:
    os.write(descriptor, record)
    os.fdatasync(descriptor)


WITHOUT_SYNC = Way("pwrite without sync", os.pwrite)
"""Durable is nothing here: what a write costs that nobody waits for."""

WAYS = (
    Way("pwrite + fdatasync, zero-filled file", _written_and_synced),
    Way("pwritev RWF_DSYNC, zero-filled file", _written_through),
    Way("O_DIRECT | O_DSYNC, 4 KiB", os.pwrite, os.O_DIRECT | os.O_DSYNC, is_direct=True),
    Way("write + fdatasync, growing file", _appended_and_synced, os.O_APPEND, is_filled=False),
    WITHOUT_SYNC,
)
THE_RAW_LOOP = WAYS[0]


def _fill(path: Path) -> None:
    zeros = bytes(1 << 20)
    with path.open("wb", buffering=0) as file:
        for _ in range(FILE_BYTES // len(zeros)):
            file.write(zeros)
        os.fsync(file.fileno())
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
