"""A base made from the live machine, in slices: for machines that cannot be merged slot by slot.

The machine's iterator holds the state of one moment and is asked for one chunk at a time, under the engine's lock,
for it may look at the live state.  Encoding and writing happen outside the lock.  So a writer waits for one chunk at
most; how long that is, is the machine's choice.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from durakv.machine import RdbMachine, SlotFreezer, SlottedMachine, StateMachine
from durakv.snapshot.codec import BaseCodec
from durakv.snapshot.writer import BaseFile, BaseWriter
from durakv.storage.filesystem import Filesystem
from durakv_formats.snapshot import SnapshotHeader

if TYPE_CHECKING:  # otherwise where it is used: most programs never write an RDB file
    from durakv_formats.rdb import Aux, Entry, Target

CHUNKS = "chunks"
"""The content of a base that holds the chunks of ``freeze()``."""

STEP_BYTES = 256 << 10
STEP_BLOCKS = 16
STEP_ENTRIES = 64


class Image(msgspec.Struct, frozen=True):
    """The state of one moment, not yet taken out of the machine."""

    content: str
    slot_count: int
    blocks: Iterator[tuple[int, bytes, int]]


def freeze(machine: StateMachine) -> Image:
    """The state of now; called with the engine's lock, between two batches."""
    if isinstance(machine, SlottedMachine) and isinstance(machine, SlotFreezer):
        return Image(machine.content, machine.slot_count, machine.freeze_slots())
    return Image(CHUNKS, 1, ((0, chunk, 1) for chunk in machine.freeze()))


class RdbImage(msgspec.Struct, frozen=True):
    """The state of one moment, for a base that stock servers read."""

    target: Target
    entries: Iterator[Entry]


def freeze_rdb(machine: RdbMachine) -> RdbImage:
    """The state of now; called with the engine's lock, between two batches."""
    return RdbImage(*machine.freeze_entries())


class ImageWriter:
    """Writes one image under a temporary name, a few chunks a step."""

    def __init__(
        self,
        filesystem: Filesystem,
        name: str,
        header: SnapshotHeader,
        image: Image,
        busy: Callable[[], bool],
        codec: BaseCodec | None = None,
    ) -> None:
        """``busy``: does somebody write to the log, whom syncs of this file would keep waiting?"""
        self._blocks = image.blocks
        self._writer = BaseWriter(filesystem, name, header, busy, codec)

    def step(self, lock: threading.Lock) -> int | None:
        """Write a few chunks; return the size of the base once it is whole and durable."""
        limit = self._writer.size + STEP_BYTES
        for _ in range(STEP_BLOCKS):
            with lock:
                block = next(self._blocks, None)
            if block is None:
                return self._writer.finish()
            self._writer.block(*block)
            if self._writer.size >= limit:
                break
        return None

    def abort(self) -> None:
        """Remove what was written."""
        self._writer.abort()


class RdbImageWriter:
    """Writes one image as an RDB file under a temporary name, some entries a step."""

    def __init__(
        self, filesystem: Filesystem, name: str, facts: Iterable[Aux], image: RdbImage, busy: Callable[[], bool]
    ) -> None:
        """``busy`` as for :class:`ImageWriter`."""
        self._entries = image.entries
        from durakv_formats.rdb import RdbWriter

        self._writer = RdbWriter(image.target)
        self._file = BaseFile(filesystem, name, self._writer.begin(facts), busy)

    def step(self, lock: threading.Lock) -> int | None:
        """Write some entries; return the size of the base once it is whole and durable."""
        limit = self._file.size + STEP_BYTES
        while self._file.size < limit:
            with lock:
                some = list(islice(self._entries, STEP_ENTRIES))
            if not some:
                return self._file.finish(self._writer.end())
            self._file.add(b"".join(map(self._writer.entry, some)))
        return None

    def abort(self) -> None:
        """Remove what was written."""
        self._file.abort()
