"""Databases with a lane and without, and all that can be compared of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from durakv import Durability, FsyncPolicy, Options
from durakv.clock import Clock
from durakv.engine import Engine
from durakv.keyspace.database import Database
from durakv.keyspace.decider import Decider
from durakv.keyspace.machine import Keyspace
from tests.keyspace.contents import comparable

APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED
ALL: tuple[Durability | None, ...] = (None, WRITTEN, SYNCED)
NOW_MS = 1_700_000_000_000


class StandingCalendar:
    """Seconds as the machine counts them, with a date that stands still."""

    monotonic = staticmethod(time.monotonic)

    def time_ms(self) -> int:
        return NOW_MS


class PythonClock(StandingCalendar):
    """The same by a function in Python, for which no lane is made."""

    def monotonic(self) -> float:
        return time.monotonic()


def open_at(
    path: Path, fsync: FsyncPolicy, *, clock: Clock | None = None, background: bool = False, segment_bytes: int = 4096
) -> Database:
    decider = Decider(Keyspace(), StandingCalendar() if clock is None else clock)
    options = Options(fsync=fsync, segment_bytes=segment_bytes, rewrite_percentage=0)
    engine = Engine(
        path,
        decider.keyspace,
        options=options,
        clock=decider.clock,
        background=background,
        entropy=lambda size: bytes(range(size)),
    )
    return Database(engine, decider)


def lane_of(db: Database) -> Any:
    assert db.lane is not None
    return db.lane


COUNTERS = (
    *("applied_seq", "written_seq", "synced_seq", "logged_bytes", "written_bytes", "synced_bytes", "sealed_bytes"),
    *("writes", "syncs", "rotations", "healed", "writing", "syncing"),
)


def state(db: Database) -> tuple[object, ...]:
    """All of it that a write changes, except times."""
    commit = db.engine._commit
    counters = [getattr(commit, name) for name in COUNTERS]
    segment, waiters = commit.segment, db.engine._runner._waiters
    return (*counters, segment.offset, segment.reserved, list(commit._pending), db.get(b"k"), len(waiters))


def image(db: Database) -> dict[str, bytes]:
    return {name: db.engine.filesystem.open(name).read_at(1 << 26, 0) for name in db.engine.filesystem.list()}


def contents(db: Database) -> dict[tuple[int, bytes], object]:
    keyspace = db.decider.keyspace
    return {
        (number, key): (comparable(value), deadline)
        for number in range(16)
        for slot in range(keyspace.slot_count)
        for key, value, deadline in keyspace.store(number).columns(slot)
    }


@contextmanager
def both(tmp_path: Path, fsync: FsyncPolicy) -> Iterator[tuple[Database, Database]]:
    with open_at(tmp_path / "lane", fsync) as one, open_at(tmp_path / "python", fsync, clock=PythonClock()) as other:
        assert one.lane is not None
        assert other.lane is None
        yield one, other


def windowed(db: Database) -> bool:
    return db.engine._commit.segment.window is not None
