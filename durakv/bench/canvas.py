"""Drawings that look the same each time, and are read on light and on dark paper.

A drawing is a transparent SVG whose colours are variables: a page or a viewer in dark mode shows the dark ones.  They
are told apart by the colour-blind too, and a line is never known by its colour alone.
"""

from __future__ import annotations

import functools
import io
import itertools
import re
from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple, TypeVar

from durakv.bench.labels import Box, column, place

Drawn = TypeVar("Drawn")
Drawing = TypeVar("Drawing")

_WIDTH_INCHES = 10.0
_COLUMN_GAP = 26.0
"""Between the axes and a column of labels beside them, for the lines that lead there."""
_EDGE = 6.0
"""Between such a column and the edge of the drawing."""
_POINTS_PER_INCH = 72
"""Drawn at one pixel a point, so that sizes of text are the same numbers in both."""


class Colour(NamedTuple):
    """One colour by its name, and what it is on light and on dark paper."""

    name: str
    light: str
    dark: str


INK = Colour("ink", "#1c2430", "#e4e8ee")
SOFT = Colour("soft", "#667080", "#98a2b1")
LINE = Colour("line", "#dde2e8", "#323a45")
FAINT = Colour("faint", "#b4bdc8", "#667283")
PAPER = Colour("paper", "#ffffff", "#14181e")
BAND = Colour("band", "#eef6f1", "#17251f")
OURS = Colour("ours", "#0b62b8", "#5bb4f5")
_OTHERS = (
    Colour("other-1", "#c4500a", "#ff9152"),
    Colour("other-2", "#0c7d5b", "#3ecf9f"),
    Colour("other-3", "#a2457f", "#ea9bc9"),
    Colour("other-4", "#86690a", "#e3c64b"),
    Colour("other-5", "#5a5f9e", "#a9aef0"),
    Colour("other-6", "#4a5563", "#b7c0cc"),
    Colour("other-7", "#0f7f91", "#56cfe0"),
)
_COLOURS = (INK, SOFT, LINE, FAINT, PAPER, BAND, OURS, *_OTHERS)
_MARKERS = ("s", "^", "D", "v", "P", "X", "p", "h")
_DASHES: Sequence[Any] = ("-", (0, (6, 2)), (0, (2, 2)), (0, (7, 2, 1, 2)))


class Look(NamedTuple):
    """How the marks of one store are drawn."""

    colour: str
    marker: str
    dashes: Any
    width: float


def looks(names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Look]:
    """A look for each store and setting (or other second name): a colour for a store, dashes for its settings."""
    stores = list(dict.fromkeys(store for store, _ in names if store != "durakv"))
    found: dict[tuple[str, str], Look] = {}
    for store in dict.fromkeys(store for store, _ in names):
        ours = store == "durakv"
        number = 0 if ours else stores.index(store)
        colour = OURS if ours else _OTHERS[number % len(_OTHERS)]
        marker = "o" if ours else _MARKERS[number % len(_MARKERS)]
        settings = dict.fromkeys(setting for name, setting in names if name == store)
        for index, setting in enumerate(settings):
            found[store, setting] = Look(colour.light, marker, _DASHES[index % len(_DASHES)], 2.4 if ours else 1.4)
    return found


# matplotlib says of few of its methods what they take and give, so its objects are Any here and nowhere else typed.


def drawn(draw: Callable[[Drawn], Drawing]) -> Callable[[Drawn], Drawing]:
    """Draw with matplotlib's own settings and ours, whatever its user has set; and no text is taken for mathematics."""

    @functools.wraps(draw)
    def with_settings(report: Drawn) -> Drawing:
        from matplotlib import style

        context: Any = style.context
        ours = {"svg.hashsalt": "durakv", "svg.fonttype": "none", "text.parse_math": False}
        with context(["default", ours]):
            return draw(report)

    return with_settings


