"""The promise: the script that shows what a killed crawl leaves shows it: Scrapy's own job directory loses pages, ours
does not.  And the benchmark runs and prints what it says it prints; what it measured is not judged here.

Method: run both, with small numbers.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import host

host("scrapy")

ROOT = Path(__file__).parents[2]
RESUME = ROOT / "fuzz/example/services/scrapy_resume.py"
BENCHMARK = ROOT / "tests/benchmarks/adapter_scrapy.py"
PAGES = 301
CONCURRENT = 16


def resume(*arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(RESUME), "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    outcomes: dict[str, Any] = json.loads(done.stdout)
    return outcomes


@pytest.mark.slow
def test_a_killed_crawl_loses_pages_with_scrapys_job_directory_and_none_with_ours() -> None:
    outcomes = resume()
    assert outcomes["scrapy, disk queues"]["pages"] < PAGES
    assert outcomes["scrapy, disk queues"]["reported"].startswith("finished")
    ours = outcomes["durakv"]
    assert ours["kills"] == 1
    assert ours["before"] < PAGES == ours["pages"]
    assert ours["again"] <= 2 * CONCURRENT
    assert ours["reported"].startswith("finished")


@pytest.mark.long
def test_a_crawl_that_is_killed_several_times_has_all_pages() -> None:
    ours = resume("--kills", "3", "--seed", "4")["durakv"]
    assert ours["kills"] == 3
    assert ours["pages"] == PAGES
    assert ours["again"] <= 3 * 2 * CONCURRENT


@pytest.mark.slow
def test_the_benchmark_prints_every_contestant_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [
        sys.executable,
        str(BENCHMARK),
        "--rounds",
        "1",
        "--requests",
        "20",
        "--no-crawl",
        "--directory",
        str(tmp_path),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=110)
    assert done.returncode == 0, done.stderr
    for word in (
        "command:",
        "disk:",
        "disk queues",
        "SQLite queues",
        "memory",
        '"everysec"',
        '"always"',
        "enqueue and pop",
    ):
        assert word in done.stdout, done.stdout
    assert not list(tmp_path.iterdir())
