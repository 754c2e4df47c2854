"""The promise: bits and fields of any width are where Redis has them, in large strings too, and a change logs no more
than the bytes it touches.

Method: the same questions to a string of binary digits; then some that random commands on small strings do not ask.
"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.keyspace.world import World

BYTES = st.one_of(st.binary(max_size=9), st.sampled_from([b"\0" * 70_000, b"\xff" * 70_000, b"\0" * 65_536 + b"\x01"]))
INDEX = st.integers(-80, 80) | st.integers(-600_000, 600_000)


def digits(value: bytes) -> str:
    return "".join(f"{byte:08b}" for byte in value)


@given(value=BYTES, start=INDEX, end=INDEX, bit=st.sampled_from([0, 1]))
def test_bits_are_counted_and_found_in_any_range(value: bytes, start: int, end: int, bit: int) -> None:
    world = World()
    world.run(b"SET", b"k", value)
    text = digits(value)
    first = max(0, start + len(text)) if start < 0 else start
    last = max(0, end + len(text)) if end < 0 else end
    if not (start < 0 and end < 0 and start > end):
        assert world.run(b"BITCOUNT", b"k", start, end, b"BIT") == text[first : last + 1].count("1")
    assert world.run(b"BITPOS", b"k", bit, start, end, b"BIT") == text[: last + 1].find(str(bit), first)


def test_a_zero_that_is_not_found_is_behind_the_end_unless_an_end_was_given() -> None:
    world = World()
    world.run(b"SET", b"k", b"\xff\xff\xff")
    assert world.run(b"BITPOS", b"k", 0) == 24
    assert world.run(b"BITPOS", b"k", 0, 1) == 24
    assert world.run(b"BITPOS", b"k", 0, 3) == -1
    assert world.run(b"BITPOS", b"k", 0, 1, -1) == -1
    assert world.run(b"BITPOS", b"k", 0, 1, -1, b"BYTE") == -1


@given(sources=st.lists(st.binary(max_size=40), min_size=1, max_size=4))
def test_sources_of_different_lengths_are_combined_as_if_zeros_followed(sources: list[bytes]) -> None:
    world = World()
    size = max(map(len, sources))
    for number, source in enumerate(sources):
        world.run(b"SET", b"%d" % number, source)
    columns = list(zip(*(source.ljust(size, b"\0") for source in sources), strict=True))
    keys = [b"%d" % number for number in range(len(sources))]
    for name, combined in {
        b"AND": [_all(column) for column in columns],
        b"OR": [_any(column) for column in columns],
        b"XOR": [_odd(column) for column in columns],
    }.items():
        assert world.run(b"BITOP", name, b"to", *keys) == size
        assert (world.run(b"GET", b"to") or b"") == bytes(combined)


def _all(column: tuple[int, ...]) -> int:
    return sum(bit for bit in _BITS if all(byte & bit for byte in column))


def _any(column: tuple[int, ...]) -> int:
    return sum(bit for bit in _BITS if any(byte & bit for byte in column))


def _odd(column: tuple[int, ...]) -> int:
    return sum(bit for bit in _BITS if sum(byte & bit > 0 for byte in column) % 2)


_BITS = [1 << shift for shift in range(8)]


@given(value=st.binary(max_size=20), offset=st.integers(0, 100), bits=st.integers(1, 63), number=st.integers(0))
def test_a_field_is_read_as_it_was_written_and_nothing_beside_it_changes(
    value: bytes, offset: int, bits: int, number: int
) -> None:
    world = World()
    world.run(b"SET", b"k", value)
    number %= 1 << bits
    before = digits(value).ljust((offset + bits + 7) // 8 * 8, "0")
    reply: Any = world.run(b"BITFIELD", b"k", b"SET", b"u%d" % bits, offset, number, b"GET", b"u%d" % bits, offset)
    assert reply == [int(before[offset : offset + bits], 2), number]
    after: Any = world.run(b"GET", b"k")
    assert digits(after) == before[:offset] + f"{number:0{bits}b}" + before[offset + bits :]


@pytest.mark.parametrize(
    ("words", "replies"),
    [
        (b"OVERFLOW SAT INCRBY i8 0 100 INCRBY i8 0 100 INCRBY i8 0 -1000", [100, 127, -128]),
        (b"OVERFLOW FAIL INCRBY u4 0 15 INCRBY u4 0 1 GET u4 0", [15, None, 15]),
        (b"INCRBY u4 0 17 INCRBY i4 #1 15 INCRBY i4 #1 -9", [1, -1, 6]),
        (b"OVERFLOW SAT SET u8 0 -1 GET u8 0", [0, 255]),
        # Far below the range is above it, as servers have it.
        (b"OVERFLOW SAT SET i8 0 -9223372036854775681 GET i8 0", [0, 127]),
        (b"OVERFLOW SAT SET i8 0 -9223372036854775680 GET i8 0", [0, -128]),
    ],
)
def test_what_does_not_fit_wraps_stops_at_the_end_or_is_refused(words: bytes, replies: list[int | None]) -> None:
    assert World().run(b"BITFIELD", b"k", *words.split()) == replies


def test_fields_far_apart_log_their_own_bytes_only() -> None:
    world = World()
    world.run(b"SET", b"k", bytes(1 << 20), b"PXAT", 2_000_000_000_000)
    assert world.effects(b"BITFIELD", b"k", b"SET", b"u8", 0, 1, b"SET", b"u16", (1 << 23) - 16, 65535) == [
        b"SETRANGE k 0 \x01",
        b"SETRANGE k 1048574 \xff\xff",
    ]


def test_a_string_grows_though_every_write_was_refused_as_in_redis() -> None:
    world = World()
    assert world.run(b"BITFIELD", b"k", b"OVERFLOW", b"FAIL", b"INCRBY", b"u8", 16, 256) == [None]
    assert world.run(b"GET", b"k") == b"\0\0\0"


def test_the_last_bit_there_can_be_is_a_field_of_one() -> None:
    world = World()
    assert world.run(b"GETBIT", b"k", (1 << 32) - 1) == 0
    assert "out of range" in world.refusal(b"SETBIT", b"k", 1 << 32, 1)
    assert "exceeds maximum" in world.refusal(b"BITFIELD", b"k", b"SET", b"u8", (1 << 32) - 1, 1)


def _length(one: bytes, other: bytes) -> int:
    row = [0] * (len(other) + 1)
    for byte in one:
        above = row
        row = [0]
        for column, other_byte in enumerate(other):
            row.append(above[column] + 1 if byte == other_byte else max(row[column], above[column + 1]))
    return row[-1]


def test_a_subsequence_is_common_and_none_is_longer() -> None:
    chance, world = random.Random(5), World()
    for _ in range(200):
        one, other = (bytes(chance.choices(b"abc\0", k=chance.randrange(40))) for _ in range(2))
        world.run(b"MSET", b"1", one, b"2", other)
        found: Any = world.run(b"LCS", b"1", b"2")
        for text in (one, other):
            rest = iter(text)
            assert all(byte in rest for byte in found)
        assert len(found) == world.run(b"LCS", b"1", b"2", b"LEN") == _length(one, other)
        places: Any = world.run(b"LCS", b"1", b"2", b"IDX", b"WITHMATCHLEN")
        assert places[3] == len(found)
        assert b"".join(one[first : last + 1] for (first, last), _, _ in reversed(places[1])) == found
        assert b"".join(other[first : last + 1] for _, (first, last), _ in reversed(places[1])) == found
