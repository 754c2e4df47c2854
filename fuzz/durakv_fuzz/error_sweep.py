"""Every call of one life fails once, in every way that a call can fail (F5), and each outcome is judged.

    for call in range(count_calls(setup, SCRIPT)):
        for failure in FAILURES:
            sweep(setup, SCRIPT, call, failure, states=8)

The outcome has to be a named error or a success that deserves the word: what callers were told before, during and after
the failure is held against what a kill or a loss of power leaves then.  A campaign draws failures at random; this
leaves none out.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from durakv_fuzz.armed import AFTERS, CALLS, ERRORS
from durakv_fuzz.faults import AfterFailedSync, Fault
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.model import Model
from durakv_fuzz.oracle import Violation
from durakv_fuzz.pick import pick_states
from durakv_fuzz.script import Action, Script, Setup, Step
from durakv_fuzz.session import Session
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.witness import witness

_ANY_CALL = CALLS.index(frozenset(Kind))
_NEVER = 1 << 40
CALLS_MAX = 5_000
"""A life of so many calls does not end by itself: an engine that tries for ever hangs its callers."""

_PART_BYTES = 90


@dataclass(frozen=True, slots=True)
class CallFailure:
    """One way for a call to fail."""

    error: int
    after: AfterFailedSync = AfterFailedSync.KEPT
    part: bool = False
    """Whether a part of a write, or all of another call, takes effect before it fails."""

    def __str__(self) -> str:
        return f"{errno.errorcode[self.error]}{' in part' if self.part else ''}, dirty pages {self.after}"

    def step(self, call: int) -> Step:
        """The step that makes that call fail; calls are counted from now on."""
        done = _PART_BYTES if self.part else 0
        return Step(Action.FAULT, (call, _ANY_CALL, ERRORS.index(self.error), done, AFTERS.index(self.after), 0, 1))


FAILURES = (
    *(CallFailure(error) for error in ERRORS if error),
    *(CallFailure(errno.EIO, after) for after in AfterFailedSync if after is not AfterFailedSync.KEPT),
    *(CallFailure(error, part=True) for error in (errno.EIO, errno.ENOSPC)),
)
"""Every error of F5; for EIO also whatever else can become of the data; and calls that did a part of their work."""

SCRIPT: Script = (
    Step(Action.WRITE, (3, 0, 0, 1, 80, 0, 2, 600)),
    Step(Action.WRITE, (3, 1, 0, 2, 300)),
    Step(Action.WAIT),
    Step(Action.POLICY, (1,)),
    Step(Action.WRITE, (3, 0, 1, 1, 900)),
    Step(Action.ADVANCE, (1300,)),
    Step(Action.POLICY, (2,)),
    Step(Action.WRITE, (2, 0, 0, 3, 80)),
    Step(Action.WRITE, (3, 0, 0, 4, 3000)),
    Step(Action.STEP, (5,)),
    Step(Action.SYNC),
    Step(Action.REWRITE, (1,)),
    Step(Action.WRITE, (3, 0, 3, 1, 10)),
    Step(Action.REOPEN, (0,)),
    Step(Action.WRITE, (3, 2, 0, 5, 80)),
    Step(Action.KILL, (1,)),
    Step(Action.WRITE, (3, 0, 0, 5, 300)),
    Step(Action.REOPEN, (0,)),
    Step(Action.WRITE, (3, 0, 0, 2, 80)),
    Step(Action.CLOSE),
)
"""A life with every policy, a rotation, a rewrite, a reopening, and a takeover from a killed owner."""


def count_calls(setup: Setup, script: Script) -> int:
    """How many calls the life makes when none fails."""
    session = Session.start(setup)
    session.perform(CallFailure(errno.EIO).step(_NEVER))
    session.run(script)
    (left,) = session.spared()
    return _NEVER - left


class Hang(BaseException):
    """The engine calls and calls.  Not an Exception, so that nobody on the way takes it for an answer of the disk."""


class BoundedSession(Session):
    """A session that is over after a number of calls."""

    calls = 0

    def _plan(self, operation: Operation) -> Fault | None:
        self.calls += 1
        if self.calls > CALLS_MAX:
            raise Hang
        return super()._plan(operation)


def sweep(setup: Setup, script: Script, call: int, failure: CallFailure, *, states: int) -> tuple[int, str]:
    """Fail that call in that way; return how many outcomes were judged, and what is wrong, or nothing."""
    session = BoundedSession.start(setup)
    session.perform(failure.step(call))
    try:
        recording = Recording(session, script)
    except Hang:
        return 1, f"call {call} failed with {failure}: HANG: more than {CALLS_MAX} calls followed"
    if recording.history.violations:
        return 1, _tell(call, failure, recording.history.violations[0])
    judged = 1
    for state in pick_states(recording.timeline, states, seed=call):
        crash = Crash.of(state)
        violation = recording.judge(crash, witness(state.image, setup)).violation
        judged += 1
        if violation is not None:
            return judged, f"{_tell(call, failure, violation)}; {crash}"
    end = Crash(recording.trace.seq, Model.PROCESS_CRASH, ())
    violation = recording.judge(end, witness(recording.image(end), setup)).violation
    return judged + 1, _tell(call, failure, violation) if violation is not None else ""


def _tell(call: int, failure: CallFailure, violation: Violation) -> str:
    text = os.strerror(failure.error)
    return f"call {call} failed with {failure} ({text}): {violation.verdict}: {violation.reason}"
