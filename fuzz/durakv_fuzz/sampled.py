"""The crash states of a recorded program: thousands of calls, and a budget for some hundreds of states.

    sampled = Sampled(timeline, seed=1)
    for state in sampled.states(budget=500): ...
    sampled.coverage()

``enumerate`` is thorough and begins with every crash point.  Here crash points with the same *signature* stand for each
other: the calls just before and after it with the numbers in their paths left out, and what sort of things are in
doubt.  Each signature is tried once, and then with every sort of loss, those with most in doubt first; one that was
tried often enough comes seldom.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from durakv_fuzz.choose import Choose, Seeded, Uneven, harshest, kindest
from durakv_fuzz.enumerate import Flip, Proposal, TreeState, distinct, names_only, weights_of
from durakv_fuzz.model import Model
from durakv_fuzz.roles import sketch
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Operation
from durakv_fuzz.tree_model import crash_tree

REPEATS = 3
"""How often a signature is tried with each sort of loss before it counts less."""

_LESS = 0.1
_LEAST = 1e-3
_BORED = 0.9
_EXHAUSTED = 0.05
"""A signature is given up after some thirty tries in vain, once all of its crash points had their turn."""

_FIRST_MAX = 100
"""Of more signatures, as of a program that draws its names by lot, not each is tried before the heavy ones go on."""

_ROUND = 32
_FEW = 3
_ENTRIES_LOOKED_AT = 16

Make: TypeAlias = Callable[[random.Random, int], Choose]
"""A chooser, for a crash point at which so many units are in doubt."""


def _data_only(count: int, label: str, /) -> int:
    return 0 if label.startswith(("entry", "journal")) else count - 1


_SORTS: Sequence[tuple[Model, str, Make]] = (
    (Model.POWER_LOSS, "all lost", lambda source, count: harshest),
    (Model.POWER_LOSS, "all kept", lambda source, count: kindest),
    (Model.POWER_LOSS, "names only", lambda source, count: names_only),
    (Model.POWER_LOSS, "data only", lambda source, count: _data_only),
    (Model.POWER_LOSS, "omit one", lambda source, count: Flip(source.randrange(max(1, count)), kindest)),
    (Model.POWER_LOSS, "keep one", lambda source, count: Flip(source.randrange(max(1, count)), harshest)),
    (Model.POWER_LOSS, "uneven", lambda source, count: Uneven(source)),
    (Model.POWER_LOSS, "any", lambda source, count: Seeded(source)),
    (Model.ORDERED, "all lost", lambda source, count: harshest),
    (Model.ORDERED, "names only", lambda source, count: names_only),
    (Model.ORDERED, "any", lambda source, count: Seeded(source)),
    (Model.ORDERED_ZERO_TAIL, "names only", lambda source, count: names_only),
    (Model.ORDERED_ZERO_TAIL, "any", lambda source, count: Seeded(source)),
    (Model.PROCESS_CRASH, "killed", lambda source, count: kindest),
    (Model.PROCESS_CRASH, "killed inside", lambda source, count: harshest),
    (Model.PROCESS_CRASH, "killed inside", lambda source, count: Seeded(source)),
)


@dataclass(frozen=True, slots=True)
class Covered:
    """How much of a trace was tried so far."""

    points: int
    """Crash points that can be told apart."""
    points_tried: int
    signatures: int
    signatures_tried: int


class Sampled:
    """See the module.  The same timeline, seed and models give the same states."""

    def __init__(self, timeline: Timeline, *, seed: int = 0, models: Sequence[Model] = tuple(Model)) -> None:
        self._timeline = timeline
        self._random = random.Random(seed)
        self._sorts = [sort for sort in _SORTS if sort[0] in models]
        points = sorted({*timeline.power_points(), *timeline.kill_points()})
        weights = weights_of(timeline, points)
        signatures: dict[object, _Signature] = {}
        for point, signature in zip(points, _signatures(timeline, points), strict=True):
            group = signatures.setdefault(signature, _Signature())
            group.points.append(point)
            group.weight = max(group.weight, weights.get(point, 1))
        self._groups = list(signatures.values())
        for group in self._groups:
            self._random.shuffle(group.points)
        self._of_point = {point: group for group in self._groups for point in group.points}
        self._tried: set[int] = set()

    def states(self, *, budget: int | None = None, attempts: int | None = None) -> Iterator[TreeState]:
        """Yield distinct crash states, at most ``budget`` of them, making at most ``attempts`` trees.

        Without a budget it ends when it finds hardly anything new.
        """
        return distinct(self._timeline, self, crash_tree, budget, attempts)

    def coverage(self) -> Covered:
        """What was tried so far."""
        tried = sum(group.tries > 0 for group in self._groups)
        return Covered(len(self._of_point), len(self._tried), len(self._groups), tried)

    def proposals(self) -> Iterator[Proposal]:
        """See ``Walk``."""
        for group in sorted(self._groups, key=lambda group: -group.weight)[:_FIRST_MAX]:
            if self._sorts:
                yield self._next(group)
        enough = REPEATS * max(1, len(self._sorts))
        while self._sorts and (groups := [group for group in self._groups if not group.is_exhausted]):
            weights = [group.weight * max(_LESS ** (group.tries // enough), _LEAST) for group in groups]
            for group in self._random.choices(groups, weights, k=_ROUND):
                yield self._next(group)

    def _next(self, group: _Signature) -> Proposal:
        """Its next crash point, with the next sort of loss from a deck of all."""
        crash_seq = group.points[group.tries % len(group.points)]
        group.tries += 1
        self._tried.add(crash_seq)
        if not group.deck:
            group.deck = self._sorts.copy()
            self._random.shuffle(group.deck)
        model, stage, make = group.deck.pop()
        return crash_seq, model, stage, make(self._random, self._timeline.moments[crash_seq].open_count)

    def learn(self, crash_seq: int, *, new: bool) -> None:
        """See ``Walk``."""
        group = self._of_point[crash_seq]
        group.interest = min(1.0, group.interest / _BORED) if new else group.interest * _BORED


def sampled_states(
    timeline: Timeline,
    *,
    budget: int | None = None,
    attempts: int | None = None,
    seed: int = 0,
    models: Sequence[Model] = tuple(Model),
) -> Iterator[TreeState]:
    """The states alone."""
    return Sampled(timeline, seed=seed, models=models).states(budget=budget, attempts=attempts)


@dataclass(slots=True)
class _Signature:
    points: list[int] = field(default_factory=list[int])
    weight: float = 0.0
    tries: int = 0
    interest: float = 1.0
    deck: list[tuple[Model, str, Make]] = field(default_factory=list[tuple[Model, str, Make]])

    @property
    def is_exhausted(self) -> bool:
        return self.interest <= _EXHAUSTED and self.tries >= len(self.points)


def _signatures(timeline: Timeline, points: Sequence[int]) -> Iterator[object]:
    """Of each crash point."""
    events: dict[int, str] = {}
    for operation in timeline.trace.operations:
        what = _role(timeline, operation)
        events[operation.start] = f"start {what}"
        if operation.end >= 0:
            events[operation.end] = f"end {what}"
    for point in points:
        moment = timeline.moments[point]
        entries = moment.entries[-_ENTRIES_LOOKED_AT:] if moment.open_entries else ()
        kinds = frozenset(unit.operation.kind for unit in entries)
        before, after = events.get(point - 1, ""), events.get(point, "")
        yield before, after, min(moment.open_files, _FEW), kinds


def _role(timeline: Timeline, operation: Operation) -> str:
    return sketch(timeline.describe(operation))
