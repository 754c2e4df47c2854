"""The order of the stored requests: Scrapy's own priority queue, over queues that hold numbers only.

The priority queue is the one that ``SCHEDULER_PRIORITY_QUEUE`` names, so priorities, download slots and the place of
start requests are Scrapy's.  It is rebuilt from the store at every open, and nothing of it is written.
"""

from __future__ import annotations

from collections import deque
from typing import Any, NamedTuple

from queuelib import queue
from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.utils.misc import build_from_crawler, load_object
from scrapy.utils.request import request_from_dict

from durakv.adapters._scrapy_jobs import JobStore
from durakv.adapters._scrapy_payload import decode, encode

_LIFO = (queue.LifoDiskQueue, queue.LifoSQLiteQueue, queue.LifoMemoryQueue)
_FIFO = (queue.FifoDiskQueue, queue.FifoSQLiteQueue, queue.FifoMemoryQueue)


class Taken(NamedTuple):
    """A request that was popped, and its number in the store."""

    request: Request
    number: int


class StoredRequests:
    """The requests of a store, in the order in which Scrapy would crawl them."""

    def __init__(self, crawler: Crawler, store: JobStore) -> None:
        """Bring the store's requests into order, those in flight to the front of their queues; writes nothing.

        Raises ``ValueError`` if a request cannot be made again: its callback or class is gone.
        """
        self._spider = crawler.spider
        self._store = store
        self._to_front = False
        self._numbers: dict[Request, int] = {}
        start_order = crawler.settings["SCHEDULER_START_DISK_QUEUE"]
        self._queue: Any = build_from_crawler(
            load_object(crawler.settings["SCHEDULER_PRIORITY_QUEUE"]),
            crawler,
            downstream_queue_cls=_Queues(self, crawler.settings["SCHEDULER_DISK_QUEUE"]),
            key="",
            start_queue_cls=_Queues(self, start_order) if start_order else None,
        )
        for number in store.waiting:
            self._queue.push(self.read(number))
        self._to_front = True
        for number in reversed(store.in_flight):
            self._queue.push(self.read(number))
        self._to_front = False

    def __len__(self) -> int:
        return len(self._queue)

    def push(self, request: Request, *, seen: bytes | None, start: bytes | None) -> None:
        """Store the request and line it up.  ``ValueError``, and nothing was stored, if it cannot be stored.

        Any other error is the store's: nothing is known to be stored then.
        """
        number = self._store.enqueue(encode(request.to_dict(spider=self._spider)), seen=seen, start=start)
        self._numbers[request] = number
        try:
            self._queue.push(request)
        except BaseException:
            # It has no place in the order (a URL that cannot be parsed, for one): it must not come back as a request
            # that can never be lined up, nor be seen and nowhere.
            self._numbers.pop(request, None)
            self._store.withdraw(number, seen=seen, start=start)
            raise

    def pop(self) -> Taken | None:
        """The next request, which stays in the store; or None."""
        request = self._queue.pop()
        return None if request is None else Taken(request, self._numbers.pop(request))

    def read(self, number: int) -> Request:
        """The request of that number, made from what is stored."""
        stored = self._store.request(number)
        try:
            request = request_from_dict(decode(stored), spider=self._spider)
        except Exception as error:
            error.add_note(
                f"request {number} of the job cannot be made again, and nothing was changed: give the spider back what "
                "it names, or crawl with another JOBDIR"
            )
            raise
        self._numbers[request] = number
        return request

    def line_up(self, numbers: deque[int], request: Request, fifo: bool) -> None:
        """Put the request's number where its queue's order wants it."""
        number = self._numbers.pop(request)
        if fifo and self._to_front:
            numbers.appendleft(number)
        else:
            numbers.append(number)


class _Queues:
    """What a priority queue makes its queues with: in the place of a class, since these share one store."""

    def __init__(self, requests: StoredRequests, order: Any) -> None:
        self._requests = requests
        self._fifo = _is_fifo(order)

    def from_crawler(self, crawler: Crawler, key: str) -> _Numbers:
        """An empty queue; the key would be the place of its file."""
        return _Numbers(self._requests, self._fifo)


class _Numbers:
    """One queue of one priority: the numbers of requests in the order of their arrival."""

    def __init__(self, requests: StoredRequests, fifo: bool) -> None:
        self._requests = requests
        self._fifo = fifo
        self._numbers: deque[int] = deque()

    def push(self, request: Request) -> None:
        self._requests.line_up(self._numbers, request, self._fifo)

    def pop(self) -> Request | None:
        if not self._numbers:
            return None
        return self._requests.read(self._numbers.popleft() if self._fifo else self._numbers.pop())

    def close(self) -> None:
        """Nothing of it is written."""

    def __len__(self) -> int:
        return len(self._numbers)


def _is_fifo(order: Any) -> bool:
    """Whether a queue class of Scrapy's settings is first in, first out; ``ValueError`` if that cannot be told."""
    kind = load_object(order)
    if isinstance(kind, type) and issubclass(kind, _LIFO):  # first: queuelib derives stacks from queues
        return False
    if isinstance(kind, type) and issubclass(kind, _FIFO):
        return True
    raise ValueError(
        f"{order!r} is no queue of scrapy.squeues: durakv keeps the requests itself, and takes only the order from "
        "SCHEDULER_DISK_QUEUE and SCHEDULER_START_DISK_QUEUE; name one of the Lifo or Fifo queues there"
    )
