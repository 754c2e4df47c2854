"""A base whose slots are read when they are first asked for: an open in milliseconds.

    base = LazyBase(filesystem)
    base.open(name)         the header, the heads of all blocks and the footer: what is where, and that all is there
    base.expect(...)
    base.defer(machine)     the machine begins without its slots, and calls ``load`` before it looks at one
    base.load(slot)         from any thread: reads and verifies the slot's blocks, and hands them to the machine once
    base.close()

Nothing that was not verified reaches the machine.  Damage that is found late raises Corruption for whoever asked for
the slot, as often as it is asked for, and the first of it stays in ``damage``: from then on the engine takes no writes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack

from durakv import journal
from durakv.errors import Closed, Corruption, Poisoned, UnsupportedVersion
from durakv.machine import Batch, DeferringMachine
from durakv.snapshot.codec import BaseCodec, Outline
from durakv.snapshot.reader import REMEDY, check_place
from durakv.storage.filesystem import File, Filesystem
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.snapshot import SnapshotHeader
from durakv_formats.snapshot_outline import SnapshotOutline

GUARDS = 16
"""Slots that share a lock are loaded one after the other; a reader seldom waits for what the background is loading."""


class LazyBase:
    """See the module.  It is made before there is anything to open, and stays closed if there is no base to defer."""

    def __init__(self, filesystem: Filesystem, codec: BaseCodec | None = None) -> None:
        self.damage: Corruption | None = None
        """What was found wrong after the open."""
        self._filesystem = filesystem
        self._name = ""
        self._file: File | None = None
        self._codec = codec
        self._outline: Outline | None = None
        self._machine: DeferringMachine | None = None
        self._arrived = bytearray()
        self._next = 0
        self._guards = [threading.Lock() for _ in range(GUARDS)]

    def open(self, name: str) -> SnapshotHeader:
        """Read what is where; raises Corruption, UnsupportedVersion or ``OSError``."""
        self._name = name
        self._file = file = self._filesystem.open(name)
        try:
            read_at, codec = file.read_at, self._codec
            outline = SnapshotOutline(read_at) if codec is None else codec.outline(read_at, file.size())
            self._outline = outline
        except UnsupportedVersionError as error:
            raise UnsupportedVersion(name, error.version, "Open it with the version that wrote it") from error
        except FormatError as error:
            raise self._corrupt(error.offset, error.reason) from error
        if outline.size != file.size():
            raise self._corrupt(outline.size, "bytes after the end of the snapshot")
        return outline.header

    def expect(self, *, identity: bytes, number: int, seq: int) -> None:
        """Raise Corruption unless the header is that of the file which the manifest means (C11)."""
        assert self._outline is not None, "it was opened"
        check_place(self._name, self._outline.header, identity=identity, number=number, seq=seq)

    def defer(self, machine: DeferringMachine) -> int:
        """Let the machine begin without its slots; return how many keys they hold."""
        assert self._outline is not None, "it was opened"
        self._machine = machine
        self._arrived = bytearray(self._outline.header.slot_count)
        machine.defer(self.load)
        return self._outline.count

    def load(self, slot: int) -> int:
        """See that the machine has the slot; return how many bytes were read for it.

        Raises Corruption, and the machine is as it was; the same for ``OSError``, after which it may be tried again.
        """
        if self._arrived[slot]:
            return 0
        with self._guards[slot % GUARDS]:
            if self._arrived[slot]:
                return 0
            machine = self._machine
            assert machine is not None, "slots are asked for by the machine they were deferred to"
            try:
                payloads, size = self._read(slot)
                try:
                    machine.receive(slot, payloads)
                except ValueError as error:
                    raise self._corrupt(self._place(slot), f"slot {slot}: {error}") from error
            except Corruption as damage:
                self._note(damage)
                raise
            self._arrived[slot] = True
            return size

    @property
    def remaining(self) -> int:
        """How many slots the machine does not have yet."""
        return self._arrived.count(0)

    def next_slot(self) -> int | None:
        """A slot that the machine does not have yet; None if it has them all."""
        slot = self._arrived.find(0, self._next)
        if slot < 0:
            return None
        self._next = slot
        return slot

    def prepare(self, commands: Batch) -> None:
        """Have the machine take what a batch will change, before any of it is logged.

        Raises Poisoned after damage, whatever the batch is about: with a part of the state unreadable the engine cannot
        vouch for what it would decide.  Damage found here is raised as Corruption.
        """
        if self.damage is not None:
            raise Poisoned(
                f"{self._filesystem.describe()}: {self.damage}. It was found when the slot was first needed; no more "
                "writes are taken, and what was acknowledged is in the log. Close the engine before you mend it",
                cause=self.damage,
            ) from self.damage
        if self._machine is not None:
            self._machine.touch(commands)

    def close(self) -> None:
        """Release the file.  Slots that are asked for afterwards raise Closed.  Closing twice is allowed."""
        with ExitStack() as nobody_reads:
            for guard in self._guards:
                nobody_reads.enter_context(guard)
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def disown(self) -> None:
        """In a forked child: give up the copy of the file; some thread of the parent may hold a lock."""
        self._guards = [threading.Lock() for _ in range(GUARDS)]
        self.close()

    def _read(self, slot: int) -> tuple[Sequence[bytes], int]:
        """The payloads of a slot, once it is certain that there are no others, and the bytes read for it."""
        outline, file = self._outline, self._file
        if file is None or outline is None:
            raise Closed("the engine is closed; open the directory again")
        blocks = outline.blocks_of(slot)
        payloads: list[bytes] = []
        size = 0
        try:
            for index in (*outline.unproven(blocks), *blocks):
                offset, block_size = outline.place(index)
                block = outline.verify(index, file.read_at(block_size, offset))
                size += block_size
                if index in blocks:
                    payloads.append(block.payload())
        except FormatError as error:
            raise self._corrupt(error.offset, error.reason) from error
        return payloads, size

    def _place(self, slot: int) -> int:
        assert self._outline is not None, "it was opened"
        return self._outline.place(self._outline.blocks_of(slot).start)[0]

    def _note(self, damage: Corruption) -> None:
        if self.damage is None:
            self.damage = damage
            directory = self._filesystem.describe()
            journal.error(
                "%s: found late, no more writes are taken: %s",
                directory,
                damage,
                about="recovery",
                event="damaged",
                directory=directory,
                name=self._name,
            )

    def _corrupt(self, offset: int, reason: str) -> Corruption:
        return Corruption(self._name, offset, reason, REMEDY)
