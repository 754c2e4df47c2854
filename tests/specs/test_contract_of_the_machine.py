"""Each clause of the contract fails in a state of the Python machine that breaks it, and in no other.

Method: states made by hand, one step away from one that keeps the clause.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.specification import write_path as machine
from durakv_fuzz.specification.contract import CLAUSES, broken_clause
from durakv_fuzz.specification.state import FRESH, Manifest, Phase, State, span

RECOVERED = State(
    manifest=Manifest(log=span(1, 2), first=3, room=2),
    durable=Manifest(log=span(1, 2), first=3, room=2),
    solid=span(1, 3),
    history=span(1, 4),
    phase=Phase.REWRITTEN,
    told_written=3,
    told_synced=3,
    old=3,
)
OPEN = State(manifest=Manifest(room=4), phase=Phase.OPEN, applied=3, written=3, synced=2, given=3, solid=span(1, 2))

BREAKS = {
    "C1_Prefix": RECOVERED._replace(history=span(1, 1) | span(3, 4)),
    "C2_ProcessCrash": RECOVERED._replace(told_written=4),
    "C3_PowerLossSynced": RECOVERED._replace(told_synced=4),
    "C4_PowerLossEverysec": RECOVERED._replace(old=4),
    "C5_PublishedIsSynced": RECOVERED._replace(solid=span(2, 3), dirty=span(1, 1)),
    "C6_AlwaysAWayToOpen": State(phase=Phase.INCOMPLETE),
    "C7_FailStop": OPEN._replace(solid=span(1, 1), ghost=span(2, 2)),
    "C8_NoPromiseIsBroken": State(phase=Phase.UNVOUCHED),
    "NumbersAreFresh": OPEN._replace(given=4),
    "Order": OPEN._replace(written=1),
}


def test_the_states_that_they_differ_from_break_nothing() -> None:
    assert broken_clause(RECOVERED) == ""
    assert broken_clause(OPEN) == ""


@pytest.mark.parametrize("clause", CLAUSES)
def test_a_clause_is_broken_by_the_state_made_for_it_alone(clause: str) -> None:
    broken = [name for name, holds in CLAUSES.items() if not holds(BREAKS[clause])]
    assert broken == [clause]


def test_what_is_written_may_be_lost_and_what_is_synced_may_not() -> None:
    state = OPEN._replace(dirty=span(3, 3), durable=OPEN.manifest)
    lost = machine.power_loss(state, kept=0, manifest=state.manifest)
    assert lost is not None
    assert machine.end(lost) == 2
    assert machine.power_loss(state, kept=span(2, 2), manifest=state.manifest) is None, "2 is not in doubt"


def test_a_frame_that_outlived_the_one_before_it_is_not_found() -> None:
    state = OPEN._replace(solid=span(1, 1), synced=1, dirty=span(2, 3), durable=OPEN.manifest)
    lost = machine.power_loss(state, kept=span(3, 3), manifest=state.manifest)
    assert lost is not None
    assert machine.end(lost) == 1


def test_a_promise_behind_a_loss_is_refused() -> None:
    state = State(manifest=Manifest(room=3), solid=span(1, 1) | span(3, 3), promises=((3, 2),))
    judged = machine.recover(state)
    assert judged is not None
    assert judged.phase is Phase.UNVOUCHED


def test_nothing_is_done_in_a_directory_that_is_closed() -> None:
    actions = (machine.append, machine.write, machine.sync_begin, machine.publish_close, machine.remove)
    assert [action(FRESH) for action in actions] == [None] * len(actions)
