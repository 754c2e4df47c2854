"""Followers: those who wait while another thread does the work, and how they learn that it is done.

A waiter is parked on a lock of its own, or is called back.  Whoever finishes work wakes exactly those it served, and
one more to take the lead if there is more to do.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from durakv.background import TICK_SECONDS, Background
from durakv.commit import Commit
from durakv.durability import Durability
from durakv.waiting import Waiter, lock_again


class Followers:
    """What a runner is to those who wait for its commit pipeline.  Methods are called, and return, with ``lock``."""

    __slots__ = ("_background", "_ended", "_waiters", "commit", "lock")

    def __init__(self, commit: Commit, background: Callable[[], bool] | None) -> None:
        """``background`` is a piece of its work, if a thread is to do it."""
        self.commit = commit
        self.lock = threading.Lock()
        self._waiters: list[Waiter] = []
        self._ended = False
        """Everything taken has reached its level; whoever waits still, waits for nothing."""
        self._background = None if background is None else Background(background, self.lock)

    def call_when(self, seq: int, level: Durability, callback: Callable[[], None]) -> None:
        """Call back, from any thread, when ``seq`` has reached ``level`` or never will.  Called without the lock."""
        with self.lock:
            if not self.commit.reached(seq, level) and self.commit.poison is None:
                self._waiters.append(Waiter(seq, level, callback))
                self._call()
                return
        callback()

    def _wake(self) -> None:
        """Wake everybody who has what it waits for, and one more to take the lead if a role is free."""
        commit = self.commit
        ended = commit.poison is not None or self._ended
        waiting: list[Waiter] = []
        callbacks: list[Waiter] = []
        for waiter in self._waiters:
            if not ended and not commit.reached(waiter.seq, waiter.level):
                waiting.append(waiter)
            elif waiter.has_thread:
                waiter.wake()
            else:
                callbacks.append(waiter)
        self._waiters = waiting
        self._hand_over()
        if callbacks:
            # A callback may call the engine again, so it never runs with the lock held.
            self.lock.release()
            try:
                for waiter in callbacks:
                    waiter.wake()
            finally:
                raised = lock_again(self.lock)
                if raised is not None:
                    raise raised

    def _park(self, seq: int, level: Durability, timeout: float | None) -> None:
        waiter = Waiter(seq, level)
        self._waiters.append(waiter)
        woken = False
        self.lock.release()
        try:
            woken = waiter.park(timeout)
        finally:
            raised = lock_again(self.lock)
            if not woken or raised is not None:
                # Out of time, or a signal handler raised.  If it was given the lead just now, it must pass it on.
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                else:
                    self._hand_over()
            if raised is not None:
                raise raised

    def _park_for_role(self) -> None:
        """Wait until some work under way is finished, whatever it reached."""
        if not (self.commit.writing or self.commit.syncing or self.commit.supply.preparing):
            return
        self._park(0, Durability.APPLIED, TICK_SECONDS)

    def _hand_over(self) -> None:
        if self.commit.writing and self.commit.syncing:
            return
        for index, waiter in enumerate(self._waiters):
            if waiter.has_thread:
                del self._waiters[index]
                waiter.wake()
                return
        if self._waiters:
            self._call()

    def _call(self) -> None:
        if self._background is not None:
            self._background.call()

    def _unlocked(self, tell: Callable[[], None]) -> None:
        """Call it without the lock: a handler may be slow, or use this engine.  Called, and returns, with the lock."""
        self.lock.release()
        try:
            tell()
        finally:
            raised = lock_again(self.lock)
            if raised is not None:
                raise raised
