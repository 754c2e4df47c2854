"""The promise: what is logged is the effect, single-key and absolute, in batches that begin and end in database 0; and
replaying the log needs no clock and gives the same state.

Method: the effects of each command by example, then random traffic under a moving clock and a replay of its log.
"""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.errors import CommandError
from durakv.keyspace import Keyspace
from durakv.keyspace.effects import EFFECTS
from durakv.keyspace.hyperloglog import EMPTY
from durakv.keyspace.store import slot_of
from tests.keyspace.families import FAMILIES, NEWER_FAMILIES
from tests.keyspace.traffic import Traffic
from tests.keyspace.world import NOW_MS, World, dump, replayed

ALL_FAMILIES = {**FAMILIES, **NEWER_FAMILIES}
SOON = b"%d" % (NOW_MS + 10_000)


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        (b"SET k v EX 10", [b"SET k v PXAT " + SOON]),
        (b"SET k v PX 10000 NX GET", []),
        (b"SET k v XX KEEPTTL", [b"SET k v"]),
        (b"SET t v KEEPTTL", [b"SET t v KEEPTTL"]),
        (b"SET new v KEEPTTL", [b"SET new v"]),
        (b"SET k v EXAT 2000000000", [b"SET k v PXAT 2000000000000"]),
        (b"SETEX k 10 v", [b"SET k v PXAT " + SOON]),
        (b"PSETEX k 10000 v", [b"SET k v PXAT " + SOON]),
        (b"SETNX k v", []),
        (b"SETNX new v", [b"SET new v"]),
        (b"GETSET k v", [b"SET k v"]),
        (b"MSET k 1 new 2", [b"SET k 1", b"SET new 2"]),
        (b"MSETNX k 1 new 2", []),
        (b"MSETNX x 1 new 2", [b"SET x 1", b"SET new 2"]),
        (b"GETDEL k", [b"DEL k"]),
        (b"GETDEL new", []),
        (b"GETEX k", []),
        (b"GETEX k EX 10", [b"PEXPIREAT k " + SOON]),
        (b"GETEX k PERSIST", []),
        (b"GETEX t PERSIST", [b"PERSIST t"]),
        (b"APPEND k x", [b"APPEND k x"]),
        (b"SETRANGE k 2 x", [b"SETRANGE k 2 x"]),
        (b"INCR new", [b"INCRBY new 1"]),
        (b"DECRBY k 3", [b"INCRBY k -3"]),
        (b"INCRBYFLOAT k 0.5", [b"SET k 1.5"]),
        (b"INCRBYFLOAT t 0.5", [b"SET t 1.5 KEEPTTL"]),
        (b"DEL k new t k", [b"DEL k", b"DEL t"]),
        (b"UNLINK new", []),
        (b"EXPIRE k 10", [b"PEXPIREAT k " + SOON]),
        (b"EXPIRE k 10 XX", []),
        (b"EXPIREAT k 2000000000", [b"PEXPIREAT k 2000000000000"]),
        (b"EXPIRE k 0", [b"DEL k"]),
        (b"PERSIST t", [b"PERSIST t"]),
        (b"PERSIST k", []),
        (b"RENAME k new", [b"SET new 1", b"DEL k"]),
        (b"RENAME t k", [b"SET k 1 PXAT 2000000000000", b"DEL t"]),
        (b"RENAME k k", []),
        (b"COPY t new", [b"SET new 1 PXAT 2000000000000"]),
        (b"COPY k new DB 3", [b"SELECT 3", b"SET new 1", b"SELECT 0"]),
        (b"MOVE k 3", [b"SELECT 3", b"SET k 1", b"SELECT 0", b"DEL k"]),
        (b"SETBIT k 2 0", [b"SETRANGE k 0 \x11"]),
        (b"SETBIT k 2 1", []),
        (b"SETBIT new 17 0", [b"SETRANGE new 2 \x00"]),
        (b"BITFIELD k GET u8 0 OVERFLOW FAIL INCRBY u2 0 7", []),
        (
            b"BITFIELD k SET u8 4 255 SET u8 80 1 SET u1 96 0",
            [b"SETRANGE k 0 ?\xf0", b"SETRANGE k 10 \x01", b"SETRANGE k 12 \x00"],
        ),
        (b"BITOP NOT k t", [b"SET k \xce"]),
        (b"BITOP OR k new", [b"DEL k"]),
        (b"PFADD new", [b"SET new " + EMPTY[:15] + b"\x80\x7f\xff"]),
        (b"PFMERGE new", [b"SET new " + EMPTY[:15] + b"\x80\x7f\xff"]),
        (b"FLUSHDB ASYNC", [b"FLUSHDB"]),
        (b"FLUSHALL", [b"FLUSHDB", b"SELECT 7", b"FLUSHDB", b"SELECT 0"]),
        (b"GET k", []),
        (b"TOUCH k", []),
        (b"HSET h f 2 new 1", [b"HSET h f 2 new 1"]),
        (b"HMSET new f 2", [b"HSET new f 2"]),
        (b"HSETNX h f 2", []),
        (b"HSETNX h new 2", [b"HSET h new 2"]),
        (b"HDEL h f new f", [b"HDEL h f"]),
        (b"HINCRBY h f 5", [b"HINCRBY h f 5"]),
        (b"HINCRBYFLOAT h f 0.5", [b"HSET h f 1.5"]),
        (b"RENAME h k", [b"DEL k", b"HSET k f 1", b"DEL h"]),
        (b"HEXPIRE h 10 FIELDS 3 f new f", [b"HPEXPIREAT h " + SOON + b" FIELDS 1 f"]),
        (b"HEXPIRE h 10 XX FIELDS 1 f", []),
        (b"HEXPIREAT h 1 NX FIELDS 2 f new", [b"HDEL h f"]),
        (b"HPERSIST h FIELDS 1 f", []),
        (b"HPERSIST ht FIELDS 2 f g", [b"HPERSIST ht FIELDS 1 f"]),
        (b"HGETDEL h FIELDS 3 f new f", [b"HDEL h f"]),
        (b"HGETEX h FIELDS 1 f", []),
        (b"HGETEX h EX 10 FIELDS 2 f new", [b"HPEXPIREAT h " + SOON + b" FIELDS 1 f"]),
        (b"HGETEX ht PERSIST FIELDS 2 f g", [b"HPERSIST ht FIELDS 1 f"]),
        (b"HGETEX h PXAT 1 FIELDS 1 f", [b"HDEL h f"]),
        (b"HSETEX h FNX FIELDS 1 f 2", []),
        (b"HSETEX ht FIELDS 2 f 2 f 3", [b"HSET ht f 3"]),
        (b"HSETEX h EX 10 FIELDS 1 f 2", [b"HSET h f 2", b"HPEXPIREAT h " + SOON + b" FIELDS 1 f"]),
        (b"HSETEX ht KEEPTTL FIELDS 2 f 2 g 2", [b"HSET ht f 2 g 2", b"HPEXPIREAT ht 2000000000000 FIELDS 1 f"]),
        (b"HSETEX h PXAT 1 FIELDS 2 f 2 new 2", [b"HDEL h f"]),
        (b"LPUSHX new a", []),
        (b"RPUSHX l d", [b"RPUSH l d"]),
        (b"LPOP l", [b"LPOP l"]),
        (b"RPOP l 9", [b"RPOP l 3"]),
        (b"LMPOP 2 new l LEFT COUNT 2", [b"LPOP l 2"]),
        (b"LMOVE l new LEFT RIGHT", [b"RPUSH new a", b"LPOP l"]),
        (b"LMOVE l l LEFT LEFT", []),
        (b"RPOPLPUSH l l", [b"LPUSH l c", b"RPOP l"]),
        (b"LINSERT l after b x", [b"LINSERT l AFTER b x"]),
        (b"LREM l 0 nope", []),
        (b"LTRIM l 0 -1", []),
        (b"LTRIM l 5 6", [b"LTRIM l 5 6"]),
        (b"SADD s a b b", [b"SADD s b"]),
        (b"SREM s nope", []),
        (b"SPOP s", [b"SREM s a"]),
        (b"SPOP s 2", [b"DEL s"]),
        (b"SMOVE s new a", [b"SREM s a", b"SADD new a"]),
        (b"SUNIONSTORE k s", [b"DEL k", b"SADD k a"]),
        (b"SDIFFSTORE k s s", [b"DEL k"]),
        (b"ZADD z XX CH 5 a 7 new", [b"ZADD z 5.0 a"]),
        (b"ZADD z NX 5 a", []),
        (b"ZINCRBY z 0.1 a", [b"ZADD z 1.1 a"]),
        (b"ZPOPMIN z", [b"ZREM z a"]),
        (b"ZPOPMAX z 9", [b"DEL z"]),
        (b"ZMPOP 2 new z MAX", [b"ZREM z b"]),
        (b"ZREMRANGEBYSCORE z (1 inf", [b"ZREM z b"]),
        (b"ZREMRANGEBYRANK z 0 -1", [b"DEL z"]),
        (b"ZRANGESTORE new z 0 0", [b"DEL new", b"ZADD new 1.0 a"]),
        (b"ZUNIONSTORE k 2 z s", [b"DEL k", b"ZADD k 2.0 a 2.0 b"]),
        (b"GEOADD new 13.361389 38.115556 P", [b"ZADD new 3479099956230698.0 P"]),
        (b"GEOADD z XX 1 1 new", []),
        (b"GEORADIUSBYMEMBER z a 1 m STORE k", [b"DEL k", b"ZADD k 1.0 a 2.0 b"]),
        (b"GEOSEARCHSTORE z z FROMMEMBER a BYRADIUS 0 m STOREDIST", [b"DEL z", b"ZADD z 0.0 a"]),
        (b"GEOSEARCHSTORE k new FROMMEMBER a BYRADIUS 1 m", [b"DEL k"]),
    ],
)
def test_each_command_becomes_its_effects(command: bytes, effects: list[bytes]) -> None:
    world = World()
    world.run(b"SET", b"k", b"1")
    world.run(b"SET", b"t", b"1", b"PXAT", 2_000_000_000_000)
    world.run(b"SET", b"elsewhere", b"1", database=7)
    world.run(b"HSET", b"h", b"f", b"1")
    world.run(b"HSET", b"ht", b"f", b"1", b"g", b"1")
    world.run(b"HPEXPIREAT", b"ht", 2_000_000_000_000, b"FIELDS", 1, b"f")
    world.run(b"RPUSH", b"l", b"a", b"b", b"c")
    world.run(b"SADD", b"s", b"a")
    world.run(b"ZADD", b"z", b"1", b"a", b"2", b"b")
    assert world.effects(*command.split()) == effects


