"""The kinds of values: what they are, and the effects that change them."""

from __future__ import annotations

from dataclasses import dataclass

from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.values import Container, Value
from durakv.machine import Command
from durakv_formats import columns


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value."""

    number: int
    """Its column in a base."""

    name: bytes
    """What TYPE answers."""

    type: type[bytes] | type[Container]


STRING = Kind(columns.KIND_STRING, b"string", bytes)
HASH = Kind(columns.KIND_HASH, b"hash", Hash)
STREAM = Kind(columns.KIND_STREAM, b"stream", Stream)
KINDS = (STRING, HASH, STREAM)
KIND_BY_TYPE: dict[type, Kind] = {kind.type: kind for kind in KINDS}
CONTAINERS: dict[int, type[Container]] = {HASH.number: Hash, STREAM.number: Stream}
"""By the number of their column."""


def kind_of(value: Value) -> Kind:
    """The kind of a value."""
    return KIND_BY_TYPE[type(value)]


def copy_value(value: Value) -> Value:
    """The value, so that no change in place of either is seen in the other."""
    return value if type(value) is bytes else value.copy()


def rebuild(key: bytes, value: Value, deadline: int | None) -> list[Command]:
    """The effects that make a key hold this value and this deadline, whatever it held before."""
    if type(value) is bytes:
        return [(b"SET", key, value) if deadline is None else (b"SET", key, value, b"PXAT", b"%d" % deadline)]
    effects: list[Command] = [(b"DEL", key), *value.effects(key)]
    if deadline is not None:
        effects.append((b"PEXPIREAT", key, b"%d" % deadline))
    return effects
