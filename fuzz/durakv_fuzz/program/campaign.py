"""A campaign against one program on one disk: record, crash, start, judge, until the budget is spent.

Some recoveries are recorded and crashed in turn, and some programs go on working afterwards and are crashed again: what
was owed before the first crash is owed after the last one.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from durakv_fuzz.program.calls import CallFailed, CallHung, call
from durakv_fuzz.program.disks import Crash, Disk, Run
from durakv_fuzz.program.interrupts import admit
from durakv_fuzz.program.oracle import NOTHING_TOLD, Judgement, Told, Verdict, judge, told_before
from durakv_fuzz.program.recording import Recording
from durakv_fuzz.program.subject import Found, Plan, Promise, Subject
from durakv_fuzz.program.telling import RecordingTeller

_PATIENCE = 3
"""How many times longer the second try of a start may take before it counts as hanging."""

_NESTED_EVERY = 12
_RESUMED_EVERY = 24
_STATES_OF_RECOVERY = 6
_NUMBERS_OF_SECOND_LIFE = 8
_LATER_SHARE = 0.25
"""At most so much of the time goes into recoveries that are crashed again and second lives, which may be slow."""

_FINDINGS_PER_KIND = 3


class CannotRecord(Exception):
    """The program failed without any crash; the message has what it said."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a campaign, and each call in it, ends."""

    states: int | None = None
    seconds: float | None = None
    drive_seconds: float = 60.0
    check_seconds: float = 10.0
    states_per_run: int = 600


@dataclass(frozen=True, slots=True)
class Finding:
    """A state in which the promise was not kept."""

    judgement: Judgement
    crash: Crash
    run: Run
    life: str
    """``first``, ``recovery`` or ``second``."""

    plan: Plan
    told: Told
    earlier: Told
    """Of that, what was said in lives before the one that was crashed last."""

    @property
    def kind(self) -> tuple[str, str, bool, str]:
        """Findings of one kind are told once."""
        return self.judgement.verdict, self.crash.tier, self.plan.prepared, self.life


@dataclass(slots=True)
class Outcome:
    """What a campaign saw."""

    subject: Subject
    tier: str
    states: int = 0
    runs: int = 0
    seconds: float = 0.0
    verdicts: Counter[tuple[str, Verdict]] = field(default_factory=Counter[tuple[str, Verdict]])
    """By the tier of the crash."""

    losses: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """By tier: in how many states acknowledged numbers were gone, promised or not, and how many at most."""

    lives: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])

    @property
    def violations(self) -> int:
        """How many states broke the promise."""
        return sum(count for (_, verdict), count in self.verdicts.items() if verdict is not Verdict.KEPT)

    @property
    def is_clean(self) -> bool:
        """Whether every promise was kept, and there was one."""
        return not self.violations or self.subject.promise is Promise.NONE


Start: TypeAlias = Callable[[Subject, Run, Crash, Told, float], tuple[Found | None, Judgement]]
"""Starts the program on what a crash left, within so many seconds, and judges.  Nothing is found if it cannot go on."""


