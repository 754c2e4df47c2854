"""The promise: the facade does what its methods say, survives being closed and opened, refuses what is no command
before anything is logged, and never shows a batch that is applied in part.

Method: a real engine on a simulated disk, driven without threads; then threads.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

import durakv
from durakv.clock import ManualClock
from durakv.durability import Durability
from durakv.errors import Closed, CommandError, Limit, WrongType
from durakv.keyspace import Status
from durakv.keyspace.database import Database
from durakv.keyspace.mapping import DatabaseMapping
from durakv_formats.limits import COMMAND_ARGUMENTS_MAX
from durakv_fuzz.disk import SimulatedDisk
from tests.keyspace.world import NOW_MS, dump


class House:
    """A database on a simulated disk that can be closed and opened again."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.clock = ManualClock(time_ms=NOW_MS)
        self.db = self.open()

    def open(self, **settings: Any) -> Database:
        return durakv.open(None, filesystem=self.disk, clock=self.clock, background=False, **settings)

    def reopen(self) -> Database:
        self.db.close()
        self.db = self.open()
        return self.db

    @property
    def seq(self) -> int:
        return self.db.status().applied_seq


@pytest.fixture
def house() -> Iterator[House]:
    house = House()
    yield house
    house.db.close()


def test_the_methods_do_what_they_say(house: House) -> None:
    db = house.db
    assert db.set(b"k", b"1") is True
    assert db.set(b"k", b"2", nx=True) is False
    assert db.set(b"k", b"2", xx=True, get=True) == b"1"
    assert (db.get(b"k"), db.get(b"absent")) == (b"2", None)
    assert (db.incr(b"k"), db.incr(b"k", 5), db.incrby(b"k", 2), db.decr(b"k", 3)) == (3, 8, 10, 7)
    assert db.incrbyfloat(b"k", 0.5) == 7.5
    db.mset({b"a": b"1", b"b": b"2"})
    assert db.msetnx({b"b": b"3", b"c": b"3"}) is False
    assert db.mget(b"a", b"b", b"c") == [b"1", b"2", None]
    assert (db.append(b"a", b"xyz"), db.strlen(b"a"), db.getrange(b"a", 1, -2)) == (4, 4, b"xy")
    assert (db.setrange(b"a", 1, b"ABC"), db.getdel(b"a"), db.exists(b"a", b"b")) == (4, b"1ABC", 1)
    assert (db.expire(b"b", 10), db.ttl(b"b"), db.pttl(b"b")) == (True, 10, 10_000)
    assert (db.pexpire(b"b", 9999, gt=True), db.pexpire(b"b", 9999, lt=True)) == (False, True)
    assert (db.expireat(b"b", 2_000_000_000, xx=True), db.expiretime(b"b")) == (True, 2_000_000_000)
    assert (db.pexpireat(b"b", NOW_MS + 5, nx=True), db.persist(b"b"), db.persist(b"b")) == (False, True, False)
    assert (db.getex(b"b", px=500), db.pttl(b"b"), db.getex(b"b", persist=True), db.ttl(b"b")) == (b"2", 500, b"2", -1)
    db.rename(b"b", b"c")
    assert (db.renamenx(b"c", b"k"), db.copy(b"c", b"d"), db.copy(b"c", b"e", database=3)) == (False, True, True)
    assert (db.copy(b"k", b"d", replace=True), db.move(b"d", 4), db.type(b"c")) == (True, True, b"string")
    assert sorted(db.keys()) == sorted(db.scan_iter()) == [b"c", b"k"]
    assert (db.keys(b"?"), list(db.scan_iter(b"[a-f]")), db.randomkey() in (b"c", b"k")) == (db.keys(), [b"c"], True)
    assert (db.dbsize(), db.select(3).keys(), db.delete(b"c", b"absent")) == (2, [b"e"], 1)
    db.flushdb()
    assert (db.dbsize(), db.select(4).dbsize()) == (0, 1)
    db.flushall()
    assert db.select(4).dbsize() == 0


def test_execute_runs_any_command_in_any_database(house: House) -> None:
    db = house.db
    assert db.execute(b"SET", b"lease", b"me", b"NX", b"PX", 30_000) == Status(b"OK")
    assert db.execute(b"INCRBYFLOAT", b"f", 0.1, database=3) == b"0.1"
    assert db.execute(b"GET", b"f") is None
    assert db.select(3).execute(b"GET", b"f") == b"0.1"
    assert db.execute(b"SCAN", 0, b"COUNT", 5000) == [b"0", [b"lease"]]


