"""The promise: a target is met or missed by what the run measured, and one that was not measured is never either.

Method: reports with made-up rounds, whose ratios are known.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from durakv.bench import targets
from durakv.bench.results import (
    VERSION,
    Case,
    Disk,
    Interference,
    Latency,
    Machine,
    Mode,
    Promise,
    RawLoop,
    RecoveryPoint,
    Report,
    Round,
    Shape,
    Verdict,
)
from durakv.bench.targets import TARGETS, Target, verdicts

RAW_RATE = 1000.0


def latency(p999_us: float = 50.0, p99_us: float = 20.0) -> Latency:
    return Latency(count=1000, p50_us=10.0, p90_us=15.0, p99_us=p99_us, p999_us=p999_us, max_us=900.0)


def case(
    store: str,
    setting: str,
    promise: Promise,
    shape: Shape,
    width: int,
    rates: Sequence[float],
    *,
    p999_us: float = 50.0,
    value_bytes: int = 100,
    mode: Mode = Mode.CLOSED,
    client: str = "",
) -> Case:
    rounds = [
        Round(seconds=1.0, writes=int(rate), rate=rate, raw_rate=RAW_RATE, service=latency(p999_us)) for rate in rates
    ]
    return Case(store, setting, promise, shape, width, value_bytes, mode, None, client, tuple(rounds))


def always(shape: Shape, width: int, *rates: float) -> Case:
    return case("durakv", "always", Promise.POWER, shape, width, rates)


def everysec(shape: Shape, width: int, *rates: float, p999_us: float = 50.0) -> Case:
    return case("durakv", "everysec", Promise.PROCESS, shape, width, rates, p999_us=p999_us)


def peer(name: str, promise: Promise, shape: Shape, width: int, *rates: float) -> Case:
    return case(name, "its setting", promise, shape, width, rates)


def redis(width: int, *rates: float) -> Case:
    return case(
        "redis-server", "appendfsync always", Promise.POWER, Shape.CLIENTS, width, rates, client="redis-benchmark"
    )


def report(
    *cases: Case,
    raw_p999_us: float = 30.0,
    interferences: tuple[Interference, ...] = (),
    recoveries: tuple[RecoveryPoint, ...] = (),
) -> Report:
    disk = Disk(
        directory="/data",
        file_system="ext4",
        device="/dev/vda",
        mount_options="rw",
        write_cache="write back",
        raw=(
            RawLoop("pwrite + fdatasync", 1000.0, latency(500.0)),
            RawLoop("pwrite without sync", 300_000.0, latency(raw_p999_us)),
        ),
        warnings=(),
    )
    machine = Machine("Linux", "a processor", 2, 1 << 34, "CPython 3.11", {"durakv": "0.1.0"})
    return Report(
        version=VERSION,
        command="durakv bench",
        started="2026-01-01T00:00:00+00:00",
        seconds=1.0,
        machine=machine,
        disk=disk,
        cases=cases,
        interferences=interferences,
        recoveries=recoveries,
    )


def found(target: Target, of: Report) -> Verdict:
    return next(verdict for verdict in verdicts(of) if verdict.name == target.name)


def test_every_verdict_is_a_row_of_the_table_and_rows_have_names_of_their_own() -> None:
    names = [target.name for target in TARGETS]
    assert len(set(names)) == len(names)
    told = [verdict.name for verdict in verdicts(report())]
    assert [name for name in names if name in told] == told, "in the order of the table"


def test_what_was_not_measured_is_neither_met_nor_missed_and_says_why() -> None:
    for verdict in verdicts(report()):
        assert verdict.met is None
        assert verdict.note, verdict.name


@pytest.mark.parametrize(("rate", "met"), [(960.0, True), (940.0, False)])
def test_a_single_writer_is_compared_with_the_raw_loop_of_its_round(rate: float, met: bool) -> None:
    verdict = found(targets.SINGLE_RAW, report(always(Shape.THREADS, 1, rate, rate, rate)))
    assert verdict.measured == pytest.approx(rate / RAW_RATE)
    assert verdict.met is met


def test_the_ratio_is_the_median_of_the_ratios_within_rounds() -> None:
    ours = always(Shape.THREADS, 1, 100.0, 400.0, 900.0)
    theirs = peer("LMDB", Promise.POWER, Shape.THREADS, 1, 100.0, 100.0, 450.0)
    verdict = found(targets.SINGLE_PEERS, report(ours, theirs))
    assert verdict.measured == pytest.approx(2.0), "the ratio of the medians would be 4"


def test_the_peer_that_counts_is_the_best_one_that_promises_as_much() -> None:
    ours = always(Shape.THREADS, 1, 1000.0, 1000.0)
    slow = peer("SQLite", Promise.POWER, Shape.THREADS, 1, 400.0, 400.0)
    best = peer("LevelDB", Promise.POWER, Shape.THREADS, 1, 625.0, 625.0)
    careless = peer("diskcache", Promise.PROCESS, Shape.THREADS, 1, 5000.0, 5000.0)
    crowd = peer("RocksDB", Promise.POWER, Shape.THREADS, 64, 9000.0, 9000.0)
    verdict = found(targets.SINGLE_PEERS, report(ours, slow, best, careless, crowd))
    assert verdict.measured == pytest.approx(1.6)
    assert verdict.against.startswith("LevelDB")
    assert verdict.met


def test_other_sizes_and_paced_writes_are_not_compared() -> None:
    ours = always(Shape.THREADS, 1, 1000.0)
    paced = case("LMDB", "sync", Promise.POWER, Shape.THREADS, 1, [9000.0], mode=Mode.OPEN)
    small = case("LMDB", "sync", Promise.POWER, Shape.THREADS, 1, [9000.0], value_bytes=10)
    assert found(targets.SINGLE_PEERS, report(ours, paced, small)).met is None


def test_tasks_and_windows_are_compared_with_the_best_of_the_servers_own_load_generator() -> None:
    of = report(
        always(Shape.TASKS, 64, 40_000.0),
        always(Shape.WINDOW, 1024, 140_000.0),
        always(Shape.BATCH, 1000, 160_000.0),
        redis(50, 8_000.0),
        redis(64, 10_000.0),
        case("redis-server", "appendfsync no", Promise.PROCESS, Shape.CLIENTS, 50, [60_000.0]),
    )
    tasks = found(targets.TASKS_REDIS, of)
    assert tasks.measured == pytest.approx(4.0)
    assert "clients 64" in tasks.against
    window = found(targets.WINDOW_REDIS, of)
    assert window.measured == pytest.approx(16.0), "ours is the better of window and batch"
    assert window.note == "batch of 1000"


def test_the_crowds_are_compared_with_the_best_crowd_of_threads() -> None:
    of = report(
        always(Shape.TASKS, 64, 40_000.0),
        always(Shape.THREADS, 64, 8_000.0),
        peer("LevelDB", Promise.POWER, Shape.THREADS, 64, 10_000.0),
        peer("RocksDB", Promise.POWER, Shape.THREADS, 64, 2_000.0),
    )
    assert found(targets.TASKS_PEERS, of).measured == pytest.approx(4.0)
    crowd = found(targets.THREADS_PEERS, of)
    assert crowd.measured == pytest.approx(0.8)
    assert crowd.met is False


def test_under_everysec_peers_without_a_sync_count_whatever_else_they_promise() -> None:
    of = report(
        everysec(Shape.THREADS, 1, 300_000.0),
        everysec(Shape.BATCH, 1000, 900_000.0),
        peer("LevelDB", Promise.PROCESS, Shape.THREADS, 1, 100_000.0),
        peer("LMDB", Promise.NOTHING, Shape.THREADS, 1, 150_000.0),
        peer("LevelDB", Promise.PROCESS, Shape.BATCH, 1000, 800_000.0),
        peer("redis-server", Promise.PROCESS, Shape.PIPELINE, 64, 1_000_000.0),
    )
    single = found(targets.EVERYSEC_SINGLE, of)
    assert single.measured == pytest.approx(2.0)
    assert single.against.startswith("LMDB")
    batch = found(targets.EVERYSEC_BATCH, of)
    assert batch.measured == pytest.approx(0.9)
    assert batch.against.startswith("redis-server")


@pytest.mark.parametrize(("ours", "met"), [(90.0, True), (110.0, False)])
def test_the_tail_of_a_put_is_judged_where_plain_writes_have_none(ours: float, met: bool) -> None:
    cases = everysec(Shape.THREADS, 1, 1000.0, 1000.0, p999_us=ours)
    verdict = found(targets.EVERYSEC_P999, report(cases, raw_p999_us=60.0))
    assert (verdict.measured, verdict.met, verdict.unit) == (ours, met, "us")
    elsewhere = found(targets.EVERYSEC_P999, report(cases, raw_p999_us=80.0))
    assert elsewhere.met is None
    assert "80 us" in elsewhere.against


def test_of_several_rewrites_the_worst_counts_for_latency_and_the_largest_for_memory() -> None:
    def one(setting: str, keys: int, during_us: float, extra: int) -> Interference:
        return Interference(
            store="durakv",
            setting=setting,
            keys=keys,
            offered_rate=1000.0,
            before=latency(p99_us=100.0),
            during=latency(p99_us=during_us),
            rewrite_seconds=1.0,
            extra_memory_bytes=extra,
            data_bytes=keys * 100,
        )

    of = report(interferences=(one("always", 1000, 120.0, 50_000), one("everysec", 10_000, 160.0, 100_000)))
    slow = found(targets.REWRITE_P99, of)
    assert slow.measured == pytest.approx(1.6)
    assert slow.met is False
    memory = found(targets.REWRITE_MEMORY, of)
    assert memory.measured == pytest.approx(0.1)
    assert memory.met


def test_growth_is_judged_by_how_straight_it_is() -> None:
    def point(keys: int, seconds: float) -> RecoveryPoint:
        return RecoveryPoint("durakv", "log", keys, keys * 150, seconds, rss_bytes=20_000_000 + 250 * keys)

    straight = report(recoveries=tuple(point(keys, 0.01 + keys / 1e6) for keys in (100_000, 200_000, 400_000)))
    assert found(targets.RECOVERY_LINE, straight).measured == pytest.approx(1.0)
    memory = found(targets.MEMORY_LINE, straight)
    assert memory.met
    assert memory.note == "250 bytes a key"
    bent = report(recoveries=tuple(point(keys, keys**3 / 1e17) for keys in (100_000, 200_000, 400_000, 800_000)))
    assert found(targets.RECOVERY_LINE, bent).met is False
    two = report(recoveries=(point(1000, 0.1), point(2000, 0.2)))
    assert found(targets.RECOVERY_LINE, two).met is None, "two points say nothing"
