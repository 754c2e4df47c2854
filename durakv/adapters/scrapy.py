"""A job directory for Scrapy that survives SIGKILL and loss of power, not only a clean stop.

    SCHEDULER = "durakv.adapters.scrapy.DurakvScheduler"
    JOBDIR = "crawls/x"
    DURAKV_FSYNC = "everysec"                   # the default; or "always", "no"

The requests and the seen set are one keyspace, ``JOBDIR/durakv``.  The life of a request:

    enqueued    the request and its fingerprint in one batch: it is in the seen set if and only if it is kept
    in flight   handed to the engine; it is still kept, with a mark
    done        forgotten, except for its fingerprint

**Done** is when the engine lets go of the request: its response went through its callback (or its failure through its
errback), every request that came out was enqueued, and every item went through the pipelines; or a downloader
middleware put another request in its place (a redirect, a retry), and that one was enqueued.  Being dropped, ignored,
failing without an errback, a callback that raises, a pipeline that refuses an item: all of these end a request, as
they do in Scrapy.  Which requests the engine still has is asked of the engine itself, at each next step, so there is no
middleware to install and no path to forget; a request is marked done in the batch of the next pop.

So a crash between pop and done makes the request wait again, first of its queue (**at least once**).  It does not
matter how far back a power cut takes the log: queue and seen set go back together to a state that the crawl has been
in (C1), and what was done since then is crawled again.  That is why ``everysec`` is the default.

**Start requests.**  ``start()`` is iterated again at each resume.  What it yields with ``dont_filter=False`` is
filtered by the seen set.  For requests with ``dont_filter=True``, those of ``start_urls`` among them, the job counts
how often each fingerprint was yielded: a resumed crawl skips as many as earlier runs have enqueued, and takes what is
new.  When the crawl ends with reason ``finished`` the counts are dropped: the next start with this JOBDIR fetches such
start requests again and filters every other request that was seen, as Scrapy does.  Items that ``start()`` yields come
again at every resume.

**Not kept**: requests that cannot be stored (a lambda as callback) wait in memory, as in Scrapy; a warning says that
they do not survive.  They enter the seen set when they are done.  ``spider.state`` and feed exports are Scrapy's and as
they were: written at a clean stop.

Without JOBDIR there is nothing to keep, and Scrapy's own scheduler takes the place of this one.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Set
from pathlib import Path
from typing import Any, cast

from durakv.adapters._extras import not_installed

try:
    from scrapy import Request, Spider
except ImportError as error:
    raise not_installed("scrapy", error) from error
from scrapy.core.engine import ExecutionEngine
from scrapy.core.scheduler import BaseScheduler, Scheduler
from scrapy.crawler import Crawler
from scrapy.dupefilters import BaseDupeFilter, RFPDupeFilter
from scrapy.utils.job import job_dir

import durakv
from durakv.adapters._scrapy_filter import DurakvDupeFilter
from durakv.adapters._scrapy_jobs import JobStore
from durakv.adapters._scrapy_open import make_filter, open_keyspace
from durakv.adapters._scrapy_pending import Kept, Pending
from durakv.adapters._scrapy_stop import close_soon

__all__ = ["DurakvDupeFilter", "DurakvScheduler"]

STARTED = "durakv_started"
"""In the ``meta`` of a start request that the engine was given, and so of its retries and redirects: they are not
``start()``'s, though they too have ``is_start_request``."""

logger = logging.getLogger(__name__)