def figure(
    height_inches: float, rows: int = 1, columns: int = 1, *, heights: Sequence[float] | None = None, **grid: float
) -> tuple[Any, list[Any]]:
    """A transparent figure and its axes, row by row.

    ``heights`` are those of the rows, in proportion; ``grid``: margins, as ``Figure.subplots_adjust`` takes them.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made: Any = Figure(figsize=(_WIDTH_INCHES, height_inches), dpi=_POINTS_PER_INCH)
    FigureCanvasAgg(made)
    made.patch.set_alpha(0)
    axes: list[Any] = list(made.subplots(rows, columns, squeeze=False, height_ratios=heights).flat)
    made.subplots_adjust(**grid)
    for one in axes:
        one.patch.set_alpha(0)
        one.spines[["top", "right"]].set_visible(False)
        one.spines[["left", "bottom"]].set_color(LINE.light)
        one.tick_params(which="both", colors=SOFT.light, labelsize=11, length=0, pad=5)
        one.grid(True, color=LINE.light, linewidth=0.8)
        one.set_axisbelow(True)
    return made, axes


def titles(axes: Any, *, x: str = "", y: str = "", title: str = "") -> None:
    """Name the axes; ``y`` stands level above its axis, where it is read without turning the head."""
    axes.set_xlabel(x, color=SOFT.light, fontsize=11, labelpad=8)
    over = title if not y else f"{title}\n{y}" if title else y
    axes.set_title(over, loc="left", color=INK.light if title else SOFT.light, fontsize=11, pad=10)


def short(value: float, _position: object = None) -> str:
    """A tick's number: 1k, 10M."""
    for limit, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:g}{suffix}"
    return f"{value:g}"


def percent(value: float, _position: object = None) -> str:
    """A tick's part of the whole."""
    return f"{value:.0%}"


def short_us(value: float, _position: object = None) -> str:
    """A tick's microseconds: 10 us, 1 ms."""
    for limit, unit in ((1e6, "s"), (1e3, "ms")):
        if value >= limit:
            return f"{value / limit:g} {unit}"
    return f"{value:g} us"


class Label(NamedTuple):
    """Words for a point of the data."""

    x: float
    y: float
    text: str
    colour: str
    bold: bool = False


def label(axes: Any, labels: Sequence[Label], *, taken: Sequence[Box] = (), rightwards: bool = False) -> None:
    """Write each label beside its point, the first ones nearest, none over another; a thin line leads far ones home.

    ``taken`` is in pixels; ``rightwards``: only to the right of the points, where the axes' limits have left room.
    """
    _settle(axes)
    made = axes.figure
    renderer = made.canvas.get_renderer()
    texts = [
        axes.text(
            one.x, one.y, one.text, color=one.colour, fontsize=11, fontweight=_weight(one), va="center", ha="left"
        )
        for one in labels
    ]  # fmt: skip
    sizes = [(extent.width, extent.height) for text in texts for extent in [text.get_window_extent(renderer)]]
    anchors = [tuple(axes.transData.transform((one.x, one.y))) for one in labels]
    room = made.bbox if rightwards else axes.bbox
    boxes = place(anchors, sizes, Box(room.x0, axes.bbox.y0, room.x1, axes.bbox.y1), taken=taken, rightwards=rightwards)
    back = axes.transData.inverted()
    for one, text, anchor, box in zip(labels, texts, anchors, boxes, strict=True):
        text.set_position(back.transform((box.left, (box.bottom + box.top) / 2)))
        end = (min(max(anchor[0], box.left - 3), box.right + 3), (box.bottom + box.top) / 2)
        if abs(end[1] - anchor[1]) > 0.75 * (box.top - box.bottom) or abs(end[0] - anchor[0]) > 20:
            xs, ys = zip(*(back.transform(point) for point in (anchor, end)), strict=True)
            axes.plot(xs, ys, color=one.colour, linewidth=0.6, alpha=0.6, zorder=1, scalex=False, scaley=False)


def leave_room(made: Any, labels: Sequence[Label], *, least: float) -> None:
    """End the axes where labels beside them fit, but leave them at least that part of the figure's width."""
    renderer = made.canvas.get_renderer()
    texts = [made.text(0, 0, one.text, fontsize=11, fontweight=_weight(one)) for one in labels]
    widest = max((text.get_window_extent(renderer).width for text in texts), default=0.0)
    for text in texts:
        text.remove()
    made.subplots_adjust(right=max(least, 1 - (widest + _COLUMN_GAP + _EDGE) / made.bbox.width))


