"""Values of the keyspace and of RDB files: the same things in other words."""

from __future__ import annotations

from typing import cast

from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.list import List
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.values import Value
from durakv_formats import rdb


def to_entry(database: int, key: bytes, value: Value, deadline: int | None) -> rdb.Entry:
    """What an RDB file says of a key."""
    kind, content = _to_rdb(value)
    return rdb.Entry(database, key, kind, content, deadline, 0)


def _to_rdb(value: Value) -> tuple[rdb.Kind, rdb.Value]:
    if isinstance(value, bytes):
        return rdb.Kind.STRING, value
    if isinstance(value, Hash):
        deadlines = value.deadlines or {}
        return rdb.Kind.HASH, [(field, text, deadlines.get(field)) for field, text in value.fields.items()]
    if isinstance(value, List):
        return rdb.Kind.LIST, value.elements()
    if isinstance(value, Set):
        return rdb.Kind.SET, list(value.members)
    assert isinstance(value, SortedSet), "every kind has its form"
    return rdb.Kind.ZSET, list(value.scores.items())


def from_entry(entry: rdb.Entry) -> Value | None:
    """The value that an entry describes; None if nothing is in it.  Not for values of modules."""
    value = _from_rdb(entry.kind, entry.value)
    return value if isinstance(value, bytes) or len(value) else None


def _from_rdb(kind: rdb.Kind, content: rdb.Value) -> Value:
    match kind:
        case rdb.Kind.STRING:
            return content
        case rdb.Kind.LIST:
            return List(cast(list[bytes], content))
        case rdb.Kind.SET:
            return Set(set(cast(list[bytes], content)))
        case rdb.Kind.ZSET:
            return SortedSet(dict(cast(list[tuple[bytes, float]], content)))
        case rdb.Kind.HASH:
            fields = cast(list[tuple[bytes, bytes, int | None]], content)
            deadlines = {field: deadline for field, _, deadline in fields if deadline is not None}
            return Hash({field: text for field, text, _ in fields}, deadlines or None)
        case _:
            raise ValueError(f"a value of the kind {kind}")