class DurakvScheduler(BaseScheduler):
    """Scrapy's scheduler with its queue and its seen set in one keyspace below JOBDIR.

    What an ``enqueue_request`` has accepted survives the death of the process (C2), and a loss of power as the policy
    in DURAKV_FSYNC says (C3, C4, C5); what a crash takes back was not done either, and is crawled again.  Order and
    statistics are those of Scrapy's scheduler.
    """

    def __init__(self, crawler: Crawler, jobdir: str, dupefilter: BaseDupeFilter) -> None:
        """A scheduler for one crawl; ``from_crawler`` is the way to make one."""
        self.crawler = crawler
        self.df = dupefilter
        self._path = Path(jobdir, "durakv")
        self._store: JobStore | None = None
        self._in_hand: dict[Request, Kept] = {}
        self._yielded: Counter[bytes] = Counter()
        self._failed = False

    @classmethod
    def from_crawler(cls, crawler: Crawler) -> Any:
        """The scheduler for the crawl; without JOBDIR, Scrapy's own.

        Raises ``ValueError`` for a DUPEFILTER_CLASS that keeps what it has seen somewhere else.
        """
        jobdir = job_dir(crawler.settings)
        if jobdir is None:
            return Scheduler.from_crawler(crawler)
        return cls(crawler, jobdir, make_filter(crawler))

    # --- open and close -------------------------------------------------------------------------------------------

    def open(self, spider: Spider) -> Any:
        """Open the job, new or to be resumed.

        Raises ``durakv.Locked`` if another crawl has it, ``DirectoryError`` if JOBDIR holds a crawl of Scrapy's own
        scheduler, and what ``durakv.open`` raises; then nothing was changed.
        """
        self.spider = spider
        if isinstance(self._engine, ExecutionEngine) and self._engine_has() is None:
            raise RuntimeError(
                "this version of Scrapy does not say which requests its engine has (ExecutionEngine._slot.inprogress), "
                "so none could be told to be done: use a version that the documentation of durakv names"
            )
        db = open_keyspace(self.crawler, self._path)
        try:
            store = JobStore(db)
            self._pending = Pending(self.crawler, store)
        except BaseException:
            db.close()
            raise
        self._store = store
        self._tell_what_was_found(store)
        if isinstance(self.df, DurakvDupeFilter):
            self.df.use(store)
        return self.df.open()

    def _tell_what_was_found(self, store: JobStore) -> None:
        for line in store.report.lines():
            logger.warning("%s: %s", self._path, line, extra=self._extra)
        waiting, again = len(self._pending), len(store.in_flight)
        if waiting:
            resuming = "Resuming crawl (%d requests scheduled, %d of them were in flight)"
            logger.info(resuming, waiting, again, extra=self._extra)
        if again:
            self._count("scheduler/resumed/in_flight", again)

    def close(self, reason: str) -> Any:
        """Write what is done, sync, and give the job up."""
        store = self._store
        if store is None:  # it was never opened
            return None
        try:
            if not self._failed:
                self._settle()
                if lost := self._pending.in_memory:
                    logger.warning("%d requests that could only be kept in memory are lost", lost, extra=self._extra)
                elif reason == "finished" and not self._in_hand and not len(self._pending):
                    store.finish()
        finally:
            self._store = None
            store.close()
        return self.df.close(reason)

    # --- requests in ----------------------------------------------------------------------------------------------

    def enqueue_request(self, request: Request) -> bool:
        """Keep the request, unless it is a duplicate or a start request of an earlier run; return whether it was kept.

        A failure of the store is raised; the crawl is then stopped, and nothing more counts as done.
        """
        try:
            kept = self._admit(request)
            if kept is None:
                if isinstance(self.df, RFPDupeFilter):
                    self.df.log(request, self.spider)
                return False
            stored = self._pending.push(request, kept)
        except (durakv.DurakvError, OSError) as error:
            self._stop(error)
            raise
        if not stored and kept.seen is not None and isinstance(self.df, DurakvDupeFilter):
            self.df.keep_in_memory(kept.seen)
        self._count("scheduler/enqueued/disk" if stored else "scheduler/enqueued/memory")
        self._count("scheduler/enqueued")
        return True

    def _admit(self, request: Request) -> Kept | None:
        """What is to be kept of the request; None for one that is not to be crawled again."""
        if not request.dont_filter and isinstance(self.df, DurakvDupeFilter):
            fingerprint = self.df.fingerprint(request)
            return None if self.df.is_seen(fingerprint) else Kept(seen=fingerprint)
        if request.meta.get("is_start_request") and STARTED not in request.meta:
            fingerprint = bytes(self.crawler.request_fingerprinter.fingerprint(request))
            self._yielded[fingerprint] += 1
            if self._yielded[fingerprint] <= self.store.started(fingerprint):
                self._count("scheduler/resumed/start_skipped")
                return None
            return Kept(start=fingerprint)
        return Kept()

    # --- requests out ---------------------------------------------------------------------------------------------

    def next_request(self) -> Request | None:
        """The next request, now in flight; or None.  Those that the engine has let go of are done, in the same batch.

        After a failure of the store there is none: the crawl is being stopped.
        """
        if self._failed:
            return None
        try:
            popped = self._pending.pop()
            self._settle(taken=popped[1].number if popped else None)
        except (durakv.DurakvError, OSError) as error:
            self._stop(error)
            return None
        if popped is None:
            return None
        request, kept = popped
        self._in_hand[request] = kept
        if request.meta.get("is_start_request"):
            request.meta[STARTED] = True
        self._count("scheduler/dequeued/memory" if kept.number is None else "scheduler/dequeued/disk")
        self._count("scheduler/dequeued")
        return request

    def has_pending_requests(self) -> bool:
        """Whether requests wait; those in flight do not count."""
        return len(self) > 0

    def __len__(self) -> int:
        """How many requests wait."""
        return len(self._pending)

    def _settle(self, taken: int | None = None) -> None:
        """Write which requests are done, and which one was taken, as one batch."""
        engine = self._engine_has()
        done = [] if engine is None else [request for request in self._in_hand if request not in engine]
        kept = [self._in_hand[request] for request in done]
        self.store.step(
            taken=taken,
            done=[each.number for each in kept if each.number is not None],
            seen=[each.seen for each in kept if each.seen is not None],
            started=[each.start for each in kept if each.start is not None],
        )
        for request in done:
            del self._in_hand[request]

    def _engine_has(self) -> Set[Request] | None:
        """The requests that the engine was given and has not let go of; None if there is no engine to ask."""
        running: Any = getattr(getattr(self._engine, "_slot", None), "inprogress", None)
        return cast("Set[Request]", running) if isinstance(running, Set) else None

    # --- the rest -------------------------------------------------------------------------------------------------

    @property
    def store(self) -> JobStore:
        """The open job; ``RuntimeError`` before ``open`` and after ``close``."""
        if self._store is None:
            raise RuntimeError("the scheduler is not open: Scrapy's engine opens and closes it")
        return self._store

    def _stop(self, error: Exception) -> None:
        """After a failed read or write: have the crawl closed, and write nothing more.

        A request whose children could not be enqueued must not be done, so from now on none is.
        """
        if self._failed:
            return
        self._failed = True
        logger.critical(
            "%s cannot be read or written: %s. The crawl is stopped; mend the cause and start it again with the same "
            "JOBDIR: what is not done will be crawled again",
            self._path,
            error,
            extra=self._extra,
        )
        engine = self._engine
        if isinstance(engine, ExecutionEngine):
            close_soon(engine, self.spider, "job_not_writable")

    @property
    def _engine(self) -> Any:
        try:
            return self.crawler.engine
        except RuntimeError:  # Scrapy 2.19 and later, for a crawler that has none
            return None

    def _count(self, name: str, by: int = 1) -> None:
        self.crawler.stats.inc_value(name, by)

    @property
    def _extra(self) -> dict[str, Any]:
        return {"spider": self.spider}
