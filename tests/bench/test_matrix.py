"""The promise: a quick run leaves out what takes long and says little, and filters keep what they name.

Method: ask for the cases of stores of every promise.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from durakv.bench.durakv_store import settings, task_settings
from durakv.bench.matrix import FULL, QUICK, Plan, durakv_loads, is_external_wanted, loads, task_loads
from durakv.bench.results import Case, Promise, Shape
from durakv.bench.store import Setting, Store
from durakv.durability import FsyncPolicy


def no_store(_: Path) -> Store:
    raise AssertionError("nothing is opened here")


def peer(promise: Promise) -> Setting:
    return Setting("peer", "setting", promise, no_store, "1")


def shapes(cases: list[Case]) -> list[tuple[Shape, int]]:
    return [(case.shape, case.width) for case in cases]


def test_a_crowd_of_threads_is_for_stores_that_sync_in_a_quick_run() -> None:
    crowd = (Shape.THREADS, 64)
    assert crowd in shapes(list(loads(QUICK, peer(Promise.POWER), Shape.BATCH)))
    assert crowd not in shapes(list(loads(QUICK, peer(Promise.PROCESS), Shape.BATCH)))
    assert not list(loads(QUICK, peer(Promise.NOTHING), Shape.BATCH))
    assert crowd in shapes(list(loads(FULL, peer(Promise.PROCESS), Shape.BATCH)))


def test_the_cases_of_durakv_have_names_of_their_own() -> None:
    plan = replace(FULL, value_bytes=(100, 4096), writers=(1, 16, 64))
    cases = [case for setting in settings() for case in durakv_loads(plan, setting)]
    cases += [case for setting in task_settings() for case in task_loads(plan, setting)]
    assert len({case.name for case in cases}) == len(cases) == 3 * 2 * (3 + 2 + 3)
    assert {case.promise for case in cases if case.setting == "always"} == {Promise.POWER}
    assert {case.promise for case in cases if case.setting != "always"} == {Promise.PROCESS}


def external(setting: str, promise: Promise, shape: Shape, width: int) -> Case:
    return Case(store="s", setting=setting, promise=promise, shape=shape, width=width, value_bytes=100)


def test_a_quick_run_has_the_external_loads_that_are_compared_with() -> None:
    alone = external("appendfsync always", Promise.POWER, Shape.CLIENTS, 50)
    long = external("appendfsync everysec", Promise.PROCESS, Shape.PIPELINE, 64)
    short = external("appendfsync everysec", Promise.PROCESS, Shape.PIPELINE, 16)
    assert [is_external_wanted(QUICK, case) for case in (alone, long, short)] == [True, True, False]
    assert all(is_external_wanted(FULL, case) for case in (alone, long, short))


@pytest.mark.parametrize(
    ("stores", "alone", "sqlite"),
    [((), False, True), (("durakv",), True, False), (("durakv", "sql"), False, True), (("SQLITE",), False, True)],
)
def test_stores_are_named_by_a_part_of_their_name(stores: tuple[str, ...], alone: bool, sqlite: bool) -> None:
    plan = Plan(stores=stores)
    assert (plan.is_alone, plan.has("SQLite")) == (alone, sqlite)


def test_turns_share_the_time_that_there_is() -> None:
    plan = Plan(rounds=5, budget_seconds=100.0)
    assert plan.turn_seconds(40) == 0.5
    assert plan.turn_seconds(1) == plan.turn_seconds_max
    assert 0 < plan.turn_seconds(10_000) <= 0.1
    assert replace(plan, seconds=7.0).turn_seconds(40) == 7.0


def test_a_late_quick_run_crashes_for_a_shorter_time() -> None:
    assert QUICK.crash_seconds(30.0) == QUICK.loss_seconds
    assert QUICK.crash_seconds(95.0) == 15.0
    assert QUICK.crash_seconds(500.0) == 10.0
    assert FULL.crash_seconds(5000.0) == FULL.loss_seconds


def test_open_loops_are_slower_than_the_disk() -> None:
    assert Plan().paced_rate(5000.0) == 1000.0
    assert Plan().paced_rate(120.0) == 60.0
    assert Plan().paced_rate(0.5) == 1.0
    assert Plan(rate=20_000.0).paced_rate(120.0) == 20_000.0


def test_every_policy_is_asked_for_unless_one_is_named() -> None:
    assert FULL.policies == QUICK.policies == tuple(FsyncPolicy)
