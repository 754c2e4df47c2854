"""The promise: the benchmark of the rewrite runs and prints what it says it prints; what it measured is not judged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "rewrite_latency.py"


def test_the_benchmark_of_the_rewrite_prints_latencies_memory_and_verdicts(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "--keys", "2000", "--rounds", "1", "--foreign", "99", "--patience", "0"]
    run = subprocess.run([*command, "--directory", str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    for word in ("command:", "disk:", "without:", "during:", "p99:", "max:", "child: peak", "wanted at most 0.25"):
        assert word in run.stdout, run.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
