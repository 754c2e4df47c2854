"""The promise: the crash tests would have found it.

Method: break the engine on purpose, one behaviour at a time, and let the same campaign that watches over the real
engine hunt for it.  A break that is not found within the budget fails the test: a laboratory that finds nothing proves
nothing.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.mutants import MUTANTS, hunt

STATES = 20_000
"""The budget of a hunt, in judged states."""

SECONDS = 100.0

QUICK = (
    "no fsync before ack",
    "ack before fsync",
    "no directory sync after create",
    "manifest published before the old segment is synced",
    "checksum without the header",
    "tail zeros taken for corruption",
    "corruption taken for a torn tail",
    "seq reused after a cut",
)
"""Breaks that every run of the tests has to find; each took fewer than 1,000 states when it was made."""


@pytest.mark.parametrize("name", QUICK)
def test_a_break_is_found(name: str) -> None:
    found = hunt(MUTANTS[name], seed=1, states=STATES, seconds=SECONDS)
    assert found.failure is not None, f"{MUTANTS[name].what}: not found in {found.states} states"


def test_a_retried_fsync_is_found() -> None:
    # It takes a failed fsync, somebody who goes on, and a power loss: some seeds meet that late.
    states = 0
    for seed in (2, 1, 3, 4):
        found = hunt(MUTANTS["fsync retried after eio"], seed=seed, states=STATES, seconds=SECONDS / 4)
        states += found.states
        if found.failure is not None:
            return
    pytest.fail(f"not found in {states} states")
