"""The promise: the models of the write path keep the contract in every state, and can be seen to break it.

Method: the TLA+ model goes through TLC, the Promela model through Spin, the Python machine through a plain search.
They are three texts of one machine, so the numbers of states and transitions have to agree.  Then each of a list of
mistakes is made in the models, and must be found by what a crash leaves.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from durakv_fuzz.specification.bounds import LARGE, MISTAKEN, READABLE, SMALL
from durakv_fuzz.specification.checkers import MODELS, Checked, configuration, missing_spin, missing_tlc, spin, tlc
from durakv_fuzz.specification.contract import CLAUSES
from durakv_fuzz.specification.explore import Bounds, explore
from durakv_fuzz.specification.mistakes import EARLIER, MISTAKES, Mistake

REQUIRED = "DURAKV_REQUIRE_SPECS"
"""Set to 1 where these tests must run: then they fail instead of being skipped."""

STATES_MIN = 10_000
"""A search that finds less is bounded too tightly to say anything."""


def _need(missing: Callable[[], str]) -> None:
    reason = missing()
    if reason and os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, but {reason}")
    if reason:
        pytest.skip(reason)


def _counts(checked: Checked) -> tuple[int, int]:
    assert checked.broken == "", "the model breaks the contract"
    assert checked.states > STATES_MIN
    return checked.states, checked.transitions


@pytest.mark.parametrize("bounds", SMALL, ids=str)
def test_the_python_machine_has_the_states_of_the_promela_model(bounds: Bounds) -> None:
    _need(missing_spin)
    explored = explore(bounds)
    assert explored.broken == ""
    assert _counts(spin(bounds)) == (explored.states, explored.transitions)


@pytest.mark.parametrize("bounds", SMALL, ids=str)
def test_the_python_machine_has_the_states_of_the_tla_model(bounds: Bounds) -> None:
    _need(missing_tlc)
    explored = explore(bounds)
    assert _counts(tlc(bounds)) == (explored.states, explored.transitions)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("bounds", READABLE, ids=str)
def test_both_models_have_the_same_states(bounds: Bounds) -> None:
    _need(missing_spin)
    _need(missing_tlc)
    assert _counts(spin(bounds)) == _counts(tlc(bounds))


@pytest.mark.long
@pytest.mark.parametrize("bounds", LARGE, ids=str)
def test_the_contract_holds_in_millions_of_states(bounds: Bounds) -> None:
    _need(missing_spin)
    assert spin(bounds).broken == ""


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_found_in_both_models(mistake: Mistake) -> None:
    _need(missing_spin)
    _need(missing_tlc)
    # One worker goes breadth first, so what it finds first is the shortest way to break anything.
    assert tlc(MISTAKEN, mistake, workers=1).broken == mistake.broken
    assert spin(MISTAKEN, mistake).broken in CLAUSES.keys() - EARLIER


def test_every_clause_that_a_crash_can_break_is_broken_by_some_mistake() -> None:
    assert {mistake.broken for mistake in MISTAKES} == CLAUSES.keys() - EARLIER - {"Order"}


@pytest.mark.parametrize("bounds", READABLE, ids=str)
def test_the_configurations_beside_the_models_are_those_that_are_run(bounds: Bounds) -> None:
    assert (MODELS / f"{bounds.policy}.cfg").read_text() == configuration(bounds)


def test_both_models_know_every_clause_and_every_mistake() -> None:
    readable, compact = ((MODELS / f"write_path.{suffix}").read_text() for suffix in ("tla", "pml"))
    for clause in CLAUSES:
        assert f"{clause} ==" in readable
        assert f"assert({clause})" in compact
    for mistake in MISTAKES:
        assert f'"{mistake.name}"' in readable
        assert f"== {mistake.name.upper()}" in compact or f"!= {mistake.name.upper()}" in compact
