"""What writers notice of a rewrite: write latency without one and during one, and the memory of the child process.

    python tests/benchmarks/rewrite_latency.py [--keys 1000000] [--rounds 9] [--fsync always] [--rate 1000]
                                               [--foreign 0.25] [--patience 60] [--directory DIR]

An open loop: writes are due at fixed times, and a write's latency counts from when it was due, so that a stall is not
hidden by the writes that it held up.  Each round overwrites 1 % of the keys (the same ones in every round) and then
measures two windows of equal length in alternating order: one without a rewrite, and one from the request of a
rewrite to its end.  Printed are medians over the rounds; the ratios are those of the medians.

Rounds during which other programs used more than ``--foreign`` of a processor are printed, but do not count.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.keyspace.machine import Keyspace
from durakv.options import Options

KEY_BYTES = 16
VALUE_BYTES = 100
TOUCHED = 0.01
LATENCY_TARGET = 2.0
MEMORY_TARGET = 0.25
WINDOW_SECONDS_MIN = 0.5
BATCH = 500
TRIES = 4


@dataclass(frozen=True, slots=True)
class Window:
    """Latencies of one window, in microseconds."""

    seconds: float
    count: int
    p50: float
    p99: float
    max: float


class Bench:
    """One engine, and a writer that keeps its times."""

    def __init__(self, engine: Engine, keys: int, rate: float) -> None:
        self.engine = engine
        self.rate = rate
        self._random = random.Random(1)
        self._hot = self._random.sample(range(keys), int(keys * TOUCHED))
        self._values = [self._random.randbytes(VALUE_BYTES) for _ in range(1000)]

    def load(self, indexes: range | list[int]) -> None:
        """Write these keys, unmeasured."""
        for start in range(0, len(indexes), BATCH):
            part = indexes[start : start + BATCH]
            commands = [[b"SET", b"key:%012d" % index, self._random.randbytes(VALUE_BYTES)] for index in part]
            self.engine.submit(commands, Durability.WRITTEN).result()
        self.engine.sync()

    def touch(self) -> None:
        """Overwrite the one per cent, each key by a write of its own."""
        for index in self._hot:
            self.engine.submit([[b"SET", b"key:%012d" % index, self._random.randbytes(VALUE_BYTES)]])
        self.engine.sync()

    def measure(self, ended: Callable[[float], bool]) -> Window:
        """Write on schedule until it has ended."""
        apply, clock, pause = self.engine.apply, time.perf_counter, 1 / self.rate
        keys = [b"key:%012d" % index for index in self._random.choices(self._hot, k=1 << 16)]
        latencies: list[float] = []
        started = due = clock()
        while not ended(due - started):
            while (left := due - clock()) > 0:
                time.sleep(left)
            apply([[b"SET", keys[len(latencies) & 0xFFFF], self._values[len(latencies) % 1000]]])
            latencies.append(clock() - due)
            due += pause
        latencies.sort()
        return Window(
            seconds=clock() - started,
            count=len(latencies),
            p50=1e6 * statistics.median(latencies),
            p99=1e6 * latencies[int(len(latencies) * 0.99)],
            max=1e6 * latencies[-1],
        )

    def without(self, seconds: float) -> Window:
        """A window of this length without a rewrite."""
        return self.measure(lambda elapsed: elapsed >= seconds)

    def during(self) -> Window:
        """A window from the request of a rewrite to its end."""
        handle = self.engine._rewrite.request()
        window = self.measure(lambda _elapsed: handle.done())
        handle.result()
        return window


class Foreign:
    """The share of a processor that other programs use."""

    def __init__(self) -> None:
        self._since, self._used = time.perf_counter(), self._seconds()

    def share(self) -> float:
        """On average since this was made."""
        return max(0.0, (self._seconds() - self._used) / (time.perf_counter() - self._since))

    @staticmethod
    def _seconds() -> float:
        with open("/proc/stat", encoding="ascii") as stat:
            user, nice, system, _idle, _wait, interrupt, soft = map(int, stat.readline().split()[1:8])
        used = (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")
        return used - sum(os.times()[:4])


def await_quiet(share: float, patience: int) -> None:
    """Give other programs this many seconds to finish."""
    for _ in range(patience):
        foreign = Foreign()
        time.sleep(1)
        if foreign.share() <= share:
            return


def disk_of(path: Path) -> str:
    """The device and file system that hold a path."""
    best = ("", "unknown")
    with open("/proc/mounts", encoding="ascii") as mounts:
        for line in mounts:
            device, where, kind = line.split()[:3]
            if os.path.commonpath([str(path), where]) == where and len(where) > len(best[0]):
                best = (where, f"{kind} on {device}")
    return best[1]


def main() -> int:
    """Run the rounds and print the table; exit with 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--fsync", default="always", type=FsyncPolicy, choices=list(FsyncPolicy))
    parser.add_argument("--rate", type=float, default=1000, help="writes a second")
    parser.add_argument("--foreign", type=float, default=0.25, help="share of a processor that others may use")
    parser.add_argument("--patience", type=int, default=60, help="seconds to wait for a quiet machine before a round")
    parser.add_argument("--directory", default=None, help="where the files go; its disk is what is measured")
    arguments = parser.parse_args()
    directory = Path(tempfile.mkdtemp(prefix="durakv-bench-", dir=arguments.directory))
    try:
        return run(arguments, directory)
    finally:
        shutil.rmtree(directory)


