"""The promise: whatever a crash leaves, the contract holds (C1-C9, C13).

Method: seeded random programs on a simulated disk that loses pages, sizes and names, fails calls and decays; every run
is recorded once, its crash states are recovered by the real engine, and an oracle that knows only what callers were
told judges each.  The number of distinct states is asserted, so that the tests cannot silently explore less.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.campaign import Summary, run

STATES = 2_600
"""Distinct crash states of each campaign; eight of them make more than 20,000."""


def explore(seed: int, states: int) -> Summary:
    summary = run(seed, states=states)
    assert not summary.failures, "\n\n".join(str(failure) for failure in summary.failures)
    assert len(summary.distinct) >= states
    return summary


def test_no_crash_of_a_short_campaign_breaks_a_promise() -> None:
    summary = explore(seed=0, states=600)
    assert {"always", "everysec", "no"} & {policy for policy, _ in summary.windows}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 9))
def test_no_crash_of_twenty_thousand_breaks_a_promise(seed: int) -> None:
    explore(seed, STATES)
