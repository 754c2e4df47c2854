"""The promise: no label lies over another or over a point while there is room, and none leaves the drawing.

Method: random points, crowded and sparse.
"""

from __future__ import annotations

import itertools
import random

import pytest

from durakv.bench.labels import Box, column, place

BOUNDS = Box(0, 0, 700, 500)


@pytest.mark.parametrize("seed", range(20))
def test_labels_keep_clear_of_each_other(seed: int) -> None:
    chance = random.Random(seed)
    anchors = [(chance.uniform(0, 700), chance.uniform(0, 500)) for _ in range(15)]
    sizes = [(chance.uniform(40, 160), 14.0) for _ in anchors]
    placed = place(anchors, sizes, BOUNDS)
    assert all(box.inside(BOUNDS) for box in placed)
    assert not any(one.overlap(other) for one, other in itertools.combinations(placed, 2))
    points = [Box(x - 1, y - 1, x + 1, y + 1) for x, y in anchors]
    assert not any(box.overlap(point) for box in placed for point in points)


def test_points_on_top_of_each_other_are_told_apart() -> None:
    placed = place([(300, 250)] * 12, [(90, 14)] * 12, BOUNDS)
    assert not any(one.overlap(other) for one, other in itertools.combinations(placed, 2))


def test_the_first_label_gets_the_place_beside_its_point() -> None:
    first, _ = place([(300, 250), (300, 250)], [(90, 14)] * 2, BOUNDS)
    assert (first.bottom + first.top) / 2 == 250
    assert 300 < first.left < 320


def test_what_is_taken_is_left_alone() -> None:
    taken = Box(300, 240, 700, 260)
    (box,) = place([(300, 250)], [(90, 14)], BOUNDS, taken=[taken])
    assert not box.overlap(taken)


def test_rightwards_labels_stay_to_the_right() -> None:
    anchors = [(300.0, 250.0)] * 6
    assert all(box.left > 300 for box in place(anchors, [(90, 14)] * 6, BOUNDS, rightwards=True))


@pytest.mark.parametrize("seed", range(20))
def test_labels_in_a_column_keep_their_order_and_clear_of_each_other(seed: int) -> None:
    chance = random.Random(seed)
    middles = [chance.choice([chance.uniform(-20, 520), 250.0]) for _ in range(25)]
    heights = [chance.uniform(12, 19) for _ in middles]
    found = column(middles, heights, 0, 500)
    boxes = sorted(zip(found, heights, middles, strict=True))
    assert [middle for _, _, middle in boxes] == sorted(middles)
    for (one, height, _), (other, other_height, _) in itertools.pairwise(boxes):
        assert other - one >= (height + other_height) / 2 - 1e-6
    assert boxes[0][0] - boxes[0][1] / 2 >= -1e-6
    assert boxes[-1][0] + boxes[-1][1] / 2 <= 500 + 1e-6


def test_a_label_in_a_column_stands_level_with_its_point_if_nothing_is_in_the_way() -> None:
    assert column([400, 100, 250], [14] * 3, 0, 500) == [400, 100, 250]


def test_labels_that_share_a_point_share_the_way_from_it() -> None:
    assert column([250, 250], [14] * 2, 0, 500) == [243, 257]


def test_a_column_that_is_too_short_is_left_at_its_foot_at_most() -> None:
    found = sorted(column([50] * 5, [14] * 5, 0, 28))
    assert found == [7, 21, 35, 49, 63]
