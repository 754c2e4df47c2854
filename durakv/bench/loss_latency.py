"""How long the simulated disk takes: durations drawn from what was measured on the real one."""

from __future__ import annotations

import math
import os
import random
import time
from bisect import bisect_right
from pathlib import Path

from durakv.bench.raw import WITHOUT_SYNC
from durakv.bench.results import Disk, Latency, RawLoop

WRITES = 2000
"""How many plain writes are measured."""

_RECORD = bytes(170)
_MICROSECOND = 1e-6


class LatencyDraw:
    """Seconds, distributed as the percentiles say, with their stalls in their share.

    Between two percentiles the logarithm is interpolated.  The faster half is not described by them: it is drawn as
    the median.
    """

    def __init__(self, latency: Latency, generator: random.Random) -> None:
        self._draw = generator.random
        microseconds = (latency.p50_us, latency.p90_us, latency.p99_us, latency.p999_us, latency.max_us)
        self._shares = (0.5, 0.9, 0.99, 0.999, 1.0)
        self._logs = [math.log(max(value, 1e-3) * _MICROSECOND) for value in microseconds]

    def __call__(self) -> float:
        """The next one."""
        share = self._draw()
        index = bisect_right(self._shares, share)
        if index == 0:
            return math.exp(self._logs[0])
        low, high = self._shares[index - 1], self._shares[index]
        part = (share - low) / (high - low)
        return math.exp(self._logs[index - 1] * (1 - part) + self._logs[index] * part)


def durable_write(disk: Disk) -> RawLoop | None:
    """The fastest raw loop that syncs, which is how durakv's log is written; None without any."""
    durable = [loop for loop in disk.raw if loop.name != WITHOUT_SYNC.name]
    return max(durable, key=lambda loop: loop.commits_per_second, default=None)


def plain_write(directory: Path) -> Latency:
    """Measure writes of a log record's size that nobody syncs, in a file that is removed again."""
    path = directory / "plain-writes"
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        seconds: list[float] = []
        for index in range(WRITES):
            started = time.perf_counter()
            os.pwrite(descriptor, _RECORD, index * len(_RECORD))
            seconds.append(time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()
    return _percentiles(seconds)


def _percentiles(seconds: list[float]) -> Latency:
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] / _MICROSECOND

    return Latency(len(ordered), at(0.5), at(0.9), at(0.99), at(0.999), at(1.0))
