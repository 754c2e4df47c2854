"""The smallest crash of a recorded program that still breaks its promise, with few tries: each starts a program.

    smaller = minimal_crash(timeline, lambda state: judge(state) is not None, state, attempts=60)
    print(smaller.witness)

The module ``minimal_crash`` is thorough, for tries that take no time.  Here each goal has a share of the tries:
fewer losses, a milder disk, an earlier point, and which later operation has to survive.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from durakv_fuzz.choose import Choose, harshest
from durakv_fuzz.enumerate import State, TreeState, names_only
from durakv_fuzz.fates import TELLING, Fates
from durakv_fuzz.losses import Key, Losses, simple_losses, spared
from durakv_fuzz.minimal_crash import MILDEST_FIRST, MinimalCrash, crash_points
from durakv_fuzz.model import Model
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Operation
from durakv_fuzz.tree import Tree
from durakv_fuzz.tree_model import crash_tree

Fails = Callable[[TreeState], bool]
"""Whether a crash state breaks the promise.  Not the tree alone: what was promised depends on when it was."""

_SIMPLE_MAX = 12
_POINTS_MAX = 6


@dataclass(frozen=True, slots=True)
class Smaller:
    """What was found."""

    state: TreeState
    losses: Losses
    tries: int
    """How often ``fails`` was asked."""
    witness: str
    """In one line: what was lost, and what came later and survived."""

    def lines(self, timeline: Timeline) -> list[str]:
        """Every operation that was lost, as ``explain`` tells it."""
        return [f"lost: {timeline.tell(operation)}" for operation in Fates(timeline, self.losses).lost()]


def minimal_crash(timeline: Timeline, fails: Fails, start: TreeState, *, attempts: int = 100) -> Smaller:
    """Make a failing crash state smaller, asking ``fails`` at most ``attempts`` times.

    What comes back failed, or is ``start``.  States that cannot be told apart are asked about once.
    """
    return _Search(timeline, fails, start, attempts).go()


class _Search(MinimalCrash[Tree]):
    def __init__(self, timeline: Timeline, fails: Fails, start: TreeState, attempts: int) -> None:
        super().__init__(crash_tree, timeline, self._ask)
        self._state_fails = fails
        self._start = start
        self._attempts = attempts
        self._limit = attempts
        self._tries = 0
        self._known: dict[tuple[int, int, float], bool] = {}

    def go(self) -> Smaller:
        losses = Losses.of(self._timeline, self._start)
        for share, step in ((0.4, self.thin), (0.7, self._milder), (0.85, self._earlier), (0.95, self.thin)):
            self._limit = int(self._attempts * share)
            losses = step(losses)
        self._limit = self._attempts
        again, tree = Losses.made(crash_tree, self._timeline, losses.crash_seq, losses.model, losses.answers)
        return Smaller(self._state(again, tree), again, self._tries, self._witness(again))

    # --- asking -----------------------------------------------------------------------------------------------------

    def _ask(self, losses: Losses, tree: Tree) -> bool:
        """Whether it fails; no, if it is not known and there are no tries left."""
        state = self._state(losses, tree)
        key = (tree.fingerprint(), self._timeline.notes_before(state.crash_seq), state.time)
        if key not in self._known:
            if self._tries >= self._limit:
                return False
            self._tries += 1
            self._known[key] = self._state_fails(state)
        return self._known[key]

    def _state(self, losses: Losses, tree: Tree) -> TreeState:
        answers = losses.crash().answers
        time = self._timeline.time_at(losses.crash_seq)
        return State(losses.crash_seq, losses.model, answers, self._start.stage, tree, time)

    # --- steps ------------------------------------------------------------------------------------------------------

    def _milder(self, losses: Losses) -> Losses:
        """On each milder disk: at the same point, and at those just before."""
        models = MILDEST_FIRST[: MILDEST_FIRST.index(losses.model)]
        first, last = self._tries, self._limit
        for number, model in enumerate(models, 1):
            self._limit = first + (last - first) * number // len(models)
            points = crash_points(self._timeline, model)
            near = [losses.crash_seq, *[point for point in reversed(points) if point < losses.crash_seq][:_POINTS_MAX]]
            for point in near:
                for milder, tree in self._simple(point, model):
                    if self._ask(milder, tree):
                        self._limit = last
                        return self.thin(milder)
        self._limit = last
        return losses

    def _simple(self, point: int, model: Model) -> Iterator[tuple[Losses, Tree]]:
        otherwise: tuple[Choose, ...] = (spared, harshest, names_only)
        for choose in otherwise:
            yield Losses.made(crash_tree, self._timeline, point, model, otherwise=choose)
        yield from islice(simple_losses(crash_tree, self._timeline, point, model), _SIMPLE_MAX)

    def _earlier(self, losses: Losses) -> Losses:
        """With the same losses: by halves between the last operation that was lost and the crash."""
        answers = losses.answers
        begun = max((operation.start for operation in Fates(self._timeline, losses).lost()), default=-1)
        # Every number, for points that leave the same tree differ in what was promised.
        low, high = begun + 1, losses.crash_seq
        while low < high:
            middle = (low + high) // 2
            earlier = self._try(middle, losses.model, answers)
            if earlier is not None and self._is_as_small(earlier.answers, answers):
                losses, high = earlier, middle
            else:
                low = middle + 1
        return losses

    def _is_as_small(self, answers: Mapping[Key, int], others: Mapping[Key, int]) -> bool:
        return len(answers) <= len(others)

    def _witness(self, losses: Losses) -> str:
        fates = Fates(self._timeline, losses)
        tell = self._timeline.tell
        first = min(fates.lost(), key=lambda operation: operation.start, default=None)
        if first is None:
            return f"nothing was lost by a {losses.model} before event {losses.crash_seq}"
        later = self._outlived(fates, losses, first) or fates.last_settled(first)
        if later is None:
            return f"{tell(first)} was lost"
        return f"{tell(first)} was lost though {tell(later)}, which came later, survived"

    def _outlived(self, fates: Fates, losses: Losses, first: Operation) -> Operation | None:
        """A later operation that was spared; if tries are left, one that matters: with it lost as well, all is well."""
        spared_too = list(fates.spared(first))
        spared_too.sort(key=lambda found: (TELLING.index(found[0].kind), found[0].start))
        for operation, question, answer in spared_too:
            if self._tries >= self._limit:
                break
            answers = {**losses.answers, question.key: answer}
            if self._try(losses.crash_seq, losses.model, answers) is None and self._tries < self._limit:
                return operation
        return spared_too[0][0] if spared_too else None
