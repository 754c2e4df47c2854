"""How close the write path comes to the disk: durable writes against a raw loop, in the same run.

    python tests/benchmarks/write_path.py [--rounds 15] [--seconds 0.3] [--directory DIR]

Each round measures every contestant once, in rotating order, among them a raw loop with records of the size that the
log writes: a preallocated, zero-filled file, ``pwrite`` and ``fdatasync`` for each record.  Printed are medians over
the rounds, and medians of the ratios to the raw loop of the same round.
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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import durakv.aio
from durakv.durability import FsyncPolicy
from durakv.engine import Engine
from durakv.options import Options

KEY_BYTES = 16
VALUE = b"x" * 100
RECORD_BYTES = 94 + 144
SINGLE_TARGET = 0.9
PAUSE_SECONDS = 5e-6
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


def _options(policy: FsyncPolicy) -> Options:
    return Options(fsync=policy, rewrite_percentage=0, rewrite_segments_max=0)


class Contestant(Protocol):
    """Something that writes for a while and says how much; made once, used in every round."""

    def slice(self, seconds: float) -> float:
        """Write for so long; return the rate."""
        ...

    def close(self) -> None:
        """Give everything back."""
        ...


class RawLoop:
    """A loop that writes and syncs, and between two records does nothing for so many seconds.

    Some virtual disks answer a call sooner that comes at once after the last one: any work at all between two commits,
    even a microsecond, then costs far more than itself.  The loop with a pause tells that from the engine's own work.
    """

    def __init__(self, directory: Path, pause_seconds: float = 0.0) -> None:
        self._pause = pause_seconds
        name = f"raw-{pause_seconds * 1e6:.0f}"
        self._descriptor = os.open(directory / name, os.O_RDWR | os.O_CREAT, 0o600)
        self._capacity = Options().segment_bytes
        self._offset = 0
        os.pwrite(self._descriptor, bytes(self._capacity), 0)
        os.fsync(self._descriptor)

    def slice(self, seconds: float) -> float:
        """See :class:`Contestant`."""
        record = b"r" * RECORD_BYTES
        count = 0
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            os.pwrite(self._descriptor, record, self._offset)
            os.fdatasync(self._descriptor)
            self._offset = (self._offset + RECORD_BYTES) % (self._capacity - RECORD_BYTES)
            count += 1
            if self._pause:
                rested = time.perf_counter() + self._pause
                while time.perf_counter() < rested:
                    pass
        return count / (time.perf_counter() - started)

    def close(self) -> None:
        """See :class:`Contestant`."""
        os.close(self._descriptor)


class Writer:
    """One thread that waits for each write, or for a window of them."""

    def __init__(self, directory: Path, policy: FsyncPolicy, window: int = 1) -> None:
        self._engine = Engine(directory / f"{policy}-{window}", Dictionary(), options=_options(policy))
        self._window = window
        self._count = 0

    def slice(self, seconds: float) -> float:
        """See :class:`Contestant`."""
        engine, window, before = self._engine, self._window, self._count
        started = time.perf_counter()
        while time.perf_counter() - started < seconds:
            if window == 1:
                self._count += 1
                engine.apply([[b"SET", b"%016d" % self._count, VALUE]])
                continue
            receipts = []
            for _ in range(window):
                self._count += 1
                receipts.append(engine.submit([[b"SET", b"%016d" % self._count, VALUE]]))
            receipts[-1].result()
        rate = (self._count - before) / (time.perf_counter() - started)
        engine.sync()  # the next contestant must not pay for this one
        return rate

    def close(self) -> None:
        """See :class:`Contestant`."""
        self._engine.close()


class Tasks:
    """Tasks of one event loop, each waiting for its own writes."""

    def __init__(self, directory: Path, count: int) -> None:
        self._runner = asyncio.Runner()
        self._count = count
        self._written = 0
        self._engine = self._runner.run(self._open(directory / "tasks"))

    async def _open(self, directory: Path) -> durakv.aio.AsyncEngine:
        return await durakv.aio.AsyncEngine.open(directory, Dictionary(), options=_options(FsyncPolicy.ALWAYS))

    def slice(self, seconds: float) -> float:
        """See :class:`Contestant`."""
        return self._runner.run(self._slice(seconds))

    async def _slice(self, seconds: float) -> float:
        before = self._written
        started = time.perf_counter()

        async def write() -> None:
            while time.perf_counter() - started < seconds:
                self._written += 1
                await self._engine.apply([[b"SET", b"%016d" % self._written, VALUE]])

        await asyncio.gather(*(write() for _ in range(self._count)))
        return (self._written - before) / (time.perf_counter() - started)

    def close(self) -> None:
        """See :class:`Contestant`."""
        self._runner.run(self._engine.close())
        self._runner.close()


def contestants(directory: Path) -> dict[str, Contestant]:
    """All of them; the first is the measure of the others."""
    return {
        "raw pwrite+fdatasync": RawLoop(directory),
        "always, one writer": Writer(directory, FsyncPolicy.ALWAYS),
        f"always, {TASKS} asyncio tasks": Tasks(directory, TASKS),
        "always, submit window of 64": Writer(directory, FsyncPolicy.ALWAYS, 64),
        "everysec, one writer": Writer(directory, FsyncPolicy.EVERYSEC),
        f"raw, pauses of {PAUSE_SECONDS * 1e6:.0f} us": RawLoop(directory, PAUSE_SECONDS),
    }


def measure(directory: Path, rounds: int, seconds: float) -> dict[str, list[float]]:
    """The rate of every contestant in every round, in rotating order."""
    running = contestants(directory)
    names = list(running)
    rates: dict[str, list[float]] = {name: [] for name in names}
    try:
        for number in range(rounds):
            for shift in range(len(names)):
                name = names[(number + shift) % len(names)]
                rates[name].append(running[name].slice(seconds))
    finally:
        for contestant in running.values():
            contestant.close()
    return rates


def main() -> int:
    """Run the rounds and print the table; exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--directory", default=None, help="where the files go; its disk is what is measured")
    options = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="durakv-bench-", dir=options.directory))
    try:
        rates = measure(directory, options.rounds, options.seconds)
    finally:
        shutil.rmtree(directory)
    names = list(rates)
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
