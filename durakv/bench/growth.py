"""The worst single insert while a keyspace grows: no table may be rebuilt as a whole when it is full.

    worst_insert(directory, keys)                         in a process of its own
    python -m durakv.bench.growth DIRECTORY KEYS          that process

Keys are set one by one through the facade under ``fsync=no``, with what that does to the log, and with the garbage
collector as it is in any program.  A stall that the machine or the disk makes counts too, so the figure of one process
is an upper bound.  What the processor worked for an insert is told beside it: a table that is rebuilt shows there.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter_ns, thread_time_ns

import msgspec

from durakv.durability import FsyncPolicy
from durakv.keyspace.database import open as open_database
from durakv.options import Options

VALUE_BYTES = 100


class Growth(msgspec.Struct, frozen=True):
    """What one process found."""

    keys: int
    worst_ms: float
    worst_work_ms: float
    """The most that the inserting thread's processor worked for one insert."""
    seconds: float


def worst_insert(directory: Path, keys: int) -> Growth:
    """Let a fresh process insert so many keys into a directory of its own, which is removed again."""
    place = directory / "growth"
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "durakv.bench.growth", str(place), str(keys)],
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path)},
            check=True,
        )
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return msgspec.json.decode(done.stdout, type=Growth)


def main(arguments: list[str]) -> None:
    """Insert, and tell as JSON."""
    directory, keys = Path(arguments[0]), int(arguments[1])
    value = random.Random(1).randbytes(VALUE_BYTES)
    worst = worst_work = 0
    options = Options(fsync=FsyncPolicy.NO, rewrite_percentage=0, rewrite_segments_max=0)
    with open_database(directory, options=options) as database:
        put = database.set
        began = perf_counter_ns()
        for number in range(keys):
            key = b"key:%012d" % number
            work, start = thread_time_ns(), perf_counter_ns()
            put(key, value)
            took = perf_counter_ns() - start
            work = thread_time_ns() - work
            worst, worst_work = max(worst, took), max(worst_work, work)
        seconds = (perf_counter_ns() - began) / 1e9
    sys.stdout.buffer.write(msgspec.json.encode(Growth(keys, worst / 1e6, worst_work / 1e6, seconds)))


if __name__ == "__main__":
    main(sys.argv[1:])