def test_a_batch_for_another_database_selects_it_and_goes_back() -> None:
    world = World()
    assert world.effects(b"SET", b"k", b"v", database=3) == [b"SELECT 3", b"SET k v", b"SELECT 0"]
    assert world.effects(b"MOVE", b"k", 4, database=3) == [
        *(b"SELECT 3", b"SELECT 4", b"SET k v", b"SELECT 3", b"DEL k", b"SELECT 0"),
    ]
    assert world.effects(b"FLUSHALL", database=3) == [
        *(b"SELECT 3", b"SELECT 4", b"FLUSHDB", b"SELECT 3", b"SELECT 0"),
    ]


def test_nothing_to_flush_logs_nothing() -> None:
    assert World().effects(b"FLUSHDB") == []
    assert World().effects(b"FLUSHALL") == []


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    family=st.sampled_from([*ALL_FAMILIES]),
    ticks=st.lists(st.integers(0, 3_000_000_000), min_size=1, max_size=8),
)
def test_replaying_the_log_gives_the_same_state(seed: int, family: str, ticks: list[int]) -> None:
    world, traffic = World(), Traffic(seed, ALL_FAMILIES[family])
    for tick in ticks:
        world.now_ms += tick
        for _ in range(30):
            try:
                world.run(*traffic.command(), database=traffic.random.choice([0, 0, 3]))
            except CommandError:
                continue
    for batch in world.log:
        assert all(effect[0] in EFFECTS or effect[0] == b"SELECT" for effect in batch)
        names = [effect for effect in batch if effect[0] == b"SELECT"]
        assert not names or names[-1] == (b"SELECT", b"0")
    assert dump(replayed(effect for batch in world.log for effect in batch)) == dump(world.keyspace)


def test_an_effect_that_does_not_fit_the_state_is_refused() -> None:
    keyspace = Keyspace()
    keyspace.apply((b"SET", b"k", b"text"))
    for effect in (
        (b"INCRBY", b"k", b"1"),
        (b"INCRBY", b"n", b"x"),
        (b"SETRANGE", b"k", b"-1", b"x"),
        (b"SET", b"k", b"v", b"PXAT", b"soon"),
        (b"SELECT", b"16"),
        (b"SELECT",),
    ):
        with pytest.raises(CommandError):
            keyspace.apply(effect)
    assert dump(keyspace) == {0: {b"k": (b"text", None)}}


def test_a_slot_is_a_group_of_redis_cluster_slots() -> None:
    # From the cluster specification: the CRC16 of "123456789" is 0x31C3, so its slot there is 12739.
    assert slot_of(b"123456789") == 12739 & 4095
    assert {slot_of(b"%d" % index) for index in range(100_000)} == set(range(4096))
