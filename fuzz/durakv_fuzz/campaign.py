"""Many random runs, many crashes of each, and the oracle's word on every one.

    summary = run(seed=1, states=20_000)

Each run is recorded once; then its crash states are enumerated and recovered.  From a few of them it goes on: recovery
itself is crashed, and the recovery of that, three deep (F7); a second life writes more and is crashed again; a killed
process is followed by a power loss on the same machine; a directory that was closed decays (F6).

The same arguments do the same, but for where the clock stops a run that is given seconds.
"""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from durakv_fuzz.choose import Recording as Recorder
from durakv_fuzz.choose import Seeded
from durakv_fuzz.coverage import Coverage
from durakv_fuzz.history import Before
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Case, Crash, Recording
from durakv_fuzz.model import Model
from durakv_fuzz.oracle import Judgement, Violation
from durakv_fuzz.pick import pick_states
from durakv_fuzz.quiet import collected_at_the_end, quiet
from durakv_fuzz.scope import EVERYTHING, Scope
from durakv_fuzz.script import Action, Script, Setup, Step
from durakv_fuzz.witness import Witness, witness
from durakv_fuzz.workload import TROUBLE, Alphabet, draw_alphabet, draw_script, draw_setup

DEPTH_MAX = 3
"""A crash, a crash of its recovery, and a crash of the recovery of that."""

DECAY = "decay"
"""In place of a model: nothing crashed, a file changed by itself."""

STEPS = (8, 30)
"""How long the programs are."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A promise that was not kept, and how to see it again."""

    violation: Violation
    case: Case
    run: int
    """Which run of the campaign."""
    stage: str


@dataclass(slots=True)
class Windows:
    """What crashes cost under one policy: how many acknowledged batches, and the age of the oldest.

    Counted for runs in which the disk did not fail besides.
    """

    crashes: int = 0
    lossy: int = 0
    lost_max: int = 0
    seconds: list[float] = field(default_factory=list[float])

    def count(self, judgement: Judgement) -> None:
        """One more crash."""
        self.crashes += 1
        if judgement.lost:
            self.lossy += 1
            self.lost_max = max(self.lost_max, judgement.lost)
            self.seconds.append(judgement.window)


@dataclass(slots=True)
class Summary:
    """What a campaign did and found."""

    seed: int
    runs: int = 0
    checks: int = 0
    """Judgements; one state may be judged more than once, when more had been promised."""
    distinct: set[int] = field(default_factory=set[int])
    """The digests of the images, the same in every process; so campaigns can be added up."""
    stages: Counter[str] = field(default_factory=Counter[str])
    windows: dict[tuple[str, str], Windows] = field(default_factory=dict[tuple[str, str], Windows])
    """By policy and kind of crash."""
    judged: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """Judgements by policy (empty where nothing was open) and by the model of the crash, or ``decay``."""
    failures: list[Failure] = field(default_factory=list[Failure])
    seconds: float = 0.0
    coverage: Coverage = field(default_factory=Coverage)

    @property
    def verdicts(self) -> Counter[str]:
        """How often each promise was broken."""
        return Counter(str(failure.violation.verdict) for failure in self.failures)

    def merge(self, other: Summary) -> None:
        """Add what another campaign did."""
        self.runs += other.runs
        self.checks += other.checks
        self.distinct |= other.distinct
        self.stages += other.stages
        for key, windows in other.windows.items():
            mine = self.windows.setdefault(key, Windows())
            mine.crashes += windows.crashes
            mine.lossy += windows.lossy
            mine.lost_max = max(mine.lost_max, windows.lost_max)
            mine.seconds += windows.seconds
        self.judged += other.judged
        self.coverage.merge(other.coverage)
        self.failures += other.failures
        self.seconds += other.seconds


def run(
    seed: int,
    *,
    states: int | None = None,
    seconds: float | None = None,
    states_per_run: int = 150,
    runs: int | None = None,
    failures_max: int = 1,
    first_run: int = 0,
    scope: Scope = EVERYTHING,
    progress: Callable[[Summary], None] | None = None,
) -> Summary:
    """Explore until so many distinct states or runs are done, so much time has passed, or so much was found."""
    if states is None and seconds is None and runs is None:
        raise ValueError("say when it is enough: states, seconds or runs")
    summary = Summary(seed)
    started = time.monotonic()
    with quiet():
        for number in itertools.count(first_run):
            with collected_at_the_end():
                _Run(seed, number, summary, states_per_run, scope).go()
            summary.runs += 1
            summary.seconds = time.monotonic() - started
            if progress is not None:
                progress(summary)
            enough = states is not None and len(summary.distinct) >= states
            late = (seconds is not None and summary.seconds >= seconds) or summary.runs == runs
            if enough or late or len(summary.failures) >= failures_max:
                return summary
    raise AssertionError("the numbers do not end")


def stable_digest(image: Image) -> int:
    """64 bits that stand for an image, in this process and in any other."""
    return int(image.digest()[:16], 16)


def draw_run(seed: int, number: int) -> tuple[Setup, Alphabet, Script]:
    """The program of one run of a campaign."""
    choose = Seeded(random.Random(f"{seed}/{number}"))
    alphabet = draw_alphabet(choose)
    setup = draw_setup(choose, identity=number)
    return setup, alphabet, draw_script(choose, alphabet, least=STEPS[0], most=STEPS[1])


