"""The promise: every encoding that RDB files ever had is read as what it means; anything else is refused by its place.

Method: files made by hand, one for each type and encoding, with values at the edges of each of its forms.
"""

from __future__ import annotations

import io
import math
import struct
import tracemalloc
from collections.abc import Generator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats.errors import FormatError, LimitError, UnsupportedContentError, UnsupportedVersionError
from durakv_formats.rdb import (
    Aux,
    End,
    Entry,
    Function,
    Group,
    Header,
    Kind,
    ModuleData,
    RdbWriter,
    Record,
    Stream,
    Value,
    crc64,
    read_rdb,
)
from durakv_formats.rdb.lzf import decompress_lzf
from durakv_formats.rdb.packed import decode_listpack, decode_ziplist
from durakv_formats.rdb.source import Source
from tests.rdb.build import END, length, listpack, lzf, rdb, record, string, ziplist

NUMBERS = (0, 12, 13, 63, 127, 128, -1, -128, 4095, 4096, -4096, -4097, 32767, 32768, -32768, 1 << 23, -(1 << 23))
LARGE = (*NUMBERS, (1 << 31) - 1, 1 << 31, -(1 << 31), (1 << 63) - 1, -(1 << 63))
TEXTS = (b"", b"a", b"x" * 63, b"x" * 64, b"y" * 253, b"z" * 300, b"z" * 5000, b"q" * 20_000, b"\xff\x00")
PARTS = [*(b"%d" % number for number in LARGE), *TEXTS]
INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1).map(lambda number: b"%d" % number)


def read(data: bytes, piece: int = 1 << 20) -> list[Record]:
    file = io.BytesIO(data)
    return [*read_rdb(lambda size: file.read(min(size, piece)))]


def only(data: bytes) -> tuple[Kind, Value]:
    (entry,) = [item for item in read(data) if isinstance(item, Entry)]
    return entry.kind, entry.value


def pairs(parts: list[bytes]) -> list[tuple[bytes, bytes, None]]:
    return [(parts[i], parts[i + 1], None) for i in range(0, len(parts) - 1, 2)]


def test_a_file_is_its_header_its_records_and_an_end_that_vouches_for_them() -> None:
    data = rdb(
        b"\xfa" + string(b"redis-ver") + string(b"7.0.15"),
        b"\xf5" + string(b"#!lua name=x"),
        b"\xfe" + length(3),
        b"\xfb" + length(2) + length(1),
        record(0, string(b"one"), b"a"),
        b"\xfc" + struct.pack("<q", 1700000000123) + b"\xf9\x05" + record(0, string(b"two"), b"b"),
        b"\xfd" + struct.pack("<i", 1700000000) + b"\xf8" + length(77) + record(0, string(b"three"), b"c"),
    )
    assert read(data) == [
        Header(9, is_valkey=False),
        Aux(b"redis-ver", b"7.0.15"),
        Function(b"#!lua name=x"),
        Entry(3, b"a", Kind.STRING, b"one", None, data.index(b"\0\x01a")),
        Entry(3, b"b", Kind.STRING, b"two", 1700000000123, data.index(b"\xfc")),
        Entry(3, b"c", Kind.STRING, b"three", 1700000000000, data.index(b"\xfd")),
        End(3, is_checked=True),
    ]


@pytest.mark.parametrize("piece", [1, 2, 7, 100])
def test_a_file_may_come_in_pieces_of_any_size(piece: int) -> None:
    data = rdb(record(0, string(b"x" * 200)), record(10, string(ziplist([b"a", b"b"])), b"list"))
    assert read(data, piece) == read(data)


def test_what_stands_behind_the_end_is_given_back() -> None:
    file = io.BytesIO(rdb(record(0, string(b"x"))) + b"*1\r\n")
    ends: list[Source] = []

    def read_all() -> Generator[Record]:
        ends.append((yield from read_rdb(file.read)))

    assert isinstance([*read_all()][-1], End)
    assert ends[0].rest() == b"*1\r\n"


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"\xc0\x7f", b"127"),
        (b"\xc0\x80", b"-128"),
        (b"\xc1\x00\x80", b"-32768"),
        (b"\xc2\xff\xff\xff\x7f", b"2147483647"),
        (lzf(b"a" * 1000 + b"bc" * 9), b"a" * 1000 + b"bc" * 9),
        (b"\x80\x00\x00\x00\x01z", b"z"),
        (b"\x81" + bytes(7) + b"\x01z", b"z"),
        (b"\x40\x01z", b"z"),
    ],
)
def test_strings_in_every_encoding(body: bytes, value: bytes) -> None:
    assert only(rdb(record(0, body))) == (Kind.STRING, value)


