"""The requests that wait: in the store, or in memory if they cannot be stored."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.utils.misc import build_from_crawler, load_object

from durakv.adapters._scrapy_jobs import JobStore
from durakv.adapters._scrapy_queue import StoredRequests

logger = logging.getLogger("durakv.adapters.scrapy")


class Kept(NamedTuple):
    """What is to be written when a request that the engine has is done."""

    number: int | None = None
    """Its number in the store, or None for one that was in memory only; then the fingerprints are to be added."""
    seen: bytes | None = None
    start: bytes | None = None


class Pending:
    """Both queues; those in memory come first, as in Scrapy's scheduler."""

    def __init__(self, crawler: Crawler, store: JobStore) -> None:
        """Line up what is stored; raises what ``StoredRequests`` raises."""
        self._crawler = crawler
        self._stored = StoredRequests(crawler, store)
        self._memory = _memory_queue(crawler)
        self._kept: dict[Request, Kept] = {}
        self._warned = False

    def __len__(self) -> int:
        return len(self._stored) + len(self._memory)

    @property
    def in_memory(self) -> int:
        """How many of them no crash and no stop would leave."""
        return len(self._memory)

    def push(self, request: Request, kept: Kept) -> bool:
        """Add a request; return whether it is stored.  Raises the store's errors, and then nothing was added."""
        try:
            self._stored.push(request, seen=kept.seen, start=kept.start)
        except ValueError as error:
            self._tell(request, error)
            self._memory.push(request)
            self._kept[request] = kept
            return False
        return True

    def pop(self) -> tuple[Request, Kept] | None:
        """The next request, and what is to be written when it is done; or None."""
        request: Request | None = self._memory.pop()
        if request is not None:
            return request, self._kept.pop(request, Kept())
        taken = self._stored.pop()
        return None if taken is None else (taken.request, Kept(taken.number))

    def _tell(self, request: Request, error: ValueError) -> None:
        self._crawler.stats.inc_value("scheduler/unserializable")
        if not self._warned:
            self._warned = True
            logger.warning(
                "Unable to serialize request: %s - reason: %s - it waits in memory and does not survive a stop or a "
                "crash; no more such requests will be logged (stats being collected)",
                request,
                error,
                exc_info=self._crawler.settings.getbool("SCHEDULER_DEBUG"),
                extra={"spider": self._crawler.spider},
            )


def _memory_queue(crawler: Crawler) -> Any:
    settings = crawler.settings
    start = settings["SCHEDULER_START_MEMORY_QUEUE"]
    return build_from_crawler(
        load_object(settings["SCHEDULER_PRIORITY_QUEUE"]),
        crawler,
        downstream_queue_cls=load_object(settings["SCHEDULER_MEMORY_QUEUE"]),
        key="",
        start_queue_cls=load_object(start) if start else None,
    )
