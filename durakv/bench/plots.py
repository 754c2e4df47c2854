"""The plots of a report as SVG; each is None if the report lacks what it shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from durakv.bench import canvas, concurrency, picture, units
from durakv.bench.canvas import INK, OURS, PAPER, SOFT, Label
from durakv.bench.fits import fits
from durakv.bench.medians import POWER
from durakv.bench.results import Case, Interference, Latency, Mode, Report, Round
from durakv.bench.tables import quantile

_STEPS = 100
"""Of a distribution's line."""


@canvas.drawn
def picture_svg(report: Report) -> str | None:
    """Throughput against the acknowledged writes that a power cut takes."""
    figure = picture.draw(report)
    return None if figure is None else canvas.svg(figure, "picture", picture.sentence(report) or "")


@canvas.drawn
def picture_png(report: Report) -> bytes | None:
    """The same as PNG, on white paper."""
    figure = picture.draw(report)
    return None if figure is None else canvas.png(figure)


@canvas.drawn
def concurrency_svg(report: Report) -> str | None:
    """Throughput against writers, for each store that was measured with several numbers of them."""
    figure = concurrency.draw(report)
    if figure is None:
        return None
    return canvas.svg(figure, "concurrency", "Writes a second against the number of writers, store by store.")


@canvas.drawn
def latency_svg(report: Report) -> str | None:
    """Response times second by second under a fixed rate, beside the service times of the same load."""
    cases = [case for case in report.cases if case.mode is Mode.OPEN and any(one.by_second for one in case.rounds)]
    if not cases:
        return None
    rows = math.ceil(len(cases) / 2)
    figure, panels = canvas.figure(
        0.6 + 2.9 * rows, rows, 2, left=0.07, right=0.9, top=1 - 0.62 / (0.6 + 2.9 * rows),
        bottom=0.62 / (0.6 + 2.9 * rows), wspace=0.55, hspace=0.5,
    )  # fmt: skip
    rounds = [_typical([one for one in case.rounds if one.by_second]) for case in cases]
    spans = [second.latency for one in rounds for second in one.by_second]
    low, high = min(one.p50_us for one in spans), max(one.max_us for one in spans)
    for axes, case, one in zip(panels, cases, rounds, strict=False):
        axes.set_yscale("log")
        axes.set_ylim(max(low, 0.1) / 2, max(high, 0.2) * 2)
        _seconds(axes, case, one)
    for spare in panels[len(cases) :]:
        spare.set_visible(False)
    return canvas.svg(figure, "latency", "Response times second by second at a fixed rate, store by store.")


@canvas.drawn
def loss_svg(report: Report) -> str | None:
    """How many acknowledged writes power cuts took, and how old they were: the part of the cuts that took no more."""
    entries = [entry for entry in report.losses if entry.crash == POWER and entry.lost]
    if not entries:
        return None
    names = [(entry.store, entry.setting) for entry in entries]
    looks = canvas.looks(names)
    figure, panels = canvas.figure(4.4, 1, 2, left=0.065, right=0.985, top=0.87, bottom=0.15, wspace=0.16)
    ages = [list(entry.oldest_seconds) for entry in entries]
    lost = [[float(number) for number in entry.lost] for entry in entries]
    for axes, values, what in (
        (panels[0], lost, "acknowledged writes lost →"),
        (panels[1], ages, "age of the oldest of them, seconds →"),
    ):
        axes.set_xscale("symlog", linthresh=_smallest(values), linscale=0.4)
        axes.set_xlim(left=-0.2 * _smallest(values), right=max(1e-3, *(max(one) for one in values)) * 1.6)
        axes.set_ylim(0, 1.4)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.yaxis.set_major_formatter(canvas.percent)
        axes.xaxis.set_major_formatter(canvas.short)
        axes.xaxis.minorticks_off()
        labels: list[Label] = []
        lines: list[tuple[list[float], list[float]]] = []
        for name, one in zip(names, values, strict=True):
            look, ordered = looks[name], sorted(one)
            parts = [step / _STEPS for step in range(_STEPS + 1)]
            line = [quantile(ordered, part) for part in parts]
            axes.plot(line, parts, color=look.colour, linestyle=look.dashes, linewidth=look.width)
            lines.append((line, parts))
            labels.append(Label(ordered[-1], 1.0, " ".join(name), look.colour, name[0] == "durakv"))
        canvas.titles(axes, x=what, y="↑ power cuts that took no more")
        canvas.label(axes, labels, taken=canvas.along(axes, lines))
    return canvas.svg(figure, "loss", "Distributions of what power cuts took, policy by policy.")


