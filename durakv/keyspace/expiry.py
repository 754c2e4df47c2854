"""Active expiry: keys that have expired are deleted, and the deletions logged, without anybody asking for them.

Expiry itself needs no deletion, since readers judge by the deadline.  This gives the memory back and keeps the log's
idea of the state and the readers' the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from durakv.durability import Durability
from durakv.keyspace.decider import Decider

INTERVAL_MS = 50
"""How long to wait after a slice that found nothing."""


class Transacting(Protocol):
    """The part of an engine that expiry needs."""

    def transact(self, decide: Callable[[], tuple[Any, bool]], durability: Durability | None = None) -> bool:
        """See :meth:`durakv.engine.Engine.transact`."""
        ...


class Expiry:
    """A background task of an engine: one bounded slice a step."""

    def __init__(self, engine: Transacting, decider: Decider) -> None:
        self._engine = engine
        self._decider = decider
        self._next_ms = 0

    def step(self) -> bool:
        """Delete some expired keys if it is time to look; return whether any were found."""
        now_ms = self._decider.clock.time_ms()
        if self._next_ms - INTERVAL_MS <= now_ms < self._next_ms:
            return False
        # A deletion that a crash takes back is decided again after it: the deadline is in the log.
        found = self._engine.transact(self._decider.expiry, Durability.APPLIED)
        if not found:
            self._next_ms = now_ms + INTERVAL_MS
        return found
