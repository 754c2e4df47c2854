"""Opening a job: what is refused, and why."""

from __future__ import annotations

from pathlib import Path

from scrapy.crawler import Crawler
from scrapy.dupefilters import BaseDupeFilter, RFPDupeFilter
from scrapy.utils.misc import build_from_crawler, load_object

import durakv
from durakv.adapters._scrapy_filter import DurakvDupeFilter


def open_keyspace(crawler: Crawler, path: Path) -> durakv.Database:
    """The keyspace of the job, new or to be resumed; the policy is that of DURAKV_FSYNC.

    Raises ``durakv.Locked`` if another crawl has it, ``DirectoryError`` if JOBDIR holds a crawl of Scrapy's own
    scheduler, and what ``durakv.open`` raises; then nothing was changed.
    """
    stock = path.parent / "requests.queue"
    if not path.exists() and stock.is_dir() and any(stock.iterdir()):
        raise durakv.DirectoryError(
            f"{stock} holds a crawl of Scrapy's own scheduler, and this one would begin beside it: finish it with "
            "that scheduler, or name another JOBDIR"
        )
    try:
        return durakv.open(path, fsync=crawler.settings.get("DURAKV_FSYNC") or durakv.FsyncPolicy.EVERYSEC)
    except durakv.Locked as error:
        error.add_note(f"JOBDIR {path.parent} belongs to a crawl that is running: stop it, or name another")
        raise


def make_filter(crawler: Crawler) -> BaseDupeFilter:
    """The duplicate filter that the settings name, if it can share the store; ours in the place of Scrapy's default.

    Raises ``ValueError`` for one that keeps what it has seen somewhere else, or answers by what is never asked.
    """
    kind = load_object(crawler.settings["DUPEFILTER_CLASS"])
    if kind is RFPDupeFilter:
        kind = DurakvDupeFilter
    if kind is not BaseDupeFilter and not issubclass(kind, DurakvDupeFilter):
        raise ValueError(
            f"DUPEFILTER_CLASS is {kind.__qualname__}, which keeps what it has seen in a place of its own: a crash "
            "could leave requests seen and not queued. Leave it out or derive from DurakvDupeFilter; what counts "
            "as the same request is REQUEST_FINGERPRINTER_CLASS's to say"
        )
    for name in ("request_seen", "request_fingerprint"):
        if kind is not BaseDupeFilter and getattr(kind, name) is not getattr(DurakvDupeFilter, name):
            raise ValueError(
                f"DUPEFILTER_CLASS is {kind.__qualname__}, which overrides `{name}`, and the scheduler never asks it: "
                "override `fingerprint`, which says what a request is known by"
            )
    made: BaseDupeFilter = build_from_crawler(kind, crawler)
    return made
