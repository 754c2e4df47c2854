"""The background thread: it asks for one bounded piece of work after another, and sleeps while there is none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from durakv import journal
from durakv.errors import DurakvError

TICK_SECONDS = 0.05
"""How often the background thread looks for due work without being called, in seconds."""


class Task(Protocol):
    """Background work besides the pipeline's own."""

    def step(self) -> bool:
        """Do one bounded piece of work if any is due; return whether there was any."""
        ...


class Background:
    """One thread, which ends with the process or when it is told to."""

    __slots__ = ("_called", "_ending", "_failure", "_idle", "_lock", "_step", "_thread")

    def __init__(self, step: Callable[[], bool], lock: threading.Lock) -> None:
        """``step`` does a piece of work, if any is due, and says whether it did; it is called without ``lock``."""
        self._step = step
        self._lock = lock
        self._called = threading.Event()
        self._idle = False
        self._ending = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="durakv", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def call(self) -> None:
        """There is work now; called with the lock."""
        if self._idle:
            self._idle = False
            self._called.set()

    def end(self) -> None:
        """Begin no other piece, and complain of nothing any more; called with the lock."""
        self._ending = True
        self._called.set()

    def disband(self) -> None:
        """``end``, for whoever cannot take the lock."""
        self._ending = True

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the piece under way, unless this is called from it; False if it is not at its end in time."""
        if self._thread is threading.current_thread():
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._ending:
            try:
                busy = self._step()
            except Exception as failure:  # noqa: BLE001 - a task's mistake must not end what the policy owes
                self._tell(failure)
                busy = False
            if not busy:
                with self._lock:
                    self._idle = True
                self._called.wait(TICK_SECONDS)
                self._called.clear()
        del self._step  # it is its owner's, which would be garbage of a circle

    def _tell(self, failure: Exception) -> None:
        """Log what went wrong in the background, once and not twenty times a second (C13)."""
        told, self._failure = self._failure, failure
        if not self._ending and repr(told) != repr(failure):
            expected = isinstance(failure, DurakvError)
            journal.warning(
                "in the background: %s", failure, failure=None if expected else failure, event="task_failed"
            )