@pytest.mark.parametrize(
    ("code", "body"),
    [
        (1, length(len(PARTS)) + b"".join(map(string, PARTS))),
        (10, string(ziplist(PARTS))),
        (14, length(2) + string(ziplist(PARTS[:9])) + string(ziplist(PARTS[9:]))),
        (18, length(2) + length(2) + string(listpack(PARTS[:-1])) + length(1) + string(PARTS[-1])),
    ],
)
def test_lists_in_every_encoding(code: int, body: bytes) -> None:
    assert only(rdb(record(code, body))) == (Kind.LIST, PARTS)


@pytest.mark.parametrize(
    ("code", "body", "members"),
    [
        (2, length(len(PARTS)) + b"".join(map(string, PARTS)), PARTS),
        (20, string(listpack(PARTS)), PARTS),
        (11, string(struct.pack("<II3h", 2, 3, -5, 0, 7)), [b"-5", b"0", b"7"]),
        (11, string(struct.pack("<II2i", 4, 2, -(1 << 31), 9)), [b"%d" % -(1 << 31), b"9"]),
        (11, string(struct.pack("<II1q", 8, 1, 1 << 40)), [b"%d" % (1 << 40)]),
    ],
)
def test_sets_in_every_encoding(code: int, body: bytes, members: list[bytes]) -> None:
    assert only(rdb(record(code, body))) == (Kind.SET, members)


@pytest.mark.parametrize(
    ("code", "body", "scores"),
    [
        (3, length(4) + b"\1a\x03-.5\1b\xfe\1c\xff\1d\x041e10", [-0.5, math.inf, -math.inf, 1e10]),
        (5, length(2) + b"\1a" + struct.pack("<d", 0.1) + b"\1b" + struct.pack("<d", -math.inf), [0.1, -math.inf]),
        (12, string(ziplist([b"a", b"1", b"b", b"2.5"])), [1.0, 2.5]),
        (17, string(listpack([b"a", b"-inf", b"b", b"3"])), [-math.inf, 3.0]),
    ],
)
def test_sorted_sets_in_every_encoding(code: int, body: bytes, scores: list[float]) -> None:
    kind, value = only(rdb(record(code, body)))
    assert kind is Kind.ZSET
    assert value == [(b"abcd"[i : i + 1], score) for i, score in enumerate(scores)]


@pytest.mark.parametrize(
    ("code", "body", "fields"),
    [
        (4, length(2) + b"\1f\1v\1g\xc0\x05", [b"f", b"v", b"g", b"5"]),
        (9, string(b"\x02\x01f\x02\x03vw___\x01g\xfe\x02\x00\x00\x00\x00xy\xff"), [b"f", b"vw", b"g", b"xy"]),
        (13, string(ziplist([b"f", b"1", b"g", b"z" * 400])), [b"f", b"1", b"g", b"z" * 400]),
        (16, string(listpack([b"f", b"-7", b"g", b""])), [b"f", b"-7", b"g", b""]),
    ],
)
def test_hashes_in_every_encoding(code: int, body: bytes, fields: list[bytes]) -> None:
    assert only(rdb(record(code, body))) == (Kind.HASH, pairs(fields))


EXPIRING = [(b"f", b"v", None), (b"g", b"w", 1700000000500)]


@pytest.mark.parametrize(
    "data",
    [
        rdb(
            record(24, struct.pack("<q", 1700000000000) + length(2) + b"\0\1f\1v" + length(501) + b"\1g\1w"), version=12
        ),
        rdb(record(25, bytes(8) + string(listpack([b"f", b"v", b"0", b"g", b"w", b"1700000000500"]))), version=12),
        rdb(record(22, length(2) + b"\0\1f\1v" + length(1700000000500) + b"\1g\1w"), version=12),
        rdb(record(23, string(listpack([b"f", b"v", b"0", b"g", b"w", b"1700000000500"]))), version=12),
        rdb(
            record(22, length(2) + b"\1f\1v" + struct.pack("<q", -1) + b"\1g\1w" + struct.pack("<q", 1700000000500)),
            magic=b"VALKEY080",
        ),
    ],
)
def test_fields_with_deadlines_in_every_dialect(data: bytes) -> None:
    assert only(data) == (Kind.HASH, EXPIRING)


