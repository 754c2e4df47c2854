"""The promise: of some thirty curves each store's best is named, no name lies over another or over a curve, and none
is cut off; rates of different promises are apart; every curve stands in the table.

Method: draw a made-up run of 28 curves, and ask the drawing where its words are.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from durakv.bench import canvas, concurrency, html
from durakv.bench.concurrency import Curve
from durakv.bench.labels import Box
from durakv.bench.results import Promise, Report
from durakv.bench.table import Cell, Group
from tests.bench import made_up


def everything(report: Report) -> list[Curve]:
    return [curve for held in concurrency.curves(report).values() for curve in held]


@canvas.drawn
def drawing(report: Report) -> Any:
    return concurrency.draw(report)


def boxes(axes: Any) -> list[Box]:
    renderer = axes.figure.canvas.get_renderer()
    extents = [text.get_window_extent(renderer) for text in axes.texts]
    return [Box(extent.x0, extent.y0, extent.x1, extent.y1) for extent in extents]


def full(report: Report) -> Report:
    return report


def shouting(report: Report) -> Report:
    """The same with settings whose names are longer than any that there is."""
    cases = tuple(msgspec.structs.replace(case, setting=f"{case.setting}, mode=EXCLUSIVE") for case in report.cases)
    return msgspec.structs.replace(report, cases=cases)


def crammed(report: Report) -> Report:
    """The same, with twenty stores of one rate."""
    some = [case for case in report.cases if case.store == "LevelDB"]
    more = [msgspec.structs.replace(case, store=f"store {number}") for number in range(20) for case in some]
    return msgspec.structs.replace(report, cases=(*report.cases, *more))


def test_the_made_up_run_is_as_crowded_as_a_full_one() -> None:
    assert len(everything(made_up.crowded())) == 28


@pytest.mark.parametrize("change", [full, shouting, crammed])
def test_no_name_lies_over_another_or_over_a_curve_and_none_is_cut_off(change: Callable[[Report], Report]) -> None:
    figure = drawing(change(made_up.crowded()))
    paper = Box(figure.bbox.x0, figure.bbox.y0, figure.bbox.x1, figure.bbox.y1)
    of_panel = [boxes(axes) for axes in figure.axes]
    together = [box for held in of_panel for box in held]
    assert len(together) >= 16
    assert not any(one.overlap(other) for one, other in itertools.combinations(together, 2))
    assert all(box.inside(paper) for box in together)
    for axes, held in zip(figure.axes, of_panel, strict=True):
        assert all(box.left > axes.bbox.x1 for box in held), "curves are left of the axes' end"
        assert all(axes.bbox.y0 - 1 <= box.bottom and box.top <= axes.bbox.y1 + 1 for box in held)


def test_the_best_curve_of_each_store_is_named_in_each_panel() -> None:
    report = made_up.crowded()
    panels = concurrency.curves(report)
    for axes, held in zip(drawing(report).axes, panels.values(), strict=True):
        words = [text.get_text() for text in axes.texts]
        for store in {curve.store for curve in held}:
            best = max((curve for curve in held if curve.store == store), key=lambda curve: curve.best)
            told = [word for word in words if word.startswith(f"{store} ")]
            assert len(told) == (2 if store == "durakv" else 1)
            assert any(word.startswith(best.name.removesuffix(", threads")) for word in told)


def test_rates_of_different_promises_are_apart() -> None:
    durable, relaxed = concurrency.curves(made_up.crowded()).values()
    assert {curve.points[0].case.promise for curve in durable} == {Promise.POWER}
    assert Promise.POWER not in {curve.points[0].case.promise for curve in relaxed}


def test_one_promise_alone_is_one_panel() -> None:
    report = made_up.crowded()
    durable = tuple(case for case in report.cases if case.promise is Promise.POWER)
    assert len(drawing(msgspec.structs.replace(report, cases=durable)).axes) == 1


def test_ours_is_drawn_over_the_others() -> None:
    report = made_up.crowded()
    ours = canvas.OURS.light
    for axes in drawing(report).axes:
        marked = [line for line in axes.lines if line.get_marker() not in {"None", "none", None}]
        front = {line.get_zorder() for line in marked if line.get_color() == ours}
        behind = {line.get_zorder() for line in marked if line.get_color() != ours}
        assert min(front) > max(behind)


def test_every_curve_stands_in_the_table() -> None:
    report = made_up.crowded()
    rows = [row for row in concurrency.legend(report).rows if not isinstance(row, Group)]
    names = sorted(row[0].text for row in rows if isinstance(row[0], Cell))
    assert names == sorted(curve.name for curve in everything(report))
    page = html.render(report)
    assert page.index("<summary>All curves</summary>") > page.index('id="concurrency-')
