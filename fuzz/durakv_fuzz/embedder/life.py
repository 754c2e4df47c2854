"""Lives of a program with a foreign machine, with a crash at the end of each.

    case := setup, (steps, crash)+      the last crash is the one that is judged

There is one writer and no failing call, so the order of the log is that of the steps, and whatever the engine or the
machine raises is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Generic

import msgspec

from durakv.clock import ManualClock
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.options import Options
from durakv_fuzz import told
from durakv_fuzz.choose import Recorded
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.embedder.program import POLICIES, Act, Step, Steps
from durakv_fuzz.embedder.subject import BadSubject, Commands, M, States, Subject
from durakv_fuzz.history import FRESH, Before, History
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.oracle import Expectation, Judgement, Verdict, Violation
from durakv_fuzz.script import Setup
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.witness import Witness, witness_with

TICK_SECONDS = 0.05
_TEXT_MAX = 200
STEPS_MAX = 64
"""How often the engine's own thread would look for work, and how much it does at most each time."""


@dataclass(frozen=True, slots=True)
class Life:
    """One life and its end."""

    steps: Steps
    crash: Crash


@dataclass(frozen=True, slots=True)
class Case:
    """See the module."""

    setup: Setup
    lives: tuple[Life, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A batch that is in the directory, and the number of its last command."""

    batch: Commands
    seq: int


class Recording(Generic[M]):
    """One life that was played; its crashes can be judged."""

    def __init__(
        self,
        subject: Subject[M],
        setup: Setup,
        steps: Steps,
        *,
        states: States[M] | None = None,
        image: Image = NOTHING,
        known: Sequence[Known] = (),
        before: Before | None = None,
        past: tuple[Life, ...] = (),
    ) -> None:
        self.subject = subject
        self.setup = setup
        self.steps = steps
        self.past = past
        self.states = states if states is not None else States(subject)
        self.known = list(known)
        self.names: dict[int, Commands] = {}
        """The batches that this life wrote, by the laboratory's names for them."""
        fresh = replace(FRESH, state=self.states.digest(subject.make()))
        program = _Program(self, image)
        program.run(steps)
        self.trace = program.disk.trace
        self.timeline = Timeline(self.trace)
        self.history = History(self.trace, before if before is not None else fresh)

    @property
    def violation(self) -> Violation | None:
        """What went wrong before any crash."""
        return self.history.violations[0] if self.history.violations else None

    @property
    def end(self) -> Crash:
        """No crash but the end of the program, everything kept."""
        return Crash(self.trace.seq, Model.PROCESS_CRASH, ())

    def next(self, crash: Crash, image: Image, steps: Steps) -> Recording[M] | None:
        """The life after a crash that left this image; None if nobody can say what the machine then held."""
        seen, expectation = self.witness(image), self.expect(crash)
        if seen.found is None:
            return None
        known = [item for item in self.known if item.seq <= seen.found.last_seq]
        if self.states.digest(model_after(self.subject, known)) != seen.found.state:
            return None
        return Recording(
            self.subject,
            self.setup,
            steps,
            states=self.states,
            image=image,
            known=known,
            before=seen.before(expectation),
            past=(*self.past, Life(self.steps, crash)),
        )

    def case(self, crash: Crash) -> Case:
        """For repeating it."""
        return Case(self.setup, (*self.past, Life(self.steps, crash)))

    def image(self, crash: Crash) -> Image:
        """What the crash leaves."""
        crash = self.within(crash)
        return crash_image(self.timeline, crash.crash_seq, Recorded(crash.answers), model=crash.model)

    def expect(self, crash: Crash) -> Expectation:
        """What may be found after it."""
        crash = self.within(crash)
        return self.history.at(crash.crash_seq, self.timeline.time_at(crash.crash_seq), power=crash.is_power_loss)

    def judge(self, crash: Crash, seen: Witness) -> Judgement:
        """Judge what was found after it."""
        judgement = seen.judge(self.expect(crash))
        violation = judgement.violation
        if violation is None or seen.found is None or violation.verdict is not Verdict.PHANTOM:
            return judgement
        # The oracle knows states by their names only.
        value = repr(self.states.value(seen.found.state))[:_TEXT_MAX]
        reason = f"the machine came back in a state that it was never in: {value}"
        return replace(judgement, violation=Violation(Verdict.PHANTOM, reason))

    def within(self, crash: Crash) -> Crash:
        """The crash, or the life's own end: a machine that was mended since may do less than it did."""
        return replace(crash, crash_seq=min(crash.crash_seq, self.trace.seq))

    def witness(self, image: Image) -> Witness:
        """Open the image with a new machine and look."""
        subject, setup = self.subject, self.setup
        options = options_of(subject, setup, setup.policy)
        machine = subject.make()
        try:
            return witness_with(image, machine, self.states.digest, options=options, entropy=setup.entropy)
        except Exception as failure:  # noqa: BLE001 - restore may leave a machine that cannot even be read
            return Witness(None, f"read raised {type(failure).__name__}: {failure}", Verdict.BROKEN)


class _Program(Generic[M]):
    """The program of one life, and the words it was told."""

    def __init__(self, recording: Recording[M], image: Image) -> None:
        self.clock = ManualClock()
        self.disk = SimulatedDisk(image, clock=self.clock)
        self._recording = recording
        self._subject = recording.subject
        self._setup = recording.setup
        self._states = recording.states
        self._model = model_after(self._subject, recording.known)
        self._promised = {Durability.WRITTEN: 0, Durability.SYNCED: 0}
        self._broken = False
        self._engine: Engine

    def run(self, steps: Steps) -> None:
        """Open, and perform each step until something is wrong."""
        self._perform(Step(Act.REOPEN, POLICIES.index(self._setup.policy)), first=True)
        for step in steps:
            if self._broken:
                break
            self._perform(step)

    def _perform(self, step: Step, *, first: bool = False) -> None:
        try:
            if step.act is Act.REOPEN:
                self._reopen(POLICIES[step.number], first=first)
            elif step.act is Act.WRITE:
                self._write(step)
            else:
                self._do(self._engine, step)
            self._look(step)
        except BadSubject:
            raise
        except Exception as failure:  # noqa: BLE001 - whatever it is, it belongs into the record
            self._break(f"{'open' if first else step.act} raised {type(failure).__name__}: {failure}")

    def _reopen(self, policy: FsyncPolicy, *, first: bool) -> None:
        if not first:
            self._engine.close()
            self._note(told.Closed())
        self._promised = {Durability.WRITTEN: 0, Durability.SYNCED: 0}
        self._machine = self._subject.make()
        options = options_of(self._subject, self._setup, policy)
        self._engine = engine = Engine(
            None,
            self._machine,
            options=options,
            filesystem=self.disk,
            clock=self.clock,
            background=False,
            entropy=self._setup.entropy,
        )
        state = self._states.digest(self._machine)
        report = engine.report
        self._note(told.Opened(policy, state, engine.applied_seq, report.last_seq, tuple(report.lines())))

    def _write(self, step: Step) -> None:
        known = self._recording.known
        name = len(known) + 1
        self._recording.names[name] = step.batch
        self._note(told.Invoked(name, self._states.translate(self._model, step.batch)))
        level = Durability(step.number) if step.number < len(Durability) else None
        receipt = self._engine.submit(step.batch, level)
        known.append(Known(step.batch, receipt.seq))
        self._note(told.Numbered(name, receipt.seq))
        receipt.result()
        self._promise(receipt.durability, receipt.seq)

    def _do(self, engine: Engine, step: Step) -> None:
        if step.act is Act.SYNC:
            engine.sync()
            self._promise(Durability.SYNCED, engine.applied_seq)
        elif step.act is Act.REWRITE:
            engine.rewrite(wait=bool(step.number))
        elif step.act is Act.POLICY:
            policy = POLICIES[step.number]
            if policy is FsyncPolicy.NO:
                self._note(told.Policy(policy))  # from the moment it was asked for, less is promised
            engine.set_fsync(policy)
            self._note(told.Policy(policy))
        elif step.act is Act.STEP:
            for _ in range(step.number):
                if not engine.step():
                    break
        else:
            for _ in range(round(step.number / 1000 / TICK_SECONDS)):
                self.clock.advance(TICK_SECONDS)
                for _ in range(STEPS_MAX):
                    if not engine.step():
                        break
                self._look(step)

    def _look(self, step: Step) -> None:
        """What anybody can see: the positions, a rewrite that failed unasked, and the machine itself."""
        engine = self._engine
        self._promise(Durability.SYNCED, engine.synced_seq)
        self._promise(Durability.WRITTEN, engine.written_seq)
        status = engine.status()
        if status.rewrite_error is not None:
            self._break(f"a rewrite failed: {status.rewrite_error}")
        elif self._states.digest(self._machine) != self._states.digest(self._model):
            self._break(
                f"after {step.act} the engine's machine reads differently from one that was given the same commands "
                f"in memory: {self._subject.read(self._machine)!r} is not {self._subject.read(self._model)!r}"
            )

    def _promise(self, level: Durability, seq: int) -> None:
        """Note a promise, if it is news."""
        if level is not Durability.APPLIED and seq > self._promised[level]:
            self._promised[level] = seq
            self._note(told.Promised(level, seq))

    def _break(self, reason: str) -> None:
        if not self._broken:
            self._broken = True
            self._note(told.Broken(reason))

    def _note(self, word: told.Word) -> None:
        self.disk.note(type(word).__name__, word)


def play(subject: Subject[M], case: Case) -> Recording[M]:
    """Play every life of a case; the last crash is still to be judged, unless an earlier life ends otherwise now."""
    first, *rest = case.lives
    recording = Recording(subject, case.setup, first.steps)
    crash = first.crash
    for life in rest:
        following = recording.next(crash, recording.image(crash), life.steps)
        if following is None:
            break
        recording, crash = following, life.crash
    return recording


def replay(subject: Subject[M], case: Case) -> Judgement:
    """Repeat a case exactly and judge it anew."""
    recording = play(subject, case)
    if recording.violation is not None:
        return Judgement(recording.violation)
    crash = case.lives[len(recording.past)].crash
    return recording.judge(crash, recording.witness(recording.image(crash)))


def model_after(subject: Subject[M], known: Sequence[Known]) -> M:
    """A machine that was given these batches, in memory."""
    model = subject.make()
    for item in known:
        for command in item.batch:
            model.apply(command)
    return model


def options_of(subject: Subject[M], setup: Setup, policy: FsyncPolicy) -> Options:
    """For the engine: the embedder's, or the laboratory's own."""
    return msgspec.structs.replace(subject.options if subject.options is not None else setup.options(), fsync=policy)
