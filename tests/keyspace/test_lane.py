"""The promise: the compiled lane does what the way written in Python does, byte for byte, or nothing.

Method: two databases with the same identity are given the same traffic, one with a lane and one with a clock that keeps
it from having one; files, state and counters are compared.  Then whatever may stand in the way, one thing at a time.
"""

from __future__ import annotations

import errno
import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durakv import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.keyspace import lane as lane_module
from durakv.keyspace.database import Database
from durakv.keyspace.machine import Keyspace
from durakv.waiting import Waiter
from tests.keyspace.lanes import ALL, APPLIED, SYNCED, WRITTEN, both, contents, image, lane_of, open_at, state, windowed

pytestmark = pytest.mark.skipif(
    not lane_module.COMPILED and not (os.environ.get("DURAKV_REQUIRE_COMPILED") and sys.platform == "linux"),
    reason="the lane was not built here",
)


def test_it_was_built_where_it_has_to_be() -> None:
    assert lane_module.COMPILED


# --- the same traffic -------------------------------------------------------------------------------------------------


def draw(source: random.Random) -> Callable[[Database], object]:
    """One thing to do to a database; most are plain SETs."""
    key = b"k%d" % source.randrange(12)
    value = source.randbytes(
        source.choice((0, 1, 9, 10, 99, 100, 700, 1998, 2100, 70_000 if source.random() < 0.05 else 5))
    )
    level = source.choice((None, None, None, WRITTEN, SYNCED, APPLIED))
    kind = source.randrange(24)
    if kind < 14:
        return lambda db: db.set(key, value, durability=level)
    if kind == 14:
        return lambda db: db.set(key, value, px=source.randrange(1, 5), durability=level)
    others: list[Callable[[Database], object]] = [
        lambda db: db.delete(key),
        lambda db: db.execute(b"FLUSHDB") and db.execute(b"HSET", key, b"field", value),
        lambda db: db.engine.apply([(b"SET", key, value), (b"SET", b"k1", b"of a batch")], level),
        lambda db: db.engine.submit([(b"SET", key, value)], level),
        lambda db: db.select(3).set(key, value),
        lambda db: db.set(key, value, nx=True),
        lambda db: db.execute(b"PEXPIRE", key, b"9"),
        lambda db: db.sync(),
        lambda db: db.engine.set_fsync(source.choice(list(FsyncPolicy))),
    ]
    return others[kind - 15]


@pytest.mark.parametrize("seed", range(6))
def test_the_same_traffic_leaves_the_same_bytes_and_the_same_counters(tmp_path: Path, seed: int) -> None:
    done = 0
    with both(tmp_path, list(FsyncPolicy)[seed % 3]) as (one, other):
        for step in range(200):
            number = seed * 1000 + step
            before = one.engine._commit.writes
            draw(random.Random(number))(one)
            draw(random.Random(number))(other)
            done += one.engine._commit.writes - before
            assert state(one) == state(other), step
        assert one.engine._commit.rotations > 5
        assert contents(one) == contents(other)
        assert image(one) == image(other)
    assert done > 100, "nothing was written that could differ"
    with open_at(tmp_path / "lane", FsyncPolicy.NO) as again, open_at(tmp_path / "python", FsyncPolicy.NO) as twin:
        assert contents(again) == contents(twin)


def test_it_does_the_plain_case_itself(tmp_path: Path) -> None:
    with open_at(tmp_path / "a", FsyncPolicy.EVERYSEC) as db:
        if not windowed(db):
            pytest.skip("files are not written through windows here")
        db.set(b"first", b"makes the slots")
        assert lane_of(db).put(b"k", b"v", None) is True
        assert lane_of(db).append(b"k", b"w", WRITTEN) == 3
        assert db.get(b"k") == b"w"
        assert (db.engine.synced_seq, db.engine.written_seq, db.engine.applied_seq) == (0, 3, 3)
        assert lane_of(db).append(b"k", b"x", SYNCED) == 4, "it is pending"
        assert lane_of(db).append(b"k", b"y", SYNCED) == 5
        assert db.engine.written_seq == 3
        db.sync()
        assert lane_of(db).put(b"k", b"z", SYNCED) is True
        assert db.engine.synced_seq == 6