class _Run:
    """One run of a campaign."""

    def __init__(self, seed: int, number: int, summary: Summary, budget: int, scope: Scope) -> None:
        self._number = number
        self._summary = summary
        self._budget = budget
        self._random = random.Random(f"{seed}/{number}/crashes")
        setup, self._alphabet, script = draw_run(seed, number)
        self._scope = scope
        self._setup, self._script = scope.setup(setup), scope.script(script)
        self._seen: dict[int, Witness] = {}

    def go(self) -> None:
        recording = Recording.first(self._setup, self._script)
        good = self._explore(recording, "first life", self._budget)
        if good is None:
            return
        for crash, image in self._some(good, 3):
            self._nest(recording, crash, image, DEPTH_MAX - 1)
        for crash, image in self._some(good, 2):
            following = recording.next(crash, image, self._before(recording, crash, image), self._more())
            self._explore(following, "second life", self._budget // 4)
        self._resume(recording)
        self._decay()

    # --- parts ----------------------------------------------------------------------------------------------------

    def _explore(
        self, recording: Recording, stage: str, budget: int, *, since: int = 0
    ) -> list[tuple[Crash, Image]] | None:
        """Judge crash states of one life; the ones that kept every promise, or None if one did not."""
        if recording.history.violations:
            crash = Crash(recording.trace.seq, Model.PROCESS_CRASH, ())
            self._fail(recording.history.violations[0], recording, crash, stage)
            return None
        good: list[tuple[Crash, Image]] = []
        for state in pick_states(
            recording.timeline,
            budget,
            seed=self._random.getrandbits(32),
            since=since,
            models=self._scope.profile.models,
        ):
            crash = Crash.of(state)
            judgement = self._judge(recording, crash, state.image, stage)
            if judgement.violation is not None:
                self._fail(judgement.violation, recording, crash, stage)
                return None
            good.append((crash, state.image))
        self._summary.coverage.saw(recording.timeline, (crash for crash, _ in good))
        return good

    def _judge(self, recording: Recording, crash: Crash, image: Image, stage: str) -> Judgement:
        summary = self._summary
        seen = self._witness(image)
        expectation = recording.expect(crash)
        judgement = seen.judge(expectation)
        summary.checks += 1
        summary.stages[stage] += 1
        summary.judged[expectation.policy or "", crash.model] += 1
        if expectation.policy is not None and Action.FAULT not in self._alphabet.actions:
            kind = "power loss" if crash.is_power_loss else "process crash"
            summary.windows.setdefault((expectation.policy, kind), Windows()).count(judgement)
        return judgement

    def _witness(self, image: Image) -> Witness:
        fingerprint = image.fingerprint()
        seen = self._seen.get(fingerprint)
        if seen is None:
            seen = self._seen[fingerprint] = witness(image, self._setup)
            self._summary.distinct.add(stable_digest(image))
        return seen

    def _nest(self, recording: Recording, crash: Crash, image: Image, depth: int) -> None:
        """Crash the recovery from this crash, and so on."""
        recovery = recording.next(crash, image, self._before(recording, crash, image), ())
        good = self._explore(recovery, f"recovery, {DEPTH_MAX - depth} deep", self._budget // 6)
        if good and depth > 1:
            for deeper, left in self._some(good, 1):
                self._nest(recovery, deeper, left, depth - 1)

    def _resume(self, recording: Recording) -> None:
        """A process crash, a new process on the same machine, and then a power loss."""
        points = [point for point in recording.timeline.kill_points() if point]
        crash_seq = self._random.choice(points)
        crash = Crash(crash_seq, Model.PROCESS_CRASH, tuple(self._random.choices((0, 1, 2), k=8)))
        resumed = recording.resume(crash, self._more())
        self._explore(resumed, "resumed life", self._budget // 4, since=crash_seq)

    def _decay(self) -> None:
        """Close it cleanly, and let a file decay; or do so without a close."""
        script = (*(step for step in self._script if step.action not in TROUBLE), Step(Action.CLOSE))
        recording = Recording.first(self._setup, script)
        end = Crash(recording.trace.seq, Model.PROCESS_CRASH, ())
        points = recording.timeline.kill_points()
        for number in range(self._budget // 4):
            # Late rather than early: what decays then has something behind it.
            point = max(self._random.choices(points, k=2))
            crash = end if number % 2 else Crash(point, Model.PROCESS_CRASH, (1,) * 8)
            choose = Recorder(Seeded(self._random))
            decayed = recording.decay(crash, choose)
            if decayed is None:
                continue
            image, judgement = decayed
            self._summary.distinct.add(stable_digest(image))
            self._summary.checks += 1
            self._summary.stages["decay"] += 1
            self._summary.judged["", DECAY] += 1
            if judgement.violation is not None:
                case = replace(recording.case(crash), damage=tuple(choose.answers))
                self._summary.failures.append(Failure(judgement.violation, case, self._number, "decay"))
                return

    # --- small things ---------------------------------------------------------------------------------------------

    def _some(self, states: list[tuple[Crash, Image]], count: int) -> list[tuple[Crash, Image]]:
        return self._random.sample(states, min(count, len(states)))

    def _more(self) -> Script:
        return self._scope.script(draw_script(Seeded(self._random), self._alphabet, least=2, most=10))

    def _before(self, recording: Recording, crash: Crash, image: Image) -> Before:
        return self._witness(image).before(recording.expect(crash))

    def _fail(self, violation: Violation, recording: Recording, crash: Crash, stage: str) -> None:
        self._summary.failures.append(Failure(violation, recording.case(crash), self._number, stage))
