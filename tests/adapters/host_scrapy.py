"""Scrapy's own tests, from its source distribution, against our scheduler: ``python -m tests.adapters.host_scrapy``.

pip downloads the source distribution of the installed version and what its tests need into a temporary directory; the
tests are run there as they are.  A plugin puts our scheduler in the place of Scrapy's:

- where a test names a job directory, it is what a user gets who sets SCHEDULER;
- elsewhere the crawl is given a job directory of its own, so that whole crawls go over the durable queue.

Tests that look into the files or the attributes of Scrapy's classes cannot hold for others; they are left out, and
listed with the reason.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]

NEEDED = ("pytest-twisted", "greenlet", "decorator", "pytest-rerunfailures", "pyftpdlib", "pexpect", "ptyprocess")

FILES = (
    "scheduler", "scheduler_base", "dupefilters", "closespider", "core_scraper", "crawl", "crawler", "engine",
    "engine_close_spider", "engine_download", "engine_loop", "engine_stop_download_bytes",
    "engine_stop_download_headers", "feedexport", "pipeline_crawl", "pipelines", "request_attribute_binding",
    "request_cb_kwargs", "request_left", "signals", "spider_crawl", "spider_start", "spidermiddleware_httperror",
    "spidermiddleware_output_chain", "spidermiddleware_process_start", "spidermiddleware_start", "spiderstate",
)  # fmt: skip
"""Those in which something is crawled, or the subject is the scheduler or the filter."""

OTHERWISE = {
    "test_scheduler.py::test_scheduler_without_crawler": "ours is made with a crawler only",
    "test_scheduler.py::TestMigration::test_migration": "ours can be resumed with another priority queue",
    "test_dupefilters.py::TestRFPDupeFilter::test_dupefilter_path": "the filter is opened without its scheduler",
    "test_dupefilters.py::TestRFPDupeFilter::test_seenreq_truncated": "the file requests.seen is cut short",
    "test_dupefilters.py::TestRFPDupeFilter::test_fingerprints_deprecation": "a deprecated attribute",
    "test_engine_close_spider.py::test_exception_scheduler": "an attribute is deleted, so that the close fails",
    "test_engine_loop.py::TestRequestSendOrder::test_lifo_start": "sets the order of memory queues, without JOBDIR",
    "test_engine_loop.py::TestRequestSendOrder::test_shared_queues": "sets the order of memory queues, without JOBDIR",
}
"""Tests that are left out, each with what it holds for Scrapy's classes alone."""

PLUGIN = """
import tempfile

import scrapy.core.scheduler
from scrapy.dupefilters import BaseDupeFilter, RFPDupeFilter
from scrapy.utils.job import job_dir
from scrapy.utils.misc import build_from_crawler, load_object

from durakv.adapters.scrapy import DurakvDupeFilter, DurakvScheduler

STOCK = scrapy.core.scheduler.Scheduler
DIRECTORY = {directory!r}
MADE = [0]


class Everywhere(DurakvScheduler):
    @classmethod
    def from_crawler(cls, crawler):
        if job_dir(crawler.settings) is not None:
            MADE[0] += 1
            return super().from_crawler(crawler)
        kind = load_object(crawler.settings["DUPEFILTER_CLASS"])
        if kind not in (BaseDupeFilter, RFPDupeFilter):
            return STOCK.from_crawler(crawler)
        MADE[0] += 1
        dupefilter = build_from_crawler(BaseDupeFilter if kind is BaseDupeFilter else DurakvDupeFilter, crawler)
        return cls(crawler, tempfile.mkdtemp(dir=DIRECTORY), dupefilter)


scrapy.core.scheduler.Scheduler = Everywhere


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"durakv: {{MADE[0]}} schedulers were ours")
"""


def pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, check=True)


def fetch(directory: Path) -> Path:
    """The unpacked source distribution, with what its tests need beside it."""
    pip("download", "--no-binary", ":all:", "--no-deps", "--no-build-isolation", "--dest", str(directory),
        f"scrapy=={version('scrapy')}")  # fmt: skip
    (archive,) = directory.glob("*.tar.gz")
    with tarfile.open(archive) as files:
        files.extractall(directory, filter="data")
    pip("install", "--target", str(directory / "needed"), "--no-deps", *NEEDED)
    (source,) = (path for path in directory.iterdir() if path.name.lower().startswith("scrapy-") and path.is_dir())
    return source


def run(directory: Path, source: Path, chosen: list[str]) -> int:
    """Run the tests; pytest's exit status."""
    jobs = directory / "jobs"
    jobs.mkdir(exist_ok=True)
    plugin = directory / "needed" / "durakv_in_scrapys_place.py"
    plugin.write_text(PLUGIN.format(directory=str(jobs)), encoding="utf-8")
    paths = [str(directory / "needed"), *(str(ROOT / part) for part in ("", "formats", "fuzz"))]
    # The current directory comes first, so that ``tests`` is Scrapy's.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    deselected = [f"--deselect=tests/{name}" for name in OTHERWISE]
    files = chosen or [f"tests/test_{name}.py" for name in FILES]
    command = [sys.executable, "-m", "pytest", "-p", "durakv_in_scrapys_place", "-p", "no:durakv", "-q", "-n", "0",
               "--timeout", "120", *deselected, *files]  # fmt: skip
    return subprocess.run(command, cwd=source, env=environment, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--directory", type=Path, help="keep what is downloaded here")
    parser.add_argument("tests", nargs="*", help="tests of Scrapy, by default those that crawl")
    arguments = parser.parse_args()
    if arguments.directory is not None:
        arguments.directory.mkdir(parents=True, exist_ok=True)
        sources = [path for path in arguments.directory.glob("*crapy-*") if path.is_dir()]
        return run(arguments.directory, sources[0] if sources else fetch(arguments.directory), arguments.tests)
    with tempfile.TemporaryDirectory(prefix="scrapy-tests-") as name:
        return run(Path(name), fetch(Path(name)), arguments.tests)


if __name__ == "__main__":
    sys.exit(main())
