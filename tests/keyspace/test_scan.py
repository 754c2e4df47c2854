"""The promise: a scan returns every key that was there all along exactly once, and none twice, whatever is written
meanwhile; and no pattern takes for ever.

Method: scans beside random writes, patterns made to explode.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from durakv.keyspace.glob import matcher
from tests.keyspace.world import World


def scan_all(world: World, *options: bytes | int) -> Iterator[list[bytes]]:
    cursor = b"0"
    while True:
        reply = world.run(b"SCAN", cursor, *options)
        assert isinstance(reply, list)
        cursor, keys = reply  # type: ignore[assignment]
        yield keys  # type: ignore[misc]
        if cursor == b"0":
            return


@pytest.mark.parametrize("seed", range(5))
def test_every_key_that_stays_is_returned_exactly_once_beside_writers(seed: int) -> None:
    chance = random.Random(seed)
    world = World()
    staying = {b"stays:%d" % index for index in range(3000)}
    for key in staying:
        world.run(b"SET", key, b"")
    found: list[bytes] = []
    for keys in scan_all(world, b"COUNT", chance.choice([1, 50, 500])):
        found += keys
        for _ in range(5):
            world.run(chance.choice([b"INCR", b"GETDEL"]), b"goes:%d" % chance.randrange(500))
    assert len(found) == len(set(found))
    assert staying <= set(found)


def test_a_step_looks_at_count_keys_at_least() -> None:
    world = World()
    for index in range(10_000):
        world.run(b"SET", b"%d" % index, b"")
    steps = list(scan_all(world, b"COUNT", 100))
    assert all(100 <= len(keys) < 120 for keys in steps[:-1])
    assert len(steps) <= 100
    assert len(list(scan_all(world, b"COUNT", 10_000))) == 1


def test_filters_do_not_make_a_step_longer() -> None:
    world = World()
    for index in range(5000):
        world.run(b"SET", b"%d" % index, b"")
    steps = list(scan_all(world, b"MATCH", b"4999", b"COUNT", 100))
    assert len(steps) > 40
    assert [key for keys in steps for key in keys] == [b"4999"]
    assert [key for keys in scan_all(world, b"TYPE", b"hash", b"COUNT", 5000) for key in keys] == []
    assert len([key for keys in scan_all(world, b"TYPE", b"String", b"COUNT", 5000) for key in keys]) == 5000


def test_a_scan_of_an_empty_database_is_one_step() -> None:
    assert list(scan_all(World())) == [[]]


def test_bad_cursors_and_options_are_refused() -> None:
    world = World()
    for cursor in (b"x", b"-1", b" 1", b"99999999999999999999"):
        assert world.refusal(b"SCAN", cursor) == "ERR invalid cursor"
    assert world.run(b"SCAN", 10**18) == [b"0", []]
    assert world.refusal(b"SCAN", 0, b"COUNT", 0) == "ERR syntax error"
    assert world.refusal(b"SCAN", 0, b"COUNT", b"x") == "ERR value is not an integer or out of range"
    assert world.refusal(b"SCAN", 0, b"COUNT") == "ERR syntax error"
    assert world.refusal(b"SCAN", 0, b"LIKE", b"x") == "ERR syntax error"


def test_randomkey_can_return_every_key() -> None:
    world = World()
    keys = {b"%d" % index for index in range(20)}
    for key in keys:
        world.run(b"SET", key, b"")
    world.run(b"SET", b"expired", b"", b"PXAT", 1)
    assert {world.run(b"RANDOMKEY") for _ in range(2000)} == keys


@pytest.mark.parametrize(
    ("pattern", "key"),
    [
        (b"*a" * 60 + b"*b", b"a" * 10_000),
        (b"a*" * 60 + b"b", b"a" * 10_000),
        (b"*" * 10_000 + b"x", b"a" * 10_000),
        (b"*[ab]?" * 40 + b"c", b"ab" * 5000),
        (b"*?" * 500 + b"\\", b"a" * 2000),
    ],
)
def test_no_pattern_explodes(pattern: bytes, key: bytes) -> None:
    started = time.perf_counter()
    assert not matcher(pattern)(key)
    assert time.perf_counter() - started < 2, "it backtracks"
