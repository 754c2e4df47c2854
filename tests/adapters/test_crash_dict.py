"""The promise: a dict, and the documented queue and counters, show after any crash what all writes up to one of them
left, and that one is no earlier than the last acknowledged one.

Method: lives on a simulated disk, and real processes killed with SIGKILL; then callers that are broken on purpose, each
of which has to be found.  ``python -m tests.adapters.crash_dict`` does more of it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import durakv
from durakv_fuzz.service import Violation, explore, kill
from tests.adapters.crash_dict import ARGV, SERVICE, Caller, check_real, service

STATES = 400
KILLS = 10


def test_no_crash_shows_anything_else() -> None:
    outcome = explore(SERVICE, states=STATES)
    assert outcome.states >= STATES
    assert {"life 1", "recovery 1", "life 2"} <= outcome.stages.keys()


@pytest.mark.slow
def test_no_kill_shows_anything_else(tmp_path: Path) -> None:
    outcome = kill(ARGV, check_real, points=KILLS, directory=tmp_path)
    assert outcome.points == KILLS
    assert outcome.facts


class KeyByKey(Caller):
    """An update that is several batches."""

    def update(self, pairs: dict[str, str]) -> None:
        for key, value in pairs.items():
            self.parts.settings[key] = value


class InTwoBatches(Caller):
    """A batch that is two."""

    def batch(self, deleted: list[str], pairs: dict[str, str]) -> None:
        super().batch(deleted, {})
        super().batch([], pairs)


class Hasty(Caller):
    """Counters that do not wait for the disk."""

    def add(self, name: str, amount: int) -> None:
        sums = self.parts.sums
        sums.put(name, sums.get(name, 0) + amount, durability=durakv.Durability.WRITTEN)


class Forgetful(Caller):
    """A queue from which an item is gone as soon as it is taken."""

    def take(self) -> tuple[int, str]:
        number, item = super().take()
        self.parts.jobs.acknowledge(number)
        self.parts.items.put(number, item, durability=durakv.Durability.APPLIED)
        return number, item


@pytest.mark.parametrize("broken", [KeyByKey, InTwoBatches, Hasty, Forgetful], ids=lambda broken: broken.__doc__)
def test_a_caller_that_breaks_a_promise_is_found(broken: type[Caller]) -> None:
    with pytest.raises(Violation):
        explore(service(broken), states=4 * STATES)
