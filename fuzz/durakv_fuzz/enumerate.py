"""The crash states of one recorded run: the telling ones first, and each only once.  Of trees: ``tree_states``.

    for state in crash_states(disk.trace, budget=5000):
        recover(SimulatedDisk(state.image)) ...

In this order: every crash point with everything lost and with everything kept; every combination where few units are
in doubt; one unit kept or omitted of many; the ordered profile; then samples, mostly from points where two files or a
file and its name are in doubt, or next to a call that names, removes or syncs.

Two states are the same when image, time and notes so far are: the same image after one more acknowledgement is
another state, because more was promised.  Recoveries may be shared between them by ``image.fingerprint()``.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Generic, Protocol, TypeAlias, TypeVar

from durakv_fuzz.choose import Choose, Recorded, Seeded, Uneven, harshest, kindest, recorded
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Trace
from durakv_fuzz.tree import Tree
from durakv_fuzz.tree_model import crash_any, crash_tree

_FLIPS_MAX = 32
_TORN_UNITS_MAX = 3
_BRANCHES_MAX = 128
_ROUND = 64
_BORED = 0.9
"""What a crash point's weight is multiplied by when a sample of it gave nothing new."""
_EXHAUSTED = 0.05
"""Below this part of its first weight a crash point is given up; some thirty samples in vain."""


class Fingerprinted(Protocol):
    """What a crash leaves: an ``Image`` or a ``Tree``."""

    def fingerprint(self) -> int: ...


T = TypeVar("T", bound=Fingerprinted)


_I_co = TypeVar("_I_co", covariant=True)


class Maker(Protocol[_I_co]):
    """``crash_image`` or ``crash_tree``."""

    def __call__(self, source: Timeline, crash_seq: int, choose: Choose, *, model: Model) -> _I_co: ...


@dataclass(frozen=True, slots=True)
class State(Generic[T]):
    """One thing that the machine may wake up with.

    ``crash_image(trace, crash_seq, Recorded(answers), model=model)`` makes it again, in any process; of a tree,
    ``crash_tree``.
    """

    crash_seq: int
    model: Model
    answers: tuple[int, ...]
    stage: str
    image: T
    time: float
    """The disk's clock at the crash."""


CrashState: TypeAlias = State[Image]
TreeState: TypeAlias = State[Tree]


def crash_states(
    source: Trace | Timeline,
    *,
    budget: int | None = None,
    attempts: int | None = None,
    seed: int = 0,
    models: Sequence[Model] = tuple(Model),
    exhaustive_units: int = 6,
) -> Iterator[CrashState]:
    """Yield distinct crash states, at most ``budget`` of them; the same arguments give the same states.

    It makes at most ``attempts`` images to find them.

    Without a budget it ends when sampling finds hardly anything new at any crash point.
    """
    timeline = source if isinstance(source, Timeline) else Timeline(source)
    walk = _Walk(timeline, frozenset(models), exhaustive_units, random.Random(seed))
    return distinct(timeline, walk, crash_image, budget, attempts)


def tree_states(
    source: Trace | Timeline,
    *,
    budget: int | None = None,
    attempts: int | None = None,
    seed: int = 0,
    models: Sequence[Model] = tuple(Model),
    exhaustive_units: int = 6,
) -> Iterator[TreeState]:
    """The same for a trace of a tree.  Thorough, so only for short ones; see ``sampled_states`` for others."""
    timeline = source if isinstance(source, Timeline) else Timeline(source)
    walk = _Walk(timeline, frozenset(models), exhaustive_units, random.Random(seed))
    return distinct(timeline, walk, crash_tree, budget, attempts)


def distinct(
    timeline: Timeline, walk: Walk, make: Maker[T], budget: int | None, attempts: int | None
) -> Iterator[State[T]]:
    """What is proposed, each state once."""
    seen: set[tuple[int, int, float]] = set()
    for crash_seq, model, stage, choose in islice(walk.proposals(), attempts):
        answers, remember = recorded(choose)
        image = make(timeline, crash_seq, remember, model=model)
        time = timeline.time_at(crash_seq)
        key = (image.fingerprint(), timeline.notes_before(crash_seq), time)
        walk.learn(crash_seq, new=key not in seen)
        if key in seen:
            continue
        if budget is not None and len(seen) >= budget:
            return
        seen.add(key)
        yield State(crash_seq, model, tuple(answers), stage, image, time)


