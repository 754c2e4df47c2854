"""A durable queue: an item is gone when the work on it is done, and not before.

Once ``put`` has returned, an item survives what its dict's policy survives.  Taking it stores nothing, it is only given
to nobody else in this life; after a crash all that was not acknowledged is given out again.  So every item is worked on
at least once, and work that is done twice must do no harm.
"""

import itertools
import queue
from typing import Generic, TypeVar

import durakv

T = TypeVar("T")


class DurableQueue(Generic[T]):
    """First in, first out, for any number of threads.  One queue at a time for a dict."""

    def __init__(self, items: durakv.DurableDict[int, T]) -> None:
        """Go on with what an earlier life left in the dict."""
        left = sorted(items)
        self._items = items
        self._numbers = itertools.count(left[-1] + 1 if left else 0)
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in left:
            self._waiting.put(number)

    def put(self, item: T) -> int:
        """Add an item; return its number when it is stored."""
        number = next(self._numbers)
        self._items[number] = item
        self._waiting.put(number)
        return number

    def take(self, timeout: float | None = None) -> tuple[int, T]:
        """The next item with its number, waiting for one; raises queue.Empty when there was none in time."""
        number = self._waiting.get(timeout=timeout)
        return number, self._items[number]

    def acknowledge(self, number: int) -> None:
        """The work on it is done: when this returns, it never comes back."""
        del self._items[number]

    def __len__(self) -> int:
        """How many are not acknowledged."""
        return len(self._items)
