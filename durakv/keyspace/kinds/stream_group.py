"""Groups of consumers that share out the entries of a stream, and what is pending with whom.

An entry is pending from its delivery to a consumer until it is acknowledged, also if it is deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

import msgspec

from durakv.keyspace.kinds.by_id import ById, Id
from durakv.keyspace.kinds.stream_id import ID_MIN

UNKNOWN = -1
"""Redis's word for a number of entries read that cannot be told."""


class Delivery(msgspec.Struct, frozen=True):
    """What is known of a pending entry."""

    consumer: bytes
    time_ms: int
    count: int


class Consumer:
    """A member of a group."""

    __slots__ = ("pending", "seen_ms")

    def __init__(self, pending: int = 0, seen_ms: int = -1) -> None:
        self.pending = pending
        """How many entries are pending with it."""
        self.seen_ms = seen_ms
        """The latest time of delivery to it; -1 if there was none."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Consumer) and (self.pending, self.seen_ms) == (other.pending, other.seen_ms)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Consumer({self.pending}, {self.seen_ms})"


class Group:
    """A group of consumers."""

    __slots__ = ("consumers", "entries_read", "last_id", "pending")

    def __init__(self, last_id: Id, entries_read: int) -> None:
        self.last_id = last_id
        self.entries_read = entries_read
        """Of all entries ever added, how many up to ``last_id``; or ``UNKNOWN``."""
        self.pending: ById[Delivery] = ById()
        self.consumers: dict[bytes, Consumer] = {}

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Group)
            and (self.last_id, self.entries_read) == (other.last_id, other.entries_read)
            and self.pending == other.pending
            and self.consumers == other.consumers
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Group({self.last_id}, {self.entries_read}, {self.pending!r}, {self.consumers!r})"

    def copy(self) -> Self:
        """The same, so that no change of either is seen in the other."""
        copied = type(self)(self.last_id, self.entries_read)
        copied.pending = self.pending.copy()
        copied.consumers = {name: Consumer(of.pending, of.seen_ms) for name, of in self.consumers.items()}
        return copied

    def deliver(self, id_: Id, delivery: Delivery) -> None:
        """Make an entry pending with a consumer, whoever it was pending with."""
        before = self.pending.get(id_)
        if before is not None:
            self.consumers[before.consumer].pending -= 1
        self.pending.put(id_, delivery)
        consumer = self.add_consumer(delivery.consumer)
        consumer.pending += 1
        consumer.seen_ms = max(consumer.seen_ms, delivery.time_ms)

    def forget(self, id_: Id) -> None:
        """Make an entry pending no more."""
        delivery = self.pending.pop(id_)
        if delivery is not None:
            self.consumers[delivery.consumer].pending -= 1

    def add_consumer(self, name: bytes) -> Consumer:
        """The consumer of this name, new or not."""
        return self.consumers.setdefault(name, Consumer())

    def remove_consumer(self, name: bytes) -> None:
        """Remove a consumer, and what is pending with it."""
        if name in self.consumers:
            for id_, _ in list(self.pending_of(name, ID_MIN)):
                self.pending.pop(id_)
            del self.consumers[name]

    def pending_of(self, name: bytes, start: Id) -> Iterator[tuple[Id, Delivery]]:
        """What is pending with a consumer, from an id on."""
        left = self.consumers[name].pending
        if left:
            for id_, delivery in self.pending.items(start):
                if delivery.consumer == name:
                    yield id_, delivery
                    left -= 1
                    if not left:
                        return
