"""How close the write path comes to the disk: durable writes against a raw loop, in the same run.

    python tests/benchmarks/write_path.py [--rounds 7] [--seconds 0.7] [--directory DIR]

Each round measures every contestant once, in rotating order, and the raw loop with records of the size that the log
writes: a preallocated, zero-filled file, ``pwrite`` and ``fdatasync`` for each record.  Printed are medians over the
rounds, and medians of the ratios to the raw loop of the same round.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import durakv.aio
from durakv.durability import FsyncPolicy
from durakv.engine import Engine
from durakv.options import Options

KEY_BYTES = 16
VALUE = b"x" * 100
RECORD_BYTES = 94 + 150
SINGLE_TARGET = 0.9
TASKS = 64
TASKS_TARGET = 60_000
TASKS_TARGET_RAW = 4_000


class Dictionary:
    """The smallest state machine: what is measured is the write path."""

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}

    def apply(self, command: Sequence[bytes], /) -> None:
        self.values[command[1]] = command[2]

    def freeze(self) -> Iterator[bytes]:
        raise AssertionError("this benchmark never rewrites")

    def restore(self, chunks: Iterable[bytes], /) -> None:
        raise AssertionError("this benchmark never reopens")


def raw_loop(directory: Path, seconds: float) -> float:
    """Records a second of a loop that only writes and syncs."""
    path = directory / "raw"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    capacity = 16 << 20
    try:
        os.pwrite(descriptor, bytes(capacity), 0)
        os.fsync(descriptor)
        record = b"r" * RECORD_BYTES
        offset = count = 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            os.pwrite(descriptor, record, offset)
            os.fdatasync(descriptor)
            offset = (offset + RECORD_BYTES) % (capacity - RECORD_BYTES)
            count += 1
        return count / (time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()


def single_writer(directory: Path, seconds: float) -> float:
    """Durable writes a second of one thread under ``always``."""
    with Engine(directory / "single", Dictionary(), options=Options(fsync=FsyncPolicy.ALWAYS)) as engine:
        count = 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            engine.apply([[b"SET", b"%016d" % count, VALUE]])
            count += 1
        return count / (time.perf_counter() - started)


def tasks(directory: Path, seconds: float) -> float:
    """Durable writes a second of 64 asyncio tasks under ``always``."""

    async def main() -> float:
        engine = await durakv.aio.AsyncEngine.open(
            directory / "tasks", Dictionary(), options=Options(fsync=FsyncPolicy.ALWAYS)
        )
        async with engine:
            count = 0
            started = time.perf_counter()

            async def write() -> None:
                nonlocal count
                while time.perf_counter() - started < seconds:
                    count += 1
                    await engine.apply([[b"SET", b"%016d" % count, VALUE]])

            await asyncio.gather(*(write() for _ in range(TASKS)))
            return count / (time.perf_counter() - started)

    return asyncio.run(main())


def batches(directory: Path, seconds: float) -> float:
    """Durable writes a second of one thread that submits windows of 64 and waits for the last."""
    with Engine(directory / "batches", Dictionary(), options=Options(fsync=FsyncPolicy.ALWAYS)) as engine:
        count = 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            for _ in range(64):
                receipt = engine.submit([[b"SET", b"%016d" % count, VALUE]])
                count += 1
            receipt.result()
        return count / (time.perf_counter() - started)


def everysec(directory: Path, seconds: float) -> float:
    """Writes a second of one thread under ``everysec``, each handed to the operating system before it returns."""
    with Engine(directory / "everysec", Dictionary(), options=Options(fsync=FsyncPolicy.EVERYSEC)) as engine:
        count = 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            engine.apply([[b"SET", b"%016d" % count, VALUE]])
            count += 1
        return count / (time.perf_counter() - started)


CONTESTANTS: dict[str, Callable[[Path, float], float]] = {
    "raw pwrite+fdatasync": raw_loop,
    "always, one writer": single_writer,
    f"always, {TASKS} asyncio tasks": tasks,
    "always, submit window of 64": batches,
    "everysec, one writer": everysec,
}


def main() -> int:
    """Run the rounds and print the table; exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.7)
    parser.add_argument("--directory", default=None, help="where the files go; its disk is what is measured")
    options = parser.parse_args()
    names = list(CONTESTANTS)
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(options.rounds):
        for shift in range(len(names)):
            name = names[(number + shift) % len(names)]
            directory = Path(tempfile.mkdtemp(prefix="durakv-bench-", dir=options.directory))
            try:
                rates[name].append(CONTESTANTS[name](directory, options.seconds))
            finally:
                shutil.rmtree(directory)
    raw = rates[names[0]]
    print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
    print(
        f"disk: {options.directory or tempfile.gettempdir()}  python {platform.python_version()}  {platform.platform()}"
    )
    print(f"{options.rounds} rounds of {options.seconds} s, records of {RECORD_BYTES} bytes")
    print(f"{'contestant':32}{'median/s':>12}{'min':>12}{'max':>12}{'/ raw':>10}")
    ratios: dict[str, float] = {}
    for name in names:
        ratios[name] = statistics.median(rate / base for rate, base in zip(rates[name], raw, strict=True))
        low, high = min(rates[name]), max(rates[name])
        print(f"{name:32}{statistics.median(rates[name]):12,.0f}{low:12,.0f}{high:12,.0f}{ratios[name]:10.2f}")
    single = ratios[names[1]]
    print(f"target {names[1]}: {single:.2f} of raw, wanted {SINGLE_TARGET}: {verdict(single >= SINGLE_TARGET)}")
    measured, wanted = statistics.median(rates[names[2]]), tasks_target(statistics.median(raw))
    print(f"target {names[2]}: {measured:,.0f}/s, wanted {wanted:,.0f}: {verdict(measured >= wanted)}")
    return 0 if single >= SINGLE_TARGET and measured >= wanted else 1


def tasks_target(raw: float) -> float:
    """What 64 tasks must reach on this disk.

    The target is 60,000 a second on a disk that makes 4,000 commits a second.  One turn of the loop is one commit and
    the work for 64 tasks, so the target leaves the work a fixed time, and a faster disk shortens only the rest.
    """
    work_seconds = TASKS / TASKS_TARGET - 1 / TASKS_TARGET_RAW
    return TASKS / (work_seconds + 1 / raw)


def verdict(met: bool) -> str:
    """A word for the table."""
    return "met" if met else "MISSED"


if __name__ == "__main__":
    raise SystemExit(main())