STREAM_8 = b"\0\0\5\5\0\0\5\5\1\0\x40\x64\x40\x64\0\0\0"
"""A stream of Redis 8: one entry was added and deleted; no groups, and nobody repeats himself."""
GIVEN_BACK = b"\1g\5\5\1\1" + struct.pack(">QQ", 5, 5) + bytes(8) + b"\0\0\1" + struct.pack(">QQ", 5, 5)


@pytest.mark.parametrize("code", [26, 27])
def test_streams_of_redis_8_are_those_of_before(code: int) -> None:
    assert only(rdb(record(code, STREAM_8), version=15)) == (Kind.STREAM, Stream((), (5, 5), (5, 5), 1, ()))
    group = b"\1\1g\5\5\1\0\0" + (b"\0" if code == 27 else b"")
    data = STREAM_8.replace(b"\1\0\x40", b"\1" + group + b"\x40")
    assert only(rdb(record(code, data), version=15)) == (
        Kind.STREAM,
        Stream((), (5, 5), (5, 5), 1, (Group(b"g", (5, 5), 1, (), ()),)),
    )


def test_modules_are_passed_over_and_named() -> None:
    identity = b"\x81" + struct.pack(">Q", sum(26 << 10 + 6 * i for i in range(9)) | 3)
    content = length(1) + length(5) + length(3) + bytes(4) + length(4) + bytes(8) + length(5) + string(b"x") + length(0)
    aux = b"\xf7" + identity + length(2) + length(1) + length(0)
    records = read(rdb(aux, record(7, identity + content), record(0, b"\1v", b"next")))
    assert records[1] == ModuleData("aaaaaaaaa")
    assert [(item.kind, item.value) for item in records if isinstance(item, Entry)] == [
        (Kind.MODULE, b"aaaaaaaaa"),
        (Kind.STRING, b"v"),
    ]


@pytest.mark.parametrize("version", [1, 4])
def test_old_files_have_no_checksum(version: int) -> None:
    assert read(rdb(record(0, b"\1v"), version=version))[-1] == End(1, is_checked=False)


def test_a_checksum_of_zero_was_never_computed() -> None:
    data = rdb(record(0, b"\1v"))
    assert read(data[:-8] + bytes(8))[-1] == End(1, is_checked=False)


def test_zeros_in_the_place_of_a_checksum_of_ours_are_damage() -> None:
    writer = RdbWriter()
    data = writer.begin() + writer.entry(Entry(0, b"k", Kind.STRING, b"v", None, 0)) + writer.end()
    assert read(data)[-1] == End(1, is_checked=True)
    with pytest.raises(FormatError, match=r"but 0000000000000000 is stored") as refused:
        read(data[:-8] + bytes(8))
    assert refused.value.offset == len(data) - 8


def test_a_fact_of_ours_alone_makes_a_checksum_necessary() -> None:
    fact = b"\xfa" + string(b"durakv-ver") + string(b"1")
    data = rdb(fact, record(0, b"\1v"))
    assert read(data)[-1] == End(1, is_checked=True)
    with pytest.raises(FormatError, match=r"the checksum of the file"):
        read(data[:-8] + bytes(8))


# --- what is refused --------------------------------------------------------------------------------------------------


def test_every_changed_byte_is_noticed() -> None:
    data = rdb(record(0, string(b"value" * 9)), record(10, string(ziplist(PARTS[:12])), b"l"))
    for at in range(len(data)):
        for mask in (1, 0x80, 0xFF):
            changed = bytearray(data)
            changed[at] ^= mask
            with pytest.raises(FormatError):
                read(bytes(changed))


def test_every_shorter_file_is_noticed() -> None:
    data = rdb(record(0, string(b"value" * 9)), record(18, length(1) + length(2) + string(listpack(PARTS[:12])), b"l"))
    for stop in range(len(data)):
        with pytest.raises(FormatError):
            read(data[:stop])