def explain(source: Trace | Timeline, state: CrashState | TreeState) -> list[str]:
    """For people: what the crash decided, one line for each answer that matters."""
    recorded = Recorded(state.answers)
    lines = [f"{state.model} before event {state.crash_seq}"]

    def choose(count: int, label: str) -> int:
        answer = recorded(count, label)
        word = "lost" if answer == 0 else "kept" if answer == count - 1 else f"choice {answer} of {count - 1}"
        lines.append(f"{word}: {label}")
        return answer

    crash_any(source, state.crash_seq, choose, model=state.model)
    return lines


Proposal = tuple[int, Model, str, Choose]
"""A crash point, the model, why, and the answers."""


class Walk(Protocol):
    """An order of crashes to be tried."""

    def proposals(self) -> Iterator[Proposal]: ...

    def learn(self, crash_seq: int, *, new: bool) -> None:
        """Whether the last proposal, at that point, was worth it."""
        ...


class _Walk:
    def __init__(
        self, timeline: Timeline, models: frozenset[Model], exhaustive_units: int, generator: random.Random
    ) -> None:
        self._timeline = timeline
        self._models = models
        self._exhaustive_units = exhaustive_units
        self._random = generator
        self._points = timeline.power_points()
        self._weights = weights_of(timeline, self._points)
        self._interest = dict.fromkeys(self._weights, 1.0)
        self._complete: set[int] = set()
        """Where a power loss leaves nothing that was not proposed already."""
        self._by_weight = sorted(self._points, key=lambda seq: (-self._weights.get(seq, 0), generator.random()))

    def proposals(self) -> Iterator[Proposal]:
        yield from self._extremes()
        if Model.POWER_LOSS in self._models:
            yield from self._exhaustive()
            yield from self._flips()
        for model in (Model.ORDERED, Model.ORDERED_ZERO_TAIL):
            if model in self._models:
                yield from self._ordered(model)
        yield from self._samples()

    def _extremes(self) -> Iterator[Proposal]:
        for crash_seq in self._points:
            if Model.POWER_LOSS in self._models:
                yield crash_seq, Model.POWER_LOSS, "all lost", harshest
                yield crash_seq, Model.POWER_LOSS, "all kept", kindest
        if Model.PROCESS_CRASH in self._models:
            for crash_seq in self._timeline.kill_points():
                yield crash_seq, Model.PROCESS_CRASH, "killed", kindest
                if self._timeline.moments[crash_seq].in_flight:
                    yield crash_seq, Model.PROCESS_CRASH, "killed", harshest
                    yield crash_seq, Model.PROCESS_CRASH, "killed", Seeded(self._random)

    def _exhaustive(self) -> Iterator[Proposal]:
        """Where little is in doubt: every combination of units lost or kept, then torn ones too, as far as they go."""
        for crash_seq in self._by_weight:
            open_count = self._timeline.moments[crash_seq].open_count
            if 1 < open_count <= self._exhaustive_units:
                yield from self._branch(crash_seq, "every combination", _Branches(whole=True))
        for crash_seq in self._by_weight:
            open_count = self._timeline.moments[crash_seq].open_count
            if 0 < open_count <= _TORN_UNITS_MAX and crash_seq not in self._complete:
                yield from self._branch(crash_seq, "every tear", _Branches(whole=False))

    def _branch(self, crash_seq: int, stage: str, branches: _Branches) -> Iterator[Proposal]:
        for _ in range(_BRANCHES_MAX):
            yield crash_seq, Model.POWER_LOSS, stage, branches
            if not branches.advance():
                if branches.is_complete:
                    self._complete.add(crash_seq)
                return

    def _flips(self) -> Iterator[Proposal]:
        """One unit kept, one omitted; and with all names kept, one file's data at a time."""
        for crash_seq in self._by_weight:
            count = self._timeline.moments[crash_seq].open_count
            if count <= self._exhaustive_units:
                continue
            for index in range(count) if count <= _FLIPS_MAX else self._random.sample(range(count), _FLIPS_MAX):
                yield crash_seq, Model.POWER_LOSS, "keep one", Flip(index, harshest)
                yield crash_seq, Model.POWER_LOSS, "omit one", Flip(index, kindest)
                yield crash_seq, Model.POWER_LOSS, "names and one", Flip(index, names_only)

    def _ordered(self, model: Model) -> Iterator[Proposal]:
        for crash_seq in self._by_weight:
            if self._timeline.moments[crash_seq].open_count:
                yield crash_seq, model, "ordered", harshest
                yield crash_seq, model, "ordered", names_only
                for _ in range(2):
                    yield crash_seq, model, "ordered", Seeded(self._random)

    def learn(self, crash_seq: int, *, new: bool) -> None:
        """Whether the last proposal, at that point, was worth it."""
        if crash_seq in self._interest:
            interest = self._interest[crash_seq]
            self._interest[crash_seq] = min(1.0, interest / _BORED) if new else interest * _BORED

    def _samples(self) -> Iterator[Proposal]:
        models = [model for model in Model if model in self._models]
        model_weights = [{Model.POWER_LOSS: 8, Model.PROCESS_CRASH: 1}.get(model, 2) for model in models]
        self._interest = dict.fromkeys(self._interest, 1.0)
        while points := [seq for seq, interest in self._interest.items() if interest > _EXHAUSTED and models]:
            weights = [self._weights[seq] * self._interest[seq] for seq in points]
            for crash_seq in self._random.choices(points, weights, k=_ROUND):
                (model,) = self._random.choices(models, model_weights)
                if model is Model.POWER_LOSS and crash_seq in self._complete:
                    self.learn(crash_seq, new=False)
                    continue
                yield crash_seq, model, "sample", (Uneven if self._random.random() < 0.7 else Seeded)(self._random)


