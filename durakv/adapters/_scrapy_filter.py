"""The duplicate filter of a crawl whose seen set is in the scheduler's store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scrapy import Request
from scrapy.crawler import Crawler
from scrapy.dupefilters import RFPDupeFilter
from scrapy.utils.job import job_dir

from durakv.adapters._scrapy_jobs import JobStore

if TYPE_CHECKING:
    from typing import Self


class DurakvDupeFilter(RFPDupeFilter):
    """The duplicate filter of a ``DurakvScheduler``, which gives it the store; it has none of its own.

    The scheduler asks ``is_seen`` and adds the fingerprint in the batch that enqueues the request.  ``request_seen`` is
    for others who ask: it adds the fingerprint by itself, as Scrapy's filters do.
    """

    def __init__(self, debug: bool = False, *, fingerprinter: Any = None) -> None:
        super().__init__(None, debug, fingerprinter=fingerprinter)
        self._store: JobStore | None = None
        self._in_memory: set[bytes] = set()
        self._homeless = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Self:
        debug = crawler.settings.getbool("DUPEFILTER_DEBUG")
        self = cls(debug, fingerprinter=crawler.request_fingerprinter)
        self._homeless = bool(job_dir(crawler.settings))
        return self

    def use(self, store: JobStore) -> None:
        """Look into this store from now on."""
        self._store = store
        self._homeless = False

    def open(self) -> None:
        if self._homeless:
            raise ValueError(
                "DUPEFILTER_CLASS is DurakvDupeFilter and SCHEDULER is not DurakvScheduler: only together are they one "
                "job. Set SCHEDULER = 'durakv.adapters.scrapy.DurakvScheduler'"
            )

    def fingerprint(self, request: Request) -> bytes:
        """What the request is known by."""
        return bytes(self.fingerprinter.fingerprint(request))

    def is_seen(self, fingerprint: bytes) -> bool:
        """Whether a request of that fingerprint was enqueued before; changes nothing."""
        if fingerprint in self._in_memory:
            return True
        return self._store is not None and self._store.seen(fingerprint)

    def keep_in_memory(self, fingerprint: bytes) -> None:
        """Filter this fingerprint for as long as the process lives."""
        self._in_memory.add(fingerprint)

    def request_seen(self, request: Request) -> bool:
        fingerprint = self.fingerprint(request)
        if self.is_seen(fingerprint):
            return True
        if self._store is None:
            self.keep_in_memory(fingerprint)
        else:
            self._store.remember(fingerprint)
        return False
