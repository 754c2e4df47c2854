"""The promise: whatever call fails, and however, callers get a clear error or a success that deserves the word (C7).

Method: one life with every policy, a rotation, a rewrite, a reopening and a takeover is lived once for every call
through the door and every way in which it can fail (F5).  What callers were told is judged, and then what a kill or a
loss of power leaves of it.  The calls and outcomes are counted, and a broken engine has to fail.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from durakv_fuzz import error_sweep
from durakv_fuzz.error_sweep import FAILURES, SCRIPT, count_calls, sweep
from durakv_fuzz.machines import MachineKind
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Setup

STATES = 8
CALLS_MIN = 200
"""The life makes more calls than that; fewer would mean that it ended early."""

QUICK_STRIDES = {MachineKind.KEYSPACE: 5}
"""Between the calls that fail whenever the tests run; every call does with `pytest -m long`."""

QUICK_STRIDE = 11
"""With any other machine."""


def judge_calls(setup: Setup, calls: Iterable[int]) -> int:
    """Fail each of these calls in every way; return how many outcomes were judged."""
    judged = 0
    with quiet():
        for call in calls:
            for failure in FAILURES:
                count, wrong = sweep(setup, SCRIPT, call, failure, states=STATES)
                assert not wrong, wrong
                judged += count
    return judged


@pytest.mark.parametrize("machine", MachineKind)
def test_no_failure_of_some_calls_breaks_a_promise(machine: MachineKind) -> None:
    setup = Setup(machine=machine)
    count = count_calls(setup, SCRIPT)
    assert count >= CALLS_MIN
    calls = range(0, count, QUICK_STRIDES.get(machine, QUICK_STRIDE))
    assert judge_calls(setup, calls) >= 5 * len(calls) * len(FAILURES)


@pytest.mark.long
@pytest.mark.parametrize("machine", MachineKind)
@pytest.mark.timeout(400)  # a minute on a quiet machine
def test_no_failure_of_any_call_breaks_a_promise(machine: MachineKind) -> None:
    setup = Setup(machine=machine)
    count = count_calls(setup, SCRIPT)
    assert judge_calls(setup, range(count)) >= 5 * count * len(FAILURES)


def test_an_engine_that_tries_a_failed_fsync_again_is_found() -> None:
    setup = Setup()
    lost = "LOST_ACKED|CORRUPT: it does not open: appendonly.aof.1.incr.aof"
    with MUTANTS["fsync retried after eio"].applied(), pytest.raises(AssertionError, match=lost):
        judge_calls(setup, range(count_calls(setup, SCRIPT)))


def test_an_engine_that_goes_on_after_a_failure_is_found() -> None:
    setup = Setup()
    with MUTANTS["not poisoned"].applied(), pytest.raises(AssertionError, match="HANG"):
        judge_calls(setup, range(count_calls(setup, SCRIPT)))


def test_a_life_of_more_calls_than_any_should_make_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_sweep, "CALLS_MAX", CALLS_MIN // 2)
    with quiet():
        count, wrong = sweep(Setup(), SCRIPT, 10 * CALLS_MIN, FAILURES[0], states=STATES)
    assert count == 1
    assert wrong.endswith(f"HANG: more than {CALLS_MIN // 2} calls followed")
