"""A case: lives of a program with crashes between them, written down so that it can be repeated exactly.

    case := setup, (script, crash)+, damage?      the last crash is the one that is judged

A crash ends a life; the next one begins with what the crash left.  After a power loss, or on another machine, that is
an image.  A *resumed* life goes on on the same machine after a process crash: the page cache, and the doubt about what
of it is on disk, live on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from durakv.clock import ManualClock
from durakv_fuzz import told
from durakv_fuzz.choose import Choose, Recorded, kindest
from durakv_fuzz.decay import Others, damage, judge_damaged
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.enumerate import CrashState
from durakv_fuzz.history import FRESH, Before, History
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.oracle import Expectation, Judgement
from durakv_fuzz.script import Action, Script, Setup, Step, dump_setup, load_setup
from durakv_fuzz.session import Session
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.witness import Witness, witness


@dataclass(frozen=True, slots=True)
class Crash:
    """Which crash: ``crash_image(trace, crash_seq, Recorded(answers), model=model)``."""

    crash_seq: int
    model: Model
    answers: tuple[int, ...]

    @classmethod
    def of(cls, state: CrashState) -> Crash:
        """The crash that leaves this state."""
        return cls(state.crash_seq, state.model, state.answers)

    @property
    def is_power_loss(self) -> bool:
        """Whether what was not synced may be gone."""
        return self.model is not Model.PROCESS_CRASH


@dataclass(frozen=True, slots=True)
class Life:
    """One life and its end."""

    script: Script
    crash: Crash
    resumed: bool = False
    """Whether it goes on on the machine of the life before."""


@dataclass(frozen=True, slots=True)
class Case:
    """See the module."""

    setup: Setup
    lives: tuple[Life, ...]
    damage: tuple[int, ...] | None = None
    """What decays after the last crash: the answers that ``decay.damage`` was given."""

    def dump(self) -> str:
        """As JSON."""
        lives = [
            {
                "script": [[step.action, *step.arguments] for step in life.script],
                "crash": [life.crash.crash_seq, life.crash.model, *life.crash.answers],
                "resumed": life.resumed,
            }
            for life in self.lives
        ]
        return json.dumps({"setup": dump_setup(self.setup), "lives": lives, "damage": self.damage})

    @classmethod
    def load(cls, text: str) -> Case:
        """The other way round."""
        data: dict[str, Any] = json.loads(text)
        lives = [
            Life(
                tuple(Step(Action(action), tuple(arguments)) for action, *arguments in life["script"]),
                Crash(life["crash"][0], Model(life["crash"][1]), tuple(life["crash"][2:])),
                life["resumed"],
            )
            for life in data["lives"]
        ]
        damaged = data["damage"]
        return cls(load_setup(data["setup"]), tuple(lives), None if damaged is None else tuple(damaged))


class Recording:
    """One life that was played, with all that follows from it; crashes of it can be judged."""

    def __init__(self, session: Session, script: Script, *, before: Before = FRESH, past: Sequence[Life] = ()) -> None:
        self.session = session
        self.setup = session.setup
        self.script = script
        self.before = before
        self.past = tuple(past)
        self.resumed = False
        self._twin: Image | None = None
        session.disk.trace.sites = True
        session.run(script)
        self.trace = session.disk.trace
        self.timeline = Timeline(self.trace)
        self.history = History(self.trace, before)

    @classmethod
    def first(cls, setup: Setup, script: Script) -> Recording:
        """A life in a new directory."""
        return cls(Session.start(setup), script)

    def next(self, crash: Crash, image: Image, before: Before, script: Script) -> Recording:
        """The life after a crash that left this image, and of which this is known."""
        session = Session.start(self.setup, image, first_batch=self.session.next_batch)
        return Recording(session, script, before=before, past=self.lives(crash))

    def resume(self, crash: Crash, script: Script) -> Recording:
        """The life after a process crash, on the same machine."""
        crash = self.within(crash)
        clock = ManualClock(monotonic=self.timeline.time_at(crash.crash_seq))
        disk = SimulatedDisk.resume(self.trace, crash.crash_seq, Recorded(crash.answers), clock=clock)
        session = Session(disk, self.setup, clock=clock, first_batch=self.session.next_batch)
        resumed = Recording(session, script, before=self.before, past=self.lives(crash))
        resumed.resumed = True
        return resumed

    def lives(self, crash: Crash) -> tuple[Life, ...]:
        """This life, ended by that crash, behind those before it."""
        return (*self.past, Life(self.script, crash, self.resumed))

    def case(self, crash: Crash) -> Case:
        """For repeating it."""
        return Case(self.setup, self.lives(crash))

    def image(self, crash: Crash) -> Image:
        """What the crash leaves."""
        crash = self.within(crash)
        return crash_image(self.timeline, crash.crash_seq, Recorded(crash.answers), model=crash.model)

    def expect(self, crash: Crash) -> Expectation:
        """What may be found after it."""
        crash = self.within(crash)
        time = self.timeline.time_at(crash.crash_seq)
        return self.history.at(crash.crash_seq, time, power=crash.is_power_loss)

    def within(self, crash: Crash) -> Crash:
        """The crash, or the life's own end: an engine that was mended since may do less than it did."""
        return crash if crash.crash_seq <= self.trace.seq else replace(crash, crash_seq=self.trace.seq)

    @property
    def closed_cleanly(self) -> bool:
        """Whether the last word was that the directory is closed."""
        return bool(self.trace.notes) and isinstance(self.trace.notes[-1].payload, told.Closed)

    def others(self, crash_seq: int) -> Others:
        """Where files may come from by mistake: from earlier in this life, or from a directory much like this one."""
        if self._twin is None:
            twin = Session.start(replace(self.setup, identity=self.setup.identity + 1))
            twin.run(self.script)
            self._twin = twin.disk.image()
        opens = [
            note.seq for note in self.trace.notes if isinstance(note.payload, told.Opened) and note.seq < crash_seq
        ]
        older = [crash_image(self.timeline, seq, kindest, model=Model.PROCESS_CRASH) for seq in opens]
        return Others(older, [self._twin])

    def decay(self, crash: Crash, choose: Choose) -> tuple[Image, Judgement] | None:
        """Damage what the crash leaves, and judge what is found then; None if the damage came to nothing."""
        damaged = damage(self.image(crash), self.others(crash.crash_seq), choose)
        if damaged is None:
            return None
        seen = witness(damaged.image, self.setup)
        clean = self.closed_cleanly and crash.crash_seq == self.trace.seq
        return damaged.image, judge_damaged(damaged, self.expect(crash), seen, clean=clean)

    def judge(self, crash: Crash, seen: Witness) -> Judgement:
        """Judge what was found after it."""
        return seen.judge(self.expect(crash))


def play(case: Case) -> Recording:
    """Play every life of a case; the last crash is still to be judged."""
    first, *rest = case.lives
    recording = Recording.first(case.setup, first.script)
    crash = first.crash
    for life in rest:
        if life.resumed:
            recording = recording.resume(crash, life.script)
        else:
            image = recording.image(crash)
            before = witness(image, case.setup).before(recording.expect(crash))
            recording = recording.next(crash, image, before, life.script)
        crash = life.crash
    return recording


def replay(case: Case) -> Judgement:
    """Repeat a case exactly and judge it anew."""
    recording = play(case)
    if recording.history.violations:
        return Judgement(recording.history.violations[0])
    crash = case.lives[-1].crash
    if case.damage is not None:
        decayed = recording.decay(crash, Recorded(case.damage))
        return Judgement(None) if decayed is None else decayed[1]
    return recording.judge(crash, witness(recording.image(crash), case.setup))
