"""Lists.

LPUSH key element ..., RPUSH key element ...       at the head, at the tail; an absent key is empty
LPOP key [count], RPOP key [count]                 elements leave from the head, from the tail
LSET key index element, LTRIM key start stop, LREM key count element, LINSERT key BEFORE|AFTER pivot element
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Self

from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.effect import Effect, chunks, own, settle, span
from durakv.keyspace.replies import index_range_error
from durakv.keyspace.store import Store
from durakv.keyspace.values import REBUILD_ITEMS, Plain
from durakv.machine import Command

_GAP_MIN = 32


class List:
    """The value of a list: an array with a gap in front, so that both ends move cheaply and every index is near."""

    __slots__ = ("_head", "_items")

    def __init__(self, items: list[bytes]) -> None:
        self._items = items
        self._head = 0

    def __len__(self) -> int:
        return len(self._items) - self._head

    def __eq__(self, other: object) -> bool:
        return isinstance(other, List) and self.elements() == other.elements()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"List({self.elements()!r})"

    def elements(self, start: int = 0, stop: int | None = None) -> list[bytes]:
        """The elements from an index up to another, which does not belong to them; neither is negative."""
        return self._items[self._head + start : None if stop is None else self._head + stop]

    def __getitem__(self, index: int) -> bytes:
        """The element at an index, which is in range."""
        return self._items[self._head + index]

    def copy(self) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        return type(self)(self.elements())

    def size_bytes(self) -> int:
        """See :class:`~durakv.keyspace.values.Container`."""
        return sum(map(len, self.elements()))

    def pieces(self, count: int, /) -> Iterator[Plain]:
        """Lists of elements."""
        for start in range(0, len(self), count):
            yield self.elements(start, start + count)

    @classmethod
    def from_plain(cls, plain: Plain, /) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        if not plain:
            raise ValueError("it holds a list without elements")
        return cls(plain)

    def extend_plain(self, plain: Plain, /) -> None:
        """See :class:`~durakv.keyspace.values.Container`."""
        self._items += plain

    def effects(self, key: bytes, /) -> Iterator[Command]:
        """See :class:`~durakv.keyspace.values.Container`."""
        for some in chunks(self.elements(), REBUILD_ITEMS):
            yield b"RPUSH", key, *some

    # --- changes; nothing but effects calls them ------------------------------------------------------------------

    def push_left(self, elements: Sequence[bytes]) -> None:
        """Put the elements at the head, one after the other."""
        count = len(elements)
        if self._head < count:
            # The gap grows with the list, so that a push costs the same however long that is.
            gap = max(_GAP_MIN, count, len(self))
            self._items[: self._head] = [b""] * (gap + self._head)
            self._head += gap
        self._items[self._head - count : self._head] = elements[::-1]
        self._head -= count

    def push_right(self, elements: Sequence[bytes]) -> None:
        """Put the elements at the tail."""
        self._items += elements

    def pop_left(self, count: int) -> None:
        """Drop elements at the head."""
        count = min(count, len(self))
        self._items[self._head : self._head + count] = [b""] * count
        self._head += count
        if self._head > max(2 * _GAP_MIN, 2 * len(self)):
            del self._items[: self._head]
            self._head = 0

    def pop_right(self, count: int) -> None:
        """Drop elements at the tail."""
        del self._items[len(self._items) - min(count, len(self)) :]

    def put(self, index: int, element: bytes) -> None:
        """Replace the element at an index, which is in range."""
        self._items[self._head + index] = element

    def insert(self, index: int, element: bytes) -> None:
        """Put an element before the one at this index."""
        self._items.insert(self._head + index, element)

    def trim(self, start: int, stop: int) -> None:
        """Keep the elements from an index up to another, which does not belong to them; neither is negative."""
        self.pop_right(max(0, len(self) - stop))
        self.pop_left(start)

    def find(self, element: bytes, start: int = 0) -> int:
        """The index of the first such element at or behind ``start``; -1 if there is none."""
        try:
            return self._items.index(element, self._head + start) - self._head
        except ValueError:
            return -1

    def remove(self, element: bytes, count: int) -> None:
        """Drop the first such elements, of a negative count the last ones, of 0 all."""
        items = self.elements()
        if count < 0:
            items.reverse()
        left = abs(count) or len(items)
        kept: list[bytes] = []
        for item in items:
            if item == element and left:
                left -= 1
            else:
                kept.append(item)
        if count < 0:
            kept.reverse()
        self._items, self._head = kept, 0


def _push(store: Store, command: Command) -> bool:
    if len(command) < 3:
        return False
    key = command[1]
    value = own(store, key, List)
    if value is None:
        value = List([])
        store.put(key, value)
    if command[0] == b"RPUSH":
        value.push_right(command[2:])
    else:
        value.push_left(command[2:])
    return True


def _pop(store: Store, command: Command) -> bool:
    if not 2 <= len(command) <= 3:
        return False
    key = command[1]
    count = parse_integer(command[2]) if len(command) == 3 else 1
    value = own(store, key, List)
    if value is not None and count > 0:
        if command[0] == b"LPOP":
            value.pop_left(count)
        else:
            value.pop_right(count)
        settle(store, key, value)
    return True


def _lset(store: Store, command: Command) -> bool:
    if len(command) != 4:
        return False
    _, key, text, element = command
    value = own(store, key, List)
    index = parse_integer(text)
    size = 0 if value is None else len(value)
    if value is None or not -size <= index < size:
        raise index_range_error()
    value.put(index % size, element)
    return True


def _ltrim(store: Store, command: Command) -> bool:
    if len(command) != 4:
        return False
    _, key, start, stop = command
    value = own(store, key, List)
    if value is not None:
        value.trim(*span(parse_integer(start), parse_integer(stop), len(value)))
        settle(store, key, value)
    return True


def _lrem(store: Store, command: Command) -> bool:
    if len(command) != 4:
        return False
    _, key, count, element = command
    value = own(store, key, List)
    if value is not None:
        value.remove(element, parse_integer(count))
        settle(store, key, value)
    return True


def _linsert(store: Store, command: Command) -> bool:
    if len(command) != 5 or command[2] not in (b"BEFORE", b"AFTER"):
        return False
    _, key, where, pivot, element = command
    value = own(store, key, List)
    index = -1 if value is None else value.find(pivot)
    if value is not None and index >= 0:
        value.insert(index + (where == b"AFTER"), element)
    return True


EFFECTS: dict[bytes, Effect] = {
    b"LPUSH": _push,
    b"RPUSH": _push,
    b"LPOP": _pop,
    b"RPOP": _pop,
    b"LSET": _lset,
    b"LTRIM": _ltrim,
    b"LREM": _lrem,
    b"LINSERT": _linsert,
}
