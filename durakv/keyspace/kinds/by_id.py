"""Things by the id of a stream entry, in the order of ids.

    blocks    [id id id ...] [id id ...] [id ...]        rising, of at most 1024 ids, none of them empty
              [ v  v  v ...] [ v  v ...] [ v ...]

Ids come at the end and go at the beginning, as a rule, and both cost the same however many there are.  Elsewhere a
change moves one block.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import Generic, Self, TypeAlias, TypeVar, cast

Id: TypeAlias = tuple[int, int]
"""Milliseconds and a number; 64 bits each."""

V = TypeVar("V")

_BLOCK_MAX = 1024

_Block: TypeAlias = tuple[list[Id], list[V]]


class ById(Generic[V]):
    """A mapping that is always sorted."""

    __slots__ = ("_blocks", "_count")

    def __init__(self, items: Iterable[tuple[Id, V]] = ()) -> None:
        self._blocks: list[_Block[V]] = []
        self._count = 0
        for id_, value in items:
            self.put(id_, value)

    def __len__(self) -> int:
        return self._count

    def __eq__(self, other: object) -> bool:
        # One of another kind of values has other values.
        return isinstance(other, ById) and list(self.items()) == list(cast("Self", other).items())

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ById({list(self.items())!r})"

    def copy(self) -> Self:
        """The same; the values are shared."""
        copied = type(self)()
        copied._blocks = [(ids.copy(), values.copy()) for ids, values in self._blocks]
        copied._count = self._count
        return copied

    # --- reading --------------------------------------------------------------------------------------------------

    def first(self) -> Id | None:
        """The lowest id."""
        return self._blocks[0][0][0] if self._blocks else None

    def last(self) -> Id | None:
        """The highest id."""
        return self._blocks[-1][0][-1] if self._blocks else None

    def get(self, id_: Id) -> V | None:
        """The value of an id that is there."""
        found = self._find(id_)
        return None if found is None else self._blocks[found[0]][1][found[1]]

    def __contains__(self, id_: Id) -> bool:
        return self._find(id_) is not None

    def items(self, start: Id = (0, 0)) -> Iterator[tuple[Id, V]]:
        """Everything from an id on."""
        for index in range(self._block_of(start), len(self._blocks)):
            ids, values = self._blocks[index]
            for place in range(bisect_left(ids, start), len(ids)):
                yield ids[place], values[place]

    def items_down(self, end: Id) -> Iterator[tuple[Id, V]]:
        """Everything up to an id, from there down."""
        for index in range(min(self._block_of(end), len(self._blocks) - 1), -1, -1):
            ids, values = self._blocks[index]
            for place in range(bisect_right(ids, end) - 1, -1, -1):
                yield ids[place], values[place]

    def count_below(self, id_: Id) -> int:
        """How many ids are lower."""
        block = self._block_of(id_)
        count = sum(len(ids) for ids, _ in self._blocks[:block])
        return count + bisect_left(self._blocks[block][0], id_) if block < len(self._blocks) else count

    # --- changes --------------------------------------------------------------------------------------------------

    def put(self, id_: Id, value: V) -> None:
        """Set the value of an id, new or not."""
        index = self._block_of(id_)
        if index == len(self._blocks):
            if not index or len(self._blocks[-1][0]) >= _BLOCK_MAX:
                self._blocks.append(([], []))
            ids, values = self._blocks[-1]
            ids.append(id_)
            values.append(value)
            self._count += 1
            return
        ids, values = self._blocks[index]
        place = bisect_left(ids, id_)
        if ids[place] == id_:
            values[place] = value
            return
        ids.insert(place, id_)
        values.insert(place, value)
        self._count += 1
        if len(ids) > _BLOCK_MAX:
            half = len(ids) // 2
            self._blocks.insert(index + 1, (ids[half:], values[half:]))
            del ids[half:], values[half:]

    def pop(self, id_: Id) -> V | None:
        """Remove an id and return its value; None if it was absent."""
        found = self._find(id_)
        if found is None:
            return None
        index, place = found
        ids, values = self._blocks[index]
        del ids[place]
        value = values.pop(place)
        if not ids:
            del self._blocks[index]
        self._count -= 1
        return value

    def remove_first(self, count: int) -> None:
        """Remove the lowest ids, so many of them or all."""
        whole = 0
        for ids, _ in self._blocks:
            if len(ids) > count:
                break
            count -= len(ids)
            self._count -= len(ids)
            whole += 1
        del self._blocks[:whole]
        if count and self._blocks:
            ids, values = self._blocks[0]
            del ids[:count], values[:count]
            self._count -= count

    def _block_of(self, id_: Id) -> int:
        """The first block that ends with this id or a higher one."""
        blocks = self._blocks
        if not blocks or blocks[-1][0][-1] < id_:
            return len(blocks)
        return bisect_left(blocks, id_, key=_last)

    def _find(self, id_: Id) -> tuple[int, int] | None:
        index = self._block_of(id_)
        if index < len(self._blocks):
            ids = self._blocks[index][0]
            place = bisect_left(ids, id_)
            if ids[place] == id_:
                return index, place
        return None


def _last(block: tuple[list[Id], object]) -> Id:
    return block[0][-1]