@canvas.drawn
def recovery_svg(report: Report) -> str | None:
    """The time of an open against the size of the file, with the line through each store's points."""
    found = fits(report.recoveries)
    if not found:
        return None
    looks = canvas.looks([(fit.store, fit.what) for fit in found])
    figure, (axes,) = canvas.figure(4.4, left=0.065, right=0.72, top=0.89, bottom=0.15)
    labels: list[Label] = []
    for fit in found:
        look = looks[fit.store, fit.what]
        sizes = [point.file_bytes / 1e6 for point in fit.points]
        axes.plot(sizes, [point.seconds for point in fit.points], look.marker, color=look.colour, markersize=7)
        text = f"{fit.store} {fit.what}"
        if fit.seconds_per_mb is not None and fit.seconds_at_zero is not None:
            line = [fit.seconds_at_zero + fit.seconds_per_mb * size for size in sizes]
            axes.plot(sizes, line, color=look.colour, linestyle=look.dashes, linewidth=look.width)
            text += f" · {fit.seconds_per_mb * 1e3:.3g} ms/MB"
        labels.append(Label(sizes[-1], fit.points[-1].seconds, text, look.colour, fit.store == "durakv"))
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    canvas.titles(axes, x="size of the file, MB", y="↑ seconds until it is open")
    canvas.label(axes, sorted(labels, key=lambda one: (not one.bold, -one.y)), rightwards=True)
    return canvas.svg(figure, "recovery", "Seconds of an open against the size of the file, store by store.")


@canvas.drawn
def interference_svg(report: Report) -> str | None:
    """What a background rewrite does to the latencies of writes made meanwhile."""
    found = report.interferences
    if not found:
        return None
    height = 1.0 + 1.15 * len(found)
    figure, (axes,) = canvas.figure(height, left=0.27, right=0.94, top=1 - 0.42 / height, bottom=0.6 / height)
    axes.set_xscale("log")
    ticks: list[tuple[float, str]] = []
    for number, one in enumerate(found):
        colour = OURS.light if one.store == "durakv" else SOFT.light
        for row, (what, before, during) in enumerate(_pairs(one)):
            y = number * 4 + row
            ticks.append((y, f"{one.store} {one.setting}, {what}" if row == 0 else what))
            axes.plot([before, during], [y, y], color=colour, linewidth=3, alpha=0.45, solid_capstyle="round")
            axes.plot([before], [y], "o", markersize=9, markerfacecolor=PAPER.light, color=colour)
            axes.plot([during], [y], "o", markersize=9, color=colour)
            ratio = f"×{units.ratio(during / before)}" if before else ""
            axes.annotate(ratio, (max(before, during), y), (9, 0), textcoords="offset points", va="center",
                          color=INK.light, fontsize=11)  # fmt: skip
    axes.set_yticks([at for at, _ in ticks], [text for _, text in ticks])
    axes.set_ylim(len(found) * 4 - 1, -1)
    axes.xaxis.minorticks_off()
    axes.xaxis.set_major_formatter(canvas.short_us)
    axes.grid(False, axis="y")
    axes.spines["left"].set_visible(False)
    canvas.titles(axes, x="latency of a write →", y="hollow: before the rewrite; filled: during it")
    return canvas.svg(figure, "interference", "Latencies of writes before and during a rewrite, store by store.")


# --- their parts ------------------------------------------------------------------------------------------------------


def _typical(rounds: Sequence[Round]) -> Round:
    """The round whose 99th percentile is in the middle."""
    return sorted(rounds, key=lambda one: _p99(one.response or one.service))[len(rounds) // 2]


def _p99(latency: Latency | None) -> float:
    return latency.p99_us if latency is not None else 0.0


def _seconds(axes: Any, case: Case, one: Round) -> None:
    colour = OURS.light if case.store == "durakv" else SOFT.light
    at = [second.second for second in one.by_second]
    labels: list[Label] = []
    for name, values, width, opacity in (
        ("max", [second.latency.max_us for second in one.by_second], 1.2, 0.55),
        ("p99", [second.latency.p99_us for second in one.by_second], 1.8, 0.8),
        ("p50", [second.latency.p50_us for second in one.by_second], 2.6, 1.0),
    ):
        axes.plot(at, values, color=colour, linewidth=width, alpha=opacity, marker="o", markersize=3)
        labels.append(Label(at[-1], values[-1], name, colour))
    if one.service is not None:
        axes.plot([at[0], at[-1]], [one.service.max_us] * 2, color=INK.light, linestyle=(0, (2, 2)), linewidth=1.2)
        labels.append(Label(at[-1], one.service.max_us, "service max", INK.light))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.yaxis.set_major_formatter(canvas.short_us)
    axes.yaxis.minorticks_off()
    name = f"{case.store} {case.setting}, {case.shape.value} {case.width:,}"
    canvas.titles(axes, x="second", title=f"{name}, {units.rate(case.offered_rate)} writes/s")
    canvas.label(axes, labels, rightwards=True)


def _smallest(values: Sequence[Sequence[float]]) -> float:
    """The decade of the smallest loss: below it the axis is straight down to nothing."""
    some = [number for one in values for number in one if number > 0]
    return 10.0 ** math.floor(math.log10(min(some))) if some else 1.0


def _pairs(one: Interference) -> list[tuple[str, float, float]]:
    return [
        ("p50", one.before.p50_us, one.during.p50_us),
        ("p99", one.before.p99_us, one.during.p99_us),
        ("max", one.before.max_us, one.during.max_us),
    ]
