"""The ledger survives every crash.  This file is all there is to write: a way to draw commands, and a way to look."""

from __future__ import annotations

import random

import pytest
from ledger import Ledger

from durakv_fuzz.conformance import check_state_machine
from durakv_fuzz.pytest_plugin import Campaign


def draw(source: random.Random) -> list[list[bytes]]:
    """One batch, which the ledger accepts in any state."""
    account, other = source.sample([b"anna", b"ben", b"carl"], 2)
    if source.random() < 0.3:
        return [[b"open", account]]
    return [
        [b"pay", b"r%d" % source.randrange(40), account, other, b"%d" % source.randrange(50)]
        for _ in range(source.randint(1, 3))
    ]


def read(ledger: Ledger) -> object:
    """Everything that ``apply`` depends on."""
    return sorted(ledger.balances.items()), sorted(ledger.answered)


@pytest.mark.crash(states=300)
def test_no_crash_harms_the_ledger(crash_campaign: Campaign) -> None:
    crash_campaign(make=Ledger, draw=draw, read=read)


def test_the_ledger_is_a_state_machine() -> None:
    source = random.Random(1)
    check_state_machine(Ledger, [draw(source) for _ in range(30)], look=read)
