"""A failing case made smaller: fewer steps, fewer commands, and one life instead of two where one does it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from durakv_fuzz.embedder.life import Case, Recording, play
from durakv_fuzz.embedder.program import Steps
from durakv_fuzz.embedder.subject import M, Subject
from durakv_fuzz.lives import Crash
from durakv_fuzz.oracle import Verdict, Violation
from durakv_fuzz.pick import pick_states

STATES = 60
"""How many crash states of each smaller program are tried."""

Found = tuple[Case, Violation]


def make_smaller(subject: Subject[M], case: Case, violation: Violation, *, attempts: int) -> Found:
    """The smallest case found that is given the same verdict."""
    best: Found = (case, violation)
    if len(case.lives) > 1 and attempts > 0:
        # One life is easier to read than two.
        attempts -= 1
        best = _find(subject, Case(case.setup, ()), case.lives[0].steps, violation.verdict) or best
    size = max(1, len(_last_steps(best[0])) // 2)
    while size and attempts > 0:
        for steps in _shorter(_last_steps(best[0]), size):
            attempts -= 1
            found = _find(subject, _without_last(best[0]), steps, violation.verdict)
            if found is not None:
                best = found
                break
            if attempts <= 0:
                break
        else:
            size //= 2
    return best


def _shorter(steps: Steps, size: int) -> Iterator[Steps]:
    """Without so many steps in a row; at last also without one command of a batch."""
    for start in range(0, len(steps), size):
        yield steps[:start] + steps[start + size :]
    if size == 1:
        for index, step in enumerate(steps):
            if len(step.batch) > 1:
                for left_out in range(len(step.batch)):
                    batch = step.batch[:left_out] + step.batch[left_out + 1 :]
                    yield (*steps[:index], replace(step, batch=batch), *steps[index + 1 :])


def _last_steps(case: Case) -> Steps:
    return case.lives[-1].steps


def _without_last(case: Case) -> Case:
    return replace(case, lives=case.lives[:-1])


def _find(subject: Subject[M], past: Case, steps: Steps, verdict: Verdict) -> Found | None:
    """A crash of this program that is given the verdict, after those lives."""
    recording = _record(subject, past, steps)
    if recording is None:
        return None
    if recording.violation is not None:
        found = recording.case(recording.end), recording.violation
        return found if recording.violation.verdict is verdict else None
    for state in pick_states(recording.timeline, STATES, seed=0):
        crash = Crash.of(state)
        violation = recording.judge(crash, recording.witness(state.image)).violation
        if violation is not None:
            return (recording.case(crash), violation) if violation.verdict is verdict else None
    return None


def _record(subject: Subject[M], past: Case, steps: Steps) -> Recording[M] | None:
    if not past.lives:
        return Recording(subject, past.setup, steps)
    before, crash = play(subject, past), past.lives[-1].crash
    return before.next(crash, before.image(crash), steps)
