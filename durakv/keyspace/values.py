"""What a key can hold, as everything beneath the commands sees it.

A value is ``bytes`` (a string) or a container of one of the classes in ``kinds``; which one is told by its exact
type.  Strings are plain: a wrapper object would cost 65 bytes a key.  Containers are changed in place, and only by
effects (``Store.own``); an empty one is never held, its key is removed instead, except for streams.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, Self, TypeAlias

from durakv.machine import Command

Value: TypeAlias = Any
"""A value of one of the ``KINDS``; which one is told by its exact type."""

Plain: TypeAlias = Any
"""A value, or a piece of one, as the column of a base has it: see formats/snapshot-v1.md."""

DATABASE_COUNT = 16
"""How many numbered databases there are."""

SLOT_COUNT = 4096
"""How many dictionaries a database is cut into; four slots of Redis Cluster share one."""

REBUILD_ITEMS = 1024
"""How many elements an effect that builds a container again holds at most."""


class Container(Protocol):
    """What all values but strings can do."""

    def __len__(self) -> int:
        """How many elements."""
        ...

    def copy(self) -> Self:
        """The same, so that no change of either is seen in the other."""
        ...

    def size_bytes(self) -> int:
        """About how large it is in a base."""
        ...

    def pieces(self, count: int, /) -> Iterator[Plain]:
        """The value in plain form, in pieces of at most so many elements; the first can stand alone."""
        ...

    @classmethod
    def from_plain(cls, plain: Plain, /) -> Self:
        """The value whose first piece this is; it may keep what it is given.  Raises ValueError for nonsense."""
        ...

    def extend_plain(self, plain: Plain, /) -> None:
        """Take the next piece.  Raises ValueError for nonsense."""
        ...

    def effects(self, key: bytes, /) -> Iterator[Command]:
        """What makes an absent key hold this value."""
        ...
