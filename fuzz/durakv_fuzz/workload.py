"""Programs drawn at random: which engine, and which steps.

Everything is asked of a chooser, so that a seed, a test that shrinks, or a list can decide.  In the manner of swarm
testing each run does without a random part of the alphabet: what one step hides from another shows up in the runs
that lack it.  The tables begin with what is simplest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from durakv.durability import FsyncPolicy
from durakv.options import BaseFormat, Load
from durakv_fuzz.choose import Choose
from durakv_fuzz.machines import MachineKind
from durakv_fuzz.script import KEY_COUNT, Action, Script, Setup, Step

T = TypeVar("T")

_MACHINES = (
    MachineKind.FROZEN,
    *(MachineKind.SLOTTED,) * 4,
    *(MachineKind.FROZEN,) * 3,
    *(MachineKind.KEYSPACE,) * 2,
    *(MachineKind.TYPES,) * 2,
)
_WITH_RDB = (MachineKind.KEYSPACE, MachineKind.TYPES)
LAZY_RUNS = 3
"""Every so many runs opens lazily."""

_BASE_FORMATS = (BaseFormat.DKV, BaseFormat.DKV, BaseFormat.RDB)
_SEGMENT_BYTES = (4096, 4096, 8192, 16384)
_PENDING_BYTES_MAX = (1 << 20, 1 << 20, 1024)
_SEGMENTS_MAX = (0, 0, 3)
_MEMORY_BYTES = (1 << 20, 1024)

_LEVELS = (3, 3, 3, 2, 1, 0)
_HOWS = (0, 0, 0, 1, 1, 1, 2, 3)
_COUNTS = (1, 1, 1, 1, 2, 2, 2, 3, 3, 4)
_KINDS = (0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 5)
_SIZES = (0, 10, 80, 80, 300, 600, 900, 1500, 3000, 5000)
_STEP_COUNTS = (1, 1, 1, 1, 2, 5)
_SPARED = (0, 0, 0, 0, 0, 1, 1, 2, 4, 10)
_CALLS = (1, 1, 1, 1, 2, 2, 0, 3, 4, 5, 6, 7, 8)
_ERRORS = (0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6)
_AFTERS = (0, 0, 0, 1, 2, 3)
_MILLISECONDS = (50, 300, 900, 1300, 3000)
_DELAYS = (0, 0, 0, 0, 400, 1500, 4000)
_DONE = (0, 0, 1, 90, 512, 700, 100_000)
_TIMES = (1, 1, 1, 2, 100)
_ROOMS = (0, 100, 3000, 9000, 30_000)

WEIGHTS: dict[Action, int] = {
    Action.WRITE: 40,
    Action.WAIT: 6,
    Action.SYNC: 3,
    Action.READ: 2,
    Action.EXPIRE: 3,
    Action.STEP: 8,
    Action.ADVANCE: 8,
    Action.STARVE: 2,
    Action.POLICY: 3,
    Action.REWRITE: 6,
    Action.REOPEN: 4,
    Action.CLOSE: 1,
    Action.KILL: 4,
    Action.INTRUDE: 1,
    Action.FAULT: 8,
    Action.MEND: 5,
    Action.ROOM: 2,
    Action.MEANWHILE: 8,
}
"""How often each step is drawn where it is not switched off."""

_DRAWN = -1
_WRITTEN = Step(Action.WRITE, (1,))
_APPEND = Step(Action.WRITE, (_DRAWN, _DRAWN, 1, _DRAWN, 10))
_REWRITE = Step(Action.REWRITE, (1,))
_SHORTLY = Step(Action.ADVANCE, (300,))
_STEPS = (Step(Action.STEP, (5,)),) * 2

_INCIDENTS: tuple[tuple[Action | Step, ...], ...] = (
    # Writes that come in while a rewrite is at work.
    (Action.WRITE, Action.REWRITE, *(Action.STEP, Action.WRITE) * 5, *(Action.STEP,) * 3),
    *((Action.WRITE, Step(Action.REWRITE, (0,)), *(Step(Action.STEP, (1,)), _APPEND) * 4, *_STEPS, Action.READ),) * 2,
    # A rewrite of what was rewritten already, and changed a little.
    (Action.WRITE, Action.WRITE, _REWRITE, _APPEND, _REWRITE, Action.READ),
    # Writes that come in while the disk is busy.
    (Action.WRITE, Action.MEANWHILE, Action.SYNC, Action.MEANWHILE, Action.WRITE, Action.WRITE),
    # Writers that are never quiet for long, and a background that gets no time.
    (*(Action.WRITE, _SHORTLY) * 5,),
    (_WRITTEN, Action.STARVE, Action.READ),
    (_WRITTEN, Step(Action.ADVANCE, (1300,)), _WRITTEN, Action.READ),
    # What was only written, and a policy that asks for more.
    (_WRITTEN, Action.POLICY, _WRITTEN, Action.POLICY),
    # Keys that expire, and what is made of them afterwards.
    (Action.WRITE, Action.WRITE, Action.EXPIRE, Action.WRITE, Action.KILL, Action.EXPIRE),
    # A dead owner, and one that takes over.
    (Action.WRITE, Action.WRITE, Action.KILL, Action.WRITE, Action.KILL),
    # A call that fails, those who go on, and those who open again.
    (Action.WRITE, Action.FAULT, Action.WRITE, Action.WRITE, Action.MEND, Action.WRITE),
    (Action.WRITE, Action.FAULT, Action.WRITE, Action.SYNC, Action.MEND, Action.REOPEN, Action.WRITE),
    (Action.WRITE, Action.FAULT, Action.WRITE, Action.ADVANCE, Action.MEND, Action.KILL, Action.WRITE),
    # A sync that fails, and somebody who syncs again.
    (_WRITTEN, Step(Action.FAULT, (0, 1)), Action.SYNC, Action.WRITE, Action.SYNC),
    # A full disk in the middle of a write.
    (Action.WRITE, Step(Action.FAULT, (0, 2, 1)), Action.WRITE, Action.WRITE, Action.SYNC),
    # A rewrite whose directory cannot be synced.
    (Action.WRITE, Step(Action.FAULT, (_DRAWN, 3)), _REWRITE, Action.MEND, Action.WRITE),
    (Action.WRITE, Step(Action.FAULT, (2, 3)), _REWRITE, Action.MEND, Action.WRITE),
)
"""Steps that belong together.  What is said of one holds, the rest is drawn."""

TROUBLE = (Action.FAULT, Action.ROOM, Action.MEND)
"""The steps that make the disk fail."""


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The steps that one run may take."""

    actions: tuple[Action, ...]
    flushes: bool

    def draw(self, choose: Choose) -> Step:
        """One step."""
        pick = choose(sum(WEIGHTS[action] for action in self.actions), "action")
        for action in self.actions:
            pick -= WEIGHTS[action]
            if pick < 0:
                return self.step(action, choose)
        raise AssertionError("the weights were counted above")

    def incident(self, choose: Choose) -> list[Step]:
        """A few steps that belong together: chance alone would seldom put them in a row."""
        able = {*self.actions}
        incidents = [steps for steps in map(_steps, _INCIDENTS) if {step.action for step in steps} <= able]
        if Action.FAULT in able and choose(3, "trouble"):
            troubles = [steps for steps in incidents if any(step.action is Action.FAULT for step in steps)]
            incidents = troubles or incidents
        if not incidents:
            return [self.draw(choose)]
        incident = incidents[choose(len(incidents), "incident")]
        # One or the other may be left out.
        return [self.step(step.action, choose, step.arguments) for step in incident if choose(6, "with it")]

    def step(self, action: Action, choose: Choose, said: tuple[int, ...] = ()) -> Step:
        """One step of that sort: what is said of it, and the rest drawn."""
        drawn = self._arguments(action, choose)
        chosen = (draw if word == _DRAWN else word for word, draw in zip(said, drawn, strict=False))
        return Step(action, (*chosen, *drawn[len(said) :]))

    def _arguments(self, action: Action, choose: Choose) -> tuple[int, ...]:
        if action is Action.WRITE:
            return (_of(_LEVELS, choose, "level"), _of(_HOWS, choose, "how"), *self._commands(choose))
        if action is Action.MEANWHILE:
            spared = choose(6, "barriers spared")
            return (spared, _of(_LEVELS, choose, "level"), _of(_HOWS, choose, "how") % 2, *self._commands(choose))
        if action is Action.FAULT:
            return (
                _of(_SPARED, choose, "calls spared"),
                _of(_CALLS, choose, "calls"),
                _of(_ERRORS, choose, "error"),
                _of(_DONE, choose, "done"),
                _of(_AFTERS, choose, "after"),
                _of(_DELAYS, choose, "delay"),
                _of(_TIMES, choose, "times"),
            )
        if action in (Action.ADVANCE, Action.STARVE):
            return (_of(_MILLISECONDS, choose, "milliseconds"),)
        if action in (Action.POLICY, Action.REOPEN, Action.KILL, Action.READ, Action.EXPIRE):
            return (choose(3, "which"),)
        if action is Action.REWRITE:
            return (choose(2, "wait"),)
        if action is Action.STEP:
            return (_of(_STEP_COUNTS, choose, "count"),)
        if action is Action.ROOM:
            return (_of(_ROOMS, choose, "bytes"),)
        return ()

    def _commands(self, choose: Choose) -> list[int]:
        numbers: list[int] = []
        for _ in range(_of(_COUNTS, choose, "commands")):
            kind = _of(_KINDS, choose, "command")
            if self.flushes and choose(24, "flush") == 23:
                kind = 4
            numbers += [kind, choose(KEY_COUNT, "key"), _of(_SIZES, choose, "size")]
        return numbers


