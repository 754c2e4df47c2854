"""How long an open takes after so many writes: from the log, and from the base that a rewrite makes of it.

Each open is made in a fresh process, with the files in the page cache.  Every write was to a key of its own, so a log
and its base hold the same data.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from durakv.bench.contest import Told
from durakv.bench.durakv_store import NAME, options
from durakv.bench.interference import load
from durakv.bench.results import RecoveryPoint
from durakv.durability import FsyncPolicy
from durakv.keyspace.database import open as open_database

_OPEN_SECONDS_MAX = 600


def recovery_times(
    directory: Path, sizes: tuple[int, ...], value_bytes: int, *, opens: int, tell: Told
) -> Iterator[RecoveryPoint]:
    """For each number of keys, the open of a log and that of a base: the median of so many."""
    for number, keys in enumerate(sizes):
        place = directory / f"recovery-{keys}"
        tell(f"open a log of {keys:,} writes", number / len(sizes))
        with open_database(place, options=options(FsyncPolicy.NO)) as database:
            load(database, range(keys), value_bytes, random.Random(1))
            log_bytes = database.status().log_bytes
        yield _point("log", place, keys, log_bytes, opens)
        tell(f"open a base of {keys:,} keys", (number + 0.5) / len(sizes))
        with open_database(place, options=options(FsyncPolicy.NO)) as database:
            database.rewrite()
            base_bytes = database.status().base_bytes
        yield _point("base", place, keys, base_bytes, opens)
        shutil.rmtree(place)


def _point(what: str, place: Path, keys: int, file_bytes: int, opens: int) -> RecoveryPoint:
    all_told = sorted((_open(place) for _ in range(opens)), key=lambda told: float(told["seconds"]))
    told = all_told[opens // 2]
    if told["keys"] != keys:
        raise ValueError(f"{place}: {keys} keys were written, and an open finds {told['keys']}")
    return RecoveryPoint(
        store=NAME,
        what=what,
        keys=keys,
        file_bytes=file_bytes,
        seconds=told["seconds"],
        rss_bytes=told["rss_bytes"],
    )


def _open(place: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "durakv.bench.opening", str(place)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_OPEN_SECONDS_MAX,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)},
    )
    if done.returncode:
        raise ValueError(f"{place}: the process that opens it failed: {done.stderr.strip()[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told
