"""The promise: the string commands answer what Redis answers, in its words, and log nothing when they refuse.

Method: examples at the edges, in a keyspace without an engine; ``test_against_redis`` compares with the original.
"""

from __future__ import annotations

import pytest

from durakv.errors import WrongType
from durakv.keyspace import OK, Status
from tests.keyspace.world import World, dump

LONG = b"9223372036854775807"
NOT_INTEGER = "ERR value is not an integer or out of range"


@pytest.fixture
def world() -> World:
    return World()


def test_a_value_comes_back_as_it_was_set(world: World) -> None:
    for key in (b"k", b"", b"\x00\xff\r\n"):
        assert world.run(b"GET", key) is None
        assert world.run(b"SET", key, b"\r\n\x00") == b"OK"
        assert world.run(b"GET", key) == b"\r\n\x00"


def test_simple_strings_and_bulk_strings_can_be_told_apart(world: World) -> None:
    assert type(world.run(b"SET", b"k", b"OK")) is Status
    assert type(world.run(b"GET", b"k")) is bytes
    assert repr(OK) == "Status(b'OK')"


def test_names_and_options_may_be_written_in_any_case(world: World) -> None:
    assert world.run(b"sEt", b"k", b"v", b"nX", b"pX", 1000) == OK
    assert world.run(b"gEt", b"k") == b"v"


def test_set_obeys_its_conditions(world: World) -> None:
    assert world.run(b"SET", b"k", b"1", b"XX") is None
    assert world.run(b"SET", b"k", b"1", b"NX") == OK
    assert world.run(b"SET", b"k", b"2", b"NX") is None
    assert world.run(b"SET", b"k", b"2", b"XX") == OK
    assert world.run(b"SET", b"k", b"3", b"NX", b"GET") == b"2"
    assert world.run(b"GET", b"k") == b"2"
    assert world.run(b"SET", b"new", b"1", b"GET") is None
    assert world.run(b"GET", b"new") == b"1"


@pytest.mark.parametrize(
    "options",
    [
        (b"NX", b"XX"),
        (b"KEEPTTL", b"EX", b"1"),
        (b"EX", b"1", b"PX", b"1"),
        (b"EX",),
        (b"PERSIST",),
        (b"nonsense",),
        (b"",),
    ],
)
def test_options_that_exclude_each_other_are_a_syntax_error(world: World, options: tuple[bytes, ...]) -> None:
    assert world.refusal(b"SET", b"k", b"v", *options) == "ERR syntax error"


@pytest.mark.parametrize("value", [0, -1, 9223372036854775807])
def test_a_lifetime_is_positive_and_fits_into_64_bits(world: World, value: int) -> None:
    assert world.refusal(b"SET", b"k", b"v", b"EX", value) == "ERR invalid expire time in 'set' command"
    assert world.refusal(b"SETEX", b"k", value, b"v") == "ERR invalid expire time in 'setex' command"
    assert world.refusal(b"PSETEX", b"k", value, b"v") == "ERR invalid expire time in 'psetex' command"


def test_several_keys_are_set_all_or_nothing(world: World) -> None:
    assert world.run(b"MSETNX", b"a", b"1", b"b", b"2", b"a", b"3") == 1
    assert world.run(b"MSETNX", b"c", b"1", b"a", b"2") == 0
    assert world.run(b"MGET", b"a", b"b", b"c") == [b"3", b"2", None]
    assert world.refusal(b"MSET", b"a", b"1", b"b") == "ERR wrong number of arguments for 'mset' command"


def test_parts_of_a_string(world: World) -> None:
    world.run(b"SET", b"k", b"hello")
    for start, end, part in [
        (0, -1, b"hello"),
        (1, 2, b"el"),
        (-3, -2, b"ll"),
        (3, 1, b""),
        (-1, -3, b""),
        (9, 10, b""),
    ]:
        assert world.run(b"GETRANGE", b"k", start, end) == part
    assert world.run(b"SETRANGE", b"k", 7, b"x") == 8
    assert world.run(b"GET", b"k") == b"hello\0\0x"
    assert world.run(b"SETRANGE", b"absent", 5, b"") == 0
    assert world.run(b"EXISTS", b"absent") == 0
    assert world.run(b"APPEND", b"k", b"!") == world.run(b"STRLEN", b"k") == 9
    assert world.run(b"APPEND", b"empty", b"") == 0
    assert world.run(b"EXISTS", b"empty") == 1


