"""A run that nobody made: every part of a report, with figures as they might be on a small machine."""

from __future__ import annotations

import functools
import math
import random
from collections.abc import Iterable, Sequence

import msgspec

from durakv.bench.results import (
    VERSION,
    Case,
    Counters,
    Disk,
    Interference,
    Latency,
    Loss,
    Machine,
    Mode,
    Promise,
    RawLoop,
    RecoveryPoint,
    Report,
    Round,
    Second,
    Shape,
    Verdict,
)

POWER, PROCESS, NOTHING = Promise.POWER, Promise.PROCESS, Promise.NOTHING
RAW_RATE = 4_700.0
VALUE_BYTES = 100
WARNING = "the device has a volatile write cache, and nothing says that a flush empties it"

RATES: Sequence[tuple[str, str, Promise, dict[tuple[Shape, int], float]]] = (
    ("raw", "prealloc, RWF_DSYNC", POWER, {(Shape.THREADS, 1): 4_700, (Shape.BATCH, 64): 257_000}),
    (
        "durakv",
        "always",
        POWER,
        {
            (Shape.THREADS, 1): 4_600,
            (Shape.THREADS, 4): 11_800,
            (Shape.THREADS, 16): 23_000,
            (Shape.THREADS, 64): 24_900,
            (Shape.TASKS, 1): 3_100,
            (Shape.TASKS, 4): 12_300,
            (Shape.TASKS, 16): 43_000,
            (Shape.TASKS, 64): 112_000,
            (Shape.TASKS, 256): 131_000,
            (Shape.WINDOW, 1024): 420_000,
            (Shape.BATCH, 1024): 737_000,
        },
    ),
    ("durakv", "everysec", PROCESS, {(Shape.THREADS, 1): 820_000, (Shape.BATCH, 1000): 1_900_000}),
    ("durakv", "no", PROCESS, {(Shape.THREADS, 1): 868_000}),
    ("SQLite", "WAL, synchronous=FULL", POWER, {(Shape.THREADS, 1): 2_844, (Shape.THREADS, 64): 2_452}),
    ("SQLite", "WAL, synchronous=NORMAL", PROCESS, {(Shape.THREADS, 1): 16_100, (Shape.BATCH, 1000): 24_800}),
    ("LMDB", "sync", POWER, {(Shape.THREADS, 1): 2_054, (Shape.THREADS, 64): 1_975}),
    ("RocksDB", "sync WAL", POWER, {(Shape.THREADS, 1): 3_118, (Shape.THREADS, 64): 2_672}),
    ("RocksDB", "no sync", PROCESS, {(Shape.THREADS, 1): 124_000, (Shape.BATCH, 1000): 281_000}),
    (
        "LevelDB",
        "sync",
        POWER,
        {
            (Shape.THREADS, 1): 3_188,
            (Shape.THREADS, 4): 6_400,
            (Shape.THREADS, 16): 15_100,
            (Shape.THREADS, 64): 26_300,
        },
    ),
    ("LevelDB", "no sync", PROCESS, {(Shape.THREADS, 1): 271_000, (Shape.BATCH, 1000): 834_000}),
    ("diskcache", "default", PROCESS, {(Shape.THREADS, 1): 6_154}),
    (
        "redis-server",
        "always",
        POWER,
        {
            (Shape.CLIENTS, 1): 2_100,
            (Shape.CLIENTS, 16): 13_000,
            (Shape.CLIENTS, 64): 24_771,
            (Shape.PIPELINE, 64): 61_000,
        },
    ),
    ("redis-server", "everysec", PROCESS, {(Shape.CLIENTS, 64): 69_000, (Shape.PIPELINE, 64): 252_000}),
    ("redis-server", "no", PROCESS, {(Shape.CLIENTS, 64): 71_000, (Shape.PIPELINE, 64): 261_000}),
)


@functools.cache
def report() -> Report:
    """The whole of it; the same each time."""
    chance = random.Random(20)
    return Report(
        VERSION,
        "durakv bench --directory /var/lib/durakv",
        "2026-03-01T12:00:00+00:00",
        412.0,
        machine(),
        disk(),
        (*closed_cases(chance), *open_cases(chance)),
        losses(chance),
        interferences(),
        recoveries(),
        verdicts(),
        ("Valkey: no valkey-server is on the path", "diskcache, 64 threads: it times out waiting for its own lock"),
    )


def machine() -> Machine:
    versions = {"durakv": "0.9.0", "SQLite": "3.40.1", "LMDB": "0.9.36", "redis-server": "7.0.15"}
    return Machine("Linux 6.18 x86_64", "AMD EPYC", 2, 24 * 10**9, "CPython 3.11.7", versions)


def disk() -> Disk:
    loops = (
        RawLoop("append, fdatasync", 3_288.0, latency(266, 500, chance=random.Random(1))),
        RawLoop("preallocated, RWF_DSYNC", RAW_RATE, latency(184, 400, chance=random.Random(2))),
    )
    return Disk("/var/lib/durakv", "ext4", "/dev/vda", "rw,relatime", "write back", loops, (WARNING,))


