"""Views of a durable dict: each iteration goes over the pairs of one moment, which nobody can take away meanwhile."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, ValuesView
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from durakv.durable_dict.mapping import DurableDict

K = TypeVar("K")
V = TypeVar("V")


class PairsView(ItemsView[K, V]):
    """What ``items()`` returns."""

    _mapping: DurableDict[K, V]

    def __iter__(self) -> Iterator[tuple[K, V]]:
        return self._mapping._pairs()


class PairedValuesView(ValuesView[V]):
    """What ``values()`` returns."""

    _mapping: DurableDict[Any, V]

    def __iter__(self) -> Iterator[V]:
        return (value for _, value in self._mapping._pairs())

    def __contains__(self, value: object) -> bool:
        # The base's looks every key up once more, and raises KeyError for one that is gone by then.
        return any(held is value or held == value for held in self)
