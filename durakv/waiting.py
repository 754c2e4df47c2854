"""A caller that waits for the disk: parked in its own thread, or to be called back."""

from __future__ import annotations

import threading
from collections.abc import Callable

from durakv.durability import Durability


class Waiter:
    """A caller that waits for a number to reach a level, parked on a lock of its own."""

    __slots__ = ("_callback", "_parking", "level", "seq")

    def __init__(self, seq: int, level: Durability, callback: Callable[[], None] | None = None) -> None:
        self.seq = seq
        self.level = level
        self._callback = callback
        self._parking = threading.Lock()
        self._parking.acquire()

    @property
    def has_thread(self) -> bool:
        """Whether a thread is parked here that could take over the lead."""
        return self._callback is None

    def park(self, timeout: float | None) -> bool:
        """Wait to be woken; False when the time ran out."""
        return self._parking.acquire(timeout=-1 if timeout is None else max(0.0, timeout))

    def wake(self) -> None:
        """Let the caller go on; once."""
        if self._callback is not None:
            self._callback()
        else:
            self._parking.release()
