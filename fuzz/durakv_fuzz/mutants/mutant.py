"""What a mutant is: one behaviour of the engine, broken on purpose for as long as a context lasts.

A laboratory that finds nothing proves nothing unless it is seen to find what is there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

import durakv.keyspace.lane
import durakv.keyspace.store
import durakv.payload
import durakv_formats.frame
import durakv_formats.resp
import durakv_formats.runs


@dataclass(frozen=True, slots=True)
class Patch:
    """One attribute and what stands in its place."""

    owner: Any
    name: str
    replacement: Any


def _in_python() -> list[Patch]:
    """What is broken is written in Python: its compiled twin would go on being right."""
    return [
        Patch(durakv.keyspace.lane, "_make", None),
        Patch(durakv.payload, "plain_batch", None),
        Patch(durakv_formats.resp, "plain_batch", None),
        Patch(durakv_formats.frame, "plain_frame", None),
        Patch(durakv_formats.runs, "plain_run", None),
        Patch(durakv_formats.runs, "plain_columns", None),
        Patch(durakv.keyspace.store, "put_all", None),
        Patch(durakv.keyspace.store, "put_batch", None),
    ]


MakePatches: TypeAlias = Callable[[], list[Patch]]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break."""

    name: str
    what: str
    """What the engine does wrong, for people."""
    stands_for: str
    """The bug of the real world that it is like."""
    patches: MakePatches
    not_found_because: str = ""
    """Why no campaign finds it in a minute: an open question, told wherever the others are told as found."""

    @contextlib.contextmanager
    def applied(self) -> Generator[None]:
        """Break the engine while this lasts."""
        patches = [*_in_python(), *self.patches()]
        originals = [(patch, getattr(patch.owner, patch.name)) for patch in patches]
        try:
            for patch, _ in originals:
                setattr(patch.owner, patch.name, patch.replacement)
            yield
        finally:
            for patch, original in originals:
                setattr(patch.owner, patch.name, original)


class Mutants:
    """A list that functions add themselves to; each returns its patches, and its first line says what is wrong.

    @mutants("a project, and what happened to it; or a kind of bug that many had")
    def no_fsync_before_ack() -> list[Patch]: ...
    """

    def __init__(self) -> None:
        self.all: list[Mutant] = []

    def __call__(self, stands_for: str, *, not_found_because: str = "") -> Callable[[MakePatches], MakePatches]:
        """Add one; for use as a decorator."""

        def add(patches: MakePatches) -> MakePatches:
            assert patches.__doc__ is not None, "a mutant says what it does wrong"
            name = patches.__name__.replace("_", " ")
            what = patches.__doc__.strip().splitlines()[0]
            self.all.append(Mutant(name, what, stands_for, patches, not_found_because))
            return patches

        return add