def test_everything_is_there_after_a_reopen_and_after_a_rewrite(house: House) -> None:
    for number in (0, 3):
        db = house.db.select(number)
        for index in range(50):
            db.set(b"k%d" % index, b"%d" % number, px=1000 * (index + 1) if index % 2 else None)
        db.incr(b"k0", 5)
        db.append(b"k1", b"!")
        db.expire(b"k2", 7)
        db.delete(b"k3")
    before = dump(house.db.decider.keyspace)
    assert dump(house.reopen().decider.keyspace) == before
    house.db.rewrite()
    house.db.select(3).rename(b"k1", b"renamed")
    before = dump(house.db.decider.keyspace)
    assert dump(house.reopen().decider.keyspace) == before
    assert house.db.report.base_keys == 98
    house.db.rewrite()
    assert dump(house.reopen().decider.keyspace) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.set("text", b"v"),
        lambda db: db.set(b"k", "text"),
        lambda db: db.set(b"k", 5),
        lambda db: db.set(5, b"v"),
        lambda db: db.set(None, b"v"),
        lambda db: db.get("text"),
        lambda db: db.delete("text"),
        lambda db: db.mset({b"k": "text"}),
        lambda db: db.expire(b"k", True),
        lambda db: db.expire(b"k", "10"),
        lambda db: db.execute("SET", b"k", b"v"),
        lambda db: db.execute(b"SET", b"k", None),
        lambda db: db.execute(b"SET", b"k", bytearray(b"v")),
        lambda db: db.execute(b"SET", b"k", True),
    ],
)
def test_arguments_of_another_type_are_refused_before_anything_is_logged(
    house: House, call: Callable[[Database], object]
) -> None:
    with pytest.raises(TypeError, match="bytes"):
        call(house.db)
    assert house.seq == 0


def test_arguments_that_are_too_long_or_too_many_are_refused_before_anything_is_logged(house: House) -> None:
    huge = bytes((512 << 20) + 1)
    calls: list[Callable[[], object]] = [
        lambda: house.db.set(b"k", huge),
        lambda: house.db.set(huge, b"v"),
        lambda: house.db.append(b"k", huge),
        lambda: house.db.delete(*[b"k"] * COMMAND_ARGUMENTS_MAX),
    ]
    for call in calls:
        with pytest.raises(Limit):
            call()
    assert house.seq == 0


def test_refused_commands_leave_nothing_behind(house: House) -> None:
    house.db.set(b"k", b"text")
    seq = house.seq
    for call, words in (
        (lambda: house.db.incr(b"k"), "ERR value is not an integer or out of range"),
        (lambda: house.db.rename(b"absent", b"x"), "ERR no such key"),
        (lambda: house.db.set(b"k", b"v", ex=0), "ERR invalid expire time in 'set' command"),
        (lambda: house.db.set(b"k", b"v", nx=True, xx=True), "ERR syntax error"),
        (lambda: house.db.select(16), "ERR DB index is out of range"),
        (lambda: house.db.execute(b"SELECT", 1), "ERR SELECT changes a session"),
        (lambda: house.db.execute(b"GET"), "ERR wrong number of arguments for 'get' command"),
        (lambda: house.db.mget(), "ERR wrong number of arguments for 'mget' command"),
    ):
        with pytest.raises(CommandError) as refusal:
            call()
        assert str(refusal.value).startswith(words)
    assert house.seq == seq


def test_a_value_of_another_type_is_refused_on_the_short_way_too(house: House) -> None:
    house.db.decider.keyspace.store(0).put(b"h", {})
    with pytest.raises(WrongType):
        house.db.get(b"h")


def test_a_subclass_of_bytes_is_stored_as_bytes(house: House) -> None:
    house.db.set(b"k", Status(b"OK"))
    assert type(house.db.get(b"k")) is bytes


def test_expired_keys_are_missing_at_once_and_deleted_in_the_background(house: House) -> None:
    house.db.set(b"k", b"v", px=100)
    house.clock.advance(0.101)
    assert (house.db.get(b"k"), house.db.dbsize()) == (None, 1)
    while house.db.engine.step():
        pass
    for _ in range(5):
        house.clock.advance(0.05)
        house.db.engine.step()
    assert house.db.dbsize() == 0
    assert house.seq == 2, "the deletion is in the log"


