"""Values of the keyspace and of RDB files: the same things in other words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.list import List
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.kinds.stream_group import UNKNOWN, Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MIN
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.store import SlotStore
from durakv.keyspace.values import Value
from durakv_formats import rdb


def restore_entry(stores: Sequence[SlotStore], entry: rdb.Entry) -> None:
    """Load a key into the store of its database; raises ValueError if there is none of that number."""
    if not 0 <= entry.database < len(stores):
        raise ValueError(f"It is of database {entry.database}, but there are only {len(stores)}")
    value = from_entry(entry)
    if value is not None:
        store = stores[entry.database]
        store.replace(entry.key, value, entry.deadline_ms)
        if type(value) is Hash and value.deadlines is not None:
            store.watch_fields(entry.key)


def target_of(stores: Sequence[SlotStore]) -> rdb.Target:
    """The oldest servers that a file with all of this can be for."""
    watched = (store.value(key) for store in stores for key in store.watched)
    has_mortal_fields = any(type(value) is Hash and value.deadlines is not None for value in watched)
    return rdb.Target.REDIS_7_4 if has_mortal_fields else rdb.Target.REDIS_7_0


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
    if isinstance(value, SortedSet):
        return rdb.Kind.ZSET, list(value.scores.items())
    assert isinstance(value, Stream), "every kind has its form"
    return rdb.Kind.STREAM, rdb.Stream(
        tuple(value.entries.items()),
        value.last_id,
        value.max_deleted_id,
        value.entries_added,
        tuple(_to_group(name, group) for name, group in value.groups.items()),
    )


def _to_group(name: bytes, group: Group) -> rdb.Group:
    return rdb.Group(
        name,
        group.last_id,
        None if group.entries_read == UNKNOWN else group.entries_read,
        tuple(rdb.PendingEntry(id_, of.time_ms, of.count, of.consumer) for id_, of in group.pending.items()),
        # Of a consumer it is only known when it last got something; a server also knows when it last asked.
        tuple(rdb.Consumer(name, max(0, of.seen_ms), of.seen_ms) for name, of in group.consumers.items()),
    )


def from_entry(entry: rdb.Entry) -> Value | None:
    """The value that an entry describes; None if nothing is in it.  Not for values of modules."""
    value = _from_rdb(entry.kind, entry.value)
    return value if isinstance(value, (bytes, Stream)) or len(value) else None


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
        case rdb.Kind.STREAM:
            return _from_stream(cast(rdb.Stream, content))
        case _:
            raise ValueError(f"a value of the kind {kind}")


def _from_stream(content: rdb.Stream) -> Stream:
    value = Stream()
    for id_, fields in content.entries:
        value.add(id_, fields)
    value.last_id = content.last_id
    value.max_deleted_id = content.max_deleted_id or ID_MIN
    # Files older than Redis 7.0 do not say how many entries there ever were: as many as there are, then.
    value.entries_added = max(len(value), content.entries_added or 0)
    for described in content.groups:
        read = described.entries_read
        if read is None:
            read = UNKNOWN if content.entries_added is not None else value.entries_up_to(described.last_id)
        group = value.groups[described.name] = Group(described.last_id, read)
        for consumer in described.consumers:
            group.add_consumer(consumer.name).seen_ms = -1 if consumer.active_ms is None else consumer.active_ms
        for entry in described.pending:
            group.deliver(entry.id, Delivery(entry.consumer, entry.delivered_ms, entry.deliveries))
    return value
