"""Values of every type in the laboratory: the effects that its programs write, and what they mean.

The meaning is written here a second time, on plain lists and dictionaries that are kept as bytes, so that the oracle
does not ask the keyspace what the keyspace should hold.

    hash HSET HINCRBY HDEL    list RPUSH LPUSH LPOP    set SADD SREM    zset ZADD ZREM    stream XADD XTRIM
"""

from __future__ import annotations

from typing import Any

import msgspec

from durakv.keyspace.kinds import kind_of
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.list import List
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.stream_id import format_id
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.values import Value
from durakv.machine import Command

LETTERS = b"khlszx"
"""What the keys of each type begin with; strings are the first."""

TYPED = frozenset(
    {b"HSET", b"HINCRBY", b"HDEL", b"RPUSH", b"LPUSH", b"LPOP", b"SADD", b"SREM", b"ZADD", b"ZREM", b"XADD", b"XTRIM"}
)
"""The effects on containers."""

_FEW = 4
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def typed_command(kind: int, key: bytes, *, value: bytes, batch: int, index: int, size: int) -> Command:
    """A write of kind 0 (put), 1 (put in another way) or 2 (take out) on a container, whose type the key tells."""
    few = b"%d" % (size % _FEW)
    by_letter: dict[int, tuple[Command, Command, Command]] = {
        ord("h"): ((b"HSET", key, few, value), (b"HINCRBY", key, b"n", b"%d" % batch), (b"HDEL", key, few)),
        ord("l"): ((b"RPUSH", key, value), (b"LPUSH", key, value, few), (b"LPOP", key)),
        ord("s"): ((b"SADD", key, value, few), (b"SADD", key, few), (b"SREM", key, few)),
        ord("z"): ((b"ZADD", key, few, value, few, few), (b"ZADD", key, b"%d" % batch, few), (b"ZREM", key, few)),
        ord("x"): (
            (b"XADD", key, b"%d-%d" % (batch, index + 1), b"field", value),
            (b"XADD", key, b"%d-%d" % (batch, index + 1), few, few),
            (b"XTRIM", key, b"MAXLEN", b"=", few),
        ),
    }
    return by_letter[key[0]][kind]


def change_typed(value: bytes | None, command: Command) -> bytes | None:
    """What a key holds after an effect on a container, in the form of ``as_bytes``; None if nothing is left of it."""
    name, words = command[0], [*command[2:]]
    content: Any = None if value is None else _decode(value)[1]
    if name in (b"HSET", b"HINCRBY", b"HDEL"):
        fields: dict[bytes, bytes] = dict(content or ())
        if name == b"HSET":
            fields[words[0]] = words[1]
        elif name == b"HINCRBY":
            fields[words[0]] = b"%d" % (int(fields.get(words[0], b"0")) + int(words[1]))
        else:
            fields.pop(words[0], None)
        return _kept("hash", sorted(fields.items()))
    if name in (b"RPUSH", b"LPUSH", b"LPOP"):
        elements: list[bytes] = content or []
        elements = {b"RPUSH": elements + words, b"LPUSH": words[::-1] + elements, b"LPOP": elements[1:]}[name]
        return _kept("list", elements)
    if name in (b"SADD", b"SREM"):
        members: set[bytes] = set(content or ())
        return _kept("set", sorted(members | {*words} if name == b"SADD" else members - {*words}))
    if name in (b"ZADD", b"ZREM"):
        scores: dict[bytes, float] = dict(content or ())
        if name == b"ZADD":
            scores |= zip(words[1::2], map(float, words[::2]), strict=True)
        else:
            scores.pop(words[0], None)
        return _kept("zset", sorted(scores.items()))
    if name == b"XTRIM":
        if content is None:
            return None
        last, held = content
        return _encode(["stream", [last, held[len(held) - min(len(held), int(words[2])) :]]])
    entries: list[Any] = [] if content is None else content[1]
    return _encode(["stream", [words[0], [*entries, [words[0], words[1:]]]]])


def _kept(kind: str, content: list[Any]) -> bytes | None:
    return _encode([kind, content]) if content else None


def as_bytes(value: Value) -> bytes:
    """A value of the keyspace in the form of the model: a string as it is, of a container all that it holds."""
    if isinstance(value, bytes):
        return value
    return _encode([kind_of(value).name.decode(), _content(value)])


def _content(value: Value) -> Any:
    if isinstance(value, Hash):
        return sorted(value.fields.items())
    if isinstance(value, List):
        return value.elements()
    if isinstance(value, Set):
        return sorted(value.members)
    if isinstance(value, SortedSet):
        return sorted(value.scores.items())
    assert isinstance(value, Stream), "every kind has its form"
    entries = [[format_id(id_), [*fields]] for id_, fields in value.entries.items()]
    return [format_id(value.last_id), entries]
