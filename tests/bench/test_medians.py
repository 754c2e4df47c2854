"""The promise: what is printed of a case is the median of its rounds, and a ratio is taken within each round.

Method: rounds with figures that can be worked out in the head.
"""

from __future__ import annotations

import msgspec
import pytest

from durakv.bench.medians import KILL, POWER, best_of_each, kept, loss, measured, medians, risk
from durakv.bench.results import Case, Counters, Latency, Loss, Mode, Promise, Report, Round, Shape
from tests.bench import made_up


def case(*rounds: Round, store: str = "durakv", width: int = 1, value_bytes: int = 10) -> Case:
    return Case(store, "always", Promise.POWER, Shape.THREADS, width, value_bytes, rounds=rounds)


def only(*cases: Case, losses: tuple[Loss, ...] = ()) -> Report:
    return msgspec.structs.replace(made_up.report(), cases=cases, losses=losses)


def one_round(rate: float, raw_rate: float = 100.0, p99_us: float = 5.0, counters: Counters | None = None) -> Round:
    return Round(1.0, int(rate), rate, raw_rate, Latency(1, 1.0, 2.0, p99_us, 8.0, p99_us * 10), counters=counters)


def crashed(lost: tuple[int, ...], **fields: object) -> Loss:
    entry = Loss("durakv", "always", POWER, "pulled", None, None, lost, lost, tuple(float(one) for one in lost), 50.0)
    return msgspec.structs.replace(entry, **fields)


def test_a_ratio_to_the_raw_loop_is_taken_within_each_round() -> None:
    # The disk was five times slower in the second round: for the raw loop too, so it is no news about the store.
    found = medians(case(one_round(50, 100), one_round(10, 20), one_round(60, 100)))
    assert found is not None
    assert (found.rate, found.rate_min, found.rate_max) == (50, 10, 60)
    assert found.raw_ratio == pytest.approx(0.5)


def test_percentiles_are_medians_and_the_maximum_is_the_worst() -> None:
    found = medians(case(one_round(1, p99_us=5), one_round(1, p99_us=9), one_round(1, p99_us=6)))
    assert found is not None
    assert found.service is not None
    assert (found.service.p99_us, found.service.max_us, found.service.count) == (6, 90, 3)


def test_what_was_not_counted_is_not_made_up() -> None:
    found = medians(case(one_round(10, raw_rate=0.0)))
    assert found is not None
    assert found.raw_ratio is found.acks_per_sync is found.bytes_per_flush is found.write_amplification is None
    assert medians(case()) is None


def test_counters_become_what_a_write_costs() -> None:
    counters = Counters(1_000, syncs=5, log_writes=4, log_bytes=1_200, process_write_bytes=2_000)
    found = medians(case(one_round(100, counters=counters)))
    assert found is not None
    assert (found.acks_per_sync, found.bytes_per_flush, found.write_amplification) == (20, 300, 2)
    counters = msgspec.structs.replace(counters, device_write_bytes=4_000)
    found = medians(case(one_round(100, counters=counters)))
    assert found is not None
    assert found.write_amplification == 4, "what the device wrote counts, where it is known"


def test_a_loss_is_scaled_to_the_rate_it_stands_beside() -> None:
    report = only(case(one_round(200)), losses=(crashed((0, 10, 30)),))
    found = risk(report, measured(report)[0], POWER)
    assert found is not None
    assert (found.at_risk_median, found.at_risk_max) == (40, 120), "crashed at 50/s, measured at 200/s"
    assert found.oldest_max_seconds == 30, "a span of time is the same at every rate"
    assert risk(report, measured(report)[0], KILL) is None


def test_of_several_ways_to_crash_a_store_the_worst_counts() -> None:
    report = only(losses=(crashed((1,)), crashed((7,), method="kicked"), crashed((3,)), crashed(())))
    worst = loss(report, "durakv", "always", POWER)
    assert worst is not None
    assert worst.method == "kicked"


@pytest.mark.parametrize(
    ("lost", "lost_max", "age_max", "verdict"),
    [
        ((0, 0), 0, None, True),
        ((0, 1), 0, None, False),
        ((2, 3), None, 3.0, True),
        ((2, 4), None, 3.0, False),
        ((2, 3), 0, 3.0, False),
        ((9, 9), None, None, None),
    ],
)
def test_a_promise_is_judged_by_the_worst_crash(
    lost: tuple[int, ...], lost_max: int | None, age_max: float | None, verdict: bool | None
) -> None:
    entry = crashed(lost, promised_lost_max=lost_max, promised_age_max_seconds=age_max)
    assert kept(entry) is verdict


def test_the_best_of_a_store_is_of_the_usual_size_and_closed() -> None:
    odd = case(one_round(900), value_bytes=1)
    opened = msgspec.structs.replace(case(one_round(800)), mode=Mode.OPEN, offered_rate=800.0)
    report = only(case(one_round(10)), case(one_round(30), width=4), odd, opened)
    best = best_of_each(report, qualifies=lambda case: True)
    assert [of.rate for of in best.values()] == [30]
