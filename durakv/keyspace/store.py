"""One numbered database: slots of keys and values, and beside them slots of deadlines.

    slots[slot of key][key]       the value: bare bytes for a string
    deadlines[slot of key][key]   when it expires (Unix time in ms); only for keys that do

Many small dictionaries instead of one: none is ever large enough for its growth to stall a writer, and a base is
stored and merged slot by slot.  Both arrays are made when first needed, so an empty database costs nothing.

Nothing here knows the time.  A key whose deadline has passed is still held until an effect deletes it; whether it is
seen is the reader's business.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Collection, Iterator
from itertools import islice, repeat
from typing import TYPE_CHECKING, Protocol

from durakv.keyspace.values import SLOT_COUNT, Value
from durakv.machine import Batch
from durakv_formats.compiled import put_all, put_batch

if TYPE_CHECKING:
    from durakv.keyspace.deferred import Deferred

NEVER = (1 << 63) - 1
"""A deadline that no clock reaches."""


def slot_of(key: bytes) -> int:
    """The slot of a key: Redis Cluster's own function, with four of its slots in one of ours."""
    return crc_hqx(key, 0) & (SLOT_COUNT - 1)


class Store(Protocol):
    """What commands read and effects change.  An overlay is the other one beside ``SlotStore``."""

    @property
    def slot_count(self) -> int:
        """How many slots ``keys`` can be asked for."""
        ...

    def value(self, key: bytes, /) -> Value | None:
        """What the key holds, expired or not; None if it is absent."""
        ...

    def own(self, key: bytes, /) -> Value | None:
        """``value``, to be changed in place by the effect that asks: such a change is seen in this store only."""
        ...

    def deadline(self, key: bytes, /) -> int | None:
        """When the key expires; None if never, or if it is absent."""
        ...

    def keys(self, slot: int, /) -> Collection[bytes]:
        """The keys of one slot, expired ones included; not to be kept across changes."""
        ...

    def __len__(self) -> int:
        """How many keys there are, expired ones included."""
        ...

    def replace(self, key: bytes, value: Value, deadline: int | None = None, /) -> None:
        """Make the key hold this value and this deadline, whatever it held before."""
        ...

    def put(self, key: bytes, value: Value, /) -> None:
        """Change the value; the deadline, if there is one, stays."""
        ...

    def put_deadline(self, key: bytes, deadline: int, /) -> None:
        """Change the deadline of a key that is there."""
        ...

    def drop_deadline(self, key: bytes, /) -> None:
        """Let the key live for ever."""
        ...

    def remove(self, key: bytes, /) -> None:
        """Remove the key and its deadline; absent keys are fine."""
        ...

    def watch_fields(self, key: bytes, /) -> None:
        """Let active expiry know that fields of this hash have deadlines of their own."""
        ...

    def clear(self) -> None:
        """Remove every key."""
        ...