# --- what is left to the other way ------------------------------------------------------------------------------------


def with_waiter(db: Database) -> None:
    db.engine._runner._waiters.append(Waiter(0, APPLIED, lambda: None))


def in_a_batch(db: Database) -> None:
    db.decider.keyspace.announce(2)


def grown_old(db: Database) -> None:
    db.engine._commit._unsynced_since = time.monotonic() - 0.9


def another_selected(db: Database) -> None:
    db.engine.apply([(b"SELECT", b"2")], WRITTEN)


def prepared_by_somebody(db: Database) -> None:
    db.engine._runner.prepare_by(lambda batch: None)


def almost_full(db: Database) -> None:
    segment = db.engine._commit.segment
    segment.capacity = segment.reserved + 94 + 28


def expiring(db: Database) -> None:
    db.set(b"k", b"old", ex=100)


def cleared(db: Database) -> None:
    db.execute(b"FLUSHDB")


def closed(db: Database) -> None:
    db.engine._runner._closed = True


@pytest.mark.parametrize(
    ("disturb", "levels"),
    [
        (in_a_batch, ALL),
        (grown_old, ALL),
        (another_selected, ALL),
        (prepared_by_somebody, ALL),
        (almost_full, ALL),
        (expiring, ALL),
        (cleared, ALL),
        (closed, ALL),
        (lambda db: db.engine._runner.lock.acquire(), ALL),
        (lambda db: db.engine._commit.fail(OSError(errno.EIO, "gone")), ALL),
        (with_waiter, (None, WRITTEN)),
        (lambda db: setattr(db.engine._commit, "writing", True), (None, WRITTEN)),
        (lambda db: setattr(db.engine._commit, "syncing", True), (None, WRITTEN)),
        (lambda db: db.engine._commit.append(b"*1\r\n$1\r\nx\r\n", [(b"DEL", b"x")], 0.0), (None, WRITTEN)),
        (lambda db: db.engine._commit.set_policy(FsyncPolicy.ALWAYS), (WRITTEN,)),
        (lambda db: setattr(db.engine._commit.segment, "window", None), (None, WRITTEN)),
    ],
)
def test_what_is_not_plain_is_left_alone(
    tmp_path: Path, disturb: Callable[[Database], object], levels: tuple[Durability | None, ...]
) -> None:
    db = open_at(tmp_path / "a", FsyncPolicy.EVERYSEC)
    runner, commit = db.engine._runner, db.engine._commit
    capacity, window = commit.segment.capacity, commit.segment.window
    db.set(b"k", b"old")
    disturb(db)
    before = state(db)
    for level in levels:
        assert lane_of(db).put(b"k", b"new", level) is None, level
        assert lane_of(db).append(b"k", b"new", level) is None, level
        assert state(db) == before
    if runner.lock.locked():
        runner.lock.release()
    runner._closed = commit.writing = commit.syncing = False
    commit.segment.capacity, commit.segment.window, commit.poison = capacity, window, None
    runner._waiters.clear()
    db.close()


@pytest.mark.parametrize(
    ("key", "value", "level"),
    [
        ("k", b"v", None),
        (b"k", "v", None),
        (bytearray(b"k"), b"v", None),
        (b"k", memoryview(b"v"), None),
        (b"k", None, None),
        (b"k" * 66_000, b"v", None),
        (b"k", b"v" * 66_000, None),
        (b"k" * 40_000, b"v" * 40_000, None),
        (b"k", b"v", APPLIED),
        (b"k", b"v", 1),
        (b"k", b"v", "SYNCED"),
    ],
)
def test_arguments_that_are_not_plain_are_left_to_be_judged(tmp_path: Path, key: Any, value: Any, level: Any) -> None:
    with open_at(tmp_path / "a", FsyncPolicy.EVERYSEC, segment_bytes=1 << 20) as db:
        db.set(b"k", b"old")
        before = state(db)
        assert lane_of(db).put(key, value, level) is None
        assert lane_of(db).append(key, value, level) is None
        assert state(db) == before
        for wrong in ((), (key,), (key, value), (key, value, level, level)):
            with pytest.raises(TypeError):
                lane_of(db).put(*wrong)
            with pytest.raises(TypeError):
                lane_of(db).append(*wrong)