class _Branches:
    """All answers to all questions, one combination after the other; ``whole`` leaves out all but first and last."""

    def __init__(self, *, whole: bool) -> None:
        self._whole = whole
        self.is_complete = True
        """Whether no answer was left out so far."""
        self._path: list[tuple[int, int]] = []
        self._asked = 0

    def __call__(self, count: int, label: str, /) -> int:
        if self._asked == len(self._path):
            self._path.append((0, count))
            if self._whole and count > 2:
                self.is_complete = False
        answer, _ = self._path[self._asked]
        self._asked += 1
        return answer

    def advance(self) -> bool:
        """Go on to the next combination; False when there is none."""
        self._asked = 0
        while self._path:
            answer, count = self._path.pop()
            if answer < count - 1:
                self._path.append((count - 1 if self._whole else answer + 1, count))
                return True
        return False


class Flip:
    """As the base says, but one question is answered the other way round."""

    def __init__(self, index: int, base: Choose) -> None:
        self._left = index
        self._base = base

    def __call__(self, count: int, label: str, /) -> int:
        answer = self._base(count, label)
        self._left -= 1
        return answer if self._left != -1 else (0 if answer else count - 1)


def names_only(count: int, label: str, /) -> int:
    """Every name survives, and no data."""
    return count - 1 if label.startswith(("entry", "journal")) else 0


def weights_of(timeline: Timeline, points: Sequence[int]) -> dict[int, int]:
    """How much each crash point deserves; points at which nothing is in doubt are left out."""
    notable = {op.start for op in timeline.trace.operations if op.kind not in (Kind.WRITE, Kind.TRUNCATE)}
    weights: dict[int, int] = {}
    for crash_seq in points:
        moment = timeline.moments[crash_seq]
        if not moment.open_count:
            continue
        among_several = moment.open_files >= 2 or (moment.open_files and moment.open_entries)
        near_notable = not notable.isdisjoint(range(crash_seq - 3, crash_seq + 4))
        weights[crash_seq] = (20 if among_several else 1) * (10 if near_notable else 1)
    return weights
