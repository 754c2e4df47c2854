"""Sorted sets.

ZADD key score member ..., ZREM key member ...
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isnan
from typing import TYPE_CHECKING, Self

from durakv.errors import CommandError
from durakv.keyspace.kinds.effect import Effect, chunks, own, settle
from durakv.keyspace.scores import parse_score
from durakv.keyspace.store import Store
from durakv.keyspace.values import REBUILD_ITEMS, Plain
from durakv.machine import Command

if TYPE_CHECKING:
    from sortedcontainers import SortedList

_SCORE_BYTES = 9


class SortedSet:
    """The value of a sorted set: scores by member, and their order once somebody asks for it."""

    __slots__ = ("_order", "scores")

    def __init__(self, scores: dict[bytes, float]) -> None:
        self.scores = scores
        self._order: SortedList[tuple[float, bytes]] | None = None

    def __len__(self) -> int:
        return len(self.scores)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SortedSet) and self.scores == other.scores

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"SortedSet({self.scores!r})"

    @property
    def order(self) -> SortedList[tuple[float, bytes]]:
        """Scores and members, in order; not to be changed."""
        order = self._order
        if order is None:
            from sortedcontainers import SortedList  # not above: many programs have no sorted sets

            order = self._order = SortedList((score, member) for member, score in self.scores.items())
        return order

    def copy(self) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        return type(self)(self.scores.copy())

    def size_bytes(self) -> int:
        """See :class:`~durakv.keyspace.values.Container`."""
        return sum(map(len, self.scores)) + _SCORE_BYTES * len(self.scores)

    def pieces(self, count: int, /) -> Iterator[Plain]:
        """Scores by member."""
        if len(self.scores) <= count:
            yield self.scores
        else:
            yield from map(dict, chunks(self.scores.items(), count))

    @classmethod
    def from_plain(cls, plain: Plain, /) -> Self:
        """See :class:`~durakv.keyspace.values.Container`."""
        if not plain or any(map(isnan, plain.values())):
            raise ValueError("it holds a sorted set without members, or with a score that is no number")
        return cls(plain)

    def extend_plain(self, plain: Plain, /) -> None:
        """See :class:`~durakv.keyspace.values.Container`."""
        self.scores.update(self.from_plain(plain).scores)
        self._order = None

    def effects(self, key: bytes, /) -> Iterator[Command]:
        """See :class:`~durakv.keyspace.values.Container`."""
        for some in chunks(self.scores.items(), REBUILD_ITEMS):
            yield b"ZADD", key, *(word for member, score in some for word in (exact_score(score), member))

    # --- changes; nothing but effects calls them ------------------------------------------------------------------

    def put(self, member: bytes, score: float) -> None:
        """Add a member, or change its score."""
        if self._order is not None:
            old = self.scores.get(member)
            if old is not None:
                self._order.remove((old, member))
            self._order.add((score, member))
        self.scores[member] = score

    def remove(self, member: bytes) -> None:
        """Remove a member, which may be absent."""
        score = self.scores.pop(member, None)
        if score is not None and self._order is not None:
            self._order.remove((score, member))


def exact_score(score: float) -> bytes:
    """The score as effects have it: every bit of it comes back."""
    return repr(score).encode()


def _zadd(store: Store, command: Command) -> bool:
    if len(command) < 4 or len(command) % 2:
        return False
    try:
        scores = list(map(parse_score, command[2::2]))
    except CommandError:
        return False  # options, perhaps
    key = command[1]
    value = own(store, key, SortedSet)
    if value is None:
        value = SortedSet({})
        store.put(key, value)
    for score, member in zip(scores, command[3::2], strict=True):
        value.put(member, score)
    return True


def _zrem(store: Store, command: Command) -> bool:
    if len(command) < 3:
        return False
    key = command[1]
    value = own(store, key, SortedSet)
    if value is not None:
        for member in command[2:]:
            value.remove(member)
        settle(store, key, value)
    return True


EFFECTS: dict[bytes, Effect] = {b"ZADD": _zadd, b"ZREM": _zrem}
