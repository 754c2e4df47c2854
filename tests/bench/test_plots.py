"""The promise: each plot shows what it says, is the same each time, and is not there if its figures are not.

Method: draw a made-up run, whole and with parts missing; read the text of the drawings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import msgspec
import pytest

from durakv.bench import picture, plots
from durakv.bench.results import Mode, Report
from tests.bench import made_up

PLOTS = (
    plots.picture_svg,
    plots.concurrency_svg,
    plots.latency_svg,
    plots.loss_svg,
    plots.recovery_svg,
    plots.interference_svg,
)
Plot = Callable[[Report], str | None]
each_plot = pytest.mark.parametrize("plot", PLOTS, ids=lambda plot: plot.__name__)


def words(svg: str | None) -> str:
    assert svg is not None
    return " | ".join(
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if "text" in element.tag
    )


@each_plot
def test_a_plot_is_not_there_without_its_figures(plot: Plot) -> None:
    empty = msgspec.structs.replace(made_up.report(), cases=(), losses=(), interferences=(), recoveries=())
    assert plot(empty) is None


@each_plot
def test_a_plot_is_read_on_dark_paper_too(plot: Plot) -> None:
    svg = plot(made_up.report())
    assert svg is not None
    assert "prefers-color-scheme:dark" in svg
    drawn = svg.split("</style>", 1)[1]
    fixed = set(re.findall(r"(?:fill|stroke): (#\w+)", drawn))
    assert not fixed, "a colour that does not follow the paper"


def test_ids_of_one_plot_are_not_those_of_another() -> None:
    report = made_up.report()
    drawn = [plot(report) or "" for plot in PLOTS]
    ids = [set(re.findall(r' id="([^"]+)"', svg)) for svg in drawn]
    assert sum(len(found) for found in ids) == len(set().union(*ids))
    for svg in drawn:
        used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
        assert used <= set(re.findall(r' id="([^"]+)"', svg)), "a reference to nothing"


def test_the_picture_names_every_store_and_setting() -> None:
    shown = words(plots.picture_svg(made_up.report()))
    for store, setting, *_ in made_up.RATES:
        assert (f"{store} {setting}" in shown) == (store != "raw")
    assert "nothing" in shown
    assert "not crashed here" in shown


def test_the_picture_says_in_words_what_it_shows() -> None:
    report = made_up.report()
    said = picture.sentence(report)
    assert said is not None
    safe = next(point for point in picture.points(report) if point.name == "durakv always")
    assert safe.best.rate == max(of.best.rate for of in picture.points(report) if of.safe), (
        "the made-up run has durakv in front"
    )
    assert "durakv (always)" in said
    assert "1,200 power cuts took none" in said
    assert "redis-server (always)" in said
    assert "1.07 s" in said


def test_a_store_that_was_not_crashed_is_not_said_to_have_lost_nothing() -> None:
    report = made_up.report()
    report = msgspec.structs.replace(
        report, losses=tuple(one for one in report.losses if one.store == "durakv" and one.setting == "everysec")
    )
    said = picture.sentence(report)
    assert said is not None
    assert "promises to lose none; it was not crashed here" in said
    assert "took none" not in said


def test_the_picture_is_of_single_writes() -> None:
    report = made_up.report()
    rates = {point.name: point.load for point in picture.points(report)}
    assert rates["durakv always"] == "window 1,024"
    assert rates["LevelDB no sync"] == "threads 1"


def test_the_picture_is_to_be_had_as_png() -> None:
    png = plots.picture_png(made_up.report())
    assert png is not None
    assert png.startswith(b"\x89PNG")
    assert plots.picture_svg(made_up.report()) == plots.picture_svg(made_up.report())


def test_concurrency_shows_the_stores_that_were_swept_only() -> None:
    shown = words(plots.concurrency_svg(made_up.report()))
    assert "durakv always, tasks" in shown
    assert "LevelDB sync · " in shown
    assert "diskcache" not in shown


def test_latency_shows_each_open_loop() -> None:
    report = made_up.report()
    shown = words(plots.latency_svg(report))
    for case in report.cases:
        name = f"{case.store} {case.setting}, threads 16, 2,000 writes/s"
        assert (name in shown) or case.mode is Mode.CLOSED


def test_nothing_lost_anywhere_is_drawn_as_well() -> None:
    report = made_up.report()
    safe = tuple(one for one in report.losses if one.setting == "always")
    shown = words(plots.loss_svg(msgspec.structs.replace(report, losses=safe)))
    assert "durakv always" in shown
    assert plots.picture_svg(msgspec.structs.replace(report, losses=safe)) is not None


def test_text_is_never_taken_for_mathematics() -> None:
    report = made_up.report()
    losses = tuple(msgspec.structs.replace(one, setting="$x_1$ & <b>") for one in report.losses[1:2])
    cases = tuple(msgspec.structs.replace(case, setting="$x_1$ & <b>") for case in report.cases if case.rounds)
    odd = msgspec.structs.replace(report, losses=losses, cases=cases)
    for plot in (plots.picture_svg, plots.loss_svg, plots.concurrency_svg, plots.latency_svg):
        assert "$x_1$ & <b>" in words(plot(odd))
