"""Streams: entries in the order of their ids, and groups of consumers that share them out.

    stream     entries, the last id ever given, how many were ever added, the highest id that was deleted
    group      see ``stream_group.py``

An empty stream is kept: its last id and its groups matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self, TypeAlias

from durakv.keyspace.integers import INTEGER_MAX
from durakv.keyspace.kinds.by_id import ById, Id
from durakv.keyspace.kinds.effect import chunks
from durakv.keyspace.kinds.stream_group import UNKNOWN, Delivery, Group
from durakv.keyspace.kinds.stream_id import ID_MIN, format_id
from durakv.keyspace.kinds.stream_plain import (
    extend_entries,
    extend_group,
    plain_entries,
    plain_group,
    plain_size,
)
from durakv.keyspace.values import REBUILD_ITEMS, Plain
from durakv.machine import Command

Fields: TypeAlias = tuple[bytes, ...]
"""Fields and values in turn."""

_ENTRY_BYTES = 12
_PENDING_PIECE = 1 << 16
"""How many pending entries a piece of a long stream holds."""


class Stream:
    """The value of a stream."""

    __slots__ = ("entries", "entries_added", "groups", "last_id", "max_deleted_id")

    def __init__(self) -> None:
        self.entries: ById[Fields] = ById()
        self.last_id = ID_MIN
        self.max_deleted_id = ID_MIN
        self.entries_added = 0
        self.groups: dict[bytes, Group] = {}

    def __len__(self) -> int:
        return len(self.entries)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Stream)
            and (self.last_id, self.max_deleted_id) == (other.last_id, other.max_deleted_id)
            and self.entries_added == other.entries_added
            and self.entries == other.entries
            and self.groups == other.groups
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        state = (self.last_id, self.max_deleted_id, self.entries_added)
        return f"<Stream {state} {self.entries!r} {self.groups!r}>"

    def copy(self) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        copied = type(self)()
        copied.entries = self.entries.copy()
        copied.last_id, copied.max_deleted_id = self.last_id, self.max_deleted_id
        copied.entries_added = self.entries_added
        copied.groups = {name: group.copy() for name, group in self.groups.items()}
        return copied

    def size_bytes(self) -> int:
        """See :class:`~durakv.keyspace.values.Container`."""
        size = sum(_ENTRY_BYTES + sum(map(len, fields)) for _, fields in self.entries.items())
        return size + sum(len(name) + plain_size(group) for name, group in self.groups.items())

    def pieces(self, count: int, /) -> Iterator[Plain]:
        """What there is one of, then entries and groups; what is pending in a long stream comes last."""
        head = self.last_id, self.max_deleted_id, self.entries_added
        if len(self.entries) <= count:
            groups = [plain_group(name, group, group.pending.items()) for name, group in self.groups.items()]
            yield head, plain_entries(self.entries.items()), groups
            return
        groups = [plain_group(name, group, ()) for name, group in self.groups.items()]
        for entries in chunks(self.entries.items(), count):
            yield head, plain_entries(entries), groups
            groups = []
        for name, group in self.groups.items():
            for pending in chunks(group.pending.items(), _PENDING_PIECE):
                yield head, plain_entries(()), [plain_group(name, group, pending)]

    @classmethod
    def from_plain(cls, plain: Plain, /) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        value = cls()
        value.extend_plain(plain)
        return value

    def extend_plain(self, plain: Plain, /) -> None:
        """See :class:`~durakv.keyspace.values.Container`."""
        (self.last_id, self.max_deleted_id, self.entries_added), entries, groups = plain
        extend_entries(self.entries, entries)
        top = self.entries.last()
        if (top is not None and top > self.last_id) or self.max_deleted_id > self.last_id:
            raise ValueError("it holds a stream with an entry after the last one")
        if len(self.entries) > self.entries_added:
            raise ValueError("it holds a stream with more entries than were ever added")
        for group in groups:
            extend_group(self.groups, group)

    # --- changes; nothing but effects calls them ------------------------------------------------------------------

    def add(self, id_: Id, fields: Fields) -> None:
        """Add an entry; its id is higher than the last one."""
        self.entries.put(id_, fields)
        self.last_id = id_
        # Redis counts on into negative numbers, which its own commands then refuse.
        self.entries_added = min(self.entries_added + 1, INTEGER_MAX)

    def delete(self, id_: Id) -> None:
        """Delete an entry; an absent one is fine."""
        if self.entries.pop(id_) is not None:
            self.max_deleted_id = max(self.max_deleted_id, id_)

    # --- what can be told of a place in the stream ----------------------------------------------------------------

    def has_gap_from(self, id_: Id) -> bool:
        """Whether an entry was deleted from the middle, with this id or a higher one: counting on would be wrong."""
        first = self.entries.first()
        return first is not None and first <= self.max_deleted_id and id_ <= self.max_deleted_id

    def entries_up_to(self, id_: Id) -> int:
        """How many of all entries ever added have at most this id; ``UNKNOWN`` if that cannot be told."""
        first = self.entries.first()
        if not self.entries_added or (first is None and id_ <= self.last_id) or id_ == self.last_id:
            return self.entries_added
        if first is None or id_ > self.last_id or id_ > first:
            return UNKNOWN
        if first <= self.max_deleted_id:
            return UNKNOWN
        return self.entries_added - len(self.entries) + (id_ == first)

    # --- from nothing ---------------------------------------------------------------------------------------------

    def effects(self, key: bytes, /) -> Iterator[Command]:
        """See :class:`~durakv.keyspace.values.Container`.

        Entries that are pending but gone come first: XCLAIM takes only what is there, so they are added, claimed and
        trimmed away, which leaves no trace, before the others are added.
        """
        gone = sorted(
            {id_ for group in self.groups.values() for id_, _ in group.pending.items() if id_ not in self.entries}
        )
        for id_ in gone:
            yield b"XADD", key, format_id(id_), b"", b""
        for name, group in self.groups.items():
            read = b"%d" % group.entries_read
            yield b"XGROUP", b"CREATE", key, name, format_id(group.last_id), b"MKSTREAM", b"ENTRIESREAD", read
            for consumer in group.consumers:
                yield b"XGROUP", b"CREATECONSUMER", key, name, consumer
        if gone:
            yield from self._claims(key, gone=True)
            yield b"XTRIM", key, b"MAXLEN", b"=", b"0"
            yield set_id(key, ID_MIN, 0, ID_MIN)
        for id_, fields in self.entries.items():
            yield b"XADD", key, format_id(id_), *fields
        yield from self._claims(key, gone=False)
        if not self.groups and not self.entries:
            yield b"XADD", key, b"0-1", b"", b""
            yield b"XTRIM", key, b"MAXLEN", b"=", b"0"
        yield set_id(key, self.last_id, self.entries_added, self.max_deleted_id)

    def _claims(self, key: bytes, *, gone: bool) -> Iterator[Command]:
        for name, group in self.groups.items():
            alike: dict[Delivery, list[Id]] = {}
            for id_, delivery in group.pending.items():
                if (id_ not in self.entries) == gone:
                    alike.setdefault(delivery, []).append(id_)
            for delivery, ids in alike.items():
                yield from claims(key, name, group.last_id, delivery, ids)


# --- effects with more than a word or two -----------------------------------------------------------------------------


def claims(key: bytes, group: bytes, last_id: Id, delivery: Delivery, ids: list[Id]) -> Iterator[Command]:
    """What makes entries pending that were delivered alike."""
    time, count = b"%d" % delivery.time_ms, b"%d" % delivery.count
    options = (b"TIME", time, b"RETRYCOUNT", count, b"FORCE", b"JUSTID", b"LASTID")
    for index in range(0, len(ids), REBUILD_ITEMS):
        some = map(format_id, ids[index : index + REBUILD_ITEMS])
        yield b"XCLAIM", key, group, delivery.consumer, b"0", *some, *options, format_id(last_id)


def set_id(key: bytes, last_id: Id, entries_added: int, max_deleted_id: Id) -> Command:
    """What sets all that a stream knows of its past."""
    added = b"%d" % entries_added
    return b"XSETID", key, format_id(last_id), b"ENTRIESADDED", added, b"MAXDELETEDID", format_id(max_deleted_id)
