"""The promise: a block's columns survive, and no payload is read as columns that are not well formed.

Method: columns drawn by Hypothesis; the same payloads damaged; hand-made MessagePack of every wrong shape.
"""

from __future__ import annotations

import tracemalloc
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats import (
    KIND_EXPIRY,
    KIND_STRING,
    Column,
    FormatError,
    UnsupportedVersionError,
    decode_columns,
    encode_columns,
)
from durakv_formats import columns as columns_module
from durakv_formats.columns import DATABASE_MAX, encode_strings, size_of_strings

GOOD = [
    Column(0, KIND_STRING, [b"a", b"b"], [b"1", b""]),
    Column(0, KIND_EXPIRY, [b"a"], [1_700_000_000_123]),
    Column(9, KIND_STRING, [b"\xff"], [b"x" * 300]),
]


@st.composite
def some_columns(draw: st.DrawFn) -> list[Column]:
    columns: list[Column] = []
    for kind in draw(st.lists(st.sampled_from([KIND_STRING, KIND_EXPIRY]), max_size=4)):
        keys = draw(st.lists(st.binary(max_size=9), max_size=9))
        value: st.SearchStrategy[Any] = st.binary() if kind == KIND_STRING else st.integers(-(1 << 63), (1 << 64) - 1)
        values = draw(st.lists(value, min_size=len(keys), max_size=len(keys)))
        columns.append(Column(draw(st.integers(0, DATABASE_MAX)), kind, keys, values))
    return columns


@given(some_columns())
def test_columns_survive(columns: list[Column]) -> None:
    payload = encode_columns(columns)
    assert decode_columns(payload) == columns
    assert encode_columns([(*column,) for column in columns]) == payload