def test_integers_are_those_of_64_bits(world: World) -> None:
    world.run(b"SET", b"n", LONG)
    assert world.refusal(b"INCR", b"n") == "ERR increment or decrement would overflow"
    assert world.refusal(b"INCRBY", b"n", b"1" + LONG) == NOT_INTEGER
    assert world.run(b"DECRBY", b"n", LONG) == 0
    assert world.refusal(b"DECRBY", b"n", -(1 << 63)) == "ERR decrement would overflow"
    assert world.run(b"INCRBY", b"n", -(1 << 63)) == -(1 << 63)
    assert world.refusal(b"DECR", b"n") == "ERR increment or decrement would overflow"


@pytest.mark.parametrize("text", [b"", b" 1", b"1 ", b"+1", b"01", b"-0", b"1_0", b"1.0", b"x", b"9" * 5000, b"\xb2"])
def test_only_canonical_integers_are_integers(world: World, text: bytes) -> None:
    world.run(b"SET", b"n", text)
    assert world.refusal(b"INCR", b"n") == NOT_INTEGER
    assert world.refusal(b"INCRBY", b"m", text) == NOT_INTEGER


def test_floats_are_added_as_redis_adds_them(world: World) -> None:
    world.run(b"SET", b"f", b"3.0")
    assert world.run(b"INCRBYFLOAT", b"f", b"0.1") == b"3.1"
    assert world.run(b"INCRBYFLOAT", b"f", b"-3.1") == b"0"
    assert world.run(b"INCRBYFLOAT", b"f", b"5.0e3") == b"5000"
    assert world.refusal(b"INCRBYFLOAT", b"f", b"inf") == "ERR increment would produce NaN or Infinity"
    for text in (b"nan", b"1e5000", b"1 ", b"", b"0x", b"1e", b"1e999999999999", b"9" * 6000):
        assert world.refusal(b"INCRBYFLOAT", b"f", text) == "ERR value is not a valid float"


def test_strings_do_not_grow_beyond_512_mib(world: World) -> None:
    too_long = "ERR string exceeds maximum allowed size (proto-max-bulk-len)"
    assert world.refusal(b"SETRANGE", b"k", 512 << 20, b"x") == too_long
    assert world.refusal(b"SETRANGE", b"k", LONG, b"x") == too_long
    assert world.refusal(b"SETRANGE", b"k", -1, b"x") == "ERR offset is out of range"
    world.run(b"SETRANGE", b"k", (8 << 20) - 1, b"x")
    assert world.run(b"STRLEN", b"k") == 8 << 20


def test_a_value_of_another_type_is_refused_and_left_alone(world: World) -> None:
    world.run(b"HSET", b"h", b"field", b"value")
    before = dump(world.keyspace)
    for command in (
        (b"GET", b"h"),
        (b"STRLEN", b"h"),
        (b"GETRANGE", b"h", b"0", b"1"),
        (b"GETSET", b"h", b"x"),
        (b"SET", b"h", b"x", b"GET"),
        (b"GETDEL", b"h"),
        (b"GETEX", b"h"),
        (b"APPEND", b"h", b"x"),
        (b"SETRANGE", b"h", b"0", b"x"),
        (b"INCR", b"h"),
        (b"DECRBY", b"h", b"1"),
        (b"INCRBYFLOAT", b"h", b"1"),
    ):
        with pytest.raises(WrongType, match="WRONGTYPE Operation against a key holding the wrong kind of value"):
            world.run(*command)
    assert world.run(b"MGET", b"h", b"nothing") == [None, None]
    assert dump(world.keyspace) == before
    assert world.run(b"SET", b"h", b"x") == OK, "SET replaces a value of any type"


def test_a_command_that_does_not_exist_is_told_with_its_arguments(world: World) -> None:
    assert world.refusal(b"HSETT", b"h", b"f\r\n", b"v") == (
        "ERR unknown command 'HSETT', with args beginning with: 'h' 'f  ' 'v' "
    )
    assert world.refusal(b"x" * 200, b"y" * 200).count("x") == 128
    assert world.refusal(b"GET") == "ERR wrong number of arguments for 'get' command"
    assert world.refusal(b"get", b"a", b"b") == "ERR wrong number of arguments for 'get' command"
    assert world.refusal() == "ERR a command has at least a name"
