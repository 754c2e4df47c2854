"""What can go wrong with a call (F5), and plans for when it does.

A plan is any callable ``(operation) -> Fault | None``; it is asked once before each call, reads included.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Container
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from durakv_fuzz.trace import Kind, Operation


class AfterFailedSync(StrEnum):
    """What a failed sync does to the data it should have made durable."""

    KEPT = "kept"
    """Reads still show it, but its pages are marked clean: later syncs succeed and say nothing about it."""

    REVERTED = "reverted"
    """Reads show what was durable before; later syncs succeed."""

    STICKY = "sticky"
    """The data stays dirty and every later sync of the file fails the same way."""

    DIRTY = "dirty"
    """The data stays dirty and a later sync makes it durable: the disk was full when the write was accepted, say."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How one call misbehaves."""

    error: int = errno.EIO
    """The ``errno`` it fails with; 0 when it only takes long."""

    done: int = 0
    """How much takes effect before the error: that many bytes of a write; anything else whole, unless it is 0."""

    after: AfterFailedSync = AfterFailedSync.KEPT

    seconds: float = 0.0
    """How long the call takes, on the disk's clock."""


FaultPlan: TypeAlias = Callable[[Operation], Fault | None]


def fail_nth(
    count: int, fault: Fault, *, kinds: Container[Kind] | None = None, name: str | None = None, times: int = 1
) -> FaultPlan:
    """A plan that spares ``count`` calls of these kinds (to files of this name) and fails the next ``times``."""
    seen = 0

    def plan(operation: Operation) -> Fault | None:
        nonlocal seen
        if (kinds is not None and operation.kind not in kinds) or (name is not None and operation.name != name):
            return None
        seen += 1
        return fault if count < seen <= count + times else None

    return plan
