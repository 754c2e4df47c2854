"""The promise: a fault comes at exactly the calls that it is for, each as often as it was asked, and it is known if it
never came.

Method: give calls to a plan, without any program.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from durakv_fuzz.injector import ALWAYS, SYNCS, Call, Ended, Fail, Fault, Kill, Short, Slow, Watch, interrupt
from durakv_fuzz.injector.faults import Plan
from durakv_fuzz.injector.numbers import numbers_of

WRITE, SYNC = Call(1, "write", "db.log", size=100), Call(2, "fsync", "db.log")


def test_a_fault_counts_only_the_calls_that_it_is_for() -> None:
    plan = Plan((Fail(errno.EIO, at=2, calls=SYNCS),))
    assert [plan.decide(call)[1] for call in (SYNC, WRITE, WRITE, SYNC, SYNC)] == [
        None,
        None,
        None,
        plan.faults[0],
        None,
    ]
    assert plan.fired == [1]


def test_a_pattern_of_paths_restricts_a_fault_and_either_name_of_a_rename_will_do() -> None:
    plan = Plan((Kill(at=2, path="*.log"),))
    moved = Call(3, "rename", "temp", "db.log")
    assert [plan.decide(call)[1] is not None for call in (WRITE, Call(2, "write", "other"), moved)] == [
        False,
        False,
        True,
    ]


@pytest.mark.parametrize(("times", "failed"), [(1, 1), (3, 3), (ALWAYS, 9)])
def test_a_fault_comes_as_often_as_was_asked(times: int, failed: int) -> None:
    plan = Plan((Fail(errno.ENOSPC, at=2, times=times),))
    assert sum(plan.decide(WRITE)[1] is not None for _ in range(10)) == failed == plan.fired[0]


def test_of_faults_at_one_call_waits_add_up_and_the_first_other_happens() -> None:
    first, second = Fail(errno.EIO), Kill(at=1)
    plan = Plan((Slow(0.5, calls=frozenset()), first, second, Slow(0.25, calls=frozenset())))
    assert plan.decide(WRITE) == (0.75, first)
    assert plan.fired == [1, 1, 0, 1], "a fault that another preceded did not come"


def test_a_write_that_is_short_anyway_is_no_occasion_for_a_short_write() -> None:
    plan = Plan((Short(100),))
    assert plan.decide(WRITE) == (0, None)
    assert plan.decide(Call(2, "write", "db.log", size=101)) == (0, plan.faults[0])


def test_a_fault_that_never_came_is_told() -> None:
    faults = (Fail(errno.EIO, at=7), interrupt())
    assert Ended(0, False, (), faults, (0, 2)).unfired == (faults[0],)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Kill(at=0),
        lambda: Fail(0),
        lambda: Fail(errno.EIO, times=0),
        lambda: Fail(errno.EIO, calls=frozenset({"fsink"})),
        lambda: Short(0),
        lambda: Short(1, calls=frozenset({"fsync"})),
        lambda: Short(1, calls=frozenset()),
        lambda: Slow(-1.0),
    ],
)
def test_a_fault_that_makes_no_sense_cannot_be_made(make: Callable[[], Fault]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        make()


def test_an_unknown_call_is_named_with_those_that_are_known() -> None:
    with pytest.raises(ValueError, match=r"fsink.*fdatasync"):
        numbers_of(frozenset({"fsink", "write"}))


def test_a_watch_without_any_call_or_with_an_unknown_one_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no call to stop"):
        Watch(tmp_path, calls=frozenset())
    with pytest.raises(ValueError, match="fsink"):
        Watch(tmp_path, calls=frozenset({"fsink"}))
    assert Watch(tmp_path, (Kill(1, frozenset({"close"})),), frozenset({"write"})).stopped == {"write", "close"}


def test_faults_and_calls_are_told_in_words() -> None:
    assert str(Fail(errno.EIO, at=3, calls=frozenset({"fsync"}), path="*.aof")) == "EIO at fsync 3 of *.aof"
    assert str(Kill(at=2, after=True)) == "SIGKILL after call 2"
    assert str(Call(4, "rename", "temp-12", "db-13")) == "call 4: rename(temp-12 -> db-13)"
    assert Call(4, "rename", "temp-12", "db-13").role == "rename temp-N db-N"
