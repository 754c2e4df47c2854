"""The one picture: what a store writes a second, against the acknowledged writes that a power cut takes from it.

Each store and setting is one point, at the fastest measured load whose writes are acknowledged one by one (no
batches), all with values of one size.  Up is faster, left is safer; who lost nothing stands in a column of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from durakv.bench import canvas, units
from durakv.bench.canvas import BAND, INK, OURS, PAPER, SOFT, Label
from durakv.bench.labels import Box
from durakv.bench.medians import POWER, Medians, Risk, best_of_each, risk, survives_power
from durakv.bench.results import Report, Shape

_COLUMN = 2.1
"""How wide the column of those who lost nothing is, in decades of the axis beside it."""


@dataclass(frozen=True, slots=True)
class Point:
    """One store and setting."""

    best: Medians
    cost: Risk | None
    """None if its power was not cut."""

    @property
    def name(self) -> str:
        """As its users know it."""
        return f"{self.best.case.store} {self.best.case.setting}"

    @property
    def ours(self) -> bool:
        """Whether it is durakv."""
        return self.best.case.store == "durakv"

    @property
    def safe(self) -> bool:
        """It lost nothing; or was not crashed, and says that it would lose nothing."""
        return not self.cost.at_risk_max if self.cost is not None else survives_power(self.best.case)

    @property
    def load(self) -> str:
        """What made its writes."""
        return f"{self.best.case.shape.value} {self.best.case.width:,}"


def points(report: Report) -> list[Point]:
    """The fastest first; ``raw`` is no store."""
    best = best_of_each(report, qualifies=lambda case: case.shape is not Shape.BATCH and case.store != "raw")
    found = [Point(of, risk(report, of, POWER)) for of in best.values()]
    return sorted(found, key=lambda point: -point.best.rate)


def sentence(report: Report) -> str | None:
    """What the picture says, in a sentence or three; None where there is no picture."""
    found = points(report)
    if not any(point.cost is not None for point in found):
        return None
    safe = [point for point in found if point.safe]
    lossy = [point for point in found if point.cost is not None and not point.safe]
    # Of the settings that give something up, the one that gives up the least time says most about the trade.
    lossy.sort(key=lambda point: point.cost.oldest_max_seconds if point.cost is not None else 0.0)
    said = [_kept(point) for point in _ours_and_other(safe)] + [_gave_up(point) for point in _ours_and_other(lossy)]
    return " ".join(said)


def draw(report: Report) -> Any | None:
    """The figure, or None if no power was cut."""
    found = points(report)
    if not any(point.cost is not None for point in found):
        return None
    scale = _Scale.of(found)
    figure, (axes,) = canvas.figure(6.6, left=0.065, right=0.985, top=0.93, bottom=0.12)
    axes.set_yscale("log")
    rates = [point.best.rate for point in found]
    axes.set_ylim(min(rates) / 1.8, max(rates) * 2.2)
    axes.set_xlim(0, scale.end)
    axes.yaxis.set_major_formatter(canvas.short)
    axes.yaxis.minorticks_off()
    axes.axvspan(0, _COLUMN, color=BAND.light, linewidth=0, zorder=0)
    ticks = scale.ticks()
    axes.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    axes.grid(False, axis="x")
    canvas.titles(
        axes,
        x="acknowledged writes that a power cut takes, at most, at that rate →",
        y="↑ acknowledged writes a second",
    )
    taken: list[Box] = []
    for point in found:
        _mark(axes, scale, point, taken)
    ordered = sorted(found, key=lambda point: not point.ours)
    labels = [
        Label(
            scale.of_point(point),
            point.best.rate,
            f"{point.name} · {units.count(point.best.rate)}",
            OURS.light if point.ours else INK.light if point.cost is not None else SOFT.light,
            point.ours,
        )
        for point in ordered
    ]
    canvas.label(axes, labels, taken=taken)
    return figure


def legend(report: Report) -> str:
    """How its marks are read."""
    found = points(report)
    by_load: dict[str, list[str]] = {}
    for point in found:
        by_load.setdefault(point.load, []).append(point.name)
    loads = "; ".join(f"{load}: {', '.join(names)}" for load, names in by_load.items())
    size = found[0].best.case.value_bytes if found else 0
    return (
        "Filled: measured in power cuts, the line reaching back to the median. Hollow: not crashed here, placed by "
        f"what the store promises. Each at its fastest load without batches, values of {size:,} bytes: {loads}."
    )


def _ours_and_other(found: Sequence[Point]) -> list[Point]:
    """The first that is durakv, and the first that is not."""
    ours = [point for point in found if point.ours]
    others = [point for point in found if not point.ours]
    return [*ours[:1], *others[:1]]


def _kept(point: Point) -> str:
    made = f"{_called(point)} acknowledged {units.count(point.best.rate)} writes a second"
    if point.cost is None:
        return f"{made} and promises to lose none; it was not crashed here."
    return f"{made}, and {len(point.cost.loss.lost):,} power cuts took none of them."


def _gave_up(point: Point) -> str:
    assert point.cost is not None
    return (
        f"{_called(point)} acknowledged {units.count(point.best.rate)} writes a second, and a power cut took up to "
        f"{units.count(point.cost.at_risk_max)} of them: the last {units.seconds(point.cost.oldest_max_seconds)}."
    )


def _called(point: Point) -> str:
    # In brackets, since "durakv always acknowledged" would be another sentence.
    return f"{point.best.case.store} ({point.best.case.setting})"


@dataclass(frozen=True, slots=True)
class _Scale:
    """The axis of losses: a column for nothing, decades, and a column for what is not known."""

    low: int
    high: int
    unknown: bool

    @classmethod
    def of(cls, found: Sequence[Point]) -> _Scale:
        lost = [number for point in found if point.cost is not None for number in _costs_of(point.cost) if number > 0]
        low = math.floor(math.log10(min(lost))) if lost else 0
        high = math.ceil(math.log10(max(lost))) if lost else 1
        unknown = any(point.cost is None and not point.safe for point in found)
        return cls(min(low, high - 1), high, unknown)

    @property
    def decades(self) -> float:
        return _COLUMN + 0.25 + (self.high - self.low)

    @property
    def end(self) -> float:
        return self.decades + (_COLUMN if self.unknown else 0.3)

    def at(self, lost: float) -> float:
        return _COLUMN * 0.12 if lost <= 0 else _COLUMN + 0.25 + math.log10(max(lost, 10.0**self.low)) - self.low

    def of_point(self, point: Point) -> float:
        if point.cost is not None:
            return self.at(point.cost.at_risk_max)
        return self.at(0) if point.safe else self.decades + _COLUMN * 0.15

    def ticks(self) -> list[tuple[float, str]]:
        found = [(_COLUMN / 2, "nothing")]
        found += [(self.at(10.0**power), canvas.short(10.0**power)) for power in range(self.low, self.high + 1)]
        if self.unknown:
            found.append((self.decades + _COLUMN * 0.55, "not crashed here"))
        return found


def _costs_of(cost: Risk) -> tuple[float, float]:
    return (cost.at_risk_median, cost.at_risk_max)


def _mark(axes: Any, scale: _Scale, point: Point, taken: list[Box]) -> None:
    colour = OURS.light if point.ours else SOFT.light
    x, y = scale.of_point(point), point.best.rate
    if point.cost is not None and point.cost.at_risk_max:
        start = scale.at(point.cost.at_risk_median)
        axes.plot([start, x], [y, y], color=colour, linewidth=2, alpha=0.5, solid_capstyle="round", zorder=2)
        (left, middle), (right, _) = (axes.transData.transform((end, y)) for end in (start, x))
        taken.append(Box(left, middle - 3, right, middle + 3))
    face = colour if point.cost is not None else PAPER.light
    axes.plot(
        [x], [y], color=colour, marker="o", markersize=12 if point.ours else 8, markeredgewidth=1.6,
        markerfacecolor=face, zorder=3, clip_on=False,
    )  # fmt: skip
