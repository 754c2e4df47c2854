"""A small site in which every way a request can end occurs, a spider for it, and a crawl that kills itself.

The crawl runs in a process of its own, which is forked from one that has imported Scrapy already.  It counts events: a
call of the scheduler, before and after; each step of a callback; the begin and the end of a pipeline.  At the event
that it is told it sends itself SIGKILL.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import signal
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.exceptions import DropItem

import durakv
from durakv.adapters._scrapy_jobs import JobStore
from durakv.adapters.scrapy import DurakvScheduler

EXPECTED = frozenset(
    [
        "index", "plain/0", "plain/1", "plain/2", "async", "target", "flaky", "refused", "raises before",
        "polled", "filtered start", "memory", "followed", "late",
    ]
)  # fmt: skip
"""The items that a whole crawl stores."""


class Site(ThreadingHTTPServer):
    """The site: what was asked for is counted."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self.asked: Counter[str] = Counter()
        self.counting = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed crawler has closed its connections."""

    def end(self) -> None:
        self.shutdown()
        self.server_close()


class _Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        with self.server.counting:
            self.server.asked[self.path] += 1
            times = self.server.asked[self.path]
        status = {"/moved": 302, "/gone": 404}.get(self.path, 200)
        if self.path == "/flaky" and times < 3:
            status = 503
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/target")
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, format: str, *args: Any) -> None:
        """What counts is counted."""


class Tripwire:
    """Counts events, and kills the process, or closes the store, at one of them."""

    seen = 0
    kill_at = 0
    close_at = 0

    @classmethod
    def step(cls) -> None:
        cls.seen += 1
        if cls.seen == cls.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)


class TrippedScheduler(DurakvScheduler):
    """The scheduler, with a tripwire around each call."""

    def enqueue_request(self, request: scrapy.Request) -> bool:
        Tripwire.step()
        if Tripwire.close_at and Tripwire.seen >= Tripwire.close_at:
            self.store.close()  # from here on every write fails
        kept = super().enqueue_request(request)
        Tripwire.step()
        return kept

    def next_request(self) -> scrapy.Request | None:
        request = super().next_request()
        if request is not None:
            Tripwire.step()
        return request


def outside(response: Any) -> Iterator[Any]:
    """A callback that is no method of the spider, so that its request cannot be stored."""
    yield {"name": "memory"}


class EverythingSpider(scrapy.Spider):
    """A spider in which every way a request can end occurs."""

    name = "everything"
    site: str
    nobody: str
    """Where nobody listens."""

    async def start(self) -> AsyncIterator[Any]:
        yield scrapy.Request(f"{self.site}/index", dont_filter=True)
        yield scrapy.Request(f"{self.site}/filtered", self.parse_item, cb_kwargs={"name": "filtered start"})
        for _ in range(2):  # the same twice, and both are meant
            yield scrapy.Request(f"{self.site}/polled", self.parse_item, dont_filter=True, cb_kwargs={"name": "polled"})
        # It cannot be stored, and start() brings it again.
        yield scrapy.Request(f"{self.site}/memory", callback=outside)
        yield scrapy.Request(f"{self.site}/late", self.parse_item, dont_filter=True, cb_kwargs={"name": "late"})

    def parse(self, response: Any) -> Iterator[Any]:
        for number in range(3):
            Tripwire.step()
            name = f"plain/{number}"
            yield response.follow(f"/{name}", self.parse_item, cb_kwargs={"name": name}, priority=number)
        yield {"name": "index"}
        yield response.follow("/plain/0", self.parse_item)  # a duplicate
        yield response.follow("/async", self.parse_async, meta={"tuple": (1, 2)})
        yield response.follow("/moved", self.parse_item, cb_kwargs={"name": "target"})
        yield response.follow("/flaky", self.parse_item, cb_kwargs={"name": "flaky"})
        yield response.follow("/gone", self.parse_item, cb_kwargs={"name": "never"})
        yield response.follow("/raises", self.parse_raises)
        yield response.follow("/dropped", self.parse_item, cb_kwargs={"name": "dropped"})
        yield response.follow("/silent", self.parse_nothing)
        yield scrapy.Request(self.nobody, self.parse, errback=self.parse_failure, meta={"dont_retry": True})
        Tripwire.step()

    def parse_item(self, response: Any, name: str) -> Iterator[Any]:
        Tripwire.step()
        yield {"name": name}

    async def parse_async(self, response: Any) -> AsyncIterator[Any]:
        assert response.meta["tuple"] == (1, 2)
        await asyncio.sleep(0.005)
        Tripwire.step()
        yield {"name": "async"}
        await asyncio.sleep(0.005)
        Tripwire.step()
        yield response.follow("/followed", self.parse_item, cb_kwargs={"name": "followed"})

    def parse_raises(self, response: Any) -> Iterator[Any]:
        yield {"name": "raises before"}
        Tripwire.step()
        raise RuntimeError("a callback that fails")

    def parse_nothing(self, response: Any) -> None:
        Tripwire.step()

    def parse_failure(self, failure: Any) -> Iterator[Any]:
        Tripwire.step()
        yield {"name": "refused"}


class SlowStorePipeline:
    """Stores the name of each item, synced, after a while; an item that is dropped is not stored."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def from_crawler(cls, crawler: Any) -> SlowStorePipeline:
        return cls(crawler.settings["ITEMS_PATH"])

    def _store(self, line: bytes) -> None:
        with open(self.path, "ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    async def process_item(self, item: Any, spider: Any = None) -> Any:
        Tripwire.step()
        await asyncio.sleep(0.002)
        if item["name"] == "dropped":
            raise DropItem("not wanted")
        self._store(f"{item['name']}\n".encode())
        Tripwire.step()
        return item


def crawl(site: str, nobody: str, directory: str, kill_at: int, settings: dict[str, Any], stop_after: int) -> None:
    """Crawl in this process, in a job below the directory; leave the statistics in ``stats.json`` at the end."""
    Tripwire.kill_at = kill_at
    Tripwire.close_at = settings.pop("close_at", 0)
    process = CrawlerProcess(
        {
            "JOBDIR": os.path.join(directory, "job"),
            "ITEMS_PATH": os.path.join(directory, "items"),
            "SCHEDULER": TrippedScheduler,
            "ITEM_PIPELINES": {SlowStorePipeline: 1},
            "LOG_FILE": os.path.join(directory, "log"),
            "TELNETCONSOLE_ENABLED": False,
            "REMOTE_CONTROL_ENABLED": False,
            "DOWNLOAD_DELAY": 0,
            "RETRY_TIMES": 10,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 4,
            "CONCURRENT_REQUESTS": 4,
            "CLOSESPIDER_ITEMCOUNT": stop_after,
            **settings,
        }
    )
    crawler = process.create_crawler(EverythingSpider)
    process.crawl(crawler, site=site, nobody=nobody)
    process.start(install_signal_handlers=False)
    stats: dict[str, Any] = crawler.stats.get_stats() if crawler.stats is not None else {}
    told = {name: value for name, value in stats.items() if isinstance(value, int | str)}
    Path(directory, "stats.json").write_text(json.dumps({**told, "events": Tripwire.seen}), encoding="utf-8")


class Crawls:
    """Crawls of one job, each in a process of its own."""

    def __init__(self, site: Site, directory: Path) -> None:
        self.directory = directory
        self._site = site
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__, "scrapy.core.downloader.handlers.http11", "twisted.web.client"])
        with socket.socket() as port:  # nobody listens there from now on
            port.bind(("127.0.0.1", 0))
            self._nobody = f"http://127.0.0.1:{port.getsockname()[1]}/refused"

    def run(self, kill_at: int = 0, *, stop_after: int = 0, **settings: Any) -> int | None:
        """Crawl until it ends or is killed; the exit code."""
        arguments = (self._site.address(), self._nobody, str(self.directory), kill_at, settings, stop_after)
        process = self._context.Process(target=crawl, args=arguments)
        process.start()
        process.join(60)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise TimeoutError(f"the crawl in {self.directory} does not end")
        return process.exitcode

    @property
    def stats(self) -> dict[str, Any]:
        """What the last crawl that came to its end counted."""
        stats: dict[str, Any] = json.loads((self.directory / "stats.json").read_text(encoding="utf-8"))
        return stats

    @property
    def items(self) -> Counter[str]:
        """The stored items, each as often as it was stored."""
        path = self.directory / "items"
        return Counter(path.read_text(encoding="utf-8").splitlines()) if path.exists() else Counter()

    @property
    def log(self) -> str:
        """What all crawls have logged."""
        return (self.directory / "log").read_text(encoding="utf-8")


def left_over(directory: Path) -> tuple[list[int], list[int]]:
    """The numbers of the requests that wait in the job below the directory, and of those in flight."""
    store = JobStore(durakv.open(directory / "job" / "durakv", create=False))
    try:
        return store.waiting, store.in_flight
    finally:
        store.close()
