"""The promise: whatever a crash leaves, a lazy open finds there what an eager one finds.

Method: runs of the campaign with the real keyspace, crashed at thousands of points, power losses and kills.  Each state
is opened both ways and compared: what is there, what is reported, which files count.  (The campaign itself opens every
third run lazily, in its lives too, and has the oracle judge.)
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from durakv.options import BaseFormat, Load
from durakv_fuzz.campaign import draw_run
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.machines import MachineKind
from durakv_fuzz.pick import pick_states
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import KEY_COUNT, Action, Script, Setup, Step
from durakv_fuzz.session import Session
from durakv_fuzz.witness import witness

STATES_PER_RUN = 60


def compare(setup: Setup, script: Script, seed: int, seen: Counter[str]) -> None:
    """Open every picked state of a run both ways, if there ever was a base to be lazy about."""
    recording = Recording.first(setup, script)
    assert not recording.history.violations, recording.history.violations
    if not any(".base.dkv" in name for name in recording.session.disk.image().files):
        return
    for state in pick_states(recording.timeline, STATES_PER_RUN, seed=seed):
        eager = witness(state.image, replace(setup, load=Load.EAGER))
        lazy = witness(state.image, replace(setup, load=Load.LAZY))
        assert lazy == eager, state
        assert lazy.judge(recording.expect(Crash.of(state))).violation is None, state
        seen["states"] += 1
        seen["with a base"] += any(".base.dkv" in name for name in state.image.files)


def compare_runs(seed: int, runs: int) -> Counter[str]:
    seen: Counter[str] = Counter()
    with quiet():
        for number in range(runs):
            setup, _alphabet, script = draw_run(seed, number)
            machine = (MachineKind.KEYSPACE, MachineKind.TYPES)[number % 2]
            load = (Load.EAGER, Load.LAZY)[number // 2 % 2]
            compare(replace(setup, machine=machine, base_format=BaseFormat.DKV, load=load), script, number, seen)
    return seen


def test_what_a_crash_left_is_the_same_both_ways() -> None:
    seen = compare_runs(seed=3, runs=60)
    assert seen["states"] >= 1000
    assert seen["with a base"] >= 350


@pytest.mark.slow
def test_what_thousands_of_crashes_left_is_the_same_both_ways() -> None:
    seen = compare_runs(seed=4, runs=250)
    assert seen["states"] >= 4_000
    assert seen["with a base"] >= 1_500


@pytest.mark.parametrize("machine", [MachineKind.KEYSPACE, MachineKind.TYPES])
def test_lives_go_on_beside_slots_that_were_not_loaded(machine: MachineKind) -> None:
    """Opened lazily again and again: written to, rewritten, and killed before everything was there."""
    writes = tuple(Step(Action.WRITE, (1, 0, kind, key, 20)) for kind in (0, 1, 3) for key in range(KEY_COUNT))
    a_few = (Step(Action.WRITE, (1, 0, 1, 3, 20)), Step(Action.WRITE, (1, 2, 2, 4, 0, 0, 5, 30)))
    merge = (Step(Action.REWRITE, (0,)), *(Step(Action.STEP, (1,)), a_few[0]) * 4, Step(Action.REWRITE, (1,)))
    life = (Step(Action.KILL), *a_few, Step(Action.KILL), *merge, Step(Action.REOPEN), *a_few)
    script = (*writes, Step(Action.REWRITE, (1,)), *life * 3)
    setup = Setup(machine=machine, load=Load.LAZY)
    seen: Counter[str] = Counter()
    with quiet():
        for seed in range(3):
            compare(setup, script, seed, seen)
        session = Session.start(setup)
        session.open(setup.policy)
        for step in script:
            assert session.engine is not None
            if step.action is Action.REWRITE:
                seen["rewrites beside"] += session.engine.status().slots_to_load > 0
            session.perform(step)
    assert seen["with a base"] >= 80
    assert seen["rewrites beside"] >= 3, "the old base was replaced while slots were still in it"
