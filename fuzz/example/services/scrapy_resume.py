"""What is left of a Scrapy crawl that was killed: a site of 301 pages, one SIGKILL at page 60, the same JOBDIR again.

    python fuzz/example/services/scrapy_resume.py                       Scrapy's own job directory beside durakv's
    python fuzz/example/services/scrapy_resume.py --kills 10 --seed 1   durakv's, killed ten times at random moments

A page counts when its item was stored: a pipeline writes the number into a file and syncs it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

PAGES = 301
"""The first links to all others, as a catalogue does."""

STORAGES = {
    "scrapy, disk queues": {},
    "scrapy, SQLite queues": {
        "SCHEDULER_DISK_QUEUE": "scrapy.squeues.PickleLifoSQLiteQueue",
        "SCHEDULER_START_DISK_QUEUE": "scrapy.squeues.PickleFifoSQLiteQueue",
    },
    "durakv": {"SCHEDULER": "durakv.adapters.scrapy.DurakvScheduler"},
}
DURAKV = "durakv"


class Site(ThreadingHTTPServer):
    """The pages, and how often each was asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Page)
        self.asked: Counter[int] = Counter()
        self.counting = threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed crawler has closed its connections: nothing to tell."""

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Page(BaseHTTPRequestHandler):
    """One page with its links."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        number = int(self.path.strip("/") or 0)
        with self.server.counting:
            self.server.asked[number] += 1
        links = range(0) if number else range(1, PAGES)
        body = "".join(f'<a href="/{link}">{link}</a>' for link in links).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; what counts is counted."""


class StorePipeline:
    """Puts the number of each page into a file, and syncs it before the item counts as processed."""

    def __init__(self, path: str) -> None:
        self.path = path

    @classmethod
    def from_crawler(cls, crawler: Any) -> StorePipeline:
        return cls(crawler.settings["ITEMS_PATH"])

    def open_spider(self, spider: Any = None) -> None:
        self.file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def process_item(self, item: Any, spider: Any = None) -> Any:
        os.write(self.file, b"%d\n" % item["page"])
        os.fsync(self.file)
        return item

    def close_spider(self, spider: Any = None) -> None:
        os.close(self.file)


def crawl(address: str, settings: dict[str, Any]) -> None:
    """Crawl the site to its end in this process; print what Scrapy reports as one line of JSON."""
    import scrapy
    from scrapy.crawler import CrawlerProcess

    class SiteSpider(scrapy.Spider):
        name = "site"

        async def start(self) -> AsyncIterator[Any]:
            yield scrapy.Request(address, dont_filter=True)

        def parse(self, response: Any) -> Iterator[Any]:
            yield {"page": int(response.url.rpartition("/")[2] or 0)}
            for link in response.css("a::attr(href)").getall():
                yield response.follow(link)

    process = CrawlerProcess(
        {
            "LOG_LEVEL": "ERROR",
            "TELNETCONSOLE_ENABLED": False,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
            "DOWNLOAD_DELAY": 0,
            "ITEM_PIPELINES": {StorePipeline: 1},
            **settings,
        }
    )
    crawler = process.create_crawler(SiteSpider)
    process.crawl(crawler)
    process.start()
    stats = crawler.stats.get_stats() if crawler.stats is not None else {}
    names = ("finish_reason", "response_received_count", "scheduler/resumed/in_flight", "elapsed_time_seconds")
    print(json.dumps({name: stats[name] for name in names if name in stats}))


class Job:
    """One JOBDIR, with the file that the items go to."""

    def __init__(self, site: Site, directory: Path, settings: dict[str, Any]) -> None:
        self.items = directory / "items"
        self.items.touch()
        own = {"JOBDIR": str(directory / "job"), "ITEMS_PATH": str(self.items)}
        self._command = [
            sys.executable,
            os.path.abspath(__file__),
            "--crawl",
            site.address,
            json.dumps({**own, **settings}),
        ]

    def stored(self) -> list[int]:
        """The pages whose items are stored, each as often as it was."""
        return [int(line) for line in self.items.read_bytes().split(b"\n")[:-1]]

    def run_until(self, pages: int) -> bool:
        """Crawl until that many items more are stored, then SIGKILL; return whether it ended by itself before."""
        aim = len(self.stored()) + pages
        with subprocess.Popen(self._command, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and len(self.stored()) < aim:
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
        return process.returncode == 0

    def run(self) -> dict[str, Any]:
        """Crawl to the end; return what Scrapy reported."""
        done = subprocess.run(self._command, stdout=subprocess.PIPE, text=True, check=True, timeout=300)
        report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return report


class Outcome(NamedTuple):
    """What became of a crawl."""

    before: int
    """Distinct pages stored when it was last killed."""
    pages: int
    """Distinct pages stored at the end."""
    again: int
    """How many fetches were of a page that had been fetched before."""
    kills: int
    reported: str


def killed_crawl(settings: dict[str, Any], moments: list[int]) -> Outcome:
    """Crawl the site in a new job, killed when each of these numbers of further items is stored; then to the end."""
    directory = Path(tempfile.mkdtemp(prefix="scrapy-resume-"))
    site = Site()
    try:
        job = Job(site, directory, settings)
        kills = 0
        for moment in moments:
            if job.run_until(moment):
                break
            kills += 1
        before = len(set(job.stored()))
        report = job.run()
        again = sum(site.asked.values()) - len(site.asked)
        reported = f"{report['finish_reason']}, {report.get('response_received_count', 0)} responses"
        return Outcome(before, len(set(job.stored())), again, kills, reported)
    finally:
        site.shutdown()
        site.server_close()
        shutil.rmtree(directory)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--at", type=int, default=60, help="the page at which the crawl is killed")
    parser.add_argument("--kills", type=int, default=0, help="instead: kill durakv's crawl so many times at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--crawl", nargs=2, metavar=("ADDRESS", "SETTINGS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.crawl:
        crawl(arguments.crawl[0], json.loads(arguments.crawl[1]))
        return 0
    if arguments.kills:
        chance = random.Random(arguments.seed)
        # Aimed below the mean that would use all pages up, so that most crawls live to the last kill.
        moments = [chance.randint(0, max(1, 2 * PAGES // (arguments.kills + 2))) for _ in range(arguments.kills)]
        outcomes = {DURAKV: killed_crawl(STORAGES[DURAKV], moments)}
    else:
        outcomes = {name: killed_crawl(settings, [arguments.at]) for name, settings in STORAGES.items()}
    if arguments.json:
        print(json.dumps({name: outcome._asdict() for name, outcome in outcomes.items()}))
    else:
        print(f"{'job directory':23}{'kills':>5}{'stored then':>13}{'at the end':>13}{'again':>7}  the last run said")
        for name, it in outcomes.items():
            print(f"{name:23}{it.kills:5}{it.before:13}{it.pages:6} of {PAGES}{it.again:7}  {it.reported}")
    return 0 if outcomes[DURAKV].pages == PAGES else 1


if __name__ == "__main__":
    sys.exit(main())
