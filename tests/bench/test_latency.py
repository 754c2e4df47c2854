"""The promise: a percentile is a measured value, the smallest that so many of the values do not exceed.

Method: count in a sorted list.
"""

from __future__ import annotations

import random
from array import array

import pytest

from durakv.bench.latency import back_to_back, by_second, percentiles


@pytest.mark.parametrize("count", [1, 2, 9, 10, 99, 100, 101, 1000, 4321])
def test_percentiles_are_those_of_the_sorted_list(count: int) -> None:
    source = random.Random(count)
    values = array("Q", [source.randrange(1, 10_000_000) for _ in range(count)])
    found = percentiles(values)
    assert found is not None
    ordered = sorted(values)
    for per_mille, told_us in ((500, found.p50_us), (900, found.p90_us), (990, found.p99_us), (999, found.p999_us)):
        smallest = next(value for number, value in enumerate(ordered, 1) if number * 1000 >= per_mille * count)
        assert told_us == smallest / 1000
    assert (found.count, found.max_us) == (count, ordered[-1] / 1000)


def test_nothing_has_no_percentiles() -> None:
    assert percentiles(array("Q")) is None
    assert by_second(array("Q"), array("Q"), 0) == ()


def test_seconds_count_from_the_beginning_and_by_the_intended_start() -> None:
    began = 5_700_000_000
    starts = array("Q", [began, began + 999_999_999, began + 1_000_000_000, began + 3_000_000_000])
    seconds = by_second(starts, array("Q", [1000, 3_000_000_000, 2000, 4000]), began)
    assert [(second.second, second.latency.count, second.latency.max_us) for second in seconds] == [
        (0, 2, 3_000_000.0),
        (1, 1, 2.0),
        (3, 1, 4.0),
    ]


def test_in_a_closed_loop_a_write_begins_where_the_one_before_ended() -> None:
    starts, latencies = back_to_back(100, array("Q", [130, 150, 250]))
    assert list(starts) == [100, 130, 150]
    assert list(latencies) == [30, 20, 100]
    assert back_to_back(100, array("Q")) == (array("Q"), array("Q"))