@pytest.mark.parametrize(
    ("data", "error", "reason"),
    [
        (b"", FormatError, "the file ends"),
        (b"MYFILE001", FormatError, "not an RDB file"),
        (b"REDIS0016" + END + bytes(8), UnsupportedVersionError, "REDIS0016"),
        (b"VALKEY099" + END + bytes(8), UnsupportedVersionError, "VALKEY099"),
        (rdb(b"\x1c\1k"), UnsupportedContentError, "a value of the type 28"),
        (rdb(record(26, STREAM_8[:-3] + b"\1\1p\1\1i\1\0\1\0")), UnsupportedContentError, "knows its producers"),
        (rdb(record(27, STREAM_8[:9] + b"\1" + GIVEN_BACK)), UnsupportedContentError, "has given back"),
        (rdb(b"\xf6"), UnsupportedContentError, "release candidate"),
        (rdb(b"\xf3", magic=b"VALKEY080"), UnsupportedContentError, "slot that is being imported"),
        (rdb(b"\xf3"), UnsupportedContentError, "metadata of Redis 8.6"),
        (rdb(record(6, b"\x81" + bytes(8))), UnsupportedContentError, "module AAAAAAAAA, written before"),
        (rdb(b"\xfe\x81" + b"\xff" * 8), FormatError, "no database"),
        (rdb(b"\xfc" + bytes(8)), FormatError, "between a key's deadline and the key"),
        (rdb(record(0, b"\xc4")), FormatError, "unknown encoding 4"),
        (rdb(record(0, b"\x82")), FormatError, "no length begins"),
        (rdb(record(1, b"\xc0\x01")), FormatError, "encoded string where a length"),
        (rdb(record(0, b"\x81" + b"\xff" * 8)), LimitError, "18446744073709551615 bytes"),
        (rdb(record(0, b"\xc3\x02\x81" + b"\xff" * 8 + b"aa")), LimitError, "bytes"),
        (rdb(record(0, b"\xc3\x02\x80\x00\x00\xff\xff\x00a")), FormatError, "cannot be 65535"),
        (rdb(record(2, length(2) + b"\1a\1a")), FormatError, "there twice"),
        (rdb(record(4, length(2) + b"\1f\1v\1f\1w")), FormatError, "there twice"),
        (rdb(record(5, length(1) + b"\1a" + struct.pack("<d", math.nan))), FormatError, "not a number"),
        (rdb(record(3, length(1) + b"\1a\xfd")), FormatError, "not a number"),
        (rdb(record(3, length(1) + b"\1a\x02zz")), FormatError, "not a score"),
        (rdb(record(17, string(listpack([b"a", b"1", b"b"])))), FormatError, "one half"),
        (rdb(record(25, bytes(8) + string(listpack([b"a", b"1", b"b", b"2"])))), FormatError, "no triplets"),
        (rdb(record(11, string(struct.pack("<II2h", 2, 2, 5, 5)))), FormatError, "do not rise"),
        (rdb(record(11, string(struct.pack("<II", 2, 1 << 30)))), FormatError, "1073741824 numbers"),
        (rdb(record(18, length(1) + length(3) + b"\1a")), FormatError, "unknown container 3"),
        (rdb(record(10, string(ziplist([b"a"])[:-1] + b"\0"))), FormatError, "a ziplist that is damaged"),
        (rdb(record(16, string(listpack([b"a", b"b"]) + b"x"))), FormatError, "a listpack that is damaged"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(data: bytes, error: type[FormatError], reason: str) -> None:
    with pytest.raises(error, match=reason) as caught:
        read(data)
    assert 0 <= caught.value.offset <= len(data)


def test_a_length_that_lies_costs_no_memory() -> None:
    tracemalloc.start()
    try:
        for body in (b"\x80\x1f\xff\xff\xff", b"\xc3\x80\x1f\xff\xff\xff\x80\x1f\xff\xff\xff"):
            with pytest.raises(FormatError):
                read(rdb(record(0, body)))
        with pytest.raises(FormatError):
            read(rdb(record(2, b"\x81" + b"\x7f" * 8)))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


# --- the parts --------------------------------------------------------------------------------------------------------


def test_the_checksum_is_that_of_redis_and_goes_on() -> None:
    assert crc64(b"123456789") == 0xE9C6D914C4B8D9CA
    assert crc64(b"456789", crc64(b"123")) == 0xE9C6D914C4B8D9CA


@given(st.lists(st.one_of(st.binary(max_size=80), INTEGERS), max_size=12))
def test_packed_lists_come_back(parts: list[bytes]) -> None:
    assert decode_ziplist(ziplist(parts)) == parts
    assert decode_listpack(listpack(parts)) == parts


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=4), st.integers(1, 300)), max_size=8))
def test_compressed_strings_come_back(runs: list[tuple[bytes, int]]) -> None:
    data = b"".join(piece * count for piece, count in runs)
    assert only(rdb(record(0, lzf(data)))) == (Kind.STRING, data)


def test_a_reference_may_overlap_with_what_it_makes() -> None:
    assert decompress_lzf(b"\x02abc\xe0\x02\x02", 14) == b"abcabcabcabcab"


@given(st.binary(max_size=60), st.integers(0, 300))
def test_any_bytes_are_decompressed_or_refused(data: bytes, size: int) -> None:
    with suppress(FormatError):
        assert len(decompress_lzf(data, size)) == size
