"""What a request costs with durakv's job directory and with Scrapy's own.

    python tests/benchmarks/adapter_scrapy.py [--requests 2000] [--rounds 5] [--no-crawl] [--directory DIR]

    enqueue            enqueue_request of new requests, one after the other, by the scheduler alone
    enqueue and pop    the same, and next_request until none is left, each request done before the next
    crawl              a whole crawl of the 301 pages of fuzz/example/services/scrapy_resume.py by Scrapy, from a server
                       on this machine, without delay and without a pipeline; what counts is Scrapy's own elapsed time

The schedulers take turns within a round, in rotating order, each in a new directory; figures are medians over the
rounds, ratios those to Scrapy's disk queues, its default with a job directory, of the same round.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import scrapy
from scrapy.utils.misc import build_from_crawler, load_object
from scrapy.utils.test import get_crawler

import durakv

FIRST = "disk queues"
SQLITE = {
    "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleLifoSQLiteQueue",
    "SCHEDULER_START_DISK_QUEUE": "scrapy.squeues.PickleFifoSQLiteQueue",
}
OURS = {"SCHEDULER": "durakv.adapters.scrapy.DurakvScheduler"}
SCHEDULERS: dict[str, dict[str, str | None]] = {
    FIRST: {},
    "SQLite queues": {**SQLITE},
    "memory, no JOBDIR": {"JOBDIR": None},
    'durakv, "everysec"': {**OURS, "DURAKV_FSYNC": "everysec"},
    'durakv, "always"': {**OURS, "DURAKV_FSYNC": "always"},
}
WORK = ("enqueue", "enqueue and pop", "crawl")


class _Engine:
    """As much of an engine as a scheduler asks for: it has let go of every request that it was given."""

    def __init__(self) -> None:
        self._slot = self
        self.inprogress: frozenset[scrapy.Request] = frozenset()
        self.downloader = self
        self.slots: dict[str, Any] = {}

    def get_slot_key(self, request: scrapy.Request) -> str:
        return request.url.split("/")[2]


def by_hand(settings: dict[str, str | None], place: str, requests: int) -> tuple[float, float]:
    """Requests a second: enqueued, and enqueued and popped."""
    crawler: Any = get_crawler(scrapy.Spider, {"JOBDIR": place, **settings})
    crawler.engine = _Engine()
    crawler.spider = scrapy.Spider.from_crawler(crawler, name="benchmark")
    scheduler: Any = build_from_crawler(load_object(crawler.settings["SCHEDULER"]), crawler)
    scheduler.open(crawler.spider)
    pages = [
        scrapy.Request(f"http://site/{number}", meta={"depth": 1}, headers={"Referer": "http://site/"})
        for number in range(requests)
    ]
    began = time.perf_counter()
    for page in pages:
        scheduler.enqueue_request(page)
    enqueued = time.perf_counter()
    while scheduler.next_request() is not None:
        pass
    popped = time.perf_counter()
    scheduler.close("finished")
    return requests / (enqueued - began), requests / (popped - began)


def example() -> Any:
    """The script with the site and the crawl."""
    path = Path(__file__).parents[2] / "fuzz/example/services/scrapy_resume.py"
    spec = importlib.util.spec_from_file_location("scrapy_resume", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def crawl(resume: Any, settings: dict[str, str | None], place: str) -> float:
    """Pages a second of a whole crawl."""
    site = resume.Site()
    try:
        report = resume.Job(site, Path(place), {"ITEM_PIPELINES": {}, **settings}).run()
    finally:
        site.shutdown()
        site.server_close()
    assert report["response_received_count"] == resume.PAGES
    return float(resume.PAGES / report["elapsed_time_seconds"])


def measure(requests: int, rounds: int, directory: str | None, *, crawling: bool) -> None:
    """Let them take turns, and print the rates and the ratios."""
    works = WORK if crawling else WORK[:-1]
    resume = example()
    rates: dict[tuple[str, str], list[float]] = {(name, work): [] for name in SCHEDULERS for work in works}
    names = list(SCHEDULERS)
    for turn in range(rounds):
        start = turn % len(names)
        for name in names[start:] + names[:start]:
            with tempfile.TemporaryDirectory(dir=directory) as place:
                pushed, popped = by_hand(SCHEDULERS[name], f"{place}/job", requests)
            rates[name, "enqueue"].append(pushed)
            rates[name, "enqueue and pop"].append(popped)
            if not crawling:
                continue
            with tempfile.TemporaryDirectory(dir=directory) as place:
                rates[name, "crawl"].append(crawl(resume, SCHEDULERS[name], place))
    print(f"\n{'requests/s, and / ' + FIRST:30}" + "".join(f"{work:>18}" for work in works))
    for name in names:
        row = f"{name:30}"
        for work in works:
            ratios = [mine / first for mine, first in zip(rates[name, work], rates[FIRST, work], strict=True)]
            row += f"{statistics.median(rates[name, work]):>11,.0f}{statistics.median(ratios):>7.2f}"
        print(row)


def main() -> None:
    """Print what was asked and what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crawl", action=argparse.BooleanOptionalAction, default=True, help="crawl as well")
    parser.add_argument("--directory", help="where to write; by default the folder for temporary files")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    print(f"durakv {durakv.__version__}  scrapy {scrapy.__version__}  python {platform.python_version()}  ", end="")
    print(platform.platform())
    print(f"disk: {options.directory or tempfile.gettempdir()}; {options.requests} requests, {options.rounds} rounds")
    measure(options.requests, options.rounds, options.directory, crawling=options.crawl)


if __name__ == "__main__":
    main()
