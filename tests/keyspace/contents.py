"""What keys hold, ours and a server's, in one form that can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import hiredis

from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.list import List
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.values import Value
from durakv.machine import Command
from tests.keyspace.family_streams import comparable_stream, stream_of_reply
from tests.keyspace.stock_server import StockServer

Comparable = Any
"""Bytes, or the name of a kind and what is in it."""


def comparable(value: Value) -> Comparable:
    """A value of ours; what is returned does not change with it."""
    if isinstance(value, bytes) or value is None:
        return value
    if isinstance(value, Hash):
        deadlines = value.deadlines or {}
        return "hash", {field: (content, deadlines.get(field)) for field, content in value.fields.items()}
    if isinstance(value, List):
        return "list", value.elements()
    if isinstance(value, Set):
        return "set", frozenset(value.members)
    if isinstance(value, SortedSet):
        return "zset", dict(value.scores)
    if isinstance(value, Stream):
        return comparable_stream(value)
    raise AssertionError(f"no form for {type(value)}")


def _pairs(reply: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(reply[::2], reply[1::2], strict=True))


def contents_of(server: StockServer, keys: list[bytes]) -> list[Comparable]:
    """What a server's keys hold, in its selected database."""
    kinds = server.run_all([(b"TYPE", key) for key in keys])
    replies = server.run_all([(*_READ[kind][0](key),) for kind, key in zip(kinds, keys, strict=True)])
    contents = [_READ[kind][1](reply) for kind, reply in zip(kinds, replies, strict=True)]
    for key, kind, content in zip(keys, kinds, contents, strict=True):
        if kind == b"hash":
            _add_deadlines(server, key, content[1])
    return contents


def _add_deadlines(server: StockServer, key: bytes, fields: dict[bytes, tuple[bytes, int | None]]) -> None:
    deadlines = server.run(b"HPEXPIRETIME", key, b"FIELDS", b"%d" % len(fields), *fields)
    if not isinstance(deadlines, hiredis.ReplyError):  # servers before 7.4 have none
        for field, deadline in zip(list(fields), deadlines, strict=True):
            fields[field] = fields[field][0], None if deadline == -1 else deadline


def same_value(ours: Comparable, theirs: Comparable, slack_ms: int) -> bool:
    """Whether two values are the same, but for the clocks that deadlines of fields were counted from.

    Scores may differ in their last bits: as those of GEOSEARCHSTORE with STOREDIST, which come of sines.
    """
    if isinstance(ours, tuple) and isinstance(theirs, tuple) and ours[0] == theirs[0] == "zset":
        return ours[1].keys() == theirs[1].keys() and all(
            math.isclose(score, theirs[1][member], rel_tol=1e-14) for member, score in ours[1].items()
        )
    if slack_ms and isinstance(ours, tuple) and isinstance(theirs, tuple) and ours[0] == theirs[0] == "hash":
        return ours[1].keys() == theirs[1].keys() and all(
            content == theirs[1][field][0]
            and (deadline is None) == (theirs[1][field][1] is None)
            and abs((deadline or 0) - (theirs[1][field][1] or 0)) <= slack_ms
            for field, (content, deadline) in ours[1].items()
        )
    return bool(ours == theirs)


_READ: dict[bytes, tuple[Callable[[bytes], list[bytes]], Callable[[Any], Comparable]]] = {
    b"string": (lambda key: [b"GET", key], lambda reply: reply),
    b"hash": (
        lambda key: [b"HGETALL", key],
        lambda reply: ("hash", {field: (content, None) for field, content in _pairs(reply)}),
    ),
    b"list": (lambda key: [b"LRANGE", key, b"0", b"-1"], lambda reply: ("list", reply)),
    b"set": (lambda key: [b"SMEMBERS", key], lambda reply: ("set", frozenset(reply))),
    b"zset": (
        lambda key: [b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"],
        lambda reply: ("zset", {member: float(score) for member, score in _pairs(reply)}),
    ),
    b"stream": (lambda key: [b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"], stream_of_reply),
}

PAIRS = frozenset({b"HGETALL"})
ANY_ORDER = PAIRS | {b"KEYS", b"HKEYS", b"HVALS", b"SMEMBERS", b"SUNION", b"SINTER", b"SDIFF", b"SPOP"}
"""Commands whose reply may come in any order."""
SEARCHES = frozenset({b"GEOSEARCH", b"GEORADIUS", b"GEORADIUS_RO", b"GEORADIUSBYMEMBER", b"GEORADIUSBYMEMBER_RO"})
SORTS = frozenset({b"SORT", b"SORT_RO"})
FIELD_TIMES = frozenset({b"HTTL", b"HPTTL", b"HEXPIRETIME", b"HPEXPIRETIME"})
SCANS = frozenset({b"SCAN", b"HSCAN", b"SSCAN", b"ZSCAN"})
RANDOM = frozenset({b"RANDOMKEY", b"HRANDFIELD", b"SRANDMEMBER", b"ZRANDMEMBER"})
"""Commands whose reply is a matter of chance."""


def search_in_some_order(command: Command, reply: Any) -> Any:
    """The reply to a search for places, sorted unless it is; only how long it is if any places would have done."""
    words = {word.upper() for word in command[2:]}
    if not isinstance(reply, list) or not words & {b"ASC", b"DESC", b"COUNT"}:
        return sorted(reply) if isinstance(reply, list) else reply
    return len(reply) if b"ANY" in words else reply


def sort_in_some_order(command: Command, reply: Any) -> Any:
    """The reply to SORT, in some order if that of a set would show: if nothing is compared, or what may be equal."""
    words = [word.upper() for word in command[2:]]
    if not isinstance(reply, list):
        return reply
    if b"ALPHA" in words:
        reply = [part and part.partition(b"\0")[0] for part in reply]  # Redis compares up to a NUL
    if b"BY" not in words[:-1]:
        return reply
    if b"*" in words[words.index(b"BY") + 1] and b"ALPHA" not in words:
        return reply
    return len(reply) if b"LIMIT" in words else sorted(reply, key=repr)


def in_some_order(name: bytes, reply: Any) -> Any:
    """The reply, sorted."""
    if not isinstance(reply, list):
        return reply
    return sorted(_pairs(reply) if name in PAIRS else reply)


def with_numbers(reply: Any) -> Any:
    """The reply, with what is a number as such: servers before 7.2 print more digits of it than are needed."""
    if isinstance(reply, list):
        return [*map(with_numbers, reply)]
    try:
        return float(reply) if isinstance(reply, bytes) else reply
    except ValueError:
        return reply


def amount(reply: Any) -> Any:
    """What is left of a reply that is a matter of chance: nothing, one thing, or how many."""
    return len(reply) if isinstance(reply, list) else reply is None
