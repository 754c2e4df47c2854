"""The promise: the crash tests would have found it.

Method: break the engine on purpose, one behaviour at a time, and let the same campaign that watches over the real
engine hunt for it.  A break that is not found within the budget fails the test: a laboratory that finds nothing proves
nothing.  What was found is then repeated on the real engine, which has to keep every promise there: it was the break
that was found, and not the laboratory's own mistake.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.armed import AFTERS
from durakv_fuzz.faults import AfterFailedSync
from durakv_fuzz.lives import Recording, replay
from durakv_fuzz.mutants import MUTANTS, Hunt, hunt
from durakv_fuzz.oracle import Verdict
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Action, Setup, Step

COUNT_MIN = 40
"""The breaks of the catalogue."""

STATES = 50_000
"""The budget of a hunt, in distinct states; a minute and less on one core."""

QUICK = (
    "no fsync before ack",
    "ack before fsync",
    "manifest published before the old segment is synced",
    "batch not atomic",
    "read does not wait",
    "no directory sync after create",
    "manifest written in place",
    "base published before it is synced",
    "merge drops the last batch",
    "checksum without the payload",
    "tail zeros taken for corruption",
    "corruption taken for a torn tail",
    "seq reused after a cut",
    "debris not removed",
)
"""Breaks that every run of the tests has to find; each took fewer than 1,000 states when it was made."""

MET: dict[str, tuple[int, int]] = {
    "fsync retried after eio": (1, 10),
    "full disk healed without proof": (1, 6),
    "everysec never syncs": (1, 9),
    "policy change without sync": (2, 5),
    "window taken for the disk": (1, 3),
    "window leaves a hole": (1, 3),
    "sync vouches for what came meanwhile": (7, 9),
    "batch dropped that came during a write": (8, 35),
    "everysec syncs every five seconds": (1, 9),
    "age counted from the last write": (6, 91),
    "exposure not reported": (5, 16),
    "write error swallowed": (1, 12),
    "sync error swallowed": (1, 6),
    "written again behind a hole": (1, 6),
    "directory sync failure ignored": (1, 9),
    "base frozen too late": (1, 27),
    "checksum without the header": (4, 0),
    "flush ignored in a merge": (5, 0),
    "removals inside a value forgotten by a merge": (1, 133),
    "lists loaded backwards": (1, 73),
    "rdb base one command behind": (1, 10),
    "untouched slot dropped": (1, 3),
    "log read in the first pass only": (1, 3),
    "rotation forgotten by a rewrite": (3, 11),
    "block of a base not checked": (1, 11),
    "slot not checked when it is needed": (2, 116),
    "nothing looked for behind damage": (7, 17),
    "zeroed sector taken for the end": (4, 16),
    "frames promise nothing": (7, 17),
    "one record too many cut": (1, 15),
    "tail not written again": (1, 4),
    "outdated manifest followed": (1, 15),
    "no lock": (1, 4),
    "identity of a base not checked": (1, 25),
    "expiry not logged": (1, 8),
}
"""The seed of a campaign, and the run of it in which the break was met when it was made: the hunt begins there.  Seed 1
and run 0 where nothing is said."""

LATE = tuple(name for name, mutant in MUTANTS.items() if name not in QUICK and not mutant.not_found_because)


def find(name: str) -> Hunt:
    seed, run = MET.get(name, (1, 0))
    found = hunt(MUTANTS[name], seed=seed, first_run=run, states=STATES)
    assert found.failure is not None, f"{MUTANTS[name].what}: not found in {found.states} states"
    with quiet():
        kept = replay(found.failure.case)
    assert kept.violation is None, f"the real engine does it too: {kept.violation}"
    return found


@pytest.mark.parametrize("name", QUICK)
def test_a_break_is_found(name: str) -> None:
    find(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", LATE)
def test_a_break_is_found_late(name: str) -> None:
    find(name)


def test_the_catalogue_says_of_each_break_what_is_wrong_and_where_it_was_seen() -> None:
    assert len(MUTANTS) >= COUNT_MIN
    assert set(QUICK) | set(MET) <= set(MUTANTS)
    for name, mutant in MUTANTS.items():
        assert mutant.what.endswith("."), name
        assert len(mutant.stands_for) > 20, name
    for words in ([mutant.what for mutant in MUTANTS.values()], [mutant.stands_for for mutant in MUTANTS.values()]):
        assert len(set(words)) == len(words), "two breaks are told in the same words"


@pytest.mark.parametrize("name", MUTANTS)
def test_a_break_changes_something_and_leaves_the_engine_as_it_was(name: str) -> None:
    mutant = MUTANTS[name]
    places = [(patch.owner, patch.name) for patch in mutant.patches()]
    before = [getattr(owner, attribute) for owner, attribute in places]
    with mutant.applied():
        assert all(getattr(*place) is not original for place, original in zip(places, before, strict=True))
    assert [getattr(*place) for place in places] == before


def test_an_engine_that_never_gives_up_is_a_verdict_and_not_a_test_that_never_ends() -> None:
    failing = Step(Action.FAULT, (0, 1, 0, 0, AFTERS.index(AfterFailedSync.STICKY)))
    script = (failing, Step(Action.WRITE, (3,)))
    with MUTANTS["not poisoned"].applied(), quiet():
        (violation,) = Recording.first(Setup(), script).history.violations
    assert violation.verdict is Verdict.HANG
    assert not Recording.first(Setup(), script).history.violations
