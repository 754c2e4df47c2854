"""Slots that are still in the base: what stands in their place, and how they come.

    store.slots       [ {...}, stand-in, stand-in, {...}, ... ]        one stand-in for all of a database's values,
    store.deadlines   [ {...}, stand-in, stand-in, {...}, ... ]        and one for all of its deadlines

A stand-in has the methods that are called with a key.  It has the key's slot loaded, which puts a dictionary into the
place, and passes the call on; if the database holds nothing in that slot it stays, and answers for an empty one.  So
what looks up a key needs no further test, and costs an eager open nothing.  Whatever goes over whole slots asks
``Deferred`` first.

A log is not applied to slots that are elsewhere: its commands wait, in their order, until the slot comes, so that a
short log does not load what it is about.  What reaches beyond one slot has everything come first.

No deadline of a slot that is elsewhere is known, so ``soonest`` says NEVER and active expiry passes it over.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Callable, Collection, Sequence
from typing import Any, cast

from durakv.errors import CommandError
from durakv.keyspace.blocks import decode_block
from durakv.keyspace.databases import Databases
from durakv.keyspace.store import NEVER, SlotStore, slot_of
from durakv.keyspace.table import look_up
from durakv.keyspace.values import Value
from durakv.machine import Batch, Command


class StandIn:
    """The dictionaries of all slots of one database that were not needed yet."""

    __slots__ = ("_load", "_mask", "places")

    def __init__(self, slot_count: int, load: Callable[[int], object]) -> None:
        self._load = load
        self._mask = slot_count - 1
        self.places: list[Any] = [self] * slot_count
        """Where it stands: by slot, itself or the dictionary that came."""

    def get(self, key: bytes, default: Any = None) -> Any:
        """As of a dictionary."""
        held = self.places[self._loaded(key)]
        return default if held is self else held.get(key, default)

    def pop(self, key: bytes, default: Any) -> Any:
        """As of a dictionary."""
        held = self.places[self._loaded(key)]
        return default if held is self else held.pop(key, default)

    def __setitem__(self, key: bytes, value: Any) -> None:
        slot = self._loaded(key)
        if self.places[slot] is self:
            self.places[slot] = {}
        self.places[slot][key] = value

    def filled(self) -> list[Any] | None:
        """The dictionaries, once all have come, with empty ones for the slots that had none; None if none had any."""
        if self.places.count(self) == len(self.places):
            return None
        return [{} if held is self else held for held in self.places]

    def _loaded(self, key: bytes) -> int:
        slot = crc_hqx(key, 0) & self._mask
        self._load(slot)
        return slot


class Deferred:
    """The slots of a keyspace that are elsewhere.  See :class:`durakv.machine.DeferringMachine` for the methods."""

    def __init__(self, stores: Sequence[SlotStore], load: Callable[[int], object]) -> None:
        self._stores = stores
        self._load = load
        self._slot_count = stores[0].slot_count
        self._mask = self._slot_count - 1
        self._kept: dict[int, list[tuple[int, Command]]] = {}
        """By slot: what the log did to it, and in which database."""
        self._arrived = bytearray(self._slot_count)
        self._settled = False
        self._values = [StandIn(self._slot_count, load) for _ in stores]
        self._deadlines = [StandIn(self._slot_count, load) for _ in stores]
        for store, values, deadlines in zip(stores, self._values, self._deadlines, strict=True):
            store.slots = cast("list[dict[bytes, Value]]", values.places)
            store.deadlines = cast("list[dict[bytes, int]]", deadlines.places)
            store.soonest = [NEVER] * self._slot_count
            store.deferred = self

    def keep(self, database: int, command: Command) -> bool:
        """Put a command of the log aside until its slot comes; False if it has to be applied now."""
        if command[0] == b"SET":
            slot = crc_hqx(command[1], 0) & self._mask
            if self._arrived[slot]:
                return False
            self._kept.setdefault(slot, []).append((database, command))
            return True
        if command[0] == b"SELECT":
            return False
        keys = _keys_of(command[0].upper(), command)
        if keys is None:
            self.settle()
            return False
        slots = {slot_of(key) & self._mask for key in keys}
        if len(slots) == 1:
            (slot,) = slots
            if not self._arrived[slot]:
                self._kept.setdefault(slot, []).append((database, command))
                return True
        return False

    def receive(self, slot: int, payloads: Sequence[bytes]) -> None:
        """Build the slot aside, then put it into its places; a reader without a lock finds all of it or a stand-in."""
        arrived = Databases(SlotStore(1) for _ in self._stores)

        def check(key: bytes) -> int:
            if slot_of(key) & self._mask != slot:
                raise ValueError(f"it holds {key!r}, a key of slot {slot_of(key) & self._mask} and not of {slot}")
            return 0

        for payload in payloads:
            decode_block(payload, 0, arrived.store, check)
        for database, command in self._kept.get(slot, ()):
            try:
                arrived.apply((b"SELECT", b"%d" % database))
                arrived.apply(command)
            except CommandError as error:
                raise ValueError(f"the log does not go on from it: {error}") from error
        for database, store in enumerate(self._stores):
            part = arrived.store(database)
            store.watched.update(part.watched)
            if part.deadlines is not None:
                self._deadlines[database].places[slot] = part.deadlines[0]
                store.soonest[slot] = part.soonest[0]
            if part.slots is not None:
                self._values[database].places[slot] = part.slots[0]
        self._kept.pop(slot, None)
        self._arrived[slot] = True

    def keys(self, store: SlotStore, slot: int) -> Collection[bytes]:
        """The keys of one slot of one of the stores."""
        self._load(slot)
        if store.slots is None or isinstance(store.slots[slot], StandIn):
            return ()
        return store.slots[slot]

    def settle(self) -> None:
        """Have everything come, and put dictionaries into the places of all stand-ins; once."""
        if self._settled:
            return
        for slot in range(self._slot_count):
            self._load(slot)
        for store, values, deadlines in zip(self._stores, self._values, self._deadlines, strict=True):
            store.slots = values.filled()
            store.deadlines = deadlines.filled()
            if store.deadlines is None:
                store.soonest = []
            store.deferred = None
        self._settled = True

    def touch(self, commands: Batch) -> None:
        """Load what these commands are about: the slots of their keys, or everything."""
        for command in commands:
            name = command[0].upper()
            if name == b"SELECT":
                continue
            keys = _keys_of(name, command)
            for slot in range(self._slot_count) if keys is None else [slot_of(key) & self._mask for key in keys]:
                self._load(slot)


def _keys_of(name: bytes, command: Command) -> Sequence[bytes] | None:
    """The keys that a command of a log looks at or changes; None if it may be about any key."""
    if name in (b"DEL", b"UNLINK"):
        return command[1:]
    spec = look_up(name)
    if spec is None or not spec.touches_one_key or len(command) <= spec.keys[0]:
        return None
    return (command[spec.keys[0]],)