def test_it_is_made_for_engines_and_keyspaces_as_they_are_only(tmp_path: Path) -> None:
    class Own(Keyspace):
        pass

    class OwnEngine(Engine):
        pass

    class WithoutSlots:
        _closed = False

    make_any: Any = lane_module._make

    with open_at(tmp_path / "a", FsyncPolicy.NO) as db:
        assert db.lane is not None
        assert db.select(1).lane is None
        assert db.select(0).lane is not None
        assert lane_module.make_lane(db.engine, Keyspace()) is None
    for wrong, failure in ((threading.Lock(), AttributeError), (WithoutSlots(), TypeError)):
        with pytest.raises(failure):
            make_any(wrong, wrong, wrong, wrong, int, int, threading.Lock(), *([None] * 6), 0.0, 0.0, 0)
    for own in (Own(), Keyspace()):
        with OwnEngine(tmp_path / "a", own) as engine:
            assert lane_module.make_lane(engine, own) is None


# --- memory -----------------------------------------------------------------------------------------------------------


def test_nothing_is_kept_that_is_not_held(tmp_path: Path) -> None:
    """Every way through it, done and refused, thousands of times: as many blocks of memory afterwards as before."""
    with open_at(tmp_path / "a", FsyncPolicy.NO, segment_bytes=4 << 20) as db:
        key, value = b"a key", b"a value"
        db.set(key, value)
        lane, runner = lane_of(db), db.engine._runner

        def round_of_all() -> None:
            for _ in range(200):
                lane.put(key, value, None)
                lane.put("wrong", value, None)
                lane.put(key, value * 9000, None)
                lane.append(key, value, WRITTEN)
                lane.append(key, value, APPLIED)
            for _ in range(20):
                lane.append(key, value, SYNCED)
                db.sync()
                lane.put(key, value, SYNCED)
            runner.lock.acquire()
            for _ in range(200):
                lane.put(key, value, None)
                lane.put(key, value, SYNCED)
                lane.append(key, value, SYNCED)
            runner.lock.release()
            for _ in range(200):
                lane.put(key, value, db)

        round_of_all()
        held = sys.getrefcount(key), sys.getrefcount(value), sys.getrefcount(db.engine._commit.segment)
        blocks = sys.getallocatedblocks()
        for _ in range(5):
            round_of_all()
        assert sys.getallocatedblocks() - blocks < 200
        assert held == (sys.getrefcount(key), sys.getrefcount(value), sys.getrefcount(db.engine._commit.segment))


# --- batches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [(b"INCRBY", b"n", b"2"), (b"SET", b"k1", b"v", b"KEEPTTL"), (b"DEL", b"k1"), None])
def test_a_batch_of_sets_is_applied_as_one_by_one(tmp_path: Path, other: tuple[bytes, ...] | None) -> None:
    batch = [(b"SET", b"k%d" % number, b"v") for number in range(5)] + ([] if other is None else [other])
    with both(tmp_path, FsyncPolicy.NO) as (one, two):
        for db in (one, two):
            db.set(b"k2", b"old", ex=100)
            db.set(b"n", b"1")
        assert one.engine.apply(batch) == [None] * len(batch)
        for command in batch:
            two.decider.keyspace.apply(command)
        assert contents(one) == contents(two)
        assert one.decider.keyspace.apply_together([(b"SELECT", b"1"), (b"SET", b"k", b"v")]) is None


def test_readers_without_the_lock_are_let_in_again_after_an_announced_batch(tmp_path: Path) -> None:
    with open_at(tmp_path / "a", FsyncPolicy.NO) as db:
        keyspace = db.decider.keyspace
        before = keyspace.generation
        with db.batch() as batch:
            batch.set(b"a", b"1")
            batch.set(b"b", b"2")
        assert keyspace.generation % 2 == 0
        assert keyspace.generation > before
        assert (db.get(b"a"), db.get(b"b")) == (b"1", b"2")
        keyspace.announce(3)
        assert keyspace.apply_together([(b"SET", b"a", b"3")] * 2) is None, "the announced batch is another one"
        assert keyspace.generation % 2 == 1
