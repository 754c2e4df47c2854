"""The promise: the script that counts lost tasks sees huey's own storages lose all that are due, and ours none.

Method: run it with few tasks, and read its table.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.hosts import host

host("huey")

SCRIPT = Path(__file__).parents[2] / "fuzz/example/services/huey_due.py"
TASKS = 6
WORKERS = 4


def test_huey_s_storages_lose_what_is_due_or_executed_and_ours_does_not() -> None:
    command = [sys.executable, str(SCRIPT), "--tasks", str(TASKS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = re.findall(r"^(\w+Huey\S*(?: \S+)?) +(-?\d+) +(-?\d+) +(-?\d+)$", done.stdout, re.MULTILINE)
    lost = {name: tuple(map(int, counts)) for name, *counts in rows}
    theirs = {"SqliteHuey", "SqliteHuey, fsync=True", "FileHuey"}
    assert {name: lost.pop(name, None) for name in theirs} == dict.fromkeys(theirs, (TASKS, TASKS, WORKERS))
    assert lost == {"DurakvHuey": (0, 0, 0), 'DurakvHuey, fsync="always"': (0, 0, 0)}
