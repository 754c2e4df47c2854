"""Doubt is a parameter: whatever the simulation leaves open is asked of a chooser.

Zero is the harshest answer (it was lost, it got nowhere) and the last one the kindest, so that a shrinker that
prefers small numbers explains by what had to survive.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Protocol


class Choose(Protocol):
    """Answers questions."""

    def __call__(self, count: int, label: str, /) -> int:
        """Return a number from 0 to ``count - 1``; the label says what the question is about."""
        ...


def harshest(count: int, label: str, /) -> int:
    """Everything that may be lost is lost."""
    return 0


def kindest(count: int, label: str, /) -> int:
    """Everything that may survive survives."""
    return count - 1


class Seeded:
    """Answers drawn from a generator: the same seed, the same answers."""

    def __init__(self, seed: int | random.Random) -> None:
        self._random = seed if isinstance(seed, random.Random) else random.Random(seed)

    def __call__(self, count: int, label: str, /) -> int:
        # A third of the speed of randrange is spent on generality; the bias of this is far below what matters here.
        return int(self._random.random() * count)


class Recorded:
    """Answers given before, in order; after the last one, zeros.

    An answer out of range, as after a change to the program, becomes the nearest possible one.
    """

    def __init__(self, answers: Sequence[int]) -> None:
        self._answers = answers
        self._next = 0

    def __call__(self, count: int, label: str, /) -> int:
        index = self._next
        self._next = index + 1
        return min(self._answers[index], count - 1) if index < len(self._answers) else 0


class Recording:
    """Passes questions on and remembers the answers; ``Recorded(recording.answers)`` repeats them."""

    def __init__(self, choose: Choose) -> None:
        self._choose = choose
        self.answers: list[int] = []

    def __call__(self, count: int, label: str, /) -> int:
        answer = self._choose(count, label)
        self.answers.append(answer)
        return answer


def recorded(choose: Choose) -> tuple[list[int], Choose]:
    """A list, and a chooser that passes questions on and appends the answers to it; the quickest way to do that."""
    answers: list[int] = []
    append = answers.append

    def remember(count: int, label: str, /) -> int:
        answer = choose(count, label)
        append(answer)
        return answer

    return answers, remember


class Uneven:
    """Answers of one mood: from none to all survive, in this proportion, and from some question on nothing does.

    Independent answers never give a prefix of a hundred writes; the failures of real disks do.
    """

    def __init__(self, source: random.Random) -> None:
        self._random = source.random
        self._keep = source.choice((0.05, 0.5, 0.95, 1.0))
        self._tear = source.choice((0.0, 0.1, 0.5))
        self._left = source.choice((1, 3, 10, 30, 100, 1000))
        if self._left > 1:
            self._left = int(self._left * source.random()) + 1

    def __call__(self, count: int, label: str, /) -> int:
        self._left -= 1
        if self._left < 0:
            return 0
        if count > 2 and self._random() < self._tear:
            return int(self._random() * count)
        return count - 1 if self._random() < self._keep else 0
