"""The numbered databases, and how commands of a log change them.

The same code serves the live keyspace, the overlay of a batch being decided and the merge of one slot, so that they
cannot disagree about what an effect does.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from durakv.errors import CommandError
from durakv.keyspace.command import parse_database
from durakv.keyspace.effects import EFFECTS
from durakv.keyspace.overlay import OverlayStore
from durakv.keyspace.replies import arity_error
from durakv.keyspace.stock import replay_effects
from durakv.keyspace.store import SlotStore, Store
from durakv.machine import Command

S = TypeVar("S", bound=Store)


class Databases(Generic[S]):
    """Stores by number, one of them selected.

    ``generation`` is odd while a batch that was announced is applied in part; a reader without the engine's lock that
    sees it odd, or changed, has read in the middle of a batch and must read again under the lock.
    """

    __slots__ = ("_selected", "_store", "_stores", "_unsettled", "generation")

    def __init__(self, stores: Iterable[S]) -> None:
        self._stores = list(stores)
        self._selected = 0
        self._store: Store = self._stores[0]
        self._unsettled = 0
        self.generation: int = 0

    def store(self, number: int, /) -> S:
        """The store of one database; always the same object."""
        return self._stores[number]

    def apply(self, command: Command, /) -> None:
        """Apply one command of a log: an effect, or what stock servers log.  See ``effects.py`` and ``stock.py``.

        Raises CommandError (``Unreplayable`` for a command it does not know) when this cannot be done exactly.
        """
        effect = EFFECTS.get(command[0])
        if effect is None or not effect(self._store, command):
            self._apply_other(command)
        if self._unsettled:
            self._unsettled -= 1
            if not self._unsettled:
                self.generation += 1

    def announce(self, count: int) -> None:
        """Tell readers without a lock that the next ``count`` effects belong together.

        If they are never applied, such readers keep taking the lock until as many others are.
        """
        self._unsettled = count
        self.generation |= 1

    def overlay(self) -> Databases[OverlayStore]:
        """Databases that begin as these are and keep all changes to themselves."""
        return Databases(OverlayStore(store) for store in self._stores)

    def _apply_other(self, command: Command) -> None:
        name = command[0].upper()
        if name == b"SELECT":
            self._select(command)
            return
        if name == b"SWAPDB":
            self._swap(command)
            return
        effect = EFFECTS.get(name)
        if effect is not None and name != command[0] and effect(self._store, (name, *command[1:])):
            return
        selected = self._selected
        for replayed in replay_effects(self, selected, command):
            if replayed[0] == b"SELECT":
                self._select(replayed)
            else:
                EFFECTS[replayed[0]](self._store, replayed)
        self._selected, self._store = selected, self._stores[selected]

    def _select(self, command: Command) -> None:
        if len(command) != 2:
            raise arity_error(b"select")
        self._selected = parse_database(command[1])
        self._store = self._stores[self._selected]

    def _swap(self, command: Command) -> None:
        if len(command) != 3:
            raise arity_error(b"swapdb")
        one, other = (self._stores[parse_database(number)] for number in command[1:])
        if not isinstance(one, SlotStore) or not isinstance(other, SlotStore):
            raise CommandError("ERR SWAPDB is replayed from logs only")
        one.swap(other)