def test_active_expiry_can_be_switched_off(house: House) -> None:
    house.db.close()
    house.db = house.open(options=durakv.Options(active_expiry=False))
    house.db.set(b"k", b"v", px=100)
    for _ in range(20):
        house.clock.advance(1)
        house.db.engine.step()
    assert (house.db.get(b"k"), house.db.dbsize()) == (None, 1)


def test_a_call_waits_for_the_level_it_names(house: House) -> None:
    db = house.db
    db.set(b"k", b"v")
    assert db.engine.synced_seq == 0
    db.set(b"k", b"v", durability=Durability.SYNCED)
    assert db.engine.synced_seq == 2
    db.set(b"k", b"w")
    assert db.set(b"k", b"x", nx=True) is False
    assert db.engine.synced_seq == 2
    assert db.set(b"k", b"x", nx=True, durability=Durability.SYNCED) is False
    assert db.engine.synced_seq == 3, "the refusal tells of a write that must not be taken back"
    db.incr(b"n", durability=Durability.APPLIED)
    assert db.get(b"n", durability=Durability.SYNCED) == b"1"
    assert db.engine.synced_seq == 4
    db.incr(b"n")
    db.sync()
    db.wait(5)
    assert db.engine.synced_seq == 5


def test_a_batch_is_one_record(house: House) -> None:
    db = house.db
    with db.batch(durability=Durability.SYNCED) as batch:
        batch.set(b"from", b"90")
        batch.set(b"to", b"110")
        total = batch.execute(b"DBSIZE")
    assert total.value == 2
    assert (db.engine.synced_seq, db.status().writes) == (2, 1)


def test_a_closed_database_answers_nothing(house: House) -> None:
    house.db.set(b"k", b"v")
    other = house.db.select(3)
    mapping = other.mapping()
    house.db.close()
    house.db.close()
    for call in (
        lambda: house.db.get(b"k"),
        lambda: other.get(b"k"),
        lambda: house.db.set(b"k", b"v"),
        lambda: house.db.incr(b"k"),
        lambda: list(mapping),
    ):
        with pytest.raises(Closed):
            call()


def test_a_database_is_a_mutable_mapping(house: House) -> None:
    mapping, text = house.db.mapping(), cast("bytes", "a")
    assert isinstance(mapping, DatabaseMapping)
    mapping[b"a"] = b"1"
    mapping.update({b"b": b"2", b"c": b"3"})
    assert (mapping[b"a"], mapping.get(b"x"), b"a" in mapping, text in mapping, len(mapping)) == (
        b"1",
        None,
        True,
        False,
        3,
    )
    assert dict(mapping) == {b"a": b"1", b"b": b"2", b"c": b"3"}
    assert (mapping.pop(b"a"), mapping.setdefault(b"b", b"9"), mapping.setdefault(b"d", b"4")) == (b"1", b"2", b"4")
    with pytest.raises(KeyError):
        _ = mapping[b"a"]
    with pytest.raises(KeyError):
        del mapping[b"a"]
    del mapping[b"b"]
    assert sorted(mapping.items()) == [(b"c", b"3"), (b"d", b"4")]
    assert house.db.mapping(5) == {}
    mapping.clear()
    assert (len(mapping), house.db.status().applied_seq) == (0, 7)


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def restless_threads() -> Iterator[None]:
    """Threads take turns so often that they do it inside a batch."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("restless_threads")
def test_no_reader_sees_a_batch_in_part(tmp_path: Path) -> None:
    failures: list[str] = []
    stop = threading.Event()
    with durakv.open(tmp_path / "data", fsync="no") as db:
        db.mset({b"a": b"0", b"b": b"0"})

        def write() -> None:
            for number in range(1, 1500):
                with db.batch(durability=Durability.APPLIED) as batch:
                    batch.delete(b"a", b"b")
                    batch.set(b"a", b"%d" % number)
                    batch.set(b"b", b"%d" % number)
            stop.set()

        def read() -> None:
            while not stop.is_set():
                first, second = db.get(b"a"), db.get(b"b")
                if first is None or second is None:
                    failures.append("a key was missing in the middle of a batch")
                elif int(second) < int(first):
                    failures.append(f"a batch was seen in part: {first!r}, then {second!r}")

        threads = [threading.Thread(target=target) for target in (write, read, read)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures


def test_threads_that_increment_lose_nothing(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:

        def work() -> None:
            for _ in range(300):
                db.incr(b"n", durability=Durability.APPLIED)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.get(b"n") == b"1200"
