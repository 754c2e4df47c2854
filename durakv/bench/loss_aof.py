"""What a server's append-only file had on disk at any instant of a run, told from the calls that it made.

The file only grows, so a write's place is the sum of those before it.  A sync covers what had been written when it
began, from when it returned.  The names of the files, and what was in them before the run, are taken for durable.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from durakv.bench.strace_log import Call
from durakv_formats.resp import CommandDecoder

PAGE_BYTES = 4096

AOF_SUFFIX = '.incr.aof"'
"""How the path of the file that commands are appended to ends, in quotes."""


class Tail(StrEnum):
    """What becomes of the bytes that no sync has covered."""

    GONE = "gone"
    CUT = "cut at any byte"
    PAGES = "any pages of it"


class Survivor(NamedTuple):
    """One file that a power loss may leave."""

    tail: Tail
    whole: int
    """Up to here all bytes are those that were written."""
    kept: tuple[tuple[int, int], ...]
    """Other parts, beyond a hole of zeros: first and last byte."""

    def content(self, written: bytes) -> bytes:
        """The file, of which all that was ever written is given."""
        data = bytearray(written[: self.whole])
        for first, last in self.kept:
            data.extend(bytes(first - len(data)))
            data += written[first:last]
        return bytes(data)


class AofHistory:
    """Written and synced bytes over time."""

    def __init__(self, calls: Iterable[Call]) -> None:
        opened: set[int] = set()
        writes: list[Call] = []
        syncs: list[Call] = []
        for call in calls:
            if call.result < 0:
                continue
            if call.name == "openat" and AOF_SUFFIX in call.arguments:
                opened.add(call.result)
            elif call.name == "close" and call.descriptor in opened:
                opened.remove(call.descriptor)
            elif call.name in ("write", "pwrite64") and call.descriptor in opened:
                writes.append(call)
            elif call.name in ("fdatasync", "fsync") and call.descriptor in opened:
                syncs.append(call)
        # One thread writes, so its writes neither overlap nor pass each other.
        sizes = list(accumulate(call.result for call in writes))
        ends = [call.ended_us for call in writes]
        self._write_starts = [call.started_us for call in writes]
        self._sizes = [0, *sizes]
        covered = [
            (call.ended_us, self._sizes[bisect_right(ends, call.started_us)])
            for call in sorted(syncs, key=lambda call: call.ended_us)
        ]
        self._sync_ends = [ended for ended, _ in covered]
        self._durable = [0, *accumulate((size for _, size in covered), max)]
        self.syncs = len(syncs)
        self.sync_seconds_max = max((call.ended_us - call.started_us for call in syncs), default=0) / 1e6

    @property
    def size(self) -> int:
        """All that was written."""
        return self._sizes[-1]

    def durable_at(self, time_us: int) -> int:
        """So many bytes are there after a loss of power at this instant."""
        return self._durable[bisect_right(self._sync_ends, time_us)]

    def written_at(self, time_us: int) -> int:
        """No byte beyond this can be."""
        return self._sizes[bisect_left(self._write_starts, time_us)]

    def survivor(self, time_us: int, tail: Tail, generator: random.Random) -> Survivor:
        """Draw what a loss of power at this instant leaves."""
        durable, written = self.durable_at(time_us), self.written_at(time_us)
        if tail is Tail.GONE or durable == written:
            return Survivor(tail, durable, ())
        if tail is Tail.CUT:
            return Survivor(tail, generator.randint(durable, written), ())
        return _pages(durable, written, generator)


def _pages(durable: int, written: int, generator: random.Random) -> Survivor:
    whole, kept = durable, list[tuple[int, int]]()
    first = durable
    while first < written:
        last = min(written, first - first % PAGE_BYTES + PAGE_BYTES)
        if generator.random() < 0.5:
            if whole == first:
                whole = last
            else:
                kept.append((first, last))
        first = last
    return Survivor(Tail.PAGES, whole, tuple(kept))


def ends_of_writes(data: bytes) -> list[int]:
    """Where each SET of an append-only file ends; other commands, such as SELECT, are passed over."""
    decoder = CommandDecoder()
    decoder.feed(data)
    ends: list[int] = []
    while command := decoder.take(1):
        if command[0][0] == b"SET":
            ends.append(decoder.offset)
    return ends
