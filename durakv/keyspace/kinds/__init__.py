"""The kinds of values: what they are, and the effects that change them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.list import List
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.values import Container, Value
from durakv.machine import Command
from durakv_formats import column_kinds


class Kind(msgspec.Struct, frozen=True):
    """One kind of value."""

    number: int
    """Its column in a base."""

    name: bytes
    """What TYPE answers."""

    type: type[bytes] | type[Container]


STRING = Kind(column_kinds.KIND_STRING, b"string", bytes)
HASH = Kind(column_kinds.KIND_HASH, b"hash", Hash)
LIST = Kind(column_kinds.KIND_LIST, b"list", List)
SET = Kind(column_kinds.KIND_SET, b"set", Set)
ZSET = Kind(column_kinds.KIND_ZSET, b"zset", SortedSet)
STREAM = Kind(column_kinds.KIND_STREAM, b"stream", Stream)
KINDS = (STRING, HASH, LIST, SET, ZSET, STREAM)
KIND_BY_TYPE: dict[type, Kind] = {kind.type: kind for kind in KINDS}
CONTAINERS: dict[int, type[Container]] = {
    HASH.number: Hash,
    LIST.number: List,
    SET.number: Set,
    ZSET.number: SortedSet,
    STREAM.number: Stream,
}
"""By the number of their column."""


def kind_of(value: Value) -> Kind:
    """The kind of a value."""
    return KIND_BY_TYPE[type(value)]


def copy_value(value: Value) -> Value:
    """The value, so that no change in place of either is seen in the other."""
    return value if type(value) is bytes else value.copy()


def effects_of(key: bytes, value: Value, deadline: int | None) -> Iterator[Command]:
    """The effects that make an absent key hold this value and this deadline; those of a container need it absent."""
    if type(value) is bytes:
        yield b"SET", key, value
    else:
        yield from value.effects(key)
    if deadline is not None:
        yield b"PEXPIREAT", key, b"%d" % deadline


def rebuild(key: bytes, value: Value, deadline: int | None) -> list[Command]:
    """The effects that make a key hold this value and this deadline, whatever it held before."""
    if type(value) is not bytes:
        return [(b"DEL", key), *effects_of(key, value, deadline)]
    return [(b"SET", key, value) if deadline is None else (b"SET", key, value, b"PXAT", b"%d" % deadline)]
