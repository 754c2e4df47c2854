"""The promise: the simulated disk is as fast as the real one was, and stalls as often."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from durakv.bench.loss_latency import LatencyDraw, durable_write, plain_write
from durakv.bench.raw import WITHOUT_SYNC
from durakv.bench.results import Disk, Latency, RawLoop

MEASURED = Latency(count=10_000, p50_us=100, p90_us=200, p99_us=1000, p999_us=20_000, max_us=500_000)


def test_the_percentiles_come_out_again() -> None:
    draw = LatencyDraw(MEASURED, random.Random(1))
    drawn = sorted(draw() * 1e6 for _ in range(100_000))
    assert drawn[0] == drawn[40_000] == pytest.approx(100)
    for rarity, microseconds in ((0.1, 200), (0.01, 1000), (0.001, 20_000)):
        slower = sum(value > microseconds for value in drawn) / len(drawn)
        assert 0.7 < slower / rarity < 1.4
    assert 100_000 < drawn[-1] <= 500_000 * 1.001


def test_a_disk_without_variation() -> None:
    draw = LatencyDraw(Latency(1, 5, 5, 5, 5, 5), random.Random(1))
    assert {round(draw() * 1e6, 6) for _ in range(1000)} == {5.0}


def test_the_fastest_loop_is_the_log_s() -> None:
    slow = RawLoop("append and fsync", 100, MEASURED)
    fast = RawLoop("preallocated", 300, MEASURED)
    assert durable_write(disk(slow, fast, slow)) is fast
    assert durable_write(disk()) is None


def test_a_loop_that_does_not_sync_says_nothing_of_how_long_a_sync_takes() -> None:
    durable = RawLoop("preallocated", 300, MEASURED)
    plain = RawLoop(WITHOUT_SYNC.name, 400_000, MEASURED)
    assert durable_write(disk(durable, plain)) is durable
    assert durable_write(disk(plain)) is None


def test_plain_writes_are_measured_and_leave_nothing(tmp_path: Path) -> None:
    latency = plain_write(tmp_path)
    assert 0 < latency.p50_us <= latency.p90_us <= latency.p99_us <= latency.p999_us <= latency.max_us
    assert list(tmp_path.iterdir()) == []


def disk(*raw: RawLoop) -> Disk:
    return Disk("d", "ext4", "vda", "rw", "write back", raw, ())