@pytest.fixture(params=["as it is", "in Python"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the compiled twin, if it was built, and without."""
    if request.param == "in Python":
        monkeypatch.setattr(columns_module, "count_bytes", None)


@pytest.mark.usefixtures("either_way")
def test_strings_alone_are_encoded_as_a_column_of_them() -> None:
    for strings in ({b"a": b"1", b"b": b"", b"": b"x" * 300}, {b"%d" % number: b"v" for number in range(70_000)}):
        size = sum(map(len, strings)) + sum(map(len, strings.values()))
        expected = encode_columns([Column(7, KIND_STRING, list(strings), list(strings.values()))])
        assert size_of_strings(strings) == size
        assert encode_strings(7, strings, size) == expected
        assert encode_strings(7, strings, size - 1) is None
        assert encode_strings(-1, strings, size) is None
        assert encode_strings(DATABASE_MAX + 1, strings, size) is None


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("other", ["text", 1, None, bytearray(b"b"), [b"b"], type("Own", (bytes,), {})(b"b")])
def test_what_is_not_strings_alone_is_left_to_others(other: Any) -> None:
    assert size_of_strings({b"a": b"b", b"c": other}) is None
    assert encode_strings(0, {b"a": b"b", b"c": other}, 1 << 20) is None
    if type(other).__hash__ is not None:
        assert size_of_strings({b"a": b"b", other: b"c"}) is None


def test_no_part_of_a_payload_is_a_payload() -> None:
    payload = encode_columns(GOOD)
    assert decode_columns(payload) == GOOD
    for cut in range(len(payload)):
        with pytest.raises(FormatError):
            decode_columns(payload[:cut])
    with pytest.raises(FormatError):
        decode_columns(payload + b"\xc0")


def shapes_are_right(columns: list[Column]) -> bool:
    return all(
        len(column.keys) == len(column.values)
        and set(map(type, column.keys)) <= {bytes}
        and set(map(type, column.values)) <= {bytes if column.kind == KIND_STRING else int}
        and 0 <= column.database <= DATABASE_MAX
        for column in columns
    )


@given(st.one_of(st.binary(), st.binary(max_size=20).map(lambda tail: b"\x91\x94\x00\x00" + tail)))
def test_noise_is_refused_or_well_formed(payload: bytes) -> None:
    try:
        columns = decode_columns(payload)
    except FormatError:
        return
    assert shapes_are_right(columns)


@given(some_columns(), st.data())
def test_damage_is_refused_or_well_formed(columns: list[Column], data: st.DataObject) -> None:
    payload = bytearray(encode_columns(columns))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    try:
        decoded = decode_columns(bytes(payload))
    except FormatError:
        return
    assert shapes_are_right(decoded)


@pytest.mark.parametrize(
    "columns",
    [
        {},
        None,
        b"",
        [None],
        [{}],
        [[]],
        [[0]],
        [[0, 0, [b"a"]]],
        [[0, 0, [b"a"], [b"b"], [b"c"]]],
        [[0, 0, [b"a"], []]],
        [[0, 0, [], [b"a"]]],
        [[0, 0, [b"a"], [1]]],
        [[0, 0, [b"a"], ["b"]]],
        [[0, 0, ["a"], [b"b"]]],
        [[0, 0, [b"a"], [None]]],
        [[0, 0, [b"a"], [[b"b"]]]],
        [[0, 0, {b"a": b"b"}, [b"b"]]],
        [[0, -1, [], []]],
        [[0, DATABASE_MAX + 1, [], []]],
        [[0, b"0", [], []]],
        [[255, 0, [b"a"], [b"b"]]],
        [[255, 0, [b"a"], [1.5]]],
        [[255, 0, [b"a"], [True]]],
        [["0", 0, [b"a"], [b"b"]]],
        [[True, 0, [b"a"], [b"b"]]],
    ],
)
def test_a_payload_of_another_shape_is_refused(columns: Any) -> None:
    with pytest.raises(FormatError) as refused:
        decode_columns(msgspec.msgpack.encode(columns))
    assert not isinstance(refused.value, UnsupportedVersionError)


def test_kinds_of_later_versions_are_refused_by_number() -> None:
    for kind in (6, 128, 254, 256):
        with pytest.raises(UnsupportedVersionError) as refused:
            decode_columns(msgspec.msgpack.encode([[0, 0, [b"a"], [b"b"]], [kind, 0, [b"a"], [{"any": "thing"}]]]))
        assert refused.value.version == f"column kind {kind}"
        with pytest.raises(UnsupportedVersionError):
            encode_columns([Column(0, kind, [], [])])


@pytest.mark.parametrize(
    "column",
    [
        Column(0, KIND_STRING, [b"a"], []),
        Column(0, KIND_STRING, [b"a"], ["b"]),
        Column(0, KIND_STRING, cast(Any, ["a"]), [b"b"]),
        Column(0, KIND_STRING, [b"a"], [bytearray(b"b")]),
        Column(0, KIND_EXPIRY, [b"a"], [b"b"]),
        Column(0, KIND_EXPIRY, [b"a"], [1.5]),
        Column(0, KIND_EXPIRY, [b"a"], [True]),
        Column(0, KIND_EXPIRY, [b"a"], [1 << 64]),
        Column(0, KIND_EXPIRY, [b"a"], [-(1 << 63) - 1]),
        Column(-1, KIND_STRING, [], []),
        Column(DATABASE_MAX + 1, KIND_STRING, [], []),
    ],
)
def test_what_could_not_be_read_again_is_not_written(column: Column) -> None:
    with pytest.raises(FormatError):
        encode_columns([column])


@pytest.mark.parametrize(
    "payload",
    [
        b"\xdd\xff\xff\xff\xff",
        b"\x91\x94\x00\x00\xdd\xff\xff\xff\xff\xc4\x01a",
        b"\x91\x94\x00\x00\x91\xc6\xff\xff\xff\xffa",
        b"\x91" * 100_000,
        b"\x91\x94\x00\x00" + b"\x91" * 100_000,
        b"\x91\x94\x07\x00\xdf\xff\xff\xff\xff",
        b"\x91\x94\x07\x00" + b"\x81" * 100_000,
    ],
)
def test_a_length_that_is_only_claimed_costs_no_memory(payload: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(FormatError):
            decode_columns(payload)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20
