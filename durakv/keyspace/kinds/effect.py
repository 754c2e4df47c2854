"""What the effects of all kinds share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeAlias, TypeVar

from durakv.keyspace.replies import wrong_type
from durakv.keyspace.store import Store
from durakv.keyspace.values import Container
from durakv.machine import Command

Effect: TypeAlias = Callable[[Store, Command], bool]
"""Changes the store; False for arguments of another form than an effect has."""

C = TypeVar("C", bound=Container)
T = TypeVar("T")


def own(store: Store, key: bytes, kind: type[C]) -> C | None:
    """The container, to be changed in place; None if the key is absent."""
    value = store.own(key)
    if value is not None and type(value) is not kind:
        raise wrong_type()
    return value


def settle(store: Store, key: bytes, value: Container) -> None:
    """Remove the key if nothing is left in its container."""
    if not len(value):
        store.remove(key)


def chunks(items: Iterable[T], count: int) -> Iterator[tuple[T, ...]]:
    """The items in tuples of this length; the last may be shorter."""
    left = iter(items)
    while chunk := tuple(islice(left, count)):
        yield chunk


def span(start: int, stop: int, size: int) -> tuple[int, int]:
    """Two indices as commands have them, the second one included, negative ones from the end, as those of a slice."""
    if start < 0:
        start = max(0, start + size)
    if stop < 0:
        stop += size
    return (start, min(stop + 1, size)) if start <= stop and start < size else (0, 0)
