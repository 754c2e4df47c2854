"""What the models allow of a litmus is gone through without exception, and it is what their clauses say.

Method: traces written by hand; then those of the suite, recorded, of which the outcomes are known by heart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from durakv_fuzz.calibration.allowed import Seen, TooManyAnswers, allowed, every_answer
from durakv_fuzz.calibration.calibrate import record
from durakv_fuzz.calibration.litmus import DONE, OTHER_SYNCED, Litmus
from durakv_fuzz.calibration.suite import SUITE
from durakv_fuzz.choose import Choose
from durakv_fuzz.model import Model
from durakv_fuzz.recorder.recorder import missing
from durakv_fuzz.trace import Kind

from .hand import NEW_FILE, new_file

POSIX, ORDERED, ZERO_TAIL = Model.POWER_LOSS, Model.ORDERED, Model.ORDERED_ZERO_TAIL


def after(litmus: Litmus, found: Mapping[Model, Seen], model: Model, step: str = DONE) -> set[str]:
    return {outcome for at, outcome in found[model] if litmus.steps[at] == step}


def test_every_combination_of_answers_is_given_once() -> None:
    def ask(choose: Choose) -> tuple[int, ...]:
        first = choose(2, "first")
        return (first, choose(3, "second")) if first else (first,)

    assert [ask(choose) for choose in every_answer()] == [(0,), (1, 0), (1, 1), (1, 2)]


def test_more_answers_than_can_be_gone_through_are_an_error() -> None:
    with pytest.raises(TooManyAnswers, match="more than 7 combinations"):
        for choose in every_answer(most=7):
            for _ in range(3):
                choose(2, "?")
    assert len([choose(8, "?") for choose in every_answer(most=8)]) == 8


@pytest.mark.parametrize(
    ("syncs", "model", "expected"),
    [
        ([], POSIX, {"missing", "empty", "new", "zeros"}),
        ([], ORDERED, {"missing", "empty", "new"}),
        ([Kind.SYNC], POSIX, {"missing", "new"}),
        ([Kind.SYNC], ORDERED, {"new"}),
        ([Kind.SYNC_DIRECTORY], POSIX, {"empty", "new", "zeros"}),
        ([Kind.SYNC, Kind.SYNC_DIRECTORY], POSIX, {"new"}),
    ],
)
def test_a_new_file_by_hand(syncs: list[Kind], model: Model, expected: set[str]) -> None:
    assert after(NEW_FILE, allowed(NEW_FILE, new_file(*syncs)), model) == expected


def test_an_outcome_counts_for_the_step_it_was_reached_at() -> None:
    found = allowed(NEW_FILE, new_file(Kind.SYNC, Kind.SYNC_DIRECTORY))
    assert after(NEW_FILE, found, POSIX, "started") == {"missing", "empty", "new", "zeros"}
    assert after(NEW_FILE, found, POSIX, DONE) == after(NEW_FILE, found, POSIX, OTHER_SYNCED) == {"new"}


KNOWN: list[tuple[str, Model, Callable[[set[str]], bool]]] = [
    ("append, fsync", POSIX, lambda words: words == {"new"}),
    ("append, O_DSYNC", POSIX, lambda words: words == {"new"}),
    ("mmap, msync", POSIX, lambda words: words == {"new"}),
    ("fallocate, fdatasync", POSIX, lambda words: words == {"new"}),
    ("sync_file_range", POSIX, lambda words: words == {"old", "new", "old+new", "new+old"}),
    ("append", ORDERED, lambda words: words == {"old", "new", "part of new"}),
    ("append", ZERO_TAIL, lambda words: "old+zeros" in words),
    ("two pages, in order", ORDERED, lambda words: words == {"old", "first", "second", "both"}),
    ("shrink", ORDERED, lambda words: {"old", "new", "old+zeros"} <= words),
    ("create, fsync", POSIX, lambda words: words == {"new", "missing"}),
    ("create, fsync", ORDERED, lambda words: words == {"new"}),
    ("replace by rename", ORDERED, lambda words: words == {"old", "empty", "part of new", "new"}),
    ("replace by rename, fsync", POSIX, lambda words: words == {"old", "new"}),
    ("replace by rename, fsync, directory synced", POSIX, lambda words: words == {"new"}),
    ("new directory, all synced", POSIX, lambda words: words == {"d=directory d/a=new"}),
    ("new directory, file synced", POSIX, lambda words: "d=missing d/a=missing" in words),
    ("two renames", ORDERED, lambda words: "c=missing d=new" not in words),
    ("two renames", POSIX, lambda words: "c=missing d=new" in words),
]


@pytest.mark.skipif(bool(missing()), reason=f"nothing can be recorded here: {missing()}")
@pytest.mark.parametrize(("name", "model", "holds"), KNOWN, ids=[f"{name}, {model}" for name, model, _ in KNOWN])
def test_what_is_known_by_heart(name: str, model: Model, holds: Callable[[set[str]], bool]) -> None:
    litmus = SUITE[name]
    words = after(litmus, allowed(litmus, record(litmus), [model]), model)
    assert holds(words), f"after {DONE}: {sorted(words)}"
