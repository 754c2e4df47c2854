"""The promise: every common command is a method of all three facades, with the same parameters and the same values,
and each facade gives them the type it should.

Method: one script that calls each method at least once, run against ``Database``, ``AsyncDatabase`` and ``Batch``; it
is compared with the methods there are, so none can be forgotten.  What the types are, mypy asserts.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, assert_type

import pytest

import durakv
from durakv.aio import AsyncDatabase
from durakv.clock import ManualClock
from durakv.keyspace.answer import Answer
from durakv.keyspace.batch import Batch
from durakv.keyspace.database import Database
from durakv.keyspace.methods import Methods
from durakv.keyspace.methods.places import FoundPlace
from durakv.keyspace.methods.streams import PendingEntry, PendingSummary
from durakv_fuzz.disk import SimulatedDisk
from tests.keyspace.world import NOW_MS

FACADES = (Database, AsyncDatabase, Batch)

COMMANDS = {"get", "set", *(name for name in dir(Methods) if not name.startswith("_"))}
"""The methods that issue a command."""

SURROUNDINGS = {
    *("engine", "decider", "database", "number", "named"),
    *("select", "execute", "batch", "read", "transact", "scan_iter", "mapping"),
    *("report", "abort", "counters", "status", "sync", "wait", "rewrite", "close", "end", "settle"),
}
"""What else is public in a facade."""


class Step(NamedTuple):
    """One call and what it returns."""

    name: str
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    value: Any


def step(value: Any, name: str, *arguments: Any, **options: Any) -> Step:
    return Step(name, arguments, options, value)


STRINGS = [
    step(True, "set", b"s", b"1"),
    step(b"1", "set", b"s", b"2", xx=True, get=True),
    step(b"2", "get", b"s"),
    step(None, "mset", {b"a": b"1", b"b": b"2"}),
    step(False, "msetnx", {b"b": b"3", b"c": b"3"}),
    step([b"1", None], "mget", b"a", b"c"),
    step(b"1", "getdel", b"a"),
    step(b"2", "getex", b"b", px=500),
    step(4, "append", b"s", b"xyz"),
    step(4, "strlen", b"s"),
    step(b"xy", "getrange", b"s", 1, 2),
    step(4, "setrange", b"s", 1, b"XYZ"),
    step(1, "incr", b"n"),
    step(3, "incrby", b"n", 2),
    step(1, "decr", b"n", by=2),
    step(1.5, "incrbyfloat", b"n", 0.5),
]

BITS = [
    step(0, "setbit", b"bits", 0, 1),
    step(0, "setbit", b"bits", 15, 1),
    step(1, "getbit", b"bits", 15),
    step(2, "bitcount", b"bits"),
    step(1, "bitcount", b"bits", 1, unit="byte"),
    step(1, "bitcount", b"bits", 0, 14, unit="bit"),
    step(1, "bitpos", b"bits", 0),
    step(15, "bitpos", b"bits", 1, 1),
    step(-1, "bitpos", b"bits", 1, 1, 14, unit="bit"),
    step(2, "bitop", "not", b"inverse", b"bits"),
    step(2, "bitop", "and", b"none", b"bits", b"inverse"),
]

HYPERLOGLOGS = [
    step(True, "pfadd", b"p", b"x", b"y"),
    step(False, "pfadd", b"p", b"x"),
    step(True, "pfadd", b"q", b"z"),
    step(3, "pfcount", b"p", b"q"),
    step(None, "pfmerge", b"p", b"q"),
    step(3, "pfcount", b"p"),
]

HASHES = [
    step(2, "hset", b"h", {b"f": b"1", b"g": b"2"}),
    step(False, "hsetnx", b"h", b"f", b"9"),
    step(b"1", "hget", b"h", b"f"),
    step([b"1", None], "hmget", b"h", b"f", b"x"),
    step({b"f": b"1", b"g": b"2"}, "hgetall", b"h"),
    step({}, "hgetall", b"nothing"),
    step([b"f", b"g"], "hkeys", b"h"),
    step([b"1", b"2"], "hvals", b"h"),
    step(2, "hlen", b"h"),
    step(1, "hstrlen", b"h", b"f"),
    step(True, "hexists", b"h", b"f"),
    step(6, "hincrby", b"h", b"f", 5),
    step(6.25, "hincrbyfloat", b"h", b"f", 0.25),
    step(1, "hdel", b"h", b"f", b"x"),
    step(b"g", "hrandfield", b"h"),
    step([b"g"], "hrandfield", b"h", 5),
    step(None, "hrandfield", b"nothing"),
]

HASH_DEADLINES = [
    step(True, "hsetex", b"d", {b"f": b"1", b"g": b"2"}, ex=10),
    step(False, "hsetex", b"d", {b"f": b"3", b"x": b"3"}, fnx=True),
    step(True, "hsetex", b"d", {b"f": b"3"}, fxx=True, keepttl=True),
    step([10, 10, -2], "httl", b"d", b"f", b"g", b"x"),
    step([-2], "httl", b"nothing", b"f"),
    step([1, -2], "hpersist", b"d", b"g", b"x"),
    step([1, 0], "hexpire", b"d", 20, b"f", b"g", gt=True),
    step([0, 1], "hpexpire", b"d", 5000, b"f", b"g", nx=True),
    step([20_000, 5000], "hpttl", b"d", b"f", b"g"),
    step([1], "hexpireat", b"d", 2_000_000_000, b"f"),
    step([1], "hpexpireat", b"d", 2_000_000_000_123, b"g", xx=True),
    step([2_000_000_000], "hexpiretime", b"d", b"f"),
    step([2_000_000_000_123, -2], "hpexpiretime", b"d", b"g", b"x"),
    step([b"3", None], "hgetex", b"d", b"f", b"x", persist=True),
    step([b"2"], "hgetex", b"d", b"g", px=70),
    step([-1, 70], "hpttl", b"d", b"f", b"g"),
    step([b"2", None], "hgetdel", b"d", b"g", b"x"),
    step([2], "hexpire", b"d", 0, b"f"),
]

LISTS = [
    step(2, "rpush", b"l", b"b", b"c"),
    step(3, "lpush", b"l", b"a"),
    step(4, "rpushx", b"l", b"d"),
    step(0, "lpushx", b"nothing", b"d"),
    step([b"a", b"b", b"c", b"d"], "lrange", b"l"),
    step([b"b"], "lrange", b"l", 1, 1),
    step(4, "llen", b"l"),
    step(b"d", "lindex", b"l", -1),
    step(None, "lindex", b"l", 4),
    step(2, "lpos", b"l", b"c"),
    step(None, "lpos", b"l", b"c", rank=-1, maxlen=1),
    step(None, "lset", b"l", 0, b"b"),
    step(5, "linsert", b"l", "before", b"d", b"b"),
    step(1, "lrem", b"l", -1, b"b"),
    step(None, "ltrim", b"l", 1, 3),
    step([b"b", b"c", b"d"], "lrange", b"l"),
    step(b"b", "lmove", b"l", b"m"),
    step(b"d", "lmove", b"l", b"m", take="right", put="left"),
    step(b"d", "lpop", b"m"),
    step([b"b"], "rpop", b"m", 5),
    step(None, "rpop", b"m"),
    step([], "lpop", b"m", count=2),
]

SETS = [
    step(3, "sadd", b"t", b"x", b"y", b"z", b"x"),
    step(1, "srem", b"t", b"z", b"nothing"),
    step({b"x", b"y"}, "smembers", b"t"),
    step(set(), "smembers", b"nothing"),
    step(True, "sismember", b"t", b"x"),
    step([True, False], "smismember", b"t", b"x", b"z"),
    step(2, "scard", b"t"),
    step(True, "smove", b"t", b"u", b"y"),
    step(b"x", "srandmember", b"t"),
    step([b"x", b"x"], "srandmember", b"t", -2),
    step({b"x", b"y"}, "sunion", b"t", b"u"),
    step(set(), "sinter", b"t", b"u"),
    step({b"x"}, "sdiff", b"t", b"u"),
    step(1, "sintercard", b"t", b"t", limit=5),
    step(2, "sunionstore", b"v", b"t", b"u"),
    step(1, "sinterstore", b"w", b"v", b"u"),
    step(1, "sdiffstore", b"w", b"v", b"u"),
    step(b"x", "spop", b"w"),
    step(None, "spop", b"w"),
    step({b"x", b"y"}, "spop", b"v", 3),
]

SORTED_SETS = [
    step(3, "zadd", b"z", {b"a": 1, b"b": 2.5, b"c": float("inf")}),
    step(1, "zadd", b"z", {b"a": 0, b"b": 2.75}, xx=True, gt=True, ch=True),
    step(2.0, "zincrby", b"z", 1.0, b"a"),
    step(2.75, "zscore", b"z", b"b"),
    step(None, "zscore", b"z", b"x"),
    step([2.0, None], "zmscore", b"z", b"a", b"x"),
    step(3, "zcard", b"z"),
    step(1, "zrank", b"z", b"b"),
    step(None, "zrank", b"z", b"x"),
    step(2, "zrevrank", b"z", b"a"),
    step(2, "zcount", b"z", b"(2", float("inf")),
    step([b"a", b"b"], "zrange", b"z", 0, 1),
    step([(b"c", float("inf")), (b"b", 2.75)], "zrange", b"z", 0, 1, reverse=True, with_scores=True),
    step([b"b"], "zrange", b"z", 2, b"+inf", by="score", limit=(1, 1)),
    step([b"b", b"c"], "zrangebyscore", b"z", b"(2", b"+inf"),
    step([(b"b", 2.75)], "zrangebyscore", b"z", 0, 3, limit=(1, 5), with_scores=True),
    step(2, "zrangestore", b"y", b"z", 3, 0, by="score", reverse=True),
    step([(b"c", float("inf"))], "zpopmax", b"z"),
    step({b"a": 4.0, b"b": 5.5}, "zunion", [b"z", b"y"]),
    step({b"a": 6.0, b"b": 8.25}, "zinter", {b"z": 1, b"y": 3}, aggregate="max"),
    step({}, "zdiff", [b"z", b"y"]),
    step(1, "zintercard", [b"z", b"y"], limit=1),
    step(2, "zunionstore", b"x", [b"z", b"y"], aggregate="min"),
    step(2, "zinterstore", b"x", {b"z": 0.5, b"y": 0.5}),
    step(0, "zdiffstore", b"x", (b"z", b"y")),
    step([(b"a", 2.0), (b"b", 2.75)], "zpopmin", b"y", 5),
    step(1, "zrem", b"z", b"b", b"x"),
    step(b"a", "zrandmember", b"z"),
    step([b"a"], "zrandmember", b"z", 2),
    step(1, "zremrangebyscore", b"z", 2, 2),
    step(4, "zadd", b"z", {b"a": 0, b"b": 0, b"c": 0, b"d": 0}),
    step([b"b", b"c"], "zrange", b"z", b"(a", b"[c", by="lex"),
    step(4, "zlexcount", b"z", b"-", b"+"),
    step(1, "zremrangebylex", b"z", b"-", b"[a"),
    step(2, "zremrangebyrank", b"z", 0, 1),
]

PALERMO, CATANIA = (13.361389338970184, 38.1155563954963), (15.087267458438873, 37.50266842333162)

PLACES = [
    step(2, "geoadd", b"sicily", {b"Palermo": PALERMO, b"Catania": CATANIA}),
    step(0, "geoadd", b"sicily", {b"Palermo": CATANIA, b"Rome": CATANIA}, xx=True, nx=False),
    step(1, "geoadd", b"sicily", {b"Palermo": PALERMO}, ch=True),
    step([PALERMO, None], "geopos", b"sicily", b"Palermo", b"Rome"),
    step(166.2742, "geodist", b"sicily", b"Palermo", b"Catania", unit="km"),
    step(None, "geodist", b"sicily", b"Palermo", b"Rome"),
    step([b"Catania"], "geosearch", b"sicily", longitude=15, latitude=37, radius=100, unit="km"),
    step([b"Palermo", b"Catania"], "geosearch", b"sicily", longitude=15, latitude=37, radius=5e5, sort="desc"),
    step([b"Palermo"], "geosearch", b"sicily", member=b"Palermo", width=2, height=1, count=1, any=True),
    step(
        [FoundPlace(b"Catania", 0.0, CATANIA)], "geosearch", b"sicily", member=b"Catania", radius=1, with_details=True
    ),
]

ENTRY_A, ENTRY_B = (b"1-1", {b"f": b"a"}), (b"2-1", {b"f": b"b", b"g": b"c"})

STREAMS = [
    step(None, "xadd", b"x1", {b"f": b"a"}, nomkstream=True),
    step(b"1-1", "xadd", b"x1", {b"f": b"a"}, id=b"1-1"),
    step(b"2-1", "xadd", b"x1", {b"f": b"b", b"g": b"c"}, id=b"2-1", maxlen=1, limit=0),
    step(b"%d-0" % NOW_MS, "xadd", b"x2", {b"f": b"d"}, minid=b"1", approximate=False),
    step(2, "xlen", b"x1"),
    step([ENTRY_A, ENTRY_B], "xrange", b"x1"),
    step([ENTRY_B], "xrange", b"x1", b"(1-1", b"2-1"),
    step([], "xrange", b"x1", count=0),
    step([ENTRY_B], "xrevrange", b"x1", count=1),
    step([ENTRY_A], "xrevrange", b"x1", b"1", b"-"),
    step({b"x1": [ENTRY_B]}, "xread", {b"x1": b"1-1", b"x2": b"$", b"nothing": b"0"}),
    step({}, "xread", {b"x1": b"$"}, count=1),
    step(None, "xgroup_create", b"x1", b"G", b"0", entries_read=0),
    step(None, "xgroup_create", b"x3", b"G", mkstream=True),
    step(True, "xgroup_createconsumer", b"x1", b"G", b"C"),
    step(False, "xgroup_createconsumer", b"x1", b"G", b"C"),
    step({b"x1": [ENTRY_A]}, "xreadgroup", b"G", b"C", {b"x1": b">", b"x3": b">"}, count=1),
    step({b"x1": [ENTRY_B]}, "xreadgroup", b"G", b"C", {b"x1": b">"}, noack=True),
    step({}, "xreadgroup", b"G", b"C", {b"x1": b">"}),
    step({b"x1": [ENTRY_A]}, "xreadgroup", b"G", b"C", {b"x1": b"0"}),
    step(PendingSummary(1, b"1-1", b"1-1", {b"C": 1}), "xpending", b"x1", b"G"),
    step(PendingSummary(0, None, None, {}), "xpending", b"x3", b"G"),
    step([PendingEntry(b"1-1", b"C", 0, 2)], "xpending_range", b"x1", b"G", b"-", b"+", 5),
    step([], "xpending_range", b"x1", b"G", b"-", b"+", 5, consumer=b"C", idle=1),
    step([ENTRY_A], "xclaim", b"x1", b"G", b"D", 0, [b"1-1", b"2-1"], idle=5, retrycount=3),
    step([b"2-1"], "xclaim", b"x1", b"G", b"D", 0, [b"2-1"], time=NOW_MS, force=True, justid=True),
    step((b"2-1", [ENTRY_A], []), "xautoclaim", b"x1", b"G", b"C", 1, count=1),
    step((b"0-0", [b"2-1"], []), "xautoclaim", b"x1", b"G", b"C", 0, b"2-1", justid=True),
    step(1, "xack", b"x1", b"G", b"1-1", b"7-7"),
    step(1, "xdel", b"x1", b"2-1", b"7-7"),
    step({b"x1": [(b"2-1", {})]}, "xreadgroup", b"G", b"C", {b"x1": b"0"}),
    step(1, "xgroup_delconsumer", b"x1", b"G", b"C"),
    step(None, "xgroup_setid", b"x1", b"G", b"0", entries_read=1),
    step(1, "xtrim", b"x1", maxlen=0),
    step(0, "xtrim", b"x1", minid=b"9", approximate=False),
    step(True, "xgroup_destroy", b"x1", b"G"),
    step(False, "xgroup_destroy", b"x1", b"G"),
]

SORTS = [
    step(3, "rpush", b"ids", b"2", b"10", b"1"),
    step(None, "mset", {b"w1": b"5", b"w2": b"9", b"w10": b"7", b"n1": b"one"}),
    step([b"1", b"2", b"10"], "sort", b"ids"),
    step([b"2", b"10"], "sort", b"ids", alpha=True, desc=True, limit=(0, 2)),
    step([b"1", b"one", b"10", None, b"2", None], "sort", b"ids", by=b"w*", get=[b"#", b"n*"]),
    step(3, "sort", b"ids", store=b"sorted"),
    step([b"1", b"2", b"10"], "lrange", b"sorted"),
    step([], "sort", b"nothing"),
]

KEYS = [
    step(True, "expire", b"s", 10),
    step(10, "ttl", b"s"),
    step(10_000, "pttl", b"s"),
    step(False, "pexpire", b"s", 5000, gt=True),
    step(True, "expireat", b"s", 2_000_000_000),
    step(2_000_000_000, "expiretime", b"s"),
    step(True, "pexpireat", b"s", 2_000_000_000_123, xx=True),
    step(2_000_000_000_123, "pexpiretime", b"s"),
    step(True, "persist", b"s"),
    step(2, "exists", b"s", b"h", b"nothing"),
    step(b"hash", "type", b"h"),
    step(None, "rename", b"s", b"r"),
    step(False, "renamenx", b"r", b"h"),
    step(True, "copy", b"r", b"s", database=3, replace=True),
    step(True, "move", b"r", 4),
    step(1, "delete", b"h", b"nothing"),
    step(None, "flushdb"),
    step(True, "set", b"last", b"1"),
    step([b"last"], "keys"),
    step((0, [b"last"]), "scan", 0, match=b"*", count=5000, kind=b"string"),
    step(b"last", "randomkey"),
    step(1, "dbsize"),
    step(None, "flushall"),
]

SCRIPT = [
    *STRINGS,
    *BITS,
    *HYPERLOGLOGS,
    *HASHES,
    *HASH_DEADLINES,
    *LISTS,
    *SETS,
    *SORTED_SETS,
    *PLACES,
    *STREAMS,
    *SORTS,
    *KEYS,
]


@pytest.fixture
def db() -> Iterator[Database]:
    clock = ManualClock(time_ms=NOW_MS)
    with durakv.open(None, filesystem=SimulatedDisk(), clock=clock, background=False, fsync="no") as db:
        yield db


def test_the_script_calls_every_method() -> None:
    assert {call.name for call in SCRIPT} == COMMANDS


@pytest.mark.parametrize("facade", FACADES)
def test_every_command_is_a_documented_method_of_every_facade(facade: type) -> None:
    assert {name for name in dir(facade) if not name.startswith("_")} - SURROUNDINGS <= COMMANDS
    for name in COMMANDS:
        function = getattr(facade, name)
        text = inspect.getdoc(function)
        assert text, f"{facade.__name__}.{name} has no docstring"
        assert function.__name__ == name
        assert text.splitlines()[0].endswith("."), f"the docstring of {name} does not begin with a sentence"
        assert [*inspect.signature(function).parameters][-1] == "durability"
        assert inspect.signature(function).parameters == inspect.signature(getattr(Database, name)).parameters


def test_a_database_returns_values(db: Database) -> None:
    for call in SCRIPT:
        value = getattr(db, call.name)(*call.arguments, **call.options)
        assert same(value, call.value), call


def test_an_async_database_returns_them_to_who_awaits(tmp_path: Path) -> None:
    async def main() -> None:
        clock = ManualClock(time_ms=NOW_MS)
        async with durakv.aio.open(tmp_path / "data", fsync="no", clock=clock) as db:
            for call in SCRIPT:
                value = await getattr(db, call.name)(*call.arguments, **call.options)
                assert same(value, call.value), call

    asyncio.run(main())


def test_a_batch_has_them_when_it_is_committed(db: Database) -> None:
    with db.batch() as batch:
        answers = [getattr(batch, call.name)(*call.arguments, **call.options) for call in SCRIPT]
    for call, answer in zip(SCRIPT, answers, strict=True):
        assert same(answer.value, call.value), call
    assert db.status().writes == 1


def same(value: object, expected: object) -> bool:
    """Equal, and no 1 for a True or a 1.0."""
    return value == expected and type(value) is type(expected)


def test_a_method_waits_for_the_level_it_names(db: Database) -> None:
    db.hset(b"h", {b"f": b"1"})
    assert db.engine.synced_seq == 0
    db.lpop(b"nothing", durability=durakv.Durability.SYNCED)
    assert db.engine.synced_seq == 1
    db.zadd(b"z", {b"m": 1}, durability=durakv.Durability.SYNCED)
    assert db.engine.synced_seq == 2


def test_a_batch_waits_for_the_highest_level_that_was_named(db: Database) -> None:
    applied, written, synced = durakv.Durability
    with db.batch(durability=written) as batch:
        batch.sadd(b"t", b"1", durability=applied)
    assert (db.engine.written_seq, db.engine.synced_seq) == (1, 0)
    with db.batch(durability=written) as batch:
        batch.sadd(b"t", b"2", durability=synced)
        batch.execute(b"SADD", b"t", b"3", durability=written)
    assert db.engine.synced_seq == 3
    with db.batch() as batch:
        batch.sadd(b"t", b"4", durability=applied)
        db.engine.set_fsync("always")
    assert db.engine.synced_seq == 4, "the policy in force at the end of the block, for what names no level"
    wrong: Any = 2
    with pytest.raises(TypeError, match="durability is"), db.batch() as batch:
        batch.sadd(b"t", b"5", durability=wrong)
    with pytest.raises(TypeError, match="durability is"):
        db.batch(durability=wrong)
    assert db.scard(b"t") == 4


def test_an_async_batch_waits_for_it_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data", fsync="no") as db:
            async with db.batch() as batch:
                batch.sadd(b"t", b"1", b"2")
            assert db.status().unsynced_commands == 1
            async with db.batch() as batch:
                batch.hset(b"h", {b"f": b"1"}, durability=durakv.Durability.SYNCED)
            assert db.status().unsynced_commands == 0

    asyncio.run(main())


@pytest.mark.parametrize(
    "call",
    [
        lambda db: db.hset(b"h", {b"f": 5}),
        lambda db: db.hset(b"h", {"f": b"5"}),
        lambda db: db.hget("h", b"f"),
        lambda db: db.rpush(b"l", "text"),
        lambda db: db.lpop("l"),
        lambda db: db.lpop(b"l", "2"),
        lambda db: db.linsert(b"l", b"before", b"a", b"b"),
        lambda db: db.sadd(b"t", 5),
        lambda db: db.zadd(b"z", {b"m": "1"}),
        lambda db: db.zadd(b"z", {5: 1}),
        lambda db: db.zunionstore(b"z", b"key"),
        lambda db: db.setbit(b"s", 0, True),
        lambda db: db.sort(b"l", get=b"#"),
        lambda db: db.geosearch(b"p", longitude=5, radius=1),
        lambda db: db.xadd(b"x", {b"f": 5}),
        lambda db: db.xadd(b"x", {b"f": b"v"}, id=5),
        lambda db: db.xclaim(b"x", b"g", b"c", 0, b"1-1"),
    ],
)
def test_what_is_no_argument_is_refused_before_anything_is_logged(db: Database, call: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError, match=r"bytes|str"):
        call(db)
    assert db.status().applied_seq == 0


def test_a_choice_that_does_not_exist_is_refused_as_by_redis(db: Database) -> None:
    with pytest.raises(durakv.CommandError, match="syntax error"):
        db.linsert(b"l", "beside", b"a", b"b")  # type: ignore[arg-type]
    with pytest.raises(durakv.WrongType):
        db.set(b"s", b"1")
        db.hget(b"s", b"f")


def test_a_field_that_an_entry_has_twice_shows_its_last_value(db: Database) -> None:
    db.execute(b"XADD", b"x", b"1-1", b"f", b"first", b"f", b"last")
    assert db.xrange(b"x") == [(b"1-1", {b"f": b"last"})]
    assert db.execute(b"XRANGE", b"x", b"-", b"+") == [[b"1-1", [b"f", b"first", b"f", b"last"]]]


def test_each_facade_has_its_own_types(db: Database, tmp_path: Path) -> None:
    assert_type(db.hgetall(b"h"), dict[bytes, bytes])
    assert_type(db.lpop(b"l"), bytes | None)
    assert_type(db.lpop(b"l", 2), list[bytes])
    assert_type(db.spop(b"t", 2), set[bytes])
    assert_type(db.zrange(b"z", 0, -1), list[bytes])
    assert_type(db.zrange(b"z", 0, -1, with_scores=True), list[tuple[bytes, float]])
    assert_type(db.xrange(b"x"), list[tuple[bytes, dict[bytes, bytes]]])
    db.xgroup_create(b"x", b"g", mkstream=True)
    assert_type(db.xclaim(b"x", b"g", b"c", 0, [b"1-1"]), list[tuple[bytes, dict[bytes, bytes]]])
    assert_type(db.xclaim(b"x", b"g", b"c", 0, [b"1-1"], justid=True), list[bytes])
    assert_type(db.geosearch(b"p", longitude=1, latitude=2, radius=3), list[bytes])
    assert_type(db.geosearch(b"p", longitude=1, latitude=2, radius=3, with_details=True), list[FoundPlace])
    assert_type(db.sort(b"l"), list[bytes])
    assert_type(db.sort(b"l", get=[b"#"]), list[bytes | None])
    with db.batch() as batch:
        assert_type(batch.sort(b"l", store=b"m"), Answer[int])
        assert_type(batch.xautoclaim(b"x", b"g", b"c", 0, justid=True), Answer[tuple[bytes, list[bytes], list[bytes]]])
        assert_type(batch.hgetall(b"h"), Answer[dict[bytes, bytes]])
        assert_type(batch.lpop(b"l", 2), Answer[list[bytes]])
        assert_type(batch.zrangebyscore(b"z", 0, 1, with_scores=True), Answer[list[tuple[bytes, float]]])
        assert_type(batch.set(b"s", b"1", get=True), Answer[bytes | None])

    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data") as db:
            assert_type(await db.hgetall(b"h"), dict[bytes, bytes])
            assert_type(await db.lpop(b"l", 2), list[bytes])
            assert_type(await db.zrange(b"z", 0, -1, with_scores=True), list[tuple[bytes, float]])
            assert_type(await asyncio.create_task(db.hlen(b"h")), int)

    asyncio.run(main())
