"""Time comes in from outside, so that a test can set it and a replay repeat it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """The two clocks an engine needs."""

    def monotonic(self) -> float:
        """Seconds that never go back; for ages and deadlines inside one process."""
        ...

    def time_ms(self) -> int:
        """Unix time in milliseconds; for expiry deadlines, which outlive the process."""
        ...


class SystemClock:
    """The machine's clocks."""

    # The function itself and not a wrapper: it is called for every write.
    monotonic = staticmethod(time.monotonic)

    def time_ms(self) -> int:
        """See :class:`Clock`."""
        return time.time_ns() // 1_000_000


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, *, monotonic: float = 0.0, time_ms: int = 1_700_000_000_000) -> None:
        self._monotonic = monotonic
        self._time_ms = time_ms

    def advance(self, seconds: float) -> None:
        """Move both clocks forward."""
        self._monotonic += seconds
        self._time_ms += round(seconds * 1000)

    def monotonic(self) -> float:
        """See :class:`Clock`."""
        return self._monotonic

    def time_ms(self) -> int:
        """See :class:`Clock`."""
        return self._time_ms
