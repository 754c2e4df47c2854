"""Durable counters: once ``add`` has returned, a loss of power does not take what it added, under any policy.

The sum is decided and changed in memory under a lock, which no disk holds up; then each thread waits for the disk, and
those that wait at the same time share one fsync.
"""

import threading

import durakv


class DurableCounters:
    """Sums by name, for any number of threads.  One object at a time for a dict."""

    def __init__(self, sums: durakv.DurableDict[str, int]) -> None:
        """Go on with the sums that are in the dict."""
        self._sums = sums
        self._lock = threading.Lock()

    def add(self, name: str, amount: int = 1) -> int:
        """Add to a sum and return it, when it is on disk."""
        with self._lock:
            total = self._sums.get(name, 0) + amount
            self._sums.put(name, total, durability=durakv.Durability.APPLIED)
        self._sums.sync()
        return total

    def value(self, name: str) -> int:
        """The sum of now, which may have parts that are not on disk yet."""
        return self._sums.get(name, 0)
