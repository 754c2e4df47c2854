"""Where labels go, so that none lies over another: plain geometry, in pixels.

The first label gets the place nearest to its point, the next the nearest that is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_GAP = 10.0
"""Between a point and the label beside it."""
_ROWS_MAX = 40
"""How many rows up or down a label may be moved."""


class Box(NamedTuple):
    """A rectangle; up is more."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """The area that both cover."""
        wide = min(self.right, other.right) - max(self.left, other.left)
        tall = min(self.top, other.top) - max(self.bottom, other.bottom)
        return wide * tall if wide > 0 and tall > 0 else 0.0

    def inside(self, other: Box) -> bool:
        """Whether no part of it is outside of the other."""
        return (
            self.left >= other.left
            and self.right <= other.right
            and self.bottom >= other.bottom
            and self.top <= other.top
        )


def place(
    anchors: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    bounds: Box,
    *,
    taken: Sequence[Box] = (),
    rightwards: bool = False,
) -> list[Box]:
    """A box for each label, inside the bounds; where there is no free one, the one that covers least."""
    occupied = [*taken, *(Box(x - 5, y - 5, x + 5, y + 5) for x, y in anchors)]
    placed: list[Box] = []
    for anchor, size in zip(anchors, sizes, strict=True):
        best, least = _beside(anchor, size, 0.0, right=True), math.inf
        # The order of candidates is that of their distance: the first free one is the nearest.
        for box in _candidates(anchor, size, rightwards=rightwards):
            if box.inside(bounds) and (covered := sum(map(box.overlap, occupied))) < least:
                best, least = box, covered
                if not covered:
                    break
        occupied.append(Box(best.left - _GAP, best.bottom, best.right + _GAP, best.top))
        placed.append(best)
    return placed


def column(middles: Sequence[float], heights: Sequence[float], low: float, high: float) -> list[float]:
    """Where labels of these heights go that stand under each other: in the order of what they belong to, which is at
    ``middles``, and together as near to it as they can be.

    None lies over another; if there is room for all of them, none is below ``low`` or above ``high``.
    """
    order = sorted(range(len(middles)), key=lambda index: middles[index])
    # Labels that touch are a pile, which goes to where its members want it on average; piles that touch are one.
    piles: list[tuple[list[int], float]] = []
    for index in order:
        pile = [index]
        wanted = middles[index] - heights[index] / 2
        while True:
            tall = sum(heights[one] for one in pile)
            wanted = max(low, min(wanted, high - tall))
            if not piles or piles[-1][1] + sum(heights[one] for one in piles[-1][0]) <= wanted:
                break
            pile = piles.pop()[0] + pile
            wanted = _bottom(pile, middles, heights)
        piles.append((pile, wanted))
    found = [0.0] * len(middles)
    for pile, bottom in piles:
        for index in pile:
            found[index] = bottom + heights[index] / 2
            bottom += heights[index]
    return found


def _bottom(pile: Sequence[int], middles: Sequence[float], heights: Sequence[float]) -> float:
    """Where a pile begins that is as near to all of its members' points as it can be."""
    below = total = 0.0
    for index in pile:
        total += middles[index] - below - heights[index] / 2
        below += heights[index]
    return total / len(pile)


def _candidates(anchor: tuple[float, float], size: tuple[float, float], *, rightwards: bool) -> Iterator[Box]:
    for step in range(_ROWS_MAX):
        for sign in (1, -1) if step else (1,):
            shift = sign * step * size[1] / 2
            yield _beside(anchor, size, shift, right=True)
            if not rightwards:
                yield _beside(anchor, size, shift, right=False)
                if abs(shift) >= size[1]:
                    middle = anchor[0] - size[0] / 2
                    yield _box(middle, anchor[1] + shift, size)


def _beside(anchor: tuple[float, float], size: tuple[float, float], shift: float, *, right: bool) -> Box:
    left = anchor[0] + _GAP if right else anchor[0] - _GAP - size[0]
    return _box(left, anchor[1] + shift, size)


def _box(left: float, middle: float, size: tuple[float, float]) -> Box:
    return Box(left, middle - size[1] / 2, left + size[0], middle + size[1] / 2)