class SlotStore:
    """The store itself.  The object of a numbered database stays the same for the keyspace's life.

    A single reader may look without the engine's lock if it reads the deadline before the value: changes set the
    value first, so a value is never taken for expired, or for alive, by the deadline of another one.
    """

    __slots__ = ("deadlines", "deferred", "mask", "slot_count", "slots", "soonest", "watched")

    def __init__(self, slot_count: int = SLOT_COUNT) -> None:
        assert slot_count & (slot_count - 1) == 0, "slots are told apart by the low bits of a checksum"
        self.slot_count = slot_count
        self.mask = slot_count - 1
        self.slots: list[dict[bytes, Value]] | None = None
        self.deadlines: list[dict[bytes, int]] | None = None
        self.soonest: list[int] = []
        """Per slot, no deadline is earlier than this; it may be lower than need be."""
        self.watched: dict[bytes, None] = {}
        """The hashes with deadlines of fields, and perhaps some that no longer have any."""
        self.deferred: Deferred | None = None
        """Where the slots come from that are still in the base, with stand-ins in their places here."""

    def value(self, key: bytes, /) -> Value | None:
        """See :class:`Store`."""
        slots = self.slots
        return None if slots is None else slots[crc_hqx(key, 0) & self.mask].get(key)

    own = value

    def deadline(self, key: bytes, /) -> int | None:
        """See :class:`Store`."""
        deadlines = self.deadlines
        return None if deadlines is None else deadlines[crc_hqx(key, 0) & self.mask].get(key)

    def keys(self, slot: int, /) -> Collection[bytes]:
        """See :class:`Store`."""
        if self.deferred is not None:
            return self.deferred.keys(self, slot)
        return () if self.slots is None else self.slots[slot]

    def __len__(self) -> int:
        self._settle()
        return 0 if self.slots is None else sum(map(len, self.slots))

    def replace(self, key: bytes, value: Value, deadline: int | None = None, /) -> None:
        """See :class:`Store`."""
        slots = self.slots
        if slots is None:
            slots = self._make_slots()
        slot = crc_hqx(key, 0) & self.mask
        slots[slot][key] = value
        if deadline is not None:
            self._put_deadline(slot, key, deadline)
        elif self.deadlines is not None:
            self.deadlines[slot].pop(key, None)

    def put(self, key: bytes, value: Value, /) -> None:
        """See :class:`Store`."""
        slots = self.slots
        if slots is None:
            slots = self._make_slots()
        slots[crc_hqx(key, 0) & self.mask][key] = value

    def put_deadline(self, key: bytes, deadline: int, /) -> None:
        """See :class:`Store`."""
        self._put_deadline(crc_hqx(key, 0) & self.mask, key, deadline)

    def drop_deadline(self, key: bytes, /) -> None:
        """See :class:`Store`."""
        if self.deadlines is not None:
            self.deadlines[crc_hqx(key, 0) & self.mask].pop(key, None)

    def remove(self, key: bytes, /) -> None:
        """See :class:`Store`."""
        if self.slots is not None:
            slot = crc_hqx(key, 0) & self.mask
            self.slots[slot].pop(key, None)
            if self.deadlines is not None:
                self.deadlines[slot].pop(key, None)

    def clear(self) -> None:
        """See :class:`Store`."""
        self._settle()
        # Fresh arrays instead of emptied ones: a reader without the lock keeps what it was reading from.
        self.slots = None
        self.deadlines = None
        self.soonest = []
        self.watched = {}

    def watch_fields(self, key: bytes, /) -> None:
        """See :class:`Store`."""
        self.watched[key] = None

    def swap(self, other: SlotStore, /) -> None:
        """Exchange contents with another database (SWAPDB)."""
        self._settle()
        self.slots, other.slots = other.slots, self.slots
        self.deadlines, other.deadlines = other.deadlines, self.deadlines
        self.soonest, other.soonest = other.soonest, self.soonest
        self.watched, other.watched = other.watched, self.watched

    # --- whole slots: bases and expiry ----------------------------------------------------------------------------

    def load(self, slot: int, keys: list[bytes], values: list[Value]) -> None:
        """Add keys that are known to belong to a slot, at the speed of whole columns."""
        slots = self.slots if self.slots is not None else self._make_slots()
        if slots[slot]:
            slots[slot].update(zip(keys, values, strict=True))
        else:
            slots[slot] = dict(zip(keys, values, strict=True))

    def replace_all(self, keys: list[bytes], values: list[bytes]) -> None:
        """``replace`` each key's value, in this order, leaving no deadline."""
        slots = self.slots if self.slots is not None else self._make_slots()
        mask = self.mask
        done = 0 if put_all is None else put_all(slots, mask, keys, values)
        rest = keys[done:]
        for key, value, checksum in zip(rest, values[done:], map(crc_hqx, rest, repeat(0)), strict=False):
            slots[checksum & mask][key] = value
        if self.deadlines is not None:
            for key in keys:
                self.drop_deadline(key)

    def put_batch(self, commands: Batch) -> bool:
        """``replace`` what each of these commands says, if all are plain SETs; False if nothing was changed."""
        slots = self.slots if self.slots is not None else self._make_slots()
        if put_batch is None or not put_batch(slots, self.mask, commands):
            return False
        if self.deadlines is not None:
            for command in commands:
                self.drop_deadline(command[1])
        return True

    def load_deadlines(self, slot: int, keys: list[bytes], deadlines: list[int]) -> None:
        """Add the deadlines of keys that were loaded."""
        if keys:
            slots = self.deadlines if self.deadlines is not None else self._make_deadlines()
            slots[slot].update(zip(keys, deadlines, strict=True))
            self.soonest[slot] = min(self.soonest[slot], min(deadlines))

    def due(self, slot: int, now_ms: int, count_max: int) -> list[bytes]:
        """Up to ``count_max`` keys of a slot whose deadline has passed."""
        if self.deadlines is None or self.soonest[slot] >= now_ms:
            return []
        deadlines = self.deadlines[slot]
        found = list(islice((key for key, deadline in deadlines.items() if deadline < now_ms), count_max))
        if not found:
            # The bound rises only here, once nothing is due: what was found may yet fail to be deleted.
            self.soonest[slot] = min(deadlines.values(), default=NEVER)
        return found

    def columns(self, slot: int) -> Iterator[tuple[bytes, Value, int | None]]:
        """Every key of a slot with its value and deadline."""
        self._settle()
        if self.slots is not None:
            deadlines: dict[bytes, int] = {} if self.deadlines is None else self.deadlines[slot]
            for key, value in self.slots[slot].items():
                yield key, value, deadlines.get(key)

    def _settle(self) -> None:
        if self.deferred is not None:
            self.deferred.settle()

    def _put_deadline(self, slot: int, key: bytes, deadline: int) -> None:
        deadlines = self.deadlines if self.deadlines is not None else self._make_deadlines()
        deadlines[slot][key] = deadline
        if deadline < self.soonest[slot]:
            self.soonest[slot] = deadline

    def _make_slots(self) -> list[dict[bytes, Value]]:
        self.slots = [{} for _ in range(self.slot_count)]
        return self.slots

    def _make_deadlines(self) -> list[dict[bytes, int]]:
        self.soonest = [NEVER] * self.slot_count
        self.deadlines = [{} for _ in range(self.slot_count)]
        return self.deadlines
