"""Loading the slots that nobody asked for yet: a background task of an engine that was opened lazily."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from durakv.machine import Batch, DeferringMachine
from durakv.snapshot.lazy import LazyBase

STEP_BYTES = 128 << 10
"""A step ends once it has read this much, about a millisecond's work."""

STEP_SLOTS = 64
"""Or after this many slots, however little is in them."""


class Writes(Protocol):
    """What loading asks of whoever takes the writes: the runner."""

    @property
    def lock(self) -> threading.Lock:
        """Held while a batch is applied."""
        ...

    def prepare_by(self, prepare: Callable[[Batch], None] | None, /) -> None:
        """Call this with every batch before it is logged; None for nothing."""
        ...


class Loading:
    """Loads slot after slot, then lets the machine forget that any was missing, and closes the base.

    Slots are loaded without the engine's lock, so a writer waits only for a slot that it needs itself.  After damage it
    does nothing more: the engine takes no writes, and readers load what they need.
    """

    def __init__(self, base: LazyBase, machine: DeferringMachine, writes: Writes) -> None:
        self._base = base
        self._machine = machine
        self._writes = writes
        self._done = False

    def step(self) -> bool:
        """Load some slots if there are any; return whether there is more to do."""
        base = self._base
        if self._done or base.damage is not None:
            return False
        size = 0
        for _ in range(STEP_SLOTS):
            slot = base.next_slot()
            if slot is None:
                with self._writes.lock:
                    self._machine.settle()
                self._writes.prepare_by(None)
                base.close()
                self._done = True
                return False
            size += base.load(slot)
            if size >= STEP_BYTES:
                break
        return True
