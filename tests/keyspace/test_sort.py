"""The promise: SORT has the order of Redis where there is one, and what it stores is logged as what it came to.

Method: examples of the orders that random traffic cannot compare, because those of sets differ; the rest is compared in
``test_against_redis``.
"""

from __future__ import annotations

import pytest

from tests.keyspace.stock_server import stock_server
from tests.keyspace.world import World, dump, replayed

PREPARED = [
    *(b"RPUSH l 3 1 2 10", b"ZADD z 3 3 1 1 2 2 10 0", b"SADD s 3", b"RPUSH x d b a c", b"MSET w_1 5 w_2 5 w_3 1"),
    *(b"HSET h_1 f 9 g x", b"HSET h_2 f 11", b"HSET h_3 f 10", b"RPUSH dup 2 1 2 1"),
]
QUERIES = [
    *(b"SORT l BY nosort", b"SORT l BY nosort DESC", b"SORT l BY nosort LIMIT 1 2", b"SORT l BY nosort DESC LIMIT 1 2"),
    *(b"SORT z BY nosort", b"SORT z BY nosort DESC", b"SORT z BY nosort LIMIT 1 2", b"SORT z BY nosort DESC LIMIT 1 9"),
    *(
        b"SORT z BY nosort GET # GET w_*",
        b"SORT_RO l BY w_* GET w_* GET #",
        b"SORT l BY w_* ALPHA",
        b"SORT s BY no DESC",
    ),
    *(b"SORT l BY w_* ALPHA DESC GET # GET h_*->g", b"SORT l BY h_*->f DESC", b"SORT l BY h_*->g ALPHA", b"SORT dup"),
    *(b"SORT x", b"SORT x ALPHA DESC LIMIT 1 2", b"SORT l LIMIT -1 2", b"SORT l LIMIT 2 -1", b"SORT l LIMIT 9 1"),
    *(b"SORT l LIMIT 1 0", b"SORT l LIMIT 3 1 LIMIT 0 2 DESC ASC", b"SORT absent", b"SORT h_1", b"SORT h_1 what"),
]


def test_the_order_is_that_of_redis(tmp_path_factory: pytest.TempPathFactory) -> None:
    world = World()
    with stock_server(tmp_path_factory.mktemp("redis")) as server:
        for line in PREPARED:
            assert world.run(*line.split()) == server.run(*line.split())
        for line in QUERIES:
            theirs = server.run(*line.split())
            if isinstance(theirs, Exception):
                assert world.refusal(*line.split()) == str(theirs), line
            else:
                assert world.run(*line.split()) == theirs, line


def test_what_is_stored_needs_no_other_key_to_be_replayed() -> None:
    world = World()
    for line in PREPARED:
        world.run(*line.split())
    world.run(b"SET", b"d", b"what was there", b"EX", 10)
    assert world.effects(b"SORT", b"l", b"BY", b"w_*", b"GET", b"h_*->f", b"GET", b"#", b"STORE", b"d") == [
        *(b"DEL d", b"RPUSH d  10 10 3 9 1 11 2"),
    ]
    assert world.effects(b"SORT", b"l", b"STORE", b"l", b"LIMIT", 0, 2) == [b"DEL l", b"RPUSH l 1 2"]
    assert world.effects(b"SORT", b"absent", b"STORE", b"l") == [b"DEL l"]
    assert world.effects(b"SORT", b"absent", b"STORE", b"l") == []
    assert dump(replayed(effect for batch in world.log for effect in batch)) == dump(world.keyspace)


def test_keys_and_fields_that_have_expired_weigh_nothing() -> None:
    world = World()
    world.run(b"RPUSH", b"l", 1, 2, 3)
    world.run(b"SET", b"w_1", 9, b"PX", 100)
    world.run(b"HSETEX", b"h_1", b"PX", 100, b"FIELDS", 1, b"f", 9)
    by_key = (b"SORT", b"l", b"BY", b"w_*", b"GET", b"#", b"GET", b"h_*->f")
    assert world.run(*by_key) == [b"2", None, b"3", None, b"1", b"9"]
    world.now_ms += 101
    assert world.run(*by_key) == [b"1", None, b"2", None, b"3", None]
