"""What a run of the benchmark found, as plain data.

A run is saved as the JSON of ``Report``; two saved runs can be compared.  Names carry their units.  A figure that
could not be measured is None, and a note says why.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import msgspec

VERSION = 1
"""Of the file format; a reader refuses another."""


class Promise(StrEnum):
    """What a store says an acknowledged write survives, with the setting it was opened with."""

    POWER = "power loss"
    """Acknowledged once it is synced."""
    PROCESS = "killed process"
    """Acknowledged once the operating system has it."""
    NOTHING = "nothing"
    """Acknowledged while it is in the process's memory only."""


class Shape(StrEnum):
    """How writes are made."""

    THREADS = "threads"
    """So many threads, each waiting for each of its writes."""
    TASKS = "tasks"
    """So many asyncio tasks in one thread, each waiting for each of its writes."""
    WINDOW = "window"
    """One thread that makes so many separate writes and then waits for the last."""
    BATCH = "batch"
    """One thread whose writes are atomic batches (or transactions) of so many."""
    PIPELINE = "pipeline"
    """One connection, or as many as ``client`` says, that sends so many commands before it reads the replies."""
    CLIENTS = "clients"
    """So many connections of an external load generator, such as redis-benchmark."""


class Mode(StrEnum):
    """When a write is made."""

    CLOSED = "closed"
    """As soon as the one before is acknowledged."""
    OPEN = "open"
    """At a fixed rate; its response time counts from the intended start, so waiting behind a stall is not hidden."""


class Latency(msgspec.Struct, frozen=True):
    """Percentiles in microseconds."""

    count: int
    p50_us: float
    p90_us: float
    p99_us: float
    p999_us: float
    max_us: float


class Second(msgspec.Struct, frozen=True):
    """One second of a measurement."""

    second: int
    """Since the measurement began."""
    latency: Latency


class Counters(msgspec.Struct, frozen=True):
    """What a measurement made the store and the kernel do; None where it cannot be known."""

    user_bytes: int
    """Keys and values."""
    syncs: int | None = None
    log_writes: int | None = None
    log_bytes: int | None = None
    process_write_bytes: int | None = None
    """Pages that the process dirtied or wrote: ``write_bytes`` of /proc/PID/io."""
    device_write_bytes: int | None = None
    """Sectors written to the block device by anybody, times their size."""
    rss_bytes: int | None = None


class Round(msgspec.Struct, frozen=True):
    """One case, measured once."""

    seconds: float
    writes: int
    """Acknowledged; a batch of ten counts as ten."""
    rate: float
    """Writes per second."""
    raw_rate: float
    """Commits per second of the raw loop in the same round."""
    service: Latency | None = None
    """From the call to the acknowledgement; of a batch or window as a whole."""
    response: Latency | None = None
    """Open loop only: from the intended start to the acknowledgement."""
    by_second: tuple[Second, ...] = ()
    """Of ``response`` in an open loop, else of ``service``."""
    counters: Counters | None = None


class Case(msgspec.Struct, frozen=True):
    """One store with one setting under one load."""

    store: str
    """``durakv``, ``raw``, or the name of a peer."""
    setting: str
    """As its users know it: ``always``, ``WAL, synchronous=FULL``, …"""
    promise: Promise
    shape: Shape
    width: int
    """Threads, tasks or clients; or the size of the window, batch or pipeline."""
    value_bytes: int
    mode: Mode = Mode.CLOSED
    offered_rate: float | None = None
    """Open loop only: writes per second that were asked for."""
    client: str = ""
    """What made the load, where it is not the store's own Python interface: ``redis-benchmark``, ``socket``."""
    rounds: tuple[Round, ...] = ()
    note: str = ""

    @property
    def name(self) -> str:
        """A name that no other case of the run has."""
        parts = [self.store, self.setting, f"{self.shape.value} {self.width}", f"{self.value_bytes} B"]
        if self.mode is Mode.OPEN:
            parts.append(f"open at {self.offered_rate:,.0f}/s")
        if self.client:
            parts.append(self.client)
        return ", ".join(parts)


class Loss(msgspec.Struct, frozen=True):
    """What crashes of one kind took from a store with one setting: one entry a crash in each tuple."""

    store: str
    setting: str
    crash: str
    """``SIGKILL`` or ``power cut``."""
    method: str
    """How it was crashed, in a few words."""
    promised_lost_max: int | None
    """0 where the store promises that nothing acknowledged is lost; None where it promises no number."""
    promised_age_max_seconds: float | None
    """The oldest that a lost write may be, where the store promises that."""
    acknowledged: tuple[int, ...]
    lost: tuple[int, ...]
    """Acknowledged writes that were gone."""
    oldest_seconds: tuple[float, ...]
    """How long before the crash the oldest of them was acknowledged; 0 where none was lost."""
    writes_per_second: float | None = None
    """Under the load that was crashed."""
    note: str = ""


class Interference(msgspec.Struct, frozen=True):
    """Latencies of paced writes before and during a background rewrite."""

    store: str
    setting: str
    keys: int
    offered_rate: float
    before: Latency
    during: Latency
    rewrite_seconds: float
    extra_memory_bytes: int | None = None
    """Of the rewriting process or child, above what was held before."""
    data_bytes: int | None = None


class RecoveryPoint(msgspec.Struct, frozen=True):
    """How long one open took."""

    store: str
    what: str
    """``log``, ``base``."""
    keys: int
    file_bytes: int
    seconds: float
    rss_bytes: int | None = None


class Verdict(msgspec.Struct, frozen=True):
    """One target of the project's own, and whether this run met it."""

    name: str
    measured: float | None
    wanted: float
    at_least: bool
    """Whether more is better."""
    unit: str = "x"
    against: str = ""
    """What the ratio is to: the peer that was best, the raw loop."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """None if it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.wanted if self.at_least else self.measured <= self.wanted


class RawLoop(msgspec.Struct, frozen=True):
    """One way to write and sync a record of the log's size, in a loop that does nothing else."""

    name: str
    commits_per_second: float
    latency: Latency


class Disk(msgspec.Struct, frozen=True):
    """Where the measured files were."""

    directory: str
    file_system: str
    device: str
    mount_options: str
    write_cache: str
    """``write back``, ``write through``, or why it is not known."""
    raw: tuple[RawLoop, ...]
    warnings: tuple[str, ...]
    """Why the figures may not be what another disk, or this one after a power loss, would say."""


class Machine(msgspec.Struct, frozen=True):
    """What ran it."""

    platform: str
    processor: str
    cores: int
    memory_bytes: int
    python: str
    versions: dict[str, str]
    """Of durakv and of every peer that was measured."""


class Report(msgspec.Struct, frozen=True):
    """A whole run."""

    version: int
    command: str
    started: str
    """ISO 8601, UTC."""
    seconds: float
    machine: Machine
    disk: Disk
    cases: tuple[Case, ...] = ()
    losses: tuple[Loss, ...] = ()
    interferences: tuple[Interference, ...] = ()
    recoveries: tuple[RecoveryPoint, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    left_out: tuple[str, ...] = ()
    """What was not measured, each with its reason."""


def save(report: Report, path: Path) -> None:
    """Write the run as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


def load(path: Path) -> Report:
    """Read a saved run.  Raises ValueError naming the file if it is none, or of another version."""
    try:
        report = msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path}: this is no saved run of durakv bench: {error}") from error
    if report.version != VERSION:
        raise ValueError(f"{path}: it is of version {report.version}; this program reads version {VERSION}")
    return report
