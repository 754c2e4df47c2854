"""Which states a power cut may leave of a device: a pure function of the trace, the crash point and the answers.

Durable at ``crash_seq`` is each write that a flush covers which had ended.  Of the others each is lost, kept, or torn:
of its sectors some were written, in any order.  Kept writes lie over each other in the order of their starts.

Questions are asked in the order of the writes: ``#12 write [0, 4096)`` is answered by 0 lost, 1 torn, 2 kept (0 or 1 of
a write that cannot tear); of a torn one ``torn`` asks how (0 its first sectors, 1 its last ones, 2 any), and
``sectors`` how many or ``sector`` for each.  A write that was under way is in doubt like one that had ended.

Not torn are single sectors, and blocks that the file system takes for atomic (``BlockTrace.atomic``).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from itertools import accumulate

from durakv_fuzz.block.trace import BLOCK_BYTES, NO_DATA, Blocks, BlockTrace, BlockWrite, pieces
from durakv_fuzz.choose import Choose
from durakv_fuzz.trace import SECTOR_BYTES

LOST, TORN, KEPT = 0, 1, 2
FIRST, LAST, ANY = 0, 1, 2

_CHECKPOINTS_MAX = 64
_CHECKPOINT_WRITES_MIN = 16


@dataclass(frozen=True, slots=True)
class DeviceImage:
    """What a device holds after a crash: ``changed`` over the trace's base."""

    changed: Blocks
    digest: int
    """The same for images of one trace that are the same, and for others never (but for chance: 128 bits)."""


class Device:
    """The device of one trace, at any crash point.  Not for several threads.

    ``durable`` is what the device promises: for each write the first crash point at which it cannot be lost any more.
    """

    def __init__(self, trace: BlockTrace, *, durable: Callable[[BlockTrace], list[int]] | None = None) -> None:
        self.trace = trace
        self._starts = [write.start for write in trace.writes]
        self._durable_from = durable_from(trace) if durable is None else durable(trace)
        self._all_durable_from = list(accumulate(self._durable_from, max))
        self._apart = max(_CHECKPOINT_WRITES_MIN, len(trace.writes) // _CHECKPOINTS_MAX)
        self._checkpoints: list[_Content] = [_Content(trace.base)]
        self._cut: dict[int, list[_Piece]] = {}

    def pending(self, crash_seq: int) -> list[BlockWrite]:
        """The writes that may be lost or torn."""
        first, started = self._doubtful(crash_seq)
        return [self.trace.writes[n] for n in range(first, started) if self._durable_from[n] > crash_seq]

    def image(self, crash_seq: int, choose: Choose) -> DeviceImage:
        """What is left, by these answers."""
        first, started = self._doubtful(crash_seq)
        content = self._content(first)
        for number in range(first, started):
            write = self.trace.writes[number]
            if self._durable_from[number] <= crash_seq:
                content.write(self._whole(number))
                continue
            for offset, data in survivors(write, choose, tears=self.trace.tears(write)):
                content.write(self._whole(number) if len(data) == len(write.data) else _pieces(offset, data))
        return DeviceImage(content.changed, content.digest)

    def _doubtful(self, crash_seq: int) -> tuple[int, int]:
        """From the first write that is not durable to the last that had begun: most of them are in doubt."""
        started = bisect_left(self._starts, crash_seq)
        return min(bisect_right(self._all_durable_from, crash_seq), started), started

    def _content(self, count: int) -> _Content:
        """After so many writes, all of them kept."""
        while len(self._checkpoints) <= count // self._apart:
            content = self._checkpoints[-1].copy()
            begin = (len(self._checkpoints) - 1) * self._apart
            for number in range(begin, begin + self._apart):
                content.write(self._whole(number))
            self._checkpoints.append(content)
        content = self._checkpoints[count // self._apart].copy()
        for number in range(count - count % self._apart, count):
            content.write(self._whole(number))
        return content

    def _whole(self, number: int) -> list[_Piece]:
        """A write as it is kept in nearly every state; cut up and hashed once."""
        known = self._cut.get(number)
        if known is None:
            write = self.trace.writes[number]
            known = self._cut[number] = _pieces(write.offset, write.data)
        return known


def durable_from(trace: BlockTrace) -> list[int]:
    """Of a device that keeps its word: a write is durable when a flush has ended that began after it; else never."""
    never = trace.seq + 1
    starts = [flush.start for flush in trace.flushes]
    earliest = [never] * (len(starts) + 1)
    for number in range(len(starts) - 1, -1, -1):
        end = trace.flushes[number].end
        earliest[number] = min(earliest[number + 1], end + 1 if end >= 0 else never)
    return [earliest[bisect_left(starts, write.end)] if write.end >= 0 else never for write in trace.writes]


def survivors(write: BlockWrite, choose: Choose, *, tears: bool) -> Iterator[tuple[int, bytes]]:
    """What is left of a write that may be lost: offsets and bytes."""
    count = write.sectors
    answer = choose(3, str(write)) if tears else choose(2, str(write)) * KEPT
    if answer == KEPT:
        yield write.offset, write.data
    elif answer == TORN:
        how = choose(3, "torn")
        if how == ANY:
            for at in range(0, len(write.data), SECTOR_BYTES):
                if choose(2, "sector"):
                    yield write.offset + at, write.data[at : at + SECTOR_BYTES]
        else:
            size = (choose(count - 1, "sectors") + 1) * SECTOR_BYTES
            begin = len(write.data) - size if how == LAST else 0
            yield write.offset + begin, write.data[begin : begin + size]


class _Content:
    """Blocks that differ from the base, with a digest that is kept up to date."""

    def __init__(self, base: Blocks) -> None:
        self._base = base
        self.changed: dict[int, bytes] = {}
        self._hashes: dict[int, int] = {}
        self.digest = 0

    def copy(self) -> _Content:
        other = _Content(self._base)
        other.changed, other._hashes, other.digest = dict(self.changed), dict(self._hashes), self.digest
        return other

    def write(self, written: list[_Piece]) -> None:
        for block, within, data, digest in written:
            if len(data) < BLOCK_BYTES:
                old = self.changed.get(block) or self._base.get(block, NO_DATA)
                content = old[:within] + data + old[within + len(data) :]
                digest = _hash(block, content)
            else:
                content = data
            self.digest ^= self._hashes.get(block, 0)
            if content == self._base.get(block, NO_DATA):
                self.changed.pop(block, None)
                self._hashes.pop(block, None)
            else:
                self.changed[block] = content
                self._hashes[block] = digest
                self.digest ^= digest


_Piece = tuple[int, int, bytes, int]
"""A block, where in it, the bytes there, and if these are the whole block its hash."""


def _pieces(offset: int, data: bytes) -> list[_Piece]:
    return [
        (block, within, piece, _hash(block, piece) if len(piece) == BLOCK_BYTES else 0)
        for block, within, piece in pieces(offset, data)
    ]


def _hash(block: int, content: bytes) -> int:
    return int.from_bytes(blake2b(content, digest_size=16, salt=block.to_bytes(8, "little")).digest(), "little")
