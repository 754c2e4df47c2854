"""A table as plain data: what is in it, and which of it matters; not how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Tone(StrEnum):
    """What a cell says beyond its text."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    SOFT = "soft"


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Column:
    """A column; on a terminal narrower than ``columns_min`` it is left out, since it says the least."""

    head: str
    number: bool = True
    columns_min: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """A line across the columns: a heading of the rows below, or without a title a remark on what is above."""

    title: str
    about: str = ""
    ours: bool = False
    """Whether it is durakv itself."""


Row = Sequence[str | Cell]


@dataclass(frozen=True, slots=True)
class Table:
    """A titled table; ``note`` says in plain words what its columns mean."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row | Group]
    note: str = ""
