"""The promise: Hypothesis can draw programs and crashes, finds with them what is wrong, and makes it small.

Method: properties over both, on the engine and on one that is broken on purpose.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.oracle import Verdict
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Action, Script, Setup
from durakv_fuzz.strategies import crashes, programs
from durakv_fuzz.witness import witness
from durakv_fuzz.workload import Alphabet

WRITES = Alphabet((Action.WRITE, Action.SYNC, Action.REWRITE), flushes=False)
SLOW = settings(deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), max_examples=60)


def verdict(recording: Recording, crash: Crash) -> Verdict | None:
    violation = recording.judge(crash, witness(recording.image(crash), recording.setup)).violation
    return None if violation is None else violation.verdict


@SLOW
@given(st.data(), programs())
def test_no_crash_of_a_drawn_program_breaks_a_promise(data: st.DataObject, program: tuple[Setup, Script]) -> None:
    with quiet():
        recording = Recording.first(*program)
        assert not recording.history.violations
        assert verdict(recording, data.draw(crashes(recording))) is None


def test_what_is_wrong_is_found_and_made_small() -> None:
    smallest: list[tuple[int, Verdict]] = []

    @settings(SLOW, max_examples=400, phases=(Phase.generate, Phase.shrink))
    @given(st.data(), programs(WRITES))
    def no_crash_breaks_a_promise(data: st.DataObject, program: tuple[Setup, Script]) -> None:
        recording = Recording.first(*program)
        found = verdict(recording, data.draw(crashes(recording)))
        if found is not None:
            smallest.append((len(program[1]), found))
        assert found is None

    with MUTANTS["no fsync before ack"].applied(), quiet(), pytest.raises(AssertionError):
        no_crash_breaks_a_promise()
    assert smallest[-1][0] <= 2
    assert smallest[-1][1] in (Verdict.LOST_ACKED, Verdict.CORRUPT)
