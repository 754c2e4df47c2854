"""Waiting: of a caller for the disk, parked or to be called back, and of whoever let go of a lock to have it again."""

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


def lock_again(lock: threading.Lock) -> BaseException | None:
    """Take a lock that was let go of, whatever signal handlers raise meanwhile; return the first of it.

    What was begun under the lock has to be ended under it, and only then may be raised what this returns.
    """
    taken: list[bool] = []
    raised: BaseException | None = None
    while not taken:
        try:
            # A handler may raise while this waits, or just behind it, with the lock taken: the list tells, for it is
            # filled before any handler runs.
            taken.extend(map(lock.acquire, (True,)))
        except BaseException as failure:  # noqa: BLE001 - returned
            if raised is None:
                raised = failure
    return raised
