"""Litmus tests of a few operations, with their traces written by hand; no file system is needed for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from durakv_fuzz.calibration.allowed import MARK
from durakv_fuzz.calibration.litmus import Litmus
from durakv_fuzz.trace import Kind, Operation, Trace
from durakv_fuzz.tree import EMPTY, Tree

DATA = b"data"


def _nothing(directory: Path, mark: object) -> None:
    raise AssertionError(f"{directory}: its trace is written by hand")


NEW_FILE = Litmus("new file", "Is it kept?", {}, {"new": DATA}, ("a",), "new", _nothing)


def trace_of(*steps: Sequence[Operation], base: Tree = EMPTY) -> Trace:
    """A trace of these operations, with a mark before and after each step."""
    trace = Trace(base)
    trace.note(MARK, "prepared")
    for operations in steps:
        for operation in operations:
            trace.start(operation)
            trace.end(operation)
        trace.note(MARK, "a step")
    return trace


def new_file(*syncs: Kind) -> Trace:
    """``a`` is created and written, and these syncs follow; and then nothing, for another file's sync."""
    operations = [
        Operation(Kind.CREATE, "a", file=1),
        Operation(Kind.WRITE, "a", file=1, data=DATA, size=len(DATA)),
        *(Operation(kind, "a", file=1) if kind is Kind.SYNC else Operation(kind) for kind in syncs),
    ]
    return trace_of(operations, [])
