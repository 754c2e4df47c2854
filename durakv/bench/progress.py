"""How a run tells where it is, and how the parts of the bench room that need extra packages are reached."""

from __future__ import annotations

import importlib
from typing import Any, Protocol


class Progress(Protocol):
    """Who is told."""

    def stage(self, title: str, /) -> None:
        """A stage begins."""
        ...

    def step(self, what: str, part: float, /) -> None:
        """This is done now; that part of the stage, from 0 to 1, is behind it."""
        ...


class Silent:
    """Nobody is told."""

    def stage(self, title: str, /) -> None:
        """See :class:`Progress`."""

    def step(self, what: str, part: float, /) -> None:
        """See :class:`Progress`."""


def room(name: str) -> Any:
    """A module of this package, imported now: what it needs may not be installed, or not be needed for this run."""
    return importlib.import_module(f"durakv.bench.{name}")