def latency(p50: float, count: int, *, chance: random.Random, tail: float = 3.0) -> Latency:
    swing = chance.uniform(0.9, 1.1)
    return Latency(count, p50, p50 * 1.6 * swing, p50 * tail * swing, p50 * tail * 2.4 * swing, p50 * tail * 9 * swing)


def closed_cases(chance: random.Random) -> list[Case]:
    return [
        Case(store, setting, promise, shape, width, VALUE_BYTES, client=client(store, shape), rounds=rounds)
        for store, setting, promise, rates in RATES
        for (shape, width), rate in rates.items()
        for rounds in [tuple(one_round(chance, rate, shape, width, promise) for _ in range(5))]
    ]


def client(store: str, shape: Shape) -> str:
    return "redis-benchmark" if store == "redis-server" and shape in (Shape.CLIENTS, Shape.PIPELINE) else ""


def one_round(chance: random.Random, rate: float, shape: Shape, width: int, promise: Promise) -> Round:
    weather = chance.uniform(0.85, 1.1)
    own, together = rate * weather * chance.uniform(0.97, 1.03), 1 if shape is Shape.THREADS and width == 1 else width
    writes = int(own * 2)
    commits = max(1, writes // together)
    counters = Counters(
        writes * (VALUE_BYTES + 16),
        commits if promise is POWER else 2,
        commits,
        writes * 145,
        writes * 150,
        max(commits * 4096, writes * 150) if promise is POWER else writes * 150,
        84_000_000,
    )
    return Round(
        2.0, writes, own, RAW_RATE * weather, latency(1e6 * together / own, writes, chance=chance), counters=counters
    )


def open_cases(chance: random.Random) -> list[Case]:
    return [
        open_case(chance, "durakv", "always", POWER, 210.0, stall_ms=4),
        open_case(chance, "durakv", "everysec", PROCESS, 1.3, stall_ms=0.1),
        open_case(chance, "redis-server", "always", POWER, 420.0, stall_ms=9),
        open_case(chance, "redis-server", "everysec", PROCESS, 61.0, stall_ms=180),
    ]


def open_case(
    chance: random.Random, store: str, setting: str, promise: Promise, p50: float, *, stall_ms: float
) -> Case:
    seconds = tuple(
        Second(
            second,
            Latency(2_000, p50, p50 * 2, p50 * 4, p50 * 8, max(p50 * 12, chance.expovariate(1 / (stall_ms * 1e3)))),
        )
        for second in range(12)
    )
    worst = max(second.latency.max_us for second in seconds)
    round_ = Round(
        12.0,
        24_000,
        2_000.0,
        RAW_RATE,
        Latency(24_000, p50, p50 * 1.5, p50 * 3, p50 * 5, worst / 3),
        Latency(24_000, p50 * 1.1, p50 * 2, p50 * 4, worst * 0.8, worst),
        seconds,
    )
    return Case(store, setting, promise, Shape.THREADS, 16, VALUE_BYTES, Mode.OPEN, 2_000.0, rounds=(round_,))


def losses(chance: random.Random) -> tuple[Loss, ...]:
    def entry(store: str, setting: str, crash: str, window: float, rate: float, promised: float | None) -> Loss:
        crashes = 400 if crash == "SIGKILL" else 1_200
        ages = tuple(abs(chance.betavariate(2, 2)) * window for _ in range(crashes))
        return Loss(
            store,
            setting,
            crash,
            "the process killed at a random instant"
            if crash == "SIGKILL"
            else "a simulated disk drops what is unsynced",
            0 if not window else None,
            promised,
            tuple(chance.randrange(3_000, 9_000) for _ in range(crashes)),
            tuple(math.ceil(age * rate) for age in ages),
            ages,
            rate,
        )

    return (
        entry("durakv", "always", "SIGKILL", 0, 24_000, None),
        entry("durakv", "always", "power cut", 0, 24_000, None),
        entry("durakv", "everysec", "SIGKILL", 0, 90_000, None),
        entry("durakv", "everysec", "power cut", 1.1, 90_000, 2.0),
        entry("durakv", "no", "SIGKILL", 0, 90_000, None),
        entry("durakv", "no", "power cut", 28.0, 90_000, None),
        entry("redis-server", "always", "SIGKILL", 0, 20_000, None),
        entry("redis-server", "always", "power cut", 0, 20_000, None),
        entry("redis-server", "everysec", "SIGKILL", 0, 60_000, None),
        entry("redis-server", "everysec", "power cut", 1.9, 60_000, None),
        entry("redis-server", "no", "power cut", 30.0, 60_000, None),
    )


def interferences() -> tuple[Interference, ...]:
    def entry(store: str, before: float, during: float, stall: float, seconds: float, extra: int) -> Interference:
        quiet = Latency(60_000, before, before * 1.5, before * 2.2, before * 4, before * 30)
        busy = Latency(20_000, during, during * 1.6, during * 2.6, during * 6, stall)
        return Interference(store, "everysec", 1_000_000, 20_000.0, quiet, busy, seconds, extra, 251_000_000)

    return (
        entry("durakv", 1.6, 1.7, 2_300, 0.9, 9_000_000),
        entry("redis-server", 60.0, 92.0, 21_000, 3.3, 160_000_000),
    )


def recoveries() -> tuple[RecoveryPoint, ...]:
    def points(store: str, what: str, key_bytes: int, per_second: float, memory: int) -> Iterable[RecoveryPoint]:
        for keys in (100_000, 300_000, 1_000_000, 2_000_000):
            yield RecoveryPoint(
                store, what, keys, keys * key_bytes, 0.03 + keys / per_second, 30_000_000 + keys * memory
            )

    return (
        *points("durakv", "log", 140, 980_000, 251),
        *points("durakv", "base", 112, 2_200_000, 251),
        *points("redis-server", "log", 144, 520_000, 201),
        *points("redis-server", "base", 118, 810_000, 201),
    )


def verdicts() -> tuple[Verdict, ...]:
    return (
        Verdict("durable, one writer", 0.98, 0.95, True, against="the raw preallocated loop"),
        Verdict("durable, 64 tasks", 4.5, 3.5, True, against="redis-server always, 64 clients"),
        Verdict("durable, 64 threads", 0.82, 0.9, True, against="LevelDB sync, 64 threads", note="bound by hand-offs"),
        Verdict("worst insert while growing", 6.0, 10.0, False, unit="ms"),
        Verdict("first read after a lazy open", None, 0.005, False, note="needs 5 M keys"),
    )


def crowded() -> Report:
    """A run of every peer in every setting: 28 curves, many of them close to each other."""
    one_and_many = {
        ("SQLite", POWER): {"WAL, synchronous=FULL": (3_050, 2_870), "DELETE, synchronous=FULL": (1_180, 1_040)},
        ("SQLite", PROCESS): {"WAL, synchronous=NORMAL": (61_000, 31_000), "WAL, synchronous=OFF": (66_000, 33_500)},
        ("LMDB", POWER): {"default": (4_150, 4_020)},
        ("LMDB", PROCESS): {"sync=False": (98_000, 52_000), "writemap=True, map_async=True": (182_000, 71_000)},
        ("RocksDB", POWER): {"WAL, sync=true": (6_700, 34_800)},
        ("RocksDB", PROCESS): {"WAL, sync=false": (213_000, 118_000)},
        ("LevelDB", POWER): {"sync=True": (6_900, 41_500)},
        ("LevelDB", PROCESS): {"sync=False": (402_000, 167_000)},
        ("diskcache", POWER): {"sqlite_synchronous=FULL": (2_650, 2_120)},
        ("diskcache", PROCESS): {"default": (13_900, 9_700)},
    }
    servers = {
        "appendfsync always": (POWER, (3_700, 17_900), (53_000, 54_500)),
        "appendfsync everysec": (PROCESS, (15_600, 20_300), (101_000, 103_000)),
        "appendfsync no": (PROCESS, (15_900, 20_800), (104_000, 105_500)),
    }
    chance = random.Random(28)
    threads = {
        (store, setting, promise): rates for (store, promise), found in one_and_many.items()
        for setting, rates in found.items()
    }  # fmt: skip
    cases = [case for case in report().cases if case.store == "durakv" and case.setting == "always"]
    cases += _curve(chance, ("durakv", "everysec", PROCESS), Shape.THREADS, {1: 385_000, 64: 271_000})
    cases += _curve(chance, ("durakv", "everysec", PROCESS), Shape.TASKS, {1: 34_000, 64: 109_000})
    cases += _curve(chance, ("durakv", "no", PROCESS), Shape.THREADS, {1: 391_000, 64: 268_000})
    cases += _curve(chance, ("durakv", "no", PROCESS), Shape.TASKS, {1: 35_000, 64: 110_000})
    for about, rates in threads.items():
        cases += _curve(chance, about, Shape.THREADS, dict(zip((1, 64), rates, strict=True)))
    for store, faster in (("redis-server", 1.0), ("Valkey", 1.06)):
        for setting, (promise, single, external) in servers.items():
            about = (store, setting, promise)
            for shape, widths, rates in ((Shape.THREADS, (1, 64), single), (Shape.CLIENTS, (50, 64), external)):
                if (store, shape) == ("Valkey", Shape.CLIENTS):
                    continue
                scaled = {width: rate * faster for width, rate in zip(widths, rates, strict=True)}
                cases += _curve(chance, about, shape, scaled)
    return msgspec.structs.replace(report(), cases=tuple(cases))


def _curve(
    chance: random.Random, about: tuple[str, str, Promise], shape: Shape, rates: dict[int, float]
) -> Iterable[Case]:
    store, setting, promise = about
    for width, rate in rates.items():
        rounds = tuple(one_round(chance, rate, shape, width, promise) for _ in range(5))
        yield Case(store, setting, promise, shape, width, VALUE_BYTES, client=client(store, shape), rounds=rounds)
