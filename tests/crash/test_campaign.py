"""The promise: whatever a crash leaves, the contract holds (C1-C9, C13).

Method: seeded random programs on a simulated disk that loses pages, sizes and names, fails calls and decays; every run
is recorded once, its crash states are recovered by the real engine, and an oracle that knows only what callers were
told judges each.  The number of distinct states is asserted, so that the tests cannot silently explore less.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.campaign import Summary, run
from durakv_fuzz.workers import RUNS_APART

STATES = 13_000
"""Distinct crash states of each part; eight of them make more than 100,000."""

PARTS = 8


def explore(seed: int, states: int, first_run: int = 0) -> Summary:
    summary = run(seed, states=states, first_run=first_run)
    assert not summary.failures, "\n\n".join(str(failure) for failure in summary.failures)
    assert len(summary.distinct) >= states
    return summary


def test_no_crash_of_a_short_campaign_breaks_a_promise() -> None:
    summary = explore(seed=0, states=600)
    assert {"always", "everysec", "no"} & {policy for policy, _ in summary.windows}


@pytest.mark.slow
@pytest.mark.parametrize("part", range(PARTS))
def test_no_crash_of_a_hundred_thousand_breaks_a_promise(part: int) -> None:
    # Parts of one campaign: every run has a directory identity of its own, so no state of one part is one of another's.
    summary = explore(1, STATES, first_run=part * RUNS_APART)
    assert {policy for policy, _ in summary.windows} == {"always", "everysec", "no"}
    assert {"resumed life", "second life", "recovery, 1 deep", "recovery, 2 deep", "decay"} <= summary.stages.keys()
