"""The promise: contestants take turns in rotating order, each figure has its own round's raw rate, and one that fails
does not take the others with it.

Method: contestants that say when they were asked.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from durakv.bench.contest import RAW_SECONDS_MAX, Tally, contest, rotated
from durakv.bench.contestants import ExternalLoad, RawLoad, StoreLoad
from durakv.bench.kernel import Foreign
from durakv.bench.quiet import SHARE_MAX, Gate
from durakv.bench.results import Case, Latency, Mode, Promise, Round, Shape
from durakv.bench.workload import Pairs
from tests.bench.fake_store import FakeStore


def case_of(store: str, value_bytes: int = 100, shape: Shape = Shape.THREADS, width: int = 1) -> Case:
    return Case(store=store, setting="s", promise=Promise.NOTHING, shape=shape, width=width, value_bytes=value_bytes)


class Named:
    """A contestant that writes down its turns."""

    def __init__(self, name: str, turns: list[str], rate: Callable[[int], float] = lambda _: 7.0) -> None:
        self.case = case_of(name)
        self.settled = 0
        self.asked: list[float] = []
        self._turns = turns
        self._rate = rate

    def measure(self, seconds: float, /) -> Round:
        self._turns.append(self.case.store)
        self.asked.append(seconds)
        rate = self._rate(len(self.asked) - 1)
        return Round(seconds=1.0, writes=int(rate), rate=rate, raw_rate=0.0)

    def settle(self) -> None:
        self.settled += 1


class FakeRaw(RawLoad):
    """A raw loop that is as fast as it is told."""

    def __init__(self, turns: list[str], rates: list[float]) -> None:
        self.case = case_of("raw")
        self.named = Named("raw", turns, lambda number: rates[number])

    def measure(self, seconds: float, /) -> Round:
        return self.named.measure(seconds)


def silent(_what: str, _part: float) -> None:
    return None


def never_busy() -> Gate:
    return Gate(0.0)


def test_the_order_rotates_and_every_round_has_its_own_raw_rate() -> None:
    turns: list[str] = []
    one, two = Named("one", turns), Named("two", turns)
    tally = Tally()
    raw = FakeRaw(turns, [100.0, 200.0, 300.0, 400.0])
    contest([one, two], [raw], tally, rounds=4, seconds=0.5, gate=never_busy(), tell=silent)
    assert turns == ["raw", "one", "two", "one", "two", "raw", "two", "raw", "one", "raw", "one", "two"]
    assert [case.store for case in tally.cases] == ["raw", "one", "two"]
    for case in tally.cases:
        assert [row.raw_rate for row in case.rounds] == [100.0, 200.0, 300.0, 400.0]
    assert one.settled == 4
    assert tally.failures == []


def test_a_rotation_gives_everybody_every_place() -> None:
    everybody = [Named(name, []) for name in "abc"]
    orders = [[one.case.store for one in rotated(everybody, turn)] for turn in range(3)]
    assert {order[0] for order in orders} == {"a", "b", "c"}
    assert {order[2] for order in orders} == {"a", "b", "c"}


def test_long_turns_are_not_the_raw_loop_s() -> None:
    raw = FakeRaw([], [1.0])
    one = Named("one", [])
    contest([one], [raw], Tally(), rounds=1, seconds=60.0, gate=never_busy(), tell=silent, show_raw=False)
    assert raw.named.asked == [RAW_SECONDS_MAX]
    assert one.asked == [60.0]


def test_who_fails_is_told_and_keeps_what_was_measured() -> None:
    def fails_later(number: int) -> float:
        if number == 1:
            raise OSError("no room")
        return 5.0

    turns: list[str] = []
    tally = Tally()
    broken, sound = Named("broken", turns, fails_later), Named("sound", turns)
    raw = FakeRaw(turns, [1.0] * 4)
    contest([broken, sound], [raw], tally, rounds=4, seconds=0.1, gate=never_busy(), tell=silent, show_raw=False)
    assert {case.store: len(case.rounds) for case in tally.cases} == {"broken": 1, "sound": 4}
    assert tally.failures == [f"{broken.case.name}: no room"]
    assert turns.count("broken") == 2


def test_an_interrupt_keeps_whole_rounds() -> None:
    def interrupted(number: int) -> float:
        if number == 2:
            raise KeyboardInterrupt
        return 5.0

    tally = Tally()
    two = [Named("one", []), Named("two", [], interrupted)]
    with pytest.raises(KeyboardInterrupt):
        contest(two, [FakeRaw([], [1.0] * 9)], tally, rounds=9, seconds=0.1, gate=never_busy(), tell=silent)
    assert {case.store: len(case.rounds) for case in tally.cases} == {"raw": 2, "one": 2, "two": 2}


def test_without_the_raw_loop_nothing_is_measured() -> None:
    with pytest.raises(IndexError):
        contest([Named("one", [])], [FakeRaw([], [])], Tally(), rounds=1, seconds=0.1, gate=never_busy(), tell=silent)


@pytest.fixture
def raw(tmp_path: Path) -> Generator[RawLoad, None, None]:
    loop = RawLoad(tmp_path, 100)
    yield loop
    loop.close()


def test_a_store_s_counters_are_those_of_the_turn(raw: RawLoad) -> None:
    store = FakeStore(write_seconds=0.001)
    load = StoreLoad(store, case_of("fake", 20), Pairs(20, 100))
    load.measure(0.02)
    first = len(store.written)
    row = load.measure(0.02)
    assert row.writes == len(store.written) - first
    assert row.rate == pytest.approx(row.writes / row.seconds)
    assert row.counters is not None
    assert row.counters.syncs == 2 * row.writes
    assert row.counters.user_bytes == row.writes * (16 + 20)
    assert row.counters.log_bytes is None
    assert row.counters.rss_bytes == 77
    load.settle()
    assert store.settled == 1
    assert raw.measure(0.01).service is not None


def test_an_open_loop_has_both_latencies_and_shows_the_response_by_second() -> None:
    case = Case(
        store="fake",
        setting="s",
        promise=Promise.NOTHING,
        shape=Shape.THREADS,
        width=2,
        value_bytes=20,
        mode=Mode.OPEN,
        offered_rate=500.0,
    )
    row = StoreLoad(FakeStore(stall_at=20, stall_seconds=0.1), case, Pairs(20, 100)).measure(0.3)
    assert row.service is not None
    assert row.response is not None
    assert row.response.count == row.service.count == row.writes
    assert row.by_second[0].latency == row.response


def test_an_external_generator_s_figures_are_taken_as_told() -> None:
    class Told:
        writes, seconds = 50, 0.5
        latency = Latency(count=50, p50_us=1.0, p90_us=2.0, p99_us=3.0, p999_us=4.0, max_us=5.0)

    row = ExternalLoad(case_of("other"), lambda seconds: Told()).measure(1.0)
    assert (row.writes, row.rate, row.service) == (50, 100.0, Told.latency)


class Shares(Foreign):
    """A machine whose others use these shares, one after the other."""

    def __init__(self, shares: list[float]) -> None:
        self._shares = shares

    def share(self) -> float | None:
        return self._shares.pop(0)


def test_the_gate_waits_for_others_but_not_for_ever() -> None:
    shares = [0.9, 0.8, SHARE_MAX, 0.0, 0.7]
    gate = Gate(10.0, lambda: Shares(shares))
    gate.wait()
    assert shares == [0.0, 0.7]
    with gate.turn():
        pass
    assert gate.warning is None
    gate.wait()
    assert shares == [0.7], "nobody waits after a quiet turn"
    with gate.turn():
        pass
    assert "1 of 2 measurements, up to 70%" in (gate.warning or "")


def test_patience_ends() -> None:
    gate = Gate(0.15, lambda: Shares([1.5]))
    gate.wait()
    gate.wait()
    assert 0.15 <= gate.waited_seconds < 0.31
