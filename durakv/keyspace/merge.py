"""Rebuilding slots from an old base and a sealed log, without the live keyspace.

While the log is read, each key keeps only what its end depends on (``pending.py``), so memory goes with the keys that
were touched and not with how often.  A slot is then rebuilt by a keyspace of one slot: it loads the old blocks,
applies what was kept by the same code as the live one, and is written out again.
"""

from __future__ import annotations

from binascii import crc_hqx
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from durakv.keyspace.blocks import decode_block
from durakv.keyspace.command import parse_database
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.pending import Pending, is_whole
from durakv.keyspace.replies import printable
from durakv.keyspace.stock import IGNORED
from durakv.keyspace.store import SlotStore, slot_of
from durakv.keyspace.table import look_up
from durakv.keyspace.values import DATABASE_COUNT, SLOT_COUNT
from durakv.machine import Batch, Command, Unmergeable

Histories: TypeAlias = dict[bytes, Pending | Command]
"""By key: what is pending, or just the last command if that replaced the key."""


class KeyspaceMerger:
    """See :class:`durakv.machine.Merger`."""

    slot_count: int = SLOT_COUNT
    """A power of two; that of the keyspace."""

    def __init__(self) -> None:
        self.select(0, self.slot_count - 1)

    def select(self, first: int, last: int, /) -> None:
        """See :class:`durakv.machine.Merger`."""
        self._first = first
        self._last = last
        self._database = 0
        self._flushed: set[int] = set()
        self._touched: list[dict[int, Histories]] = [{} for _ in range(DATABASE_COUNT)]

    def collect(self, commands: Batch, /) -> None:
        """See :class:`durakv.machine.Merger`.

        Raises Unmergeable for what a stock server logs and what no slot can be rebuilt from alone: commands that
        read one key and write another, or that move whole databases.
        """
        mask = self.slot_count - 1
        for command in commands:
            if command[0] == b"SET" and len(command) == 3:
                # Most of most logs.
                key = command[1]
                slot = crc_hqx(key, 0) & mask
                if self._first <= slot <= self._last:
                    self._histories(slot)[key] = command
            else:
                self._take_other(command[0].upper(), command)

    def touched(self) -> Iterable[int]:
        """See :class:`durakv.machine.Merger`."""
        if self._flushed:
            return range(self._first, self._last + 1)
        return sorted({slot for touched in self._touched for slot in touched})

    def merge(self, slot: int, payloads: Sequence[bytes], /) -> Iterator[tuple[bytes, int]]:
        """See :class:`durakv.machine.Merger`."""
        histories = [(number, slots[slot]) for number, slots in enumerate(self._touched) if slot in slots]
        if not histories and not payloads:
            return iter(())
        keyspace = Keyspace(slot_count=1)

        def store_of(database: int) -> SlotStore | None:
            return None if database in self._flushed else keyspace.store(database)

        for payload in payloads:
            decode_block(payload, 0, store_of, lambda _key: 0)
        for database, of_database in histories:
            keyspace.apply((b"SELECT", b"%d" % database))
            for history in of_database.values():
                for command in history.commands() if isinstance(history, Pending) else (history,):
                    keyspace.apply(command)
        return keyspace.blocks(0)

    def _histories(self, slot: int) -> Histories:
        touched = self._touched[self._database]
        histories = touched.get(slot)
        if histories is None:
            histories = touched[slot] = {}
        return histories

    def _take(self, command: Command, key: bytes) -> None:
        slot = slot_of(key) & (self.slot_count - 1)
        if not self._first <= slot <= self._last:
            return
        histories = self._histories(slot)
        if is_whole(command):
            histories[key] = command
            return
        before = histories.get(key)
        if not isinstance(before, Pending):
            before = histories[key] = Pending(key, before)
        before.add(command)

    def _take_other(self, name: bytes, command: Command) -> None:
        """Everything but a plain SET; ``name`` is the command's, in upper case."""
        spec = look_up(name)
        if name == b"SELECT" and len(command) == 2:
            self._database = parse_database(command[1])
        elif name == b"FLUSHDB":
            self._flush(self._database)
        elif name == b"FLUSHALL":
            for database in range(DATABASE_COUNT):
                self._flush(database)
        elif name in (b"DEL", b"UNLINK"):
            for key in command[1:]:
                self._take((b"DEL", key), key)
        elif name == b"MSET":
            for key, value in zip(command[1::2], command[2::2], strict=True):
                self._take((b"SET", key, value), key)
        elif spec is not None and spec.writes and spec.touches_one_key and len(command) > spec.keys[0]:
            self._take(command if name == command[0] else (name, *command[1:]), command[spec.keys[0]])
        elif name not in IGNORED:
            raise Unmergeable(f"{printable(command[0][:64])} cannot be merged slot by slot")

    def _flush(self, database: int) -> None:
        self._flushed.add(database)
        self._touched[database] = {}