def label_column(axes: Any, labels: Sequence[Label]) -> None:
    """Write the labels under each other to the right of the axes, in the order of their points, a line to each.

    None lies over another while the axes are as high as all of them.
    """
    _settle(axes)
    renderer = axes.figure.canvas.get_renderer()
    left = axes.bbox.x1 + _COLUMN_GAP
    anchors = [tuple(axes.transData.transform((one.x, one.y))) for one in labels]
    texts = [
        axes.text(0, 0, one.text, color=one.colour, fontsize=11, fontweight=_weight(one), va="center", ha="left")
        for one in labels
    ]
    heights = [text.get_window_extent(renderer).height + 1 for text in texts]
    middles = column([y for _, y in anchors], heights, axes.bbox.y0, axes.bbox.y1)
    back = axes.transData.inverted()
    for one, text, (x, y), middle in zip(labels, texts, anchors, middles, strict=True):
        text.set_position(back.transform((left, middle)))
        # Level up to the edge and then aside, so that a leader crosses as few curves as it can.
        bends = [(x + 6, y), (max(x + 6, axes.bbox.x1), y), (left - 4, middle)]
        xs, ys = zip(*(back.transform(bend) for bend in bends), strict=True)
        axes.plot(xs, ys, color=one.colour, linewidth=0.8, alpha=0.6, linestyle=(0, (1, 2)), zorder=2, clip_on=False,
                  scalex=False, scaley=False)  # fmt: skip


def along(axes: Any, lines: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[Box]:
    """The pixels that lines cover, as boxes that labels keep clear of."""
    _settle(axes)
    boxes: list[Box] = []
    for xs, ys in lines:
        ends = [axes.transData.transform(point) for point in zip(xs, ys, strict=True)]
        for (x0, y0), (x1, y1) in itertools.pairwise(ends):
            # A slanted piece covers little of the box around it, so it is covered with many small ones.
            steps = 1 + int(max(abs(x1 - x0), abs(y1 - y0)) / 8)
            middles = [(step + 0.5) / steps for step in range(steps)]
            boxes += [_square(x0 + (x1 - x0) * part, y0 + (y1 - y0) * part, 5) for part in middles]
    return boxes


def _weight(one: Label) -> str:
    return "bold" if one.bold else "normal"


def _square(x: float, y: float, half: float) -> Box:
    return Box(x - half, y - half, x + half, y + half)


def svg(made: Any, name: str, spoken: str) -> str:
    """The figure as an SVG that may stand alone or in a page; ``name`` keeps its ids from those of other figures."""
    out = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    made.savefig(out, format="svg", metadata=metadata, transparent=True)
    text = out.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'(id="|href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r"font: ([^;\"]*?)px '[^;\"]*", r"font: \1px system-ui, 'DejaVu Sans', sans-serif", text)
    for colour in _COLOURS:
        text = text.replace(colour.light, f"var(--plot-{colour.name})")
    head = f'<svg class="plot" role="img" aria-label="{escape(spoken, quote=True)}" '
    return head + text[len("<svg ") :].replace(">", f"><style>{_style()}</style>", 1)


def png(made: Any) -> bytes:
    """The figure on white paper."""
    out = io.BytesIO()
    made.savefig(out, format="png", dpi=2 * _POINTS_PER_INCH, facecolor=PAPER.light, metadata={"Software": None})
    return out.getvalue()


def _settle(axes: Any) -> None:
    # Limits are settled when they are asked for; until then places in pixels are those of an empty plot.
    axes.get_xlim()
    axes.get_ylim()


def _style() -> str:
    light = "".join(f"--plot-{colour.name}:{colour.light};" for colour in _COLOURS)
    dark = "".join(f"--plot-{colour.name}:{colour.dark};" for colour in _COLOURS)
    return f"svg.plot{{{light}}}@media (prefers-color-scheme:dark){{svg.plot{{{dark}}}}}"
