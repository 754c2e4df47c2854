"""The promise: a write of one field takes the same time in a small hash and in a large one.

Method: the same command is decided on hashes of 100 and of 200,000 fields, of which none or two have a deadline, and
the fastest of many runs compared: going through all the fields takes a thousand times as long.
"""

from __future__ import annotations

import time

import pytest

from durakv.keyspace.requests import Argument, encode
from durakv.keyspace.table import decide
from tests.keyspace.world import NOW_MS, World

FIELDS = (100, 200_000)
ROUNDS = 50
ALLOWED_TIMES = 30


@pytest.mark.parametrize("some_expire", [False, True], ids=["", "some expire"])
@pytest.mark.parametrize(
    "command",
    [
        (b"HSET", b"h", b"new", b"x"),
        (b"HSET", b"h", b"1", b"x"),
        (b"HSETEX", b"h", b"FXX", b"FIELDS", 1, b"1", b"x"),
        (b"HSETEX", b"h", b"FNX", b"FIELDS", 1, b"new", b"x"),
        (b"HDEL", b"h", b"1"),
    ],
    ids=lambda command: " ".join(str(word, "ascii") for word in command if isinstance(word, bytes)),
)
def test_a_write_of_one_field_does_not_go_through_all_of_them(command: tuple[Argument, ...], some_expire: bool) -> None:
    small, large = (_fastest_seconds(command, count, some_expire) for count in FIELDS)
    assert large < small * ALLOWED_TIMES, f"{small * 1e6:.1f} us in a small hash, {large * 1e6:.1f} us in a large one"


def _fastest_seconds(command: tuple[Argument, ...], count: int, some_expire: bool) -> float:
    world = World()
    for start in range(0, count, 1000):
        pairs = [part for number in range(start, min(start + 1000, count)) for part in (b"%d" % number, b"v")]
        world.run(b"HSET", b"h", *pairs)
    if some_expire:
        world.run(b"HEXPIRE", b"h", b"100", b"FIELDS", b"2", b"1", b"2")
    encoded = encode(command)
    times: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        decide(world.keyspace, 0, encoded, NOW_MS)
        times.append(time.perf_counter() - began)
    return min(times)
