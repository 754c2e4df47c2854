"""The promise: a new owner vouches for nothing that only the page cache shows (C7, F5).

Method: the first owner's fsync fails, and the kernel marks the lost pages clean while reads still show them.  The owner
dies, the next one opens on the same machine and then the power goes: what it had called synced must be there.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Poisoned
from durakv.keyspace.machine import Keyspace
from durakv.options import Options
from durakv.storage.posix import PosixFilesystem
from durakv_fuzz.choose import harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.model import crash_image
from durakv_fuzz.trace import Kind
from tests.support import Journal


def opened(disk: SimulatedDisk) -> tuple[Engine, Journal]:
    machine = Journal()
    options = Options(segment_bytes=8192, fsync=FsyncPolicy.NO)
    return Engine(None, machine, options=options, filesystem=disk, background=False, entropy=bytes), machine


def test_what_a_dead_owner_failed_to_sync_is_written_again() -> None:
    disk = SimulatedDisk()
    engine, _ = opened(disk)
    engine.apply([[b"SET", b"a", b"1"]], Durability.WRITTEN)
    disk.faults = fail_nth(0, Fault(after=AfterFailedSync.KEPT), kinds={Kind.SYNC})
    with pytest.raises(Poisoned):
        engine.sync()

    again = SimulatedDisk.resume(disk.trace, disk.trace.seq, kindest)
    second, machine = opened(again)
    assert machine.commands == [(b"SET", b"a", b"1")], "the page cache still shows it"
    assert second.synced_seq >= 1

    image = crash_image(again.trace, again.trace.seq, harshest)
    _, survivor = opened(SimulatedDisk(image))
    assert survivor.commands == machine.commands, "what the second owner called synced is gone"


def test_debris_that_somebody_else_has_just_removed_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the child does that merged for an owner which was killed, once it notices."""
    Engine(tmp_path, Keyspace()).close()
    debris = tmp_path / "appendonlydir" / "temp-appendonly.aof.1.base.dkv"
    debris.write_bytes(b"half a base")
    remove = PosixFilesystem.remove

    def twice(self: PosixFilesystem, name: str, /) -> None:
        if name == debris.name:
            remove(self, name)
        remove(self, name)

    monkeypatch.setattr(PosixFilesystem, "remove", twice)
    Engine(tmp_path, Keyspace()).close()
    assert not debris.exists()
