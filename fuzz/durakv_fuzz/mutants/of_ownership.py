"""Breaks of who may write, of which file belongs where, and of what goes by the clock."""

from __future__ import annotations

import durakv.engine
from durakv.directory import LOCK_NAME
from durakv.errors import Locked
from durakv.keyspace.decider import EXPIRED_MAX, Decider
from durakv.machine import Command
from durakv.snapshot.reader import BaseReader
from durakv.storage.filesystem import Filesystem, Lock
from durakv_fuzz.mutants.mutant import Mutants, Patch

mutants = Mutants()


class _NoLock:
    """Held by nobody."""

    def release(self) -> None:
        """Nothing to give back."""


class _LockFile:
    """A lock that is there for as long as its file has content; nobody removes it for the dead."""

    def __init__(self, filesystem: Filesystem) -> None:
        self._filesystem = filesystem

    def release(self) -> None:
        """What the dead do not do."""
        file = self._filesystem.open(LOCK_NAME, writable=True)
        file.truncate(0)
        file.close()


@mutants("two servers started on one data directory, as stock servers allow")
def no_lock() -> list[Patch]:
    """Nobody asks whether the directory has an owner."""

    def broken(_filesystem: Filesystem) -> Lock:
        return _NoLock()

    return [Patch(durakv.engine, "take_lock", broken)]


@mutants("stale lock files: mongod.lock, postmaster.pid, and a server that does not start after a crash")
def dead_owner_blocks() -> list[Patch]:
    """The lock is a file with something in it, and outlives its owner."""

    def broken(filesystem: Filesystem) -> Lock:
        name = LOCK_NAME
        file = filesystem.open(name, writable=True) if name in filesystem.list() else filesystem.create(name)
        try:
            if file.size():
                raise Locked(f"{filesystem.describe()} is open elsewhere")
            file.write_at(b"1", 0)
        finally:
            file.close()
        return _LockFile(filesystem)

    return [Patch(durakv.engine, "take_lock", broken)]


@mutants("a base of another server, or of last week, copied into the place of the right one")
def identity_of_a_base_not_checked() -> list[Patch]:
    """A base is loaded whoever it belongs to, and whatever it goes up to."""

    def broken(_self: BaseReader, *, identity: bytes, number: int, seq: int) -> None:
        del identity, number, seq

    return [Patch(BaseReader, "expect", broken)]


@mutants("expired keys that are removed from memory, with no DEL in the log: a restart brings them back")
def expiry_not_logged() -> list[Patch]:
    """Active expiry deletes keys, and logs nothing."""

    def broken(self: Decider) -> tuple[list[Command], bool]:
        effects = self.keyspace.expired_effects(self.clock.time_ms(), EXPIRED_MAX)
        for effect in effects:
            self.keyspace.apply(effect)
        return [], bool(effects)

    return [Patch(Decider, "expiry", broken)]
