"""The promise: a table says what was measured, briefly, and nothing that was not.

Method: small runs, and what their tables hold.
"""

from __future__ import annotations

import msgspec
import pytest

from durakv.bench import tables, units
from durakv.bench.table import Group, Table
from tests.bench import made_up


def table(title: str, **fields: object) -> Table:
    report = msgspec.structs.replace(made_up.report(), **fields)
    return next(one for one in tables.tables(report) if one.title == title)


def test_the_crashes_of_a_setting_stand_together() -> None:
    shuffled = tuple(sorted(made_up.report().losses, key=lambda one: one.crash))
    headings = [row.title for row in table("Loss windows", losses=shuffled).rows if isinstance(row, Group)]
    assert len(headings) == len(set(headings)) == 6


def test_methods_that_differ_in_numbers_only_are_told_once() -> None:
    assert tables.merged(["cut 9, of 1,200", "cut 12, of 1,200", "killed", "cut 10, of 1,200"]) == [
        "cut 9–12, of 1,200",
        "killed",
    ]


def test_a_line_is_fitted_through_what_is_one() -> None:
    report = made_up.report()
    points = tuple(msgspec.structs.replace(one, seconds=one.file_bytes / 50e6 + 0.5) for one in report.recoveries)
    groups = [row.about for row in table("Recovery", recoveries=points).rows if isinstance(row, Group)]
    assert all(about.startswith("20 ms per MB, R² 1.000") for about in groups)
    assert "251 B a key in memory" in groups[0]
    (alone,) = [row.about for row in table("Recovery", recoveries=points[:1]).rows if isinstance(row, Group)]
    assert alone == "140 B a key in the file", "one point makes no line"


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [(0.5, "0.50 us"), (12.34, "12.3 us"), (999.0, "999 us"), (1_500.0, "1.50 ms"), (2e6, "2.00 s"), (None, "–")],
)
def test_latencies_have_three_digits_and_a_unit(microseconds: float | None, text: str) -> None:
    assert units.duration(microseconds) == text


@pytest.mark.parametrize(
    ("part", "text"), [(0.0, "0%"), (0.0001, "<0.1%"), (0.5, "50.0%"), (0.9999, ">99.9%"), (1.0, "100%")]
)
def test_a_few_are_not_called_none_nor_nearly_all_all(part: float, text: str) -> None:
    assert units.share(part) == text
