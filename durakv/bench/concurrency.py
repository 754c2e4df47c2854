"""Throughput against the number of writers, a panel for each promise: rates of different promises are no contest.

Some thirty curves cannot all be told apart, so most of them are background.  Each panel names the best curve of each
store, and of durakv the best with threads and the best with tasks; every curve stands in the table below.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from durakv.bench import canvas, units
from durakv.bench.canvas import FAINT, Label, Look
from durakv.bench.medians import Medians, measured, usual_value_bytes
from durakv.bench.results import Mode, Promise, Report, Shape
from durakv.bench.table import Cell, Column, Group, Row, Table, Tone

_SHAPES = (Shape.THREADS, Shape.TASKS, Shape.CLIENTS)
_KNEE = 0.9
"""More writers than reach this part of the best rate only wait longer."""
_PANELS = {
    "durable: acknowledged writes survive a power cut": (Promise.POWER,),
    "relaxed: a power cut may take acknowledged writes": (Promise.PROCESS, Promise.NOTHING),
}
_PANEL_INCHES, _LABEL_INCHES, _MARGIN_INCHES = 2.9, 0.235, 0.5


@dataclass(frozen=True, slots=True)
class Curve:
    """One store, setting and shape of load, measured with several numbers of writers, fewest first."""

    points: tuple[Medians, ...]

    @property
    def store(self) -> str:
        """Its store."""
        return self.points[0].case.store

    @property
    def ours(self) -> bool:
        """Whether that is durakv."""
        return self.store == "durakv"

    @property
    def shape(self) -> Shape:
        """What made the writes."""
        return self.points[0].case.shape

    @property
    def name(self) -> str:
        """As its users know it."""
        return f"{self.store} {self.points[0].case.setting}, {self.shape.value}"

    @property
    def best(self) -> float:
        """The rate at its height."""
        return max(of.rate for of in self.points)

    @property
    def knee(self) -> Medians:
        """The fewest writers with which it is nearly that fast."""
        return next(of for of in self.points if of.rate >= _KNEE * self.best)


def curves(report: Report) -> dict[str, list[Curve]]:
    """By the title of their panel, the fastest first; ``raw`` is no store."""
    found = [
        of
        for of in measured(report)
        if of.case.mode is Mode.CLOSED and of.case.shape in _SHAPES and of.case.store != "raw"
    ]
    usual = usual_value_bytes([of.case for of in found]) if found else 0
    series: dict[tuple[str, str, Shape], list[Medians]] = {}
    for of in sorted(found, key=lambda of: of.case.width):
        if of.case.value_bytes == usual:
            series.setdefault((of.case.store, of.case.setting, of.case.shape), []).append(of)
    all_of_them = [Curve(tuple(points)) for points in series.values() if len({of.case.width for of in points}) > 1]
    all_of_them.sort(key=lambda curve: -curve.best)
    panels = {
        title: [curve for curve in all_of_them if curve.points[0].case.promise in promises]
        for title, promises in _PANELS.items()
    }
    return {title: held for title, held in panels.items() if held}


def named(held: Sequence[Curve]) -> list[Curve]:
    """Of the curves of a panel those that it names, the fastest first."""
    best: dict[tuple[str, Shape | None], Curve] = {}
    for curve in held:
        best.setdefault((curve.store, curve.shape if curve.ours else None), curve)
    return list(best.values())


def draw(report: Report) -> Any | None:
    """The figure, or None if nothing was measured with several numbers of writers."""
    panels = curves(report)
    if not panels:
        return None
    stores = dict.fromkeys(curve.store for held in panels.values() for curve in held)
    looks = canvas.looks([(store, "") for store in sorted(stores)])
    # A panel is at least as high as its labels are on top of each other, so that there is a place for each.
    heights = [max(_PANEL_INCHES, _LABEL_INCHES * len(named(held))) for held in panels.values()]
    gap = 1.05
    height = sum(heights) + gap * (len(heights) - 1) + 2 * _MARGIN_INCHES + 0.15
    figure, panes = canvas.figure(
        height, len(panels), left=0.065, right=0.68, top=1 - _MARGIN_INCHES / height,
        bottom=(_MARGIN_INCHES + 0.15) / height, heights=heights, hspace=gap * len(heights) / sum(heights),
    )  # fmt: skip
    canvas.leave_room(figure, [label for held in panels.values() for label in _labels(held, looks)], least=0.4)
    widths = sorted({of.case.width for held in panels.values() for curve in held for of in curve.points})
    for axes, (title, held) in zip(panes, panels.items(), strict=True):
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        axes.set_xlim(widths[0] / 1.12, widths[-1] * 1.12)
        axes.set_xticks(*_ticks(widths))
        axes.xaxis.minorticks_off()
        axes.yaxis.minorticks_off()
        axes.yaxis.set_major_formatter(canvas.short)
        for curve in held:
            _draw(axes, curve, looks[curve.store, ""], shown=curve in named(held))
        canvas.label_column(axes, _labels(held, looks))
        last = axes is panes[-1]
        x = "writers, each waiting for each of its writes" if last else ""
        canvas.titles(axes, x=x, title=title, y="↑ writes a second")
    return figure


def legend(report: Report) -> Table:
    """Every curve, and where it bends."""
    columns = (
        Column("curve", number=False),
        Column("writers"),
        Column("with the fewest"),
        Column("best"),
        Column("knee, writers"),
    )
    return Table("", columns, [*_rows(curves(report))])


def _rows(panels: dict[str, list[Curve]]) -> Iterator[Row | Group]:
    for title, held in panels.items():
        yield Group(title)
        shown = named(held)
        for curve in held:
            fewest, most = curve.points[0], curve.points[-1]
            yield (
                Cell(curve.name, Tone.PLAIN if curve in shown else Tone.SOFT),
                f"{fewest.case.width:,} to {most.case.width:,}",
                units.rate(fewest.rate),
                units.rate(curve.best),
                f"{curve.knee.case.width:,}",
            )


def _draw(axes: Any, curve: Curve, look: Look, *, shown: bool) -> None:
    xs, ys = [of.case.width for of in curve.points], [of.rate for of in curve.points]
    if not shown:
        colour, opacity = (look.colour, 0.45) if curve.ours else (FAINT.light, 1)
        axes.plot(xs, ys, color=colour, alpha=opacity, linewidth=1.2, zorder=1.5)
        return
    front = 4 if curve.ours else 3
    dashes = (0, (6, 2)) if curve.ours and curve.shape is Shape.THREADS else "-"
    axes.plot(xs, ys, color=look.colour, marker=look.marker, markersize=6 if curve.ours else 5, linestyle=dashes,
              linewidth=2.6 if curve.ours else 1.2, zorder=front)  # fmt: skip
    if curve.ours:
        axes.plot([curve.knee.case.width], [curve.knee.rate], "o", markersize=13, markerfacecolor="none",
                  color=look.colour, zorder=front)  # fmt: skip


def _labels(held: Sequence[Curve], looks: dict[tuple[str, str], Look]) -> list[Label]:
    labels: list[Label] = []
    for curve in named(held):
        last = curve.points[-1]
        # Peers are called by threads unless it is said otherwise.
        name = curve.name if curve.ours else curve.name.removesuffix(f", {Shape.THREADS.value}")
        text = f"{name} · {units.count(curve.best)}"
        labels.append(Label(last.case.width, last.rate, text, looks[curve.store, ""].colour, curve.ours))
    return labels


def _ticks(widths: Sequence[int]) -> tuple[list[int], list[str]]:
    """Where ticks stand: at the numbers of writers, without those that are near one that is a power of two."""
    round_ones = [width for width in widths if not width & (width - 1)]
    kept = [width for width in widths if all(width == one or abs(math.log2(width / one)) > 0.4 for one in round_ones)]
    return kept, [f"{width:,}" for width in kept]
