"""Hashes: fields with values, and deadlines of single fields.

    HSET key field value ...                            the values, and no deadlines
    HDEL key field ...                                  nothing is left of the fields
    HINCRBY key field n                                 in place; an absent field counts as 0; the deadline stays
    HPEXPIREAT key ms FIELDS count field ...            the deadline of fields that are there
    HPERSIST key FIELDS count field ...                 no deadline any more

Like keys, fields whose deadline has passed are held until an effect deletes them.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Self

from durakv.keyspace.integers import add_integers, parse_integer
from durakv.keyspace.kinds.effect import Effect, chunks, own, settle
from durakv.keyspace.store import SlotStore, Store
from durakv.keyspace.values import REBUILD_ITEMS, Plain
from durakv.machine import Command


class Hash:
    """The value of a hash."""

    __slots__ = ("deadlines", "fields")

    def __init__(self, fields: dict[bytes, bytes], deadlines: dict[bytes, int] | None = None) -> None:
        self.fields = fields
        self.deadlines = deadlines
        """When fields expire (Unix time in ms), of those that do; None for most hashes, never empty."""

    def __len__(self) -> int:
        return len(self.fields)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Hash) and self.fields == other.fields and self.deadlines == other.deadlines

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Hash({self.fields!r}, {self.deadlines!r})"

    def copy(self) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        return type(self)(self.fields.copy(), self.deadlines and self.deadlines.copy())

    def size_bytes(self) -> int:
        """See :class:`~durakv.keyspace.values.Container`."""
        return sum(map(len, self.fields)) + sum(map(len, self.fields.values()))

    def pieces(self, count: int, /) -> Iterator[Plain]:
        """Fields and values, and beside them the deadlines or None."""
        if len(self.fields) <= count:
            yield self.fields, self.deadlines
            return
        deadlines = self.deadlines or {}
        for chunk in chunks(self.fields.items(), count):
            fields = dict(chunk)
            yield fields, {field: deadlines[field] for field in fields if field in deadlines} or None

    @classmethod
    def from_plain(cls, plain: Plain, /) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        fields, deadlines = plain
        if not fields or (deadlines is not None and not (deadlines and deadlines.keys() <= fields.keys())):
            raise ValueError("it holds a hash without fields, or a deadline without its field")
        return cls(fields, deadlines)

    def extend_plain(self, plain: Plain, /) -> None:
        """See :class:`~durakv.keyspace.values.Container`."""
        more = self.from_plain(plain)
        self.fields.update(more.fields)
        if more.deadlines is not None:
            self.deadlines = {**(self.deadlines or {}), **more.deadlines}

    def effects(self, key: bytes, /) -> Iterator[Command]:
        """See :class:`~durakv.keyspace.values.Container`."""
        for pairs in chunks(self.fields.items(), REBUILD_ITEMS):
            yield b"HSET", key, *chain.from_iterable(pairs)
        by_deadline: dict[int, list[bytes]] = {}
        for field, deadline in (self.deadlines or {}).items():
            by_deadline.setdefault(deadline, []).append(field)
        for deadline, fields in by_deadline.items():
            for some in chunks(fields, REBUILD_ITEMS):
                yield b"HPEXPIREAT", key, b"%d" % deadline, b"FIELDS", b"%d" % len(some), *some

    # --- changes; nothing but effects calls them ------------------------------------------------------------------

    def put(self, field: bytes, value: bytes) -> None:
        """Set a field and drop its deadline."""
        self.fields[field] = value
        if self.deadlines is not None:
            self.drop_deadline(field)

    def remove(self, field: bytes) -> None:
        """Remove a field with its deadline; an absent one is fine."""
        self.fields.pop(field, None)
        if self.deadlines is not None:
            self.drop_deadline(field)

    def put_deadline(self, field: bytes, deadline: int) -> None:
        """Set the deadline of a field that is there."""
        if self.deadlines is None:
            self.deadlines = {}
        self.deadlines[field] = deadline

    def drop_deadline(self, field: bytes) -> None:
        """Let a field live for ever."""
        if self.deadlines is not None:
            self.deadlines.pop(field, None)
            if not self.deadlines:
                self.deadlines = None


def _hset(store: Store, command: Command) -> bool:
    if len(command) < 4 or len(command) % 2:
        return False
    key = command[1]
    value = own(store, key, Hash)
    if value is None:
        value = Hash({})
        store.put(key, value)
    for field, content in zip(command[2::2], command[3::2], strict=True):
        value.put(field, content)
    return True


def _hdel(store: Store, command: Command) -> bool:
    if len(command) < 3:
        return False
    key = command[1]
    value = own(store, key, Hash)
    if value is not None:
        for field in command[2:]:
            value.remove(field)
        settle(store, key, value)
    return True


def _hincrby(store: Store, command: Command) -> bool:
    if len(command) != 4:
        return False
    _, key, field, increment = command
    number = parse_integer(increment)
    value = own(store, key, Hash)
    if value is None:
        value = Hash({field: add_integers(b"0", number)})
        store.put(key, value)
    else:
        value.fields[field] = add_integers(value.fields.get(field, b"0"), number)
    return True


def _hpexpireat(store: Store, command: Command) -> bool:
    if len(command) < 6 or command[3] != b"FIELDS" or command[4] != b"%d" % (len(command) - 5):
        return False
    key, deadline = command[1], parse_integer(command[2])
    value = own(store, key, Hash)
    if value is not None:
        for field in command[5:]:
            if field in value.fields:
                value.put_deadline(field, deadline)
        store.watch_fields(key)
    return True


def _hpersist(store: Store, command: Command) -> bool:
    if len(command) < 5 or command[2] != b"FIELDS" or command[3] != b"%d" % (len(command) - 4):
        return False
    value = own(store, command[1], Hash)
    if value is not None:
        for field in command[4:]:
            value.drop_deadline(field)
    return True


EFFECTS: dict[bytes, Effect] = {
    b"HSET": _hset,
    b"HDEL": _hdel,
    b"HINCRBY": _hincrby,
    b"HPEXPIREAT": _hpexpireat,
    b"HPERSIST": _hpersist,
}


# --- active expiry ----------------------------------------------------------------------------------------------------

_VISITS_MAX = 16
"""How many hashes one slice of active expiry looks through."""


def expired_fields(store: SlotStore, now_ms: int, count_max: int) -> list[Command]:
    """The deletion of some fields whose deadline has passed, of the hashes that have waited longest for a look."""
    effects: list[Command] = []
    for key in list(islice(store.watched, _VISITS_MAX)):
        if count_max <= 0:
            break
        del store.watched[key]
        value = store.value(key)
        if type(value) is Hash and value.deadlines is not None:
            store.watched[key] = None
            expired = (field for field, deadline in value.deadlines.items() if deadline < now_ms)
            fields = list(islice(expired, count_max))
            if fields:
                effects.append((b"HDEL", key, *fields))
                count_max -= len(fields)
    return effects
