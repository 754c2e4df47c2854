"""The keyspace: the state machine that holds Redis-like data.

    sixteen numbered databases -> 4096 slots each -> keys -> values, deadlines

It is an ordinary tenant of the engine.  What is applied are effects (``effects.py``); what callers ask for is turned
into effects by ``decide`` (``table.py``), under the engine's lock, before anything is logged.  The base is stored slot
by slot, so a rewrite merges it with the log in another process (``merge.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING

from durakv.keyspace.command import in_database
from durakv.keyspace.databases import Databases
from durakv.keyspace.kinds.hash import expired_fields
from durakv.keyspace.store import SlotStore, slot_of
from durakv.keyspace.values import DATABASE_COUNT, SLOT_COUNT
from durakv.machine import Batch, Command

if TYPE_CHECKING:
    from durakv.keyspace.blocks import Contents
    from durakv.keyspace.deferred import Deferred
    from durakv_formats.rdb import Entry, Target

EXPIRY_VISITS_MAX = 1024
"""How many slots one slice of active expiry looks at; a comparison each, unless a key of it is due."""


class Keyspace(Databases[SlotStore]):
    """The state, and nothing else: no clock, no randomness, no input or output."""

    merger = "durakv.keyspace.merge:KeyspaceMerger"
    """See :class:`durakv.machine.SlottedMachine`."""

    content = "keyspace"
    """See :class:`durakv.machine.SlottedMachine`."""

    slot_count: int
    """See :class:`durakv.machine.SlottedMachine`."""

    def __init__(self, *, slot_count: int = SLOT_COUNT) -> None:
        super().__init__(SlotStore(slot_count) for _ in range(DATABASE_COUNT))
        self.slot_count = slot_count
        self._expiry_database = 0
        self._expiry_slot = 0
        self._deferred: Deferred | None = None

    def apply_run(self, names: list[bytes], keys: list[bytes], values: list[bytes], /) -> bool:
        """See :class:`durakv.machine.RunMachine`; it is for plain SETs, which are most of most logs."""
        if self._unsettled or names.count(b"SET") != len(names):
            return False
        self._stores[self._selected].replace_all(keys, values)
        return True

    def apply_together(self, commands: Batch, /) -> list[None] | None:
        """See :class:`durakv.machine.BatchMachine`; it is for batches of plain SETs, and of no others."""
        if self._unsettled not in (0, len(commands)) or not self._stores[self._selected].put_batch(commands):
            return None
        if self._unsettled:
            self._unsettled = 0
            self.generation += 1
        return [None] * len(commands)

    # --- bases ----------------------------------------------------------------------------------------------------

    def restore_slot(self, slot: int, payload: bytes, /) -> int:
        """See :class:`durakv.machine.SlottedMachine`."""
        from durakv.keyspace.blocks import decode_block  # not above: many a program starts without a base

        if not 0 <= slot < self.slot_count:
            raise ValueError(f"there is no slot {slot}, only {self.slot_count} of them")
        return decode_block(payload, slot, self.store, self._slot_of)

    def defer(self, load: Callable[[int], object], /) -> None:
        """See :class:`durakv.machine.DeferringMachine`."""
        from durakv.keyspace.deferred import Deferred  # not above: a merger's process has no use for it

        self._deferred = Deferred(self._stores, load)

    def receive(self, slot: int, payloads: Sequence[bytes], /) -> None:
        """See :class:`durakv.machine.DeferringMachine`."""
        assert self._deferred is not None, "a slot comes because it was deferred"
        self._deferred.receive(slot, payloads)

    def replay(self, command: Command, /) -> None:
        """See :class:`durakv.machine.DeferringMachine`."""
        if self._deferred is None or not self._deferred.keep(self._selected, command):
            self.apply(command)

    def touch(self, commands: Batch, /) -> None:
        """See :class:`durakv.machine.DeferringMachine`."""
        if self._deferred is not None:
            self._deferred.touch(commands)

    def settle(self) -> None:
        """See :class:`durakv.machine.DeferringMachine`."""
        if self._deferred is not None:
            self._deferred.settle()

    def blocks(self, slot: int) -> Iterator[tuple[bytes, int]]:
        """The blocks of a base that hold this slot as it is, each with the number of its keys."""
        from durakv.keyspace.blocks import encode_blocks

        return encode_blocks(self._contents(slot))

    def freeze_slots(self) -> Iterator[tuple[int, bytes, int]]:
        """See :class:`durakv.machine.SlotFreezer`; for the base of a log that cannot be merged.

        The call copies the dictionaries and the containers but no byte strings: some 50 ms for a million keys.
        """
        from durakv.keyspace.blocks import copied, encode_blocks

        slots = [
            (slot, [(number, copied(values), dict(deadlines)) for number, values, deadlines in self._contents(slot)])
            for slot in range(self.slot_count)
        ]
        return ((slot, payload, count) for slot, contents in slots for payload, count in encode_blocks(contents))

    def freeze(self) -> Iterator[bytes]:
        """See :class:`durakv.machine.StateMachine`; bases are made of ``freeze_slots`` or merged."""
        return (payload for _slot, payload, _count in self.freeze_slots())

    def restore(self, chunks: Iterable[bytes], /) -> None:
        """See :class:`durakv.machine.StateMachine`."""
        from durakv.keyspace.blocks import decode_block

        for store in self._stores:
            store.clear()
        for chunk in chunks:
            decode_block(chunk, None, self.store, self._slot_of)

    def restore_entry(self, entry: Entry, /) -> None:
        """See :class:`durakv.machine.RdbMachine`."""
        from durakv.keyspace.rdb import restore_entry  # not above: a merger's process has no use for it

        restore_entry(self._stores, entry)

    def freeze_entries(self) -> tuple[Target, Iterator[Entry]]:
        """See :class:`durakv.machine.RdbMachine`; the call copies the dictionaries, as that of ``freeze_slots``."""
        from durakv.keyspace.blocks import copied
        from durakv.keyspace.rdb import target_of, to_entry

        contents = [
            (number, copied(values), dict(deadlines))
            for slot in range(self.slot_count)
            for number, values, deadlines in self._contents(slot)
        ]
        contents.sort(key=itemgetter(0))
        entries = (
            to_entry(number, key, value, deadlines.get(key))
            for number, values, deadlines in contents
            for key, value in values.items()
        )
        return target_of(self._stores), entries

    def _slot_of(self, key: bytes) -> int:
        return slot_of(key) & (self.slot_count - 1)

    def _contents(self, slot: int) -> Iterator[Contents]:
        self.settle()
        for number, store in enumerate(self._stores):
            if store.slots is not None and store.slots[slot]:
                yield number, store.slots[slot], {} if store.deadlines is None else store.deadlines[slot]

    # --- active expiry --------------------------------------------------------------------------------------------

    def expired_effects(self, now_ms: int, limit: int) -> list[Command]:
        """The deletion of up to ``limit`` keys whose deadline has passed; changes nothing itself.

        Each call goes on where the last one stopped and looks at a bounded number of slots, so it costs the same
        however many keys there are.  Called often enough, it finds every expired key, and every expired field.
        """
        effects: list[Command] = []
        visits = EXPIRY_VISITS_MAX
        found = 0
        for _ in range(DATABASE_COUNT):
            store = self._stores[self._expiry_database]
            keys: list[bytes] = []
            if store.deadlines is not None:
                while self._expiry_slot < self.slot_count and visits and found + len(keys) < limit:
                    keys += store.due(self._expiry_slot, now_ms, limit - found - len(keys))
                    if found + len(keys) < limit:
                        self._expiry_slot += 1
                        visits -= 1
            else:
                self._expiry_slot = self.slot_count
            expired: list[Command] = [(b"DEL", key) for key in keys]
            if self._expiry_slot >= self.slot_count and found + len(keys) < limit:
                expired += expired_fields(store, now_ms, limit - found - len(keys))
            effects += in_database(self._expiry_database, expired)
            found += len(expired)
            if self._expiry_slot < self.slot_count:
                break
            self._expiry_slot = 0
            self._expiry_database = (self._expiry_database + 1) % DATABASE_COUNT
        return effects
