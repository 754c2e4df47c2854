"""Percentiles of what a load loop kept: when each write was meant to begin, and how long it took.

Nothing is sampled or put into buckets: a percentile is a value that was measured.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import pairwise

from durakv.bench.results import Latency, Second

_SECOND_NS = 1_000_000_000


def percentiles(latencies_ns: Sequence[int]) -> Latency | None:
    """The percentiles of latencies in nanoseconds, in any order; None if there are none.

    A percentile is the smallest value that so large a part of the latencies does not exceed (nearest rank).
    """
    if not latencies_ns:
        return None
    ordered = sorted(latencies_ns)

    def rank(part: float) -> float:
        return ordered[max(0, math.ceil(part * len(ordered) - 1e-9) - 1)] / 1000

    return Latency(
        count=len(ordered),
        p50_us=rank(0.5),
        p90_us=rank(0.9),
        p99_us=rank(0.99),
        p999_us=rank(0.999),
        max_us=ordered[-1] / 1000,
    )


def by_second(starts_ns: Sequence[int], latencies_ns: Sequence[int], began_ns: int) -> tuple[Second, ...]:
    """The same for each second since the measurement began, by when the write was meant to begin.

    A second in which none was meant to begin is left out.
    """
    seconds: dict[int, list[int]] = {}
    for start, latency_ns in zip(starts_ns, latencies_ns, strict=True):
        seconds.setdefault((start - began_ns) // _SECOND_NS, []).append(latency_ns)
    found: list[Second] = []
    for second in sorted(seconds):
        latency = percentiles(seconds[second])
        assert latency is not None, "a second is there because of a write in it"
        found.append(Second(second=second, latency=latency))
    return tuple(found)


def back_to_back(began_ns: int, ends_ns: Sequence[int]) -> tuple[array[int], array[int]]:
    """Starts and latencies of writes of which each began when the one before had ended."""
    starts = array("Q", [began_ns])
    starts.extend(ends_ns[:-1])
    if not ends_ns:
        return array("Q"), array("Q")
    latencies = array("Q", [ends_ns[0] - began_ns])
    latencies.extend(later - earlier for earlier, later in pairwise(ends_ns))
    return starts, latencies
