"""A program under test: how to make it work, how to read back, and what it promises.

The store is always the same: numbers from 0, in order, each with a value of its own.  A driver writes number after
number and says what it was told; a checker says which numbers are there.  So no oracle needs to know the program.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Promise(StrEnum):
    """What the program's documents say of one of its settings, for a power cut."""

    ALWAYS = "always"
    """What was acknowledged survives, and what survives is a prefix of what was issued."""

    WINDOW = "window"
    """What survives is a prefix, and whatever was acknowledged earlier than some seconds before survives."""

    PREFIX = "prefix"
    """What survives is a prefix, with at least what a sync was said to have made durable."""

    SYNCED = "synced"
    """What a sync was said to have made durable survives; of the rest anything, but no wrong value."""

    NONE = "none"
    """Nothing is promised: what is seen is told, and breaks no promise."""


class Teller(Protocol):
    """Whom a driver tells; may be used in any process that the driver forks."""

    def issued(self, number: int) -> None:
        """The program is about to be asked to keep this number."""
        ...

    def acked(self, number: int) -> None:
        """The program said that it has it.  Told after the answer came, never before."""
        ...

    def synced(self, number: int) -> None:
        """The program said that everything up to this number, with it, is durable."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What was there after a start."""

    numbers: frozenset[int] = frozenset()
    """Those whose value is right."""

    wrong: tuple[str, ...] = ()
    """What is there and was never written: a value of another number, half a value, a name that means nothing."""

    refusal: str = ""
    """Why it did not start, in its own words; empty if it did."""

    needed_repair: bool = False
    """Whether it started only after the repair that its makers ship."""


class Subject(Protocol):
    """A program with one setting.  Each call has a process of its own, which is killed when it takes too long."""

    name: str
    """As ``sqlite`` or ``redis-server``."""

    setting: str
    """As ``delete+full``."""

    promise: Promise

    documented: str
    """What its documents promise, quoted, with the place."""

    window_seconds: float
    """For ``Promise.WINDOW``."""

    def missing(self) -> str:
        """Why it cannot be run here, in one line; empty if it can."""
        ...

    def versions(self) -> Mapping[str, str]:
        """Of the program and of what it stands on."""
        ...

    def prepare(self, directory: Path) -> None:
        """Make an empty store in the empty directory; all of it is taken for durable afterwards."""
        ...

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        """Open the store, or make it, write these numbers, telling of each, and close it or not."""
        ...

    def check(self, directory: Path) -> Found:
        """Start on what is there, read everything through the program's own interface, and stop."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run of a subject is to be."""

    count: int = 60
    """How many numbers are written."""

    prepared: bool = True
    """Whether the store is made beforehand and durable, so that its creation is not what is tested."""

    sync_seconds: float = 0.0
    """How long each sync takes on the recorded disk; what happens meanwhile is not covered by it."""

    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def value_of(number: int) -> bytes:
    """The value that belongs to a number: its digits many times over, so that half of it is no value of another."""
    return (b"%010d." % number) * (4 + number % 23)