def run(arguments: argparse.Namespace, directory: Path) -> int:
    """All rounds on one engine."""
    options = Options(fsync=arguments.fsync, rewrite_percentage=0, rewrite_segments_max=0)
    with Engine(directory, Keyspace(), options=options) as engine:
        bench = Bench(engine, arguments.keys, arguments.rate)
        bench.load(range(arguments.keys))
        engine.rewrite()
        print("command:", " ".join([Path(sys.executable).name, *sys.argv]))
        print(f"disk: {disk_of(directory)}  python {platform.python_version()}  {platform.platform()}")
        print(f"{arguments.keys:,} keys, {TOUCHED:.0%} touched a round, {arguments.rate:,.0f} writes/s, times in us")
        print("round seconds   without: p50      p99      max    during: p50      p99      max  child MB  foreign")
        pairs: list[tuple[Window, Window]] = []
        peaks: list[int] = []
        seconds = WINDOW_SECONDS_MIN
        for number in range(TRIES * arguments.rounds):
            bench.touch()
            await_quiet(arguments.foreign, arguments.patience)
            foreign = Foreign()
            if number % 2:
                during = bench.during()
                without = bench.without(during.seconds)
            else:
                without = bench.without(seconds)
                during = bench.during()
            share = foreign.share()
            seconds = max(WINDOW_SECONDS_MIN, during.seconds)
            print(f"{number:5}{during.seconds:8.2f}", end="")
            for window in (without, during):
                print(f"  {window.p50:12,.0f} {window.p99:8,.0f} {window.max:8,.0f}", end="")
            print(f"{engine._rewrite.maker.child_peak_bytes / 1e6:10.1f}{share:9.0%}", flush=True)
            if share <= arguments.foreign:
                pairs.append((without, during))
                peaks.append(engine._rewrite.maker.child_peak_bytes)
            if len(pairs) == arguments.rounds:
                break
        if not pairs:
            print("no round was quiet enough to count; nothing was measured")
            return 1
        return report(arguments, engine, pairs, peaks)


def report(arguments: argparse.Namespace, engine: Engine, pairs: list[tuple[Window, Window]], peaks: list[int]) -> int:
    """Print medians and verdicts; 1 if a target is missed."""
    met = True
    print(f"{len(pairs)} rounds count, {sum(pair[1].count for pair in pairs):,} writes during rewrites")
    for name in ("p50", "p99", "max"):
        without, during = (statistics.median(getattr(pair[which], name) for pair in pairs) for which in (0, 1))
        ratio = during / without
        line = f"{name}: {without:,.0f} us without, {during:,.0f} us during a rewrite, ratio {ratio:.2f}"
        if name != "p50":
            met &= ratio <= LATENCY_TARGET
            line += f", wanted at most {LATENCY_TARGET:.1f}: {'met' if ratio <= LATENCY_TARGET else 'MISSED'}"
        print(line)
    data = arguments.keys * (KEY_BYTES + VALUE_BYTES)
    peak = max(peaks)
    met &= peak <= MEMORY_TARGET * data
    print(
        f"child: peak {peak / 1e6:.1f} MB for {data / 1e6:.1f} MB of keys and values "
        f"(base {engine.status().base_bytes / 1e6:.1f} MB): {peak / data:.2f} of the data, "
        f"wanted at most {MEMORY_TARGET:.2f}: {'met' if peak <= MEMORY_TARGET * data else 'MISSED'}"
    )
    return 0 if met else 1


if __name__ == "__main__":
    raise SystemExit(main())