class Campaign:
    """See the module.  The same seed makes the same choices; what a program does in its own time differs."""

    def __init__(
        self,
        subject: Subject,
        disk: Disk,
        plans: Sequence[Plan],
        limits: Limits,
        *,
        seed: int = 1,
        start: Start | None = None,
    ) -> None:
        self.outcome = Outcome(subject, disk.tier)
        self._subject = subject
        self._disk = disk
        self._plans = plans
        self._limits = limits
        self._start = start if start is not None else start_and_judge
        self._random = random.Random(seed)
        self._later_random = random.Random(f"{seed} later")  # its own: how many are drawn depends on the time
        self._began = time.monotonic()
        self._tried = 0
        """States that runs proposed, those of earlier runs among them."""
        self._later_seconds = 0.0
        self._kinds: Counter[tuple[str, str, bool, str]] = Counter()
        self._seen: set[int] = set()

    def run(self, progress: Callable[[Outcome], None] = lambda outcome: None) -> Outcome:
        """Go on until a limit is reached; ``progress`` is called after each state."""
        for outcome in self.steps():
            progress(outcome)
        return self.outcome

    def steps(self) -> Iterator[Outcome]:
        """The same, one state after the other, for those who want to stop in between."""
        outcome = self.outcome
        self._record(self._plans[0], to_the_end=True).close()
        self._began = time.monotonic()
        in_vain = 0
        while self._goes_on() and in_vain < len(self._plans):
            plan = self._plans[outcome.runs % len(self._plans)]
            run = self._record(plan)
            if run.is_empty:
                run.close()
                raise CannotRecord(f"{self._subject.name} changed nothing on its disk: there is nothing to crash")
            outcome.runs += 1
            before = outcome.states
            try:
                for _ in self._crash_all(run, plan):
                    outcome.seconds = time.monotonic() - self._began
                    yield outcome
                    if not self._goes_on():
                        return
            finally:
                run.close()
            in_vain = in_vain + 1 if outcome.states == before else 0

    def _goes_on(self) -> bool:
        limits, outcome = self._limits, self.outcome
        if limits.states is not None and outcome.states >= limits.states:
            return False
        return limits.seconds is None or time.monotonic() - self._began < limits.seconds

    def _record(self, plan: Plan, *, to_the_end: bool = False) -> Run:
        """Record a run; ``to_the_end`` starts the program once more, since a check that always fails proves nothing."""
        subject = self._subject

        def work(recording: Recording) -> None:
            if plan.prepared:
                call(lambda: subject.prepare(recording.directory), self._limits.drive_seconds)
            recording.settle()
            teller = RecordingTeller(recording)
            call(lambda: subject.drive(recording.directory, range(plan.count), teller), self._limits.drive_seconds)
            if to_the_end:
                found = call(lambda: subject.check(recording.directory), self._limits.check_seconds * _PATIENCE)
                if found.refusal:
                    raise CallFailed(found.refusal)

        try:
            return self._disk.record(work, sync_seconds=plan.sync_seconds)
        except (CallFailed, CallHung) as failure:
            name = f"{subject.name} {subject.setting}".strip()
            raise CannotRecord(f"{name} failed before any crash: {failure}") from failure

    def _crash_all(self, run: Run, plan: Plan) -> Iterator[None]:
        for crash in run.crashes(self._limits.states_per_run, self._random.getrandbits(32)):
            admit()
            self._tried += 1
            told = self._told(run, crash)
            is_new = self._is_new(crash, told)
            # A state that was tried in an earlier run may have a later life that was not.
            goes_on = self._tried % _NESTED_EVERY == 0 and self._has_time_for_later_lives()
            if not is_new and not goes_on:
                continue
            found, judgement = self._start_on(run, crash, told)
            if is_new:
                self._count(found, judgement, crash, run, "first", plan, told, NOTHING_TOLD)
                yield
            if not goes_on or not judgement.is_kept or found is None:
                continue
            began = time.monotonic()
            if self._tried % _RESUMED_EVERY == 0:
                yield from self._crash_second_life(run, crash, plan, told, found)
            else:
                yield from self._crash_recovery(run, crash, plan, told)
            self._later_seconds += time.monotonic() - began

    def _has_time_for_later_lives(self) -> bool:
        if self._limits.seconds is None:
            return True
        return self._later_seconds <= _LATER_SHARE * (time.monotonic() - self._began)

    def _is_new(self, crash: Crash, told: Told) -> bool:
        """Whether there was no such state, with the same said before it, in this run or an earlier one."""
        key = hash((crash.key, told))
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _crash_recovery(self, run: Run, crash: Crash, plan: Plan, told: Told) -> Iterator[None]:
        subject = self._subject

        def work(recording: Recording) -> None:
            call(lambda: subject.check(recording.directory), self._limits.check_seconds * _PATIENCE)

        yield from self._crash_later(run, crash, plan, told, work, "recovery")

    def _crash_second_life(self, run: Run, crash: Crash, plan: Plan, told: Told, found: Found) -> Iterator[None]:
        subject = self._subject
        first = max(found.numbers, default=-1) + 1

        def work(recording: Recording) -> None:
            numbers = range(first, first + _NUMBERS_OF_SECOND_LIFE)
            teller = RecordingTeller(recording)
            call(lambda: subject.drive(recording.directory, numbers, teller), self._limits.drive_seconds)

        yield from self._crash_later(run, crash, plan, told, work, "second")

    def _crash_later(
        self, run: Run, crash: Crash, plan: Plan, told: Told, work: Callable[[Recording], None], life: str
    ) -> Iterator[None]:
        try:
            later = run.serve_and_record(crash, work)
        except (CallFailed, CallHung) as failure:
            verdict = Verdict.HANG if isinstance(failure, CallHung) else Verdict.NO_START
            self._count(
                None,
                Judgement(verdict, f"in its {life} life: {failure}"),
                crash,
                run,
                life,
                plan,
                told,
                NOTHING_TOLD,
            )
            yield
            return
        try:
            for again in later.crashes(_STATES_OF_RECOVERY, self._later_random.getrandbits(32)):
                admit()
                total = self._told(later, again).with_earlier(told)
                if not self._is_new(again, total):
                    continue
                found, judgement = self._start_on(later, again, total)
                self._count(found, judgement, again, later, life, plan, total, told)
                yield
        finally:
            later.close()

    def _told(self, run: Run, crash: Crash) -> Told:
        subject = self._subject
        return told_before(run.notes, crash.crash_seq, crash.time, subject.promise, subject.window_seconds)

    def _start_on(self, run: Run, crash: Crash, told: Told) -> tuple[Found | None, Judgement]:
        return self._start(self._subject, run, crash, told, self._limits.check_seconds)

    def _count(
        self,
        found: Found | None,
        judgement: Judgement,
        crash: Crash,
        run: Run,
        life: str,
        plan: Plan,
        told: Told,
        earlier: Told,
    ) -> None:
        outcome = self.outcome
        outcome.states += 1
        outcome.lives[life] += 1
        outcome.verdicts[crash.tier, judgement.verdict] += 1
        if found is not None and not found.refusal and (lost := len(told.acked - found.numbers)):
            states, most = outcome.losses.get(crash.tier, (0, 0))
            outcome.losses[crash.tier] = states + 1, max(most, lost)
        if not judgement.is_kept:
            finding = Finding(judgement, crash, run, life, plan, told, earlier)
            self._kinds[finding.kind] += 1
            if self._kinds[finding.kind] <= _FINDINGS_PER_KIND:
                outcome.findings.append(finding)


def start_and_judge(
    subject: Subject, run: Run, crash: Crash, told: Told, seconds: float
) -> tuple[Found | None, Judgement]:
    """Start the program on what the crash left and judge it; one that is slow gets a second and longer try."""
    for patience in (seconds, seconds * _PATIENCE):
        with run.serve(crash) as directory:
            try:
                found = call(lambda: subject.check(directory), patience)
            except CallHung:
                continue
            except CallFailed as failure:
                found = Found(refusal=str(failure))
            return found, judge(told, found, subject.promise)
    return None, Judgement(Verdict.HANG, f"it gave no answer within {seconds * _PATIENCE:g} s")
