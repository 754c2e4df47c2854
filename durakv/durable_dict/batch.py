"""Several changes of a durable dict as one: all of them or none."""

from __future__ import annotations

from types import TracebackType
from typing import Generic, Self, TypeVar

from durakv.durability import Durability
from durakv.durable_dict.coding import Coding
from durakv.durable_dict.place import Place
from durakv.machine import Command

K = TypeVar("K")
V = TypeVar("V")


class DictBatch(Generic[K, V]):
    """Changes that are collected in a ``with`` block, and stored together when it ends.

    Nothing can be read in it.  An exception inside the block discards all of it.  Deleting a key that is not there when
    the block ends raises KeyError then, and nothing is stored.  The block ends when the batch has reached its level.
    """

    def __init__(self, place: Place, coding: Coding[K, V], durability: Durability | None) -> None:
        self._place = place
        self._coding = coding
        self._durability = durability
        self._set: dict[bytes, bytes] = {}
        self._deleted: dict[bytes, None] = {}
        """Whatever was deleted at some moment of the block, also if it was set again: that moves it to the end."""
        self._needed: dict[bytes, K] = {}
        """What was deleted without having been set here: it has to be in the dict."""
        self._ended = False

    def __setitem__(self, key: K, value: V) -> None:
        self._refuse_ended()
        self._set[self._coding.field_of(key)] = self._coding.data_of(value)

    def __delitem__(self, key: K) -> None:
        self._refuse_ended()
        field = self._coding.field_of(key)
        if self._set.pop(field, None) is None:
            if field in self._deleted:
                raise KeyError(key)
            self._needed[field] = key
        self._deleted[field] = None

    def __enter__(self) -> Self:
        self._refuse_ended()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended = True
        if kind is None and (self._set or self._deleted):
            self._place.transact(self._decide, self._durability)

    def _decide(self, items: dict[bytes, bytes]) -> tuple[list[Command], None]:
        for field, key in self._needed.items():
            if field not in items:
                raise KeyError(key)
        deleted = [field for field in self._deleted if field in items]
        return self._place.deleting(deleted) + self._place.setting(self._set.items()), None

    def _refuse_ended(self) -> None:
        if self._ended:
            raise RuntimeError("the batch has ended; begin another one")
