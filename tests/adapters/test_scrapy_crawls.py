"""The promise: a crawl that is killed at any moment and started again stores every item, and at its end nothing is left
in the job; whatever way its requests end.

Method: crawls of a site in which every such way occurs, by Scrapy's own engine, which kill themselves at given events
of the scheduler, of callbacks and of the pipeline.  ``python -m tests.adapters.scrapy_sweep`` kills at every event.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hosts import host

host("scrapy")

from tests.adapters.scrapy_site import EXPECTED, Crawls, Site, left_over  # noqa: E402

SIGKILLED = -9
FETCHES = {"/flaky": 3, "/polled": 2}
"""How often a crawl that is not killed fetches a page, where it is not once."""
FETCHED_AGAIN_MAX = 12
"""Four are in the downloader at once, and as many as have been answered may still be worked on."""


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.end()


def fetched_again(site: Site) -> Counter[str]:
    return Counter({path: times - FETCHES.get(path, 1) for path, times in site.asked.items()})


@pytest.mark.parametrize("event", [17, 86, 107])
def test_a_crawl_killed_at_an_event_is_resumed_to_its_end(event: int, site: Site, tmp_path: Path) -> None:
    crawls = Crawls(site, tmp_path)
    assert crawls.run(event) == SIGKILLED
    assert crawls.run() == 0
    assert set(crawls.items) == EXPECTED
    assert left_over(tmp_path) == ([], [])
    assert fetched_again(site).total() <= FETCHED_AGAIN_MAX


def test_a_crawl_killed_again_and_again_comes_to_its_end(site: Site, tmp_path: Path) -> None:
    crawls = Crawls(site, tmp_path)
    assert [crawls.run(event) for event in (30, 25, 40)] == [SIGKILLED] * 3
    assert crawls.run() == 0
    assert set(crawls.items) == EXPECTED
    assert left_over(tmp_path) == ([], [])
    assert crawls.stats["finish_reason"] == "finished"


def test_a_clean_stop_fetches_nothing_twice(site: Site, tmp_path: Path) -> None:
    crawls = Crawls(site, tmp_path)
    assert crawls.run(stop_after=4) == 0
    assert crawls.stats["finish_reason"] == "closespider_itemcount"
    waiting, in_flight = left_over(tmp_path)
    assert waiting
    assert not in_flight
    assert crawls.run() == 0
    assert set(crawls.items) == EXPECTED
    assert not +fetched_again(site)


def test_a_finished_crawl_fetches_its_unfiltered_start_requests_again_and_nothing_else(
    site: Site, tmp_path: Path
) -> None:
    crawls = Crawls(site, tmp_path)
    assert crawls.run() == 0
    assert crawls.stats["finish_reason"] == "finished"
    assert set(crawls.items) == EXPECTED
    assert not +fetched_again(site)
    assert left_over(tmp_path) == ([], [])
    assert crawls.run() == 0
    assert +fetched_again(site) == Counter({"/index": 1, "/polled": 2, "/late": 1})


def test_a_crawl_that_cannot_write_its_job_stops_and_is_resumed_with_nothing_lost(site: Site, tmp_path: Path) -> None:
    crawls = Crawls(site, tmp_path)
    assert crawls.run(close_at=60) == 0
    assert crawls.stats["finish_reason"] == "job_not_writable"
    assert "start it again with the same JOBDIR" in crawls.log
    assert crawls.run() == 0
    assert set(crawls.items) == EXPECTED
    assert left_over(tmp_path) == ([], [])


FAILING = """
import sys
import scrapy
from scrapy.crawler import CrawlerProcess
from durakv.adapters.scrapy import DurakvScheduler

class Failing(DurakvScheduler):
    def open(self, spider):
        opened = super().open(spider)
        self.store.close()  # the first step fails, while the engine has nothing that a close would wait for
        return opened

    def enqueue_request(self, request):
        return True

    def _settle(self, taken=None):
        self.store.remember(b"any write")

class Pages(scrapy.Spider):
    name = "pages"
    start_urls = ["data:,"]

process = CrawlerProcess({"SCHEDULER": Failing, "JOBDIR": sys.argv[1], "TWISTED_REACTOR": sys.argv[2] or None})
process.crawl(Pages)
process.start()
"""


@pytest.mark.parametrize("reactor", ["", "twisted.internet.asyncioreactor.AsyncioSelectorReactor"])
def test_a_crawl_that_cannot_write_its_job_is_closed_when_the_engine_is_at_rest(reactor: str, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", FAILING, str(tmp_path / "job"), reactor]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    assert "Spider closed (job_not_writable)" in ended.stderr
    assert "Traceback" not in ended.stderr
