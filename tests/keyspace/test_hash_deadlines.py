"""The promise: a field that has expired is never seen, it is deleted before anything depends on that, and active expiry
deletes it in the end, and the key with the last of them.

Method: a clock moved by hand; the replies are compared with a server's in ``test_against_redis``.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.errors import CommandError
from durakv.keyspace.hash_deadlines import DEADLINE_MAX
from durakv.machine import Command
from tests.keyspace.families import NEWER_FAMILIES
from tests.keyspace.traffic import Traffic
from tests.keyspace.world import NOW_MS, World, dump, replayed


def expired_world() -> World:
    """Of hash ``h``, field ``f`` expired a moment ago and ``g`` did not; of ``gone``, all have; nothing noticed yet."""
    world = World()
    world.run(b"HSETEX", b"h", b"PX", 100, b"FIELDS", 1, b"f", b"5")
    world.run(b"HSET", b"h", b"g", b"6")
    world.run(b"HSETEX", b"gone", b"PX", 100, b"FIELDS", 2, b"f", b"1", b"g", b"2")
    world.now_ms += 101
    return world


def actively_expired(world: World) -> list[Command]:
    """What active expiry deletes in a few rounds."""
    deleted: list[Command] = []
    for _ in range(200):
        for effect in world.keyspace.expired_effects(world.now_ms, 64):
            world.keyspace.apply(effect)
            deleted.append(effect)
    return deleted


def test_a_field_lives_through_the_millisecond_of_its_deadline() -> None:
    world = World()
    world.run(b"HSET", b"h", b"f", b"v", b"g", b"w")
    assert world.run(b"HPEXPIRE", b"h", 1500, b"FIELDS", 1, b"f") == [1]
    assert world.run(b"HTTL", b"h", b"FIELDS", 3, b"f", b"g", b"n") == [2, -1, -2]
    assert world.run(b"HEXPIRETIME", b"h", b"FIELDS", 1, b"f") == [NOW_MS // 1000 + 2]
    world.now_ms += 1500
    assert world.run(b"HGET", b"h", b"f") == b"v"
    assert world.run(b"HPTTL", b"h", b"FIELDS", 1, b"f") == [0]
    world.now_ms += 1
    assert world.run(b"HGET", b"h", b"f") is None
    assert world.run(b"HPTTL", b"h", b"FIELDS", 2, b"f", b"g") == [-2, -1]


def test_no_read_sees_an_expired_field_and_none_logs_anything() -> None:
    world = expired_world()
    logged = len(world.log)
    for command, answer in [
        ((b"HGET", b"h", b"f"), None),
        ((b"HMGET", b"h", b"f", b"g"), [None, b"6"]),
        ((b"HGETALL", b"h"), [b"g", b"6"]),
        ((b"HKEYS", b"gone"), []),
        ((b"HLEN", b"h"), 1),
        ((b"HEXISTS", b"h", b"f"), 0),
        ((b"HSCAN", b"gone", b"0"), [b"0", []]),
        ((b"HRANDFIELD", b"h", b"9"), [b"g"]),
        ((b"HGETEX", b"h", b"FIELDS", b"2", b"f", b"g"), [None, b"6"]),
        ((b"HPEXPIRETIME", b"h", b"FIELDS", b"1", b"f"), [-2]),
    ]:
        assert world.run(*command) == answer
    assert len(world.log) == logged


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        (b"HSET h f 1", [b"HDEL h f", b"HSET h f 1"]),
        (b"HINCRBY h f 1", [b"HDEL h f", b"HINCRBY h f 1"]),
        (b"HDEL h f g", [b"HDEL h f", b"HDEL h g"]),
        (b"HGETDEL h FIELDS 2 f g", [b"HDEL h f", b"HDEL h g"]),
        (b"HPEXPIREAT h 1800000000000 FIELDS 1 f", [b"HDEL h f"]),
        (b"HPERSIST h FIELDS 1 f", [b"HDEL h f"]),
        (b"HGETEX h PERSIST FIELDS 1 f", [b"HDEL h f"]),
        (b"HSETEX h FXX FIELDS 1 f 1", [b"HDEL h f"]),
        (b"HSETEX h FNX KEEPTTL FIELDS 1 f 1", [b"HDEL h f", b"HSET h f 1"]),
        (b"HSETNX gone f 1", [b"HDEL gone f g", b"HSET gone f 1"]),
    ],
)
def test_a_change_deletes_the_expired_fields_first(command: bytes, effects: list[bytes]) -> None:
    assert expired_world().effects(*command.split()) == effects


def test_active_expiry_deletes_the_fields_and_the_key_with_the_last_of_them() -> None:
    world = expired_world()
    deleted = {b" ".join(effect) for effect in actively_expired(world)}
    assert deleted == {b"HDEL gone f g", b"HDEL h f"}
    assert dump(world.keyspace) == {0: {b"h": (("hash", {b"g": (b"6", None)}), None)}}


def test_a_deadline_that_was_dropped_or_moved_deletes_nothing() -> None:
    world = World()
    world.run(b"HSETEX", b"h", b"PX", 100, b"FIELDS", 4, b"a", b"1", b"b", b"1", b"c", b"1", b"d", b"1")
    world.run(b"HPERSIST", b"h", b"FIELDS", 1, b"a")
    world.run(b"HSET", b"h", b"b", b"2")
    assert world.run(b"HPEXPIRE", b"h", 500, b"GT", b"FIELDS", 2, b"c", b"a") == [1, 0]
    world.run(b"HINCRBY", b"h", b"d", 1)
    world.now_ms += 200
    assert actively_expired(world) == [(b"HDEL", b"h", b"d")]


def test_no_deadline_is_later_than_redis_has_room_for() -> None:
    world = World()
    world.run(b"HSET", b"h", b"f", b"v")
    assert world.run(b"HPEXPIREAT", b"h", DEADLINE_MAX, b"FIELDS", 1, b"f") == [1]
    refusal = "ERR invalid expire time in 'hpexpireat' command"
    assert world.refusal(b"HPEXPIREAT", b"h", DEADLINE_MAX + 1, b"FIELDS", 1, b"f") == refusal
    assert "invalid expire time" in world.refusal(b"HSETEX", b"h", b"EX", 1 << 60, b"FIELDS", 1, b"f", b"v")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), ticks=st.lists(st.integers(0, 3_000_000_000), min_size=1, max_size=8))
def test_a_replay_without_a_clock_gives_the_same_state_whatever_expired(seed: int, ticks: list[int]) -> None:
    world, traffic = World(), Traffic(seed, NEWER_FAMILIES["hash_deadlines"])
    log: list[Command] = []
    for tick in ticks:
        world.now_ms += tick
        if seed % 2:
            log += [effect for batch in world.log for effect in batch]
            log += actively_expired(world)
            world.log.clear()
        for _ in range(30):
            try:
                world.run(*traffic.command(), database=traffic.random.choice([0, 0, 3]))
            except CommandError:
                continue
    log += [effect for batch in world.log for effect in batch]
    assert dump(replayed(log)) == dump(world.keyspace)
