"""Sets.

SADD key member ..., SREM key member ...
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from durakv.keyspace.kinds.effect import Effect, chunks, own, settle
from durakv.keyspace.store import Store
from durakv.keyspace.values import REBUILD_ITEMS, Plain
from durakv.machine import Command

_SMALL = 64


class Set:
    """The value of a set."""

    __slots__ = ("_gone", "_order", "members")

    def __init__(self, members: set[bytes]) -> None:
        self.members = members
        self._order: list[bytes] | None = None
        """The members by number, made when a large set is first asked for random ones: sets have no numbers."""
        self._gone: set[bytes] = set()
        """What is in the order and no longer in the set."""

    def __len__(self) -> int:
        return len(self.members)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Set) and self.members == other.members

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Set({self.members!r})"

    def random_member(self) -> bytes:
        """One member of a set that has some, each as likely as the others."""
        import random  # not above: few programs ever ask for that

        if len(self.members) <= _SMALL:
            return random.choice(tuple(self.members))
        order = self._order
        if order is None or len(self._gone) > len(self.members):
            order = self._order = list(self.members)
            self._gone.clear()
        while True:
            place = random.randrange(len(order))
            member = order[place]
            if member not in self._gone:
                return member
            order[place] = order[-1]
            order.pop()
            self._gone.remove(member)

    def copy(self) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        return type(self)(self.members.copy())

    def size_bytes(self) -> int:
        """See :class:`~durakv.keyspace.values.Container`."""
        return sum(map(len, self.members))

    def pieces(self, count: int, /) -> Iterator[Plain]:
        """Sets of members."""
        if len(self.members) <= count:
            yield self.members
        else:
            yield from map(set, chunks(self.members, count))

    @classmethod
    def from_plain(cls, plain: Plain, /) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        if not plain:
            raise ValueError("it holds a set without members")
        return cls(plain)

    def extend_plain(self, plain: Plain, /) -> None:
        """See :class:`~durakv.keyspace.values.Container`."""
        self.members |= plain

    def effects(self, key: bytes, /) -> Iterator[Command]:
        """See :class:`~durakv.keyspace.values.Container`."""
        for some in chunks(self.members, REBUILD_ITEMS):
            yield b"SADD", key, *some

    # --- changes; nothing but effects calls them ------------------------------------------------------------------

    def add(self, member: bytes) -> None:
        """Add a member, which may be there."""
        if self._order is not None and member not in self.members:
            if member in self._gone:
                self._gone.remove(member)
            else:
                self._order.append(member)
        self.members.add(member)

    def remove(self, member: bytes) -> None:
        """Remove a member, which may be absent."""
        if self._order is not None and member in self.members:
            self._gone.add(member)
        self.members.discard(member)


def _sadd(store: Store, command: Command) -> bool:
    if len(command) < 3:
        return False
    key = command[1]
    value = own(store, key, Set)
    if value is None:
        store.put(key, Set({*command[2:]}))
    else:
        for member in command[2:]:
            value.add(member)
    return True


def _srem(store: Store, command: Command) -> bool:
    if len(command) < 3:
        return False
    key = command[1]
    value = own(store, key, Set)
    if value is not None:
        for member in command[2:]:
            value.remove(member)
        settle(store, key, value)
    return True


EFFECTS: dict[bytes, Effect] = {b"SADD": _sadd, b"SREM": _srem}
