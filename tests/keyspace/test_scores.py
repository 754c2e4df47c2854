"""The promise: a text is a number to us if it is one to Redis, and the same one.

Method: the same texts as scores, as bounds of ranges and as weights of SORT, to a server and to a keyspace.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durakv.machine import Command
from tests.keyspace.differential import agrees, answers
from tests.keyspace.stock_server import StockServer, stock_server
from tests.keyspace.traffic import FLOATS, INTEGERS, NO_FLOATS, NO_INTEGERS, TEXTS
from tests.keyspace.world import World

NUMBERS = [
    *(*INTEGERS, *NO_INTEGERS, *FLOATS, *NO_FLOATS, *TEXTS),
    *(b"1\x00", b"1\x00x", b"\x00", b"\x001", b" \x00", b"\\01", b"1\\0", b" ", b"  1", b"\t\n\v\f\r1", b"\xa01"),
    *(b"1e-308", b"2.2250738585072014e-308", b"1e-310", b"4.9e-324", b"1e400", b"-1e400", b"1e-400", b"1.8e308"),
    *(
        b"+inf",
        b"-Infinity",
        b"infinit",
        b"0x1p4",
        b"0X1.8P1",
        b"0x",
        b"0x1p99999",
        b"1e+5",
        b"1e+",
        b".",
        b"-.5",
        b"-",
    ),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StockServer]:
    with stock_server(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_what_is_a_number_to_redis_is_the_same_number_to_us(server: StockServer, number: bytes) -> None:
    commands: list[Command] = [
        (b"FLUSHALL",),
        (
            b"ZADD",
            b"z",
            b"-inf",
            b"a",
            b"0",
            b"b",
            b"1",
            b"c",
            b"7",
            b"d",
            b"inf",
            b"e",
        ),  # also: no ERANGE is left over
        (b"RPUSH", b"l", number, b"0", b"1", b"7"),
        (b"SORT", b"l"),
        (b"ZRANGEBYSCORE", b"z", number, b"+inf"),
        (b"ZCOUNT", b"z", b"(" + number, b"+inf"),
        (b"ZADD", b"y", number, b"m"),
        (b"ZRANGE", b"y", b"0", b"-1", b"WITHSCORES"),
    ]
    ours = answers(World(), [(0, command) for command in commands])
    for command, our, their in zip(commands, ours, server.run_all(commands), strict=True):
        assert agrees(command, our, their), (command, our, their)
