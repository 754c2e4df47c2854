"""The smallest crash of a recorded life that still breaks the promise: on the mildest disk, as early, with as little
lost as will do.

It is a pure function of the trace: nothing is run again but recoveries, and each image is recovered once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from durakv_fuzz.enumerate import Maker
from durakv_fuzz.losses import Key, Losses, simple_losses
from durakv_fuzz.model import Model
from durakv_fuzz.timeline import Timeline

MILDEST_FIRST = (Model.PROCESS_CRASH, Model.ORDERED, Model.ORDERED_ZERO_TAIL, Model.POWER_LOSS)
"""A promise that is broken on a milder disk is broken on every one after it; so the mildest says most."""

_ROUNDS_MAX = 4
_RAISES_MAX = 40

T = TypeVar("T")
"""What a crash leaves: an ``Image`` or a ``Tree``."""


def crash_points(timeline: Timeline, model: Model, since: int = 0) -> list[int]:
    """The points at which crashes of this kind differ, rising."""
    points = timeline.kill_points() if model is Model.PROCESS_CRASH else timeline.power_points()
    return [point for point in points if point >= since]


class MinimalCrash(Generic[T]):
    """See the module.  ``fails`` says whether a crash breaks the promise.

    ``enough`` says when to be content with what was found; the losses are thinned out in any case.

    ``thin`` never leaves a loss that is not needed: with any one of them taken back, ``fails`` says no.
    """

    def __init__(
        self,
        maker: Maker[T],
        timeline: Timeline,
        fails: Callable[[Losses, T], bool],
        *,
        since: int = 0,
        enough: Callable[[], bool] = lambda: False,
    ) -> None:
        self._maker = maker
        self._timeline = timeline
        self._fails = fails
        self._since = since
        self._enough = enough

    def find(self, losses: Losses) -> Losses:
        """The smallest one."""
        losses = self.thin(losses)
        losses = self._milder(losses)
        for _ in range(_ROUNDS_MAX):
            before = losses
            losses = self.thin(self._earlier(losses))
            if (losses.crash_seq, losses.answers) == (before.crash_seq, before.answers):
                break
        return losses

    def thin(self, losses: Losses) -> Losses:
        """Take back what need not be lost: in halves, quarters, and one by one."""
        losses = self._whole(losses)
        size = max(1, len(losses.answers) // 2)
        while size:
            smaller = self._first_of(losses, self._without(losses, size))
            if smaller is None:
                size //= 2
            else:
                losses = smaller
                size = max(1, min(size, len(losses.answers)))
        return self._less_far(losses)

    # --- on the way -------------------------------------------------------------------------------------------------

    def _without(self, losses: Losses, size: int) -> Iterable[Mapping[Key, int]]:
        answers = losses.answers
        keys = list(answers)
        for start in range(0, len(keys), size):
            gone = frozenset(keys[start : start + size])
            yield {key: answer for key, answer in answers.items() if key not in gone}

    def _first_of(self, losses: Losses, choices: Iterable[Mapping[Key, int]]) -> Losses | None:
        """The first that fails and says less."""
        for answers in choices:
            smaller = self._try(losses.crash_seq, losses.model, answers)
            if smaller is not None and len(smaller.answers) < len(losses.answers):
                return smaller
        return None

    def _whole(self, losses: Losses) -> Losses:
        """A write that was torn in many places is told in one word if it is lost whole."""
        for question in losses.lost():
            if question.count == 3 and question.answer == 1:
                smaller = self._try(losses.crash_seq, losses.model, {**losses.answers, question.key: 0})
                if smaller is not None:
                    losses = smaller
        return losses

    def _less_far(self, losses: Losses) -> Losses:
        """Where a number says how much survived, the largest that will do."""
        for question in losses.lost():
            if question.is_prefix:
                for answer in range(question.count - 2, max(question.answer, question.count - 2 - _RAISES_MAX), -1):
                    smaller = self._try(losses.crash_seq, losses.model, {**losses.answers, question.key: answer})
                    if smaller is not None and len(smaller.answers) <= len(losses.answers):
                        losses = smaller
                        break
        return losses

    def _milder(self, losses: Losses) -> Losses:
        for model in MILDEST_FIRST[: MILDEST_FIRST.index(losses.model)]:
            for point in crash_points(self._timeline, model, self._since):
                for milder, image in simple_losses(self._maker, self._timeline, point, model):
                    if self._enough():
                        return losses
                    if self._fails(milder, image):
                        return self.thin(milder)
        return losses

    def _earlier(self, losses: Losses) -> Losses:
        answers = losses.answers
        points = crash_points(self._timeline, losses.model, self._since)
        for point in points:
            if point >= losses.crash_seq or self._enough():
                break
            for earlier, image in self._at(point, losses.model, answers):
                if self._fails(earlier, image):
                    losses = earlier
                    break
            else:
                continue
            break
        # Points that leave the same images differ in what was promised: the first at which enough was.
        index = bisect_right(points, losses.crash_seq - 1)
        first = points[index - 1] + 1 if index else self._since
        for point in range(first, losses.crash_seq):
            first_failing = self._try(point, losses.model, answers) or self._try(point, losses.model, losses.answers)
            if first_failing is not None:
                return first_failing
        return losses

    def _at(self, point: int, model: Model, answers: Mapping[Key, int]) -> Iterable[tuple[Losses, T]]:
        yield Losses.made(self._maker, self._timeline, point, model, answers)
        yield from simple_losses(self._maker, self._timeline, point, model)

    def _try(self, point: int, model: Model, answers: Mapping[Key, int]) -> Losses | None:
        losses, image = Losses.made(self._maker, self._timeline, point, model, answers)
        return losses if self._fails(losses, image) else None
