"""The promise: what a codec takes it brings back, and it refuses what it could not bring back.

Method: values that Hypothesis draws, and examples of what each refuses.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from durakv import BytesCodec, Codec, JsonCodec, MsgpackCodec, PickleCodec, TextCodec

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@dataclass
class Point:
    x: int
    name: str = ""


@dataclass
class Dot(Point):
    color: str = ""


@given(PLAIN)
def test_plain_values_come_back(value: Any) -> None:
    for codec in (JsonCodec(), MsgpackCodec(), PickleCodec()):
        assert codec.decode(codec.encode(value)) == value


@given(st.binary(), st.text(), st.tuples(st.integers(-(2**63), 2**63), st.text(), st.binary()))
def test_keys_come_back_and_differ_where_they_differ(data: bytes, text: str, numbered: tuple[int, str, bytes]) -> None:
    assert BytesCodec().decode(BytesCodec().encode(data)) == data
    assert TextCodec().decode(TextCodec().encode(text)) == text
    keys = MsgpackCodec(tuple[int, str, bytes])
    assert keys.decode(keys.encode(numbered)) == numbered


def test_a_type_comes_back_as_that_type() -> None:
    points = MsgpackCodec(dict[str, Point])
    assert points.decode(points.encode({"a": Point(1, "b")})) == {"a": Point(1, "b")}


@pytest.mark.parametrize(
    ("codec", "value", "back"),
    [
        (MsgpackCodec(), datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)),
        (MsgpackCodec(), datetime(2026, 1, 2), "2026-01-02T00:00:00"),
        (MsgpackCodec(), date(2026, 1, 2), "2026-01-02"),
        (MsgpackCodec(), UUID(int=1), str(UUID(int=1))),
        (MsgpackCodec(str), UUID(int=1), str(UUID(int=1))),
        (MsgpackCodec(datetime), datetime(2026, 1, 2), datetime(2026, 1, 2)),
        (MsgpackCodec(UUID), UUID(int=1), UUID(int=1)),
        (MsgpackCodec(Point), Dot(1, "a", "red"), Point(1, "a")),
    ],
)
def test_what_msgpack_writes_alike_comes_back_as_the_type_that_was_named(
    codec: Codec[Any], value: Any, back: object
) -> None:
    assert codec.decode(codec.encode(value)) == back


@pytest.mark.parametrize(
    ("codec", "value", "error", "words"),
    [
        (BytesCodec(), "text", TypeError, "BytesCodec takes bytes, not str"),
        (BytesCodec(), bytearray(b"x"), TypeError, "not bytearray"),
        (TextCodec(), b"x", TypeError, "TextCodec takes str, not bytes"),
        (TextCodec(), "\ud800", UnicodeEncodeError, "surrogates"),
        (JsonCodec(), {1, 2}, TypeError, "not JSON serializable"),
        (JsonCodec(), float("nan"), ValueError, "not JSON compliant"),
        (JsonCodec(), "\ud800", UnicodeEncodeError, "surrogates"),
        (MsgpackCodec(), object(), TypeError, "unsupported"),
        (MsgpackCodec(int), "1", msgspec.ValidationError, "Expected `int`"),
        (MsgpackCodec(int), True, msgspec.ValidationError, "Expected `int`"),
        (MsgpackCodec(int), 1.0, msgspec.ValidationError, "Expected `int`"),
        (PickleCodec(), lambda: None, Exception, "pickle"),
    ],
)
def test_what_would_not_come_back_is_refused(codec: Codec[Any], value: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        codec.encode(value)


@pytest.mark.parametrize("codec", [TextCodec(), JsonCodec(), MsgpackCodec(), MsgpackCodec(int), PickleCodec()])
def test_bytes_that_are_of_no_value_are_refused(codec: Codec[Any]) -> None:
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        codec.decode(b"\xc1\xff\xfe")


def test_names_differ() -> None:
    codecs: list[Codec[Any]] = [BytesCodec(), TextCodec(), JsonCodec(), MsgpackCodec(), PickleCodec()]
    assert len({codec.name for codec in codecs}) == len(codecs)