EVERYTHING = Alphabet(tuple(WEIGHTS), flushes=True)


def draw_alphabet(choose: Choose) -> Alphabet:
    """A random part of it all; half of the runs see no trouble but the crash."""
    troubled = choose(2, "trouble") == 1
    actions = [Action.WRITE]
    for action in WEIGHTS:
        if action is Action.WRITE or (action in TROUBLE and not troubled):
            continue
        if action in (Action.MEND, Action.FAULT) or choose(3, f"with {action}"):
            actions.append(action)
    return Alphabet(tuple(actions), flushes=choose(4, "flushes") == 3)


def draw_setup(choose: Choose, *, identity: int) -> Setup:
    """An engine."""
    drawn = Setup(
        machine=_of(_MACHINES, choose, "machine"),
        policy=_of(tuple(FsyncPolicy), choose, "policy"),
        segment_bytes=_of(_SEGMENT_BYTES, choose, "segment bytes"),
        pending_bytes_max=_of(_PENDING_BYTES_MAX, choose, "pending bytes"),
        rewrite_segments_max=_of(_SEGMENTS_MAX, choose, "segments"),
        rewrite_memory_bytes=_of(_MEMORY_BYTES, choose, "memory"),
        base_format=_of(_BASE_FORMATS, choose, "base format"),
        # Not drawn, or every run drawn before there was a choice would have become another.
        load=Load.LAZY if identity % LAZY_RUNS == LAZY_RUNS - 1 else Load.EAGER,
        identity=identity,
    )
    # Asked in any case: another machine must not shift what is asked after it, or nothing could be made smaller.
    return drawn if drawn.machine in _WITH_RDB else replace(drawn, base_format=BaseFormat.DKV)


def draw_script(choose: Choose, alphabet: Alphabet, *, least: int, most: int) -> Script:
    """A program of about so many steps."""
    count = least + choose(most - least + 1, "steps")
    steps: list[Step] = []
    while len(steps) < count:
        if choose(3, "incident") == 2:
            steps += alphabet.incident(choose)
        else:
            steps.append(alphabet.draw(choose))
    if Action.FAULT in alphabet.actions and choose(3, "afterwards"):
        # Whatever went wrong, somebody opens again and relies on what is there.
        again = Action.KILL if choose(2, "again") else Action.REOPEN
        steps += [alphabet.step(action, choose) for action in (Action.MEND, again, Action.WRITE)]
    return tuple(steps)


def _steps(incident: tuple[Action | Step, ...]) -> list[Step]:
    return [step if isinstance(step, Step) else Step(step) for step in incident]


def _of(table: Sequence[T], choose: Choose, label: str) -> T:
    return table[choose(len(table), label)]
