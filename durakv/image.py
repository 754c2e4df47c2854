"""A base made from the live machine, in slices: for machines that cannot be merged slot by slot.

The machine's iterator holds the state of one moment and is asked for one chunk at a time, under the engine's lock,
for it may look at the live state.  Encoding and writing happen outside the lock.  So a writer waits for one chunk at
most; how long that is, is the machine's choice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass

from durakv.machine import SlotFreezer, SlottedMachine, StateMachine
from durakv.snapshot.writer import BaseWriter
from durakv.storage.filesystem import Filesystem
from durakv_formats.snapshot import SnapshotHeader

CHUNKS = "chunks"
"""The content of a base that holds the chunks of ``freeze()``."""

STEP_BYTES = 256 << 10
STEP_BLOCKS = 16


@dataclass(frozen=True, slots=True)
class Image:
    """The state of one moment, not yet taken out of the machine."""

    content: str
    slot_count: int
    blocks: Iterator[tuple[int, bytes, int]]


def freeze(machine: StateMachine) -> Image:
    """The state of now; called with the engine's lock, between two batches."""
    if isinstance(machine, SlottedMachine) and isinstance(machine, SlotFreezer):
        return Image(machine.content, machine.slot_count, machine.freeze_slots())
    return Image(CHUNKS, 1, ((0, chunk, 1) for chunk in machine.freeze()))


class ImageWriter:
    """Writes one image under a temporary name, a few chunks a step."""

    def __init__(self, filesystem: Filesystem, name: str, header: SnapshotHeader, image: Image) -> None:
        self.progress = 0.0
        self._blocks = image.blocks
        self._writer = BaseWriter(filesystem, name, header)

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
