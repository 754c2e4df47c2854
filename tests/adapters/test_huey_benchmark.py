"""The promise: the benchmark of huey's storages runs and prints every one of them; what it measured is not judged here.

Method: run it with few tasks.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.hosts import host

host("huey")

SCRIPT = Path(__file__).parents[1] / "benchmarks/adapter_huey.py"


def test_it_prints_every_storage_and_every_kind_of_work(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--tasks", "10", "--rounds", "1", "--directory", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert run.returncode == 0, run.stderr
    for word in ("command:", "disk:", "huey 3", "SqliteHuey, fsync=False", "FileHuey", "MemoryHuey", "by 8 threads"):
        assert word in run.stdout, run.stdout
    assert run.stdout.count("DurakvHuey, fsync=") == 2
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
