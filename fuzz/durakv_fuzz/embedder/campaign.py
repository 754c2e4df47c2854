"""Many runs of programs with a foreign machine, many crashes of each; the first broken promise is made small and told.

From a few crashes of each run it goes on: the recovery is crashed in turn, and a second life writes more and is
crashed again.  The same arguments do the same.
"""

from __future__ import annotations

import itertools
import random
import time
from dataclasses import dataclass, field
from typing import Generic

from durakv_fuzz.campaign import stable_digest
from durakv_fuzz.embedder.life import Case, Recording
from durakv_fuzz.embedder.program import STEPS, STEPS_MORE, Steps, draw_acts, draw_setup, draw_steps
from durakv_fuzz.embedder.smaller import make_smaller
from durakv_fuzz.embedder.story import tell
from durakv_fuzz.embedder.subject import M, Subject
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.oracle import Violation
from durakv_fuzz.pick import pick_states
from durakv_fuzz.quiet import collected_at_the_end, quiet
from durakv_fuzz.witness import Witness

STATES_PER_RUN = 100
_BARREN_RUNS_MAX = 20
"""After so many runs in a row that gave no new state nothing more is to be expected."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A promise that was not kept, and how to see it again."""

    violation: Violation
    case: Case
    run: int
    """Which run of the campaign."""
    stage: str
    story: tuple[str, ...] = ()
    """For people, line by line."""


@dataclass(slots=True)
class Outcome:
    """What a campaign did and found."""

    seed: int
    runs: int = 0
    checks: int = 0
    """Judgements; a state is judged more than once when more had been promised meanwhile."""
    distinct: set[int] = field(default_factory=set[int], repr=False)
    stages: dict[str, int] = field(default_factory=dict[str, int])
    failure: Failure | None = None
    seconds: float = 0.0

    @property
    def states(self) -> int:
        """How many distinct disks were recovered from."""
        return len(self.distinct)


def explore(
    subject: Subject[M], *, seed: int = 0, states: int = 1000, seconds: float | None = None, smaller: int = 60
) -> Outcome:
    """Explore until something is found, or so many distinct states were judged, or so much time has passed.

    What is found is made smaller in up to ``smaller`` attempts.  Raises :class:`BadSubject` for a subject that cannot
    be tested.
    """
    subject.check()
    outcome = Outcome(seed)
    started = time.monotonic()
    barren = 0
    with quiet():
        for number in itertools.count():
            before = outcome.states
            run = _Run(subject, outcome, number, min(STATES_PER_RUN, max(1, states - before)))
            with collected_at_the_end():
                run.go()
            outcome.runs += 1
            outcome.seconds = time.monotonic() - started
            barren = 0 if outcome.states > before else barren + 1
            late = seconds is not None and outcome.seconds >= seconds
            if outcome.failure or outcome.states >= states or late or barren >= _BARREN_RUNS_MAX:
                break
        if outcome.failure is not None:
            outcome.failure = _explained(subject, outcome.failure, smaller)
    return outcome


def _explained(subject: Subject[M], failure: Failure, attempts: int) -> Failure:
    case, violation = make_smaller(subject, failure.case, failure.violation, attempts=attempts)
    return Failure(violation, case, failure.run, failure.stage, tuple(tell(subject, case)))


class _Run(Generic[M]):
    """One run of a campaign."""

    def __init__(self, subject: Subject[M], outcome: Outcome, number: int, budget: int) -> None:
        self._subject = subject
        self._outcome = outcome
        self._number = number
        self._budget = budget
        # What is drawn for programs must not depend on how many crashes are looked at.
        self._program = random.Random(f"{outcome.seed}/{number}")
        self._crashes = random.Random(f"{outcome.seed}/{number}/crashes")
        self._setup = draw_setup(self._program, identity=number)
        self._acts = draw_acts(self._program)
        self._batches = subject.batches(random.Random(f"{outcome.seed}/{number}/batches"))
        self._seen: dict[int, Witness] = {}

    def go(self) -> None:
        first = Recording(self._subject, self._setup, self._steps(STEPS))
        good = self._explore(first, "first life", self._budget)
        for stage in ("crashed recovery", "second life"):
            for crash, image in self._crashes.sample(good, min(len(good), 2)):
                following = first.next(crash, image, self._steps(STEPS_MORE) if stage == "second life" else ())
                if following is not None and self._outcome.failure is None:
                    self._explore(following, stage, max(1, self._budget // 4))

    def _explore(self, recording: Recording[M], stage: str, budget: int) -> list[tuple[Crash, Image]]:
        """Judge crash states of one life; the ones that kept every promise."""
        if recording.violation is not None:
            self._fail(recording.violation, recording, recording.end, stage)
            return []
        good: list[tuple[Crash, Image]] = []
        for state in pick_states(recording.timeline, budget, seed=self._crashes.getrandbits(32)):
            crash = Crash.of(state)
            violation = recording.judge(crash, self._witness(recording, state.image)).violation
            self._outcome.checks += 1
            self._outcome.stages[stage] = self._outcome.stages.get(stage, 0) + 1
            if violation is not None:
                self._fail(violation, recording, crash, stage)
                return []
            good.append((crash, state.image))
        return good

    def _witness(self, recording: Recording[M], image: Image) -> Witness:
        fingerprint = image.fingerprint()
        seen = self._seen.get(fingerprint)
        if seen is None:
            seen = self._seen[fingerprint] = recording.witness(image)
            self._outcome.distinct.add(stable_digest(image))
        return seen

    def _steps(self, bounds: tuple[int, int]) -> Steps:
        return draw_steps(self._program, self._acts, self._batches, bounds)

    def _fail(self, violation: Violation, recording: Recording[M], crash: Crash, stage: str) -> None:
        self._outcome.failure = Failure(violation, recording.case(crash), self._number, stage)
