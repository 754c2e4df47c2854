"""What a mutant is: one behaviour of the engine, broken on purpose for as long as a context lasts.

A laboratory that finds nothing proves nothing unless it is seen to find what is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Patch:
    """One attribute and what stands in its place."""

    owner: Any
    name: str
    replacement: Any


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break."""

    name: str
    what: str
    """What the engine does wrong, for people."""
    patches: Callable[[], list[Patch]]

    @contextlib.contextmanager
    def applied(self) -> Generator[None]:
        """Break the engine while this lasts."""
        originals = [(patch, getattr(patch.owner, patch.name)) for patch in self.patches()]
        try:
            for patch, _ in originals:
                setattr(patch.owner, patch.name, patch.replacement)
            yield
        finally:
            for patch, original in originals:
                setattr(patch.owner, patch.name, original)


class Mutants:
    """A list that functions add themselves to; each returns its patches, and its first line says what is wrong."""

    def __init__(self) -> None:
        self.all: list[Mutant] = []

    def __call__(self, patches: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
        """Add one; for use as a decorator."""
        assert patches.__doc__ is not None, "a mutant says what it does wrong"
        name = patches.__name__.replace("_", " ")
        self.all.append(Mutant(name, patches.__doc__.strip().splitlines()[0], patches))
        return patches
