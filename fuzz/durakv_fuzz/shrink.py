"""A failing case made smaller: fewer steps, and a crash that loses what it has to and nothing else."""

from __future__ import annotations

from dataclasses import replace

from durakv_fuzz.campaign import Failure
from durakv_fuzz.lives import Case, Crash, Recording, play
from durakv_fuzz.model import Model
from durakv_fuzz.oracle import Verdict
from durakv_fuzz.pick import pick_states
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Script
from durakv_fuzz.witness import witness

STATES = 150
"""How many crash states of each smaller program are tried."""


def shrink(failure: Failure, *, attempts: int = 300) -> Case:
    """The smallest case found that breaks the same promise; decay is left as it is."""
    case, verdict = failure.case, failure.violation.verdict
    if case.damage is not None:
        return case
    with quiet():
        if len(case.lives) > 1:
            # One life is easier to read than two, if it does it as well.
            case = _find(Case(case.setup, ()), case.lives[0].script, verdict) or case
        size = max(1, len(_last_script(case)) // 2)
        while size and attempts > 0:
            script = _last_script(case)
            for start in range(0, len(script), size):
                attempts -= 1
                smaller = _find(_without_last(case), script[:start] + script[start + size :], verdict)
                if smaller is not None:
                    case = smaller
                    break
            else:
                size //= 2
    return case


def _last_script(case: Case) -> Script:
    return case.lives[-1].script


def _without_last(case: Case) -> Case:
    return replace(case, lives=case.lives[:-1])


def _find(past: Case, script: Script, verdict: Verdict) -> Case | None:
    """A crash of this program that breaks the promise, after those lives."""
    recording = _record(past, script)
    if recording is None:
        return None
    if recording.history.violations:
        end = Crash(recording.trace.seq, Model.PROCESS_CRASH, ())
        return recording.case(end) if recording.history.violations[0].verdict is verdict else None
    for state in pick_states(recording.timeline, STATES, seed=0):
        crash = Crash.of(state)
        violation = recording.judge(crash, witness(state.image, recording.setup)).violation
        if violation is not None:
            return recording.case(crash) if violation.verdict is verdict else None
    return None


def _record(past: Case, script: Script) -> Recording | None:
    if not past.lives:
        return Recording.first(past.setup, script)
    before = play(past)
    crash = past.lives[-1].crash
    seen = witness(before.image(crash), past.setup)
    if seen.found is None:
        return None
    # A resumed life is repeated as one after the same crash on another machine, if that does it as well.
    return before.next(crash, before.image(crash), seen.before(before.expect(crash)), script)
