"""What a file system did to its device, and what programs on it told, in one order.

As in ``durakv_fuzz.trace`` every request has a ``start`` and an ``end``, and a crash at ``crash_seq`` happens between
two events.  A request that was under way when the recording stopped has the end -1.

The device has no volatile write cache but this: a write lasts when a flush covers it, which is one that started after
the write had ended and that itself ended before the crash.  It offers neither discards nor writes that bypass the cache
(FUA), so the kernel does both by plain writes and flushes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from durakv_fuzz.trace import SECTOR_BYTES, Note

BLOCK_BYTES = 4096
NO_DATA = bytes(BLOCK_BYTES)

Blocks = Mapping[int, bytes]
"""What a device holds: 4 KiB at a time, by number.  What is not in it is zeros."""


@dataclass(frozen=True, slots=True)
class BlockWrite:
    """One write of whole sectors."""

    start: int
    end: int
    offset: int
    data: bytes

    @property
    def sectors(self) -> int:
        """How many sectors it writes: each is written or not, whatever becomes of the others."""
        return len(self.data) // SECTOR_BYTES

    def __str__(self) -> str:
        return f"#{self.start} write [{self.offset}, {self.offset + len(self.data)})"


@dataclass(frozen=True, slots=True)
class Flush:
    """One flush of the device's cache."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class BlockTrace:
    """A recorded run, which began on ``base`` at ``first_seq`` and was stopped at ``seq``."""

    filesystem: str
    device_bytes: int
    base: dict[int, bytes]
    atomic: tuple[int, ...] = ()
    """Blocks of which the file system believes that no write of them tears."""

    first_seq: int = 0
    """Where crashes begin: everything before is durable."""

    seq: int = 0
    writes: tuple[BlockWrite, ...] = ()
    """By their start."""

    flushes: tuple[Flush, ...] = ()
    """By their start."""

    notes: tuple[Note, ...] = ()
    times: tuple[float, ...] = ()
    """For each event from ``first_seq`` on, seconds of the recorder's clock (``time.monotonic``)."""

    def tears(self, write: BlockWrite) -> bool:
        """Whether only some of its sectors may be written."""
        first, last = write.offset // BLOCK_BYTES, (write.offset + len(write.data) - 1) // BLOCK_BYTES
        return write.sectors > 1 and not any(first <= block <= last for block in self.atomic)

    def notes_before(self, crash_seq: int) -> list[Note]:
        """What had been told when the power was cut."""
        return [note for note in self.notes if note.seq < crash_seq]

    def time_at(self, crash_seq: int) -> float:
        """When the last event before this crash was; of the first crash point, when the recording began."""
        at = min(max(crash_seq - 1 - self.first_seq, 0), len(self.times) - 1)
        return self.times[at] if self.times else 0.0


def pieces(offset: int, data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Cut at block borders: a block's number, where in the block, and the bytes there."""
    at, view = 0, memoryview(data)
    while at < len(data):
        block, within = divmod(offset + at, BLOCK_BYTES)
        size = min(BLOCK_BYTES - within, len(data) - at)
        yield block, within, bytes(view[at : at + size])
        at += size
