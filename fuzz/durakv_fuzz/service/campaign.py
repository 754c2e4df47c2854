"""Many runs of a service on a simulated disk, many crashes of each; the first broken promise is made small and told.

From a few crashes of each run it goes on with another life, whose recovery is crashed first, and then all of it; and
from a few crashes of that with a third.  The same arguments do the same, and each run the same by itself.
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from durakv_fuzz.choose import kindest
from durakv_fuzz.embedder.subject import BadSubject
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.model import crash_image
from durakv_fuzz.pick import pick_states
from durakv_fuzz.quiet import collected_at_the_end, quiet
from durakv_fuzz.service.identity import same_identity
from durakv_fuzz.service.life import Life, first_life, next_life
from durakv_fuzz.service.smaller import smallest
from durakv_fuzz.service.story import tell
from durakv_fuzz.service.subject import Service
from durakv_fuzz.service.violation import Violation, tell_failure

STATES_PER_RUN = 100
_LIVES_MAX = 3
_CRASHES_GONE_ON_FROM = 2
_BARREN_RUNS_MAX = 20
"""After so many runs in a row that gave no new state nothing more is to be expected."""

_Survived = list[tuple[Crash, Image]]


@dataclass(slots=True)
class Outcome:
    """What a campaign did; a broken promise is raised, so nothing else was found."""

    seed: int
    runs: int = 0
    distinct: set[int] = field(default_factory=set[int], repr=False)
    checked: set[int] = field(default_factory=set[int], repr=False)
    """Digests of states with their times and facts; a service that draws little comes to the same ones in many runs."""
    stages: dict[str, int] = field(default_factory=dict[str, int])
    """How many checks each part of a run got."""
    seconds: float = 0.0

    @property
    def checks(self) -> int:
        """How often ``check`` was called: for one state more than once, when more had been told meanwhile."""
        return len(self.checked)

    @property
    def states(self) -> int:
        """How many distinct disks were checked."""
        return len(self.distinct)

    def lines(self) -> Iterator[str]:
        """For people."""
        speed = self.states / self.seconds if self.seconds else 0.0
        yield (
            f"{self.states:,} distinct crash states of {self.runs:,} runs (seed {self.seed}), {self.checks:,} checks, "
            f"no broken promise, in {self.seconds:.1f} s ({speed:,.0f} states/s)"
        )
        yield ", ".join(f"{stage} {count:,}" for stage, count in self.stages.items())


def explore(
    service: Service, *, states: int = 10_000, seed: int = 0, first_run: int = 0, runs: int | None = None
) -> Outcome:
    """Crash ``drive`` until so many distinct states were checked; raise the first :class:`Violation`.

    It also ends after ``runs`` runs, and when nothing new comes any more.  Each run draws from its own number, so
    ``first_run=n, runs=1`` repeats run n alone.  Raises :class:`BadSubject` if ``drive`` fails although nothing was
    crashed.
    """
    outcome = Outcome(seed)
    started = time.monotonic()
    barren = 0
    with quiet(), same_identity():
        for number in itertools.count(first_run):
            before = outcome.states
            with collected_at_the_end():
                _Run(service, outcome, number, states).go()
            outcome.runs += 1
            outcome.seconds = time.monotonic() - started
            barren = 0 if outcome.states > before else barren + 1
            if outcome.states >= states or outcome.runs == runs or barren >= _BARREN_RUNS_MAX:
                return outcome
    raise AssertionError("numbers do not end")


class _Run:
    """One run of a campaign."""

    def __init__(self, service: Service, outcome: Outcome, number: int, states: int) -> None:
        self._service = service
        self._outcome = outcome
        self._number = number
        self._states = states
        # What is drawn for the service must not depend on how many crashes are looked at.
        self._source = random.Random(f"{outcome.seed}/{number}/crashes")
        self._lives = 0

    def go(self) -> None:
        life = first_life(self._service, self._draws())
        if life.failure is not None:
            raise BadSubject(
                f"drive failed in run {self._number} of seed {self._outcome.seed}, although nothing was crashed: "
                f"{tell_failure(life.failure)}"
            ) from life.failure
        self._explore_and_go_on(life, STATES_PER_RUN)

    def _draws(self) -> random.Random:
        """Of each life its own."""
        life = f"/{self._lives}" if self._lives else ""
        self._lives += 1
        return random.Random(f"{self._outcome.seed}/{self._number}{life}")

    def _explore_and_go_on(self, life: Life, budget: int) -> None:
        survived: list[_Survived] = []
        recovery = life.recovery() if life.number > 1 else None
        since = life.since
        if recovery is not None:
            survived.append(self._explore(recovery, f"recovery {life.number - 1}", budget, since))
            since = recovery.trace.seq
        if life.failure is not None:
            self._fail(life, life.end, life.failure)
        survived.append(self._explore(life, f"life {life.number}", budget, since))
        if life.number == _LIVES_MAX:
            return
        count = _CRASHES_GONE_ON_FROM if len(survived) == 1 else 1
        for states in survived:
            for crash, image in self._source.sample(states, min(count, len(states))):
                if self._outcome.states < self._states:
                    following = next_life(self._service, self._draws(), life, crash, image)
                    self._explore_and_go_on(following, budget // 4)

    def _explore(self, life: Life, stage: str, budget: int, since: int) -> _Survived:
        """Check crash states of a life from an event on; return those that kept every promise."""
        survived: _Survived = []
        for crash, image in self._crashes_of(life, budget, since):
            if self._outcome.states >= self._states:
                break
            self._check(life, crash, image, stage)
            survived.append((crash, image))
        return survived

    def _crashes_of(self, life: Life, budget: int, since: int) -> Iterator[tuple[Crash, Image]]:
        # The mildest of all first, so that what is broken without any crash is told as such.
        end = life.end
        yield end, crash_image(life.timeline, end.crash_seq, kindest, model=end.model)
        for state in pick_states(life.timeline, budget, seed=self._source.getrandbits(32), since=since):
            yield Crash.of(state), state.image

    def _check(self, life: Life, crash: Crash, image: Image, stage: str) -> None:
        facts = life.facts(crash)
        fingerprint = image.fingerprint()
        key = hash((fingerprint, life.time(crash), facts))
        if key in self._outcome.checked:
            return
        self._outcome.checked.add(key)
        failure = life.judge(self._service, crash, image, facts)
        self._outcome.distinct.add(fingerprint)
        self._outcome.stages[stage] = self._outcome.stages.get(stage, 0) + 1
        if failure is not None:
            crash, failure = smallest(self._service, life, crash, failure)
            self._fail(life, crash, failure)

    def _fail(self, life: Life, crash: Crash, failure: Exception) -> None:
        where = f"run {self._number} of seed {self._outcome.seed}, after {self._outcome.states} distinct crash states"
        again = f"explore(..., seed={self._outcome.seed}, first_run={self._number}, runs=1)"
        raise Violation(tell(life, crash, failure, where=where, again=again)) from failure
