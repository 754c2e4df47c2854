"""The promise: commands on keys and whole databases answer what Redis answers, also across databases.

Method: examples, in a keyspace without an engine; ``test_against_redis`` compares with the original.
"""

from __future__ import annotations

import pytest

from tests.keyspace.world import NOW_MS, World


@pytest.fixture
def world() -> World:
    return World()


def test_databases_are_apart(world: World) -> None:
    world.run(b"SET", b"k", b"zero")
    world.run(b"SET", b"k", b"five", database=5)
    assert [world.run(b"GET", b"k", database=number) for number in (0, 5, 15)] == [b"zero", b"five", None]
    world.run(b"FLUSHDB", database=5)
    assert [world.run(b"DBSIZE", database=number) for number in (0, 5)] == [1, 0]
    world.run(b"SET", b"k", b"five", database=5)
    world.run(b"FLUSHALL")
    assert [world.run(b"DBSIZE", database=number) for number in (0, 5)] == [0, 0]


def test_deleting_counts_what_was_there_once(world: World) -> None:
    world.run(b"MSET", b"a", b"1", b"b", b"2")
    assert world.run(b"EXISTS", b"a", b"b", b"a", b"c") == 3
    assert world.run(b"DEL", b"a", b"a", b"c") == 1
    assert world.run(b"UNLINK", b"a", b"b") == 1
    assert world.run(b"TYPE", b"b") == b"none"


def test_a_renamed_key_takes_its_deadline_along_and_replaces_the_other(world: World) -> None:
    world.run(b"SET", b"a", b"1", b"PX", 1000)
    world.run(b"SET", b"b", b"2", b"PX", 5000)
    assert world.run(b"RENAMENX", b"a", b"b") == 0
    assert world.run(b"RENAME", b"a", b"b") == b"OK"
    assert (world.run(b"GET", b"b"), world.run(b"PTTL", b"b"), world.run(b"EXISTS", b"a")) == (b"1", 1000, 0)
    assert world.run(b"RENAME", b"b", b"b") == b"OK"
    assert world.run(b"RENAMENX", b"b", b"c") == 1
    assert world.refusal(b"RENAME", b"absent", b"x") == "ERR no such key"
    world.run(b"SET", b"d", b"plain")
    world.run(b"RENAME", b"d", b"c")
    assert world.run(b"PTTL", b"c") == -1, "the deadline of the replaced key is gone"


def test_copying_and_moving(world: World) -> None:
    world.run(b"SET", b"a", b"1", b"PX", 1000)
    assert world.run(b"COPY", b"a", b"b") == 1
    assert world.run(b"COPY", b"a", b"b") == 0
    assert world.run(b"COPY", b"a", b"b", b"REPLACE") == 1
    assert world.run(b"COPY", b"a", b"a", b"DB", 3) == 1
    assert world.run(b"PTTL", b"a", database=3) == 1000
    assert world.run(b"MOVE", b"a", 3) == 0
    assert world.run(b"MOVE", b"b", 3) == 1
    assert (world.run(b"EXISTS", b"b"), world.run(b"PTTL", b"b", database=3)) == (0, 1000)
    same = "ERR source and destination objects are the same"
    assert world.refusal(b"COPY", b"a", b"a") == same
    assert world.refusal(b"MOVE", b"a", 0) == same
    assert world.refusal(b"MOVE", b"a", 16) == "ERR DB index is out of range"
    assert world.refusal(b"COPY", b"a", b"b", b"DB") == "ERR syntax error"
    assert world.refusal(b"SELECT", b"99999999999").startswith("ERR value is out of range")


def test_deadlines_are_told_in_both_units(world: World) -> None:
    world.run(b"SET", b"k", b"v", b"PX", 1499)
    assert [world.run(name, b"k") for name in (b"TTL", b"PTTL", b"PEXPIRETIME")] == [1, 1499, NOW_MS + 1499]
    assert world.run(b"EXPIRETIME", b"k") == (NOW_MS + 1499 + 500) // 1000
    assert world.run(b"PERSIST", b"k") == 1
    assert world.run(b"PERSIST", b"k") == 0
    assert [world.run(name, b"k") for name in (b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME")] == [-1] * 4
    assert [world.run(name, b"absent") for name in (b"TTL", b"PTTL", b"EXPIRETIME", b"PEXPIRETIME")] == [-2] * 4


def test_conditions_of_expire_take_no_deadline_for_an_infinite_one(world: World) -> None:
    world.run(b"SET", b"k", b"v")
    assert [world.run(b"EXPIRE", b"k", 10, option) for option in (b"XX", b"GT")] == [0, 0]
    assert world.run(b"EXPIRE", b"k", 10, b"LT") == 1
    assert [world.run(b"EXPIRE", b"k", 10, option) for option in (b"NX", b"GT", b"LT")] == [0, 0, 0]
    assert [world.run(b"EXPIRE", b"k", 11, b"GT"), world.run(b"EXPIRE", b"k", 9, b"XX", b"LT")] == [1, 1]
    assert world.refusal(b"EXPIRE", b"k", 1, b"NX", b"GT").startswith("ERR NX and XX, GT or LT options")
    assert world.refusal(b"EXPIRE", b"k", 1, b"GT", b"LT").startswith("ERR GT and LT options")
    assert world.refusal(b"EXPIRE", b"k", 1, b"soon") == "ERR Unsupported option soon"
    assert world.refusal(b"EXPIRE", b"k", 1 << 62) == "ERR invalid expire time in 'expire' command"


def test_flush_takes_one_word(world: World) -> None:
    for words in ((b"ASYNC",), (b"sync",), ()):
        assert world.run(b"FLUSHDB", *words) == b"OK"
    assert world.refusal(b"FLUSHDB", b"now") == "ERR syntax error"
    assert world.refusal(b"FLUSHALL", b"ASYNC", b"SYNC") == "ERR syntax error"
