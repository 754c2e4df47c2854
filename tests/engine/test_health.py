"""The promise: the status says in one word whether somebody has to look at the engine and whether a restart would help,
in sentences why and what to do, and it says so whatever state the engine is in.

Method: bring an engine on a simulated disk into each of these states.
"""

from __future__ import annotations

import errno

import pytest

import durakv
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import DiskFull, DurakvError, Poisoned
from durakv.health import Health
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.trace import Kind, Operation
from tests.support import Opened, open_engine, put


def health(opened: Opened) -> tuple[Health, str]:
    status = opened.engine.status()
    return status.health, "; ".join(status.reasons)


def test_a_quiet_engine_is_ok_and_has_no_reasons() -> None:
    opened = open_engine(SimulatedDisk())
    opened.engine.apply(put(1))
    assert health(opened) == (Health.OK, "")
    assert opened.engine.status().healthy
    opened.engine.close()


def test_a_closed_engine_is_dead_and_says_so_after_a_forced_close_too() -> None:
    opened = open_engine(SimulatedDisk())
    opened.engine.close()
    assert health(opened) == (Health.DEAD, "the engine is closed; open the directory again")
    assert not opened.engine.status().healthy
    opened = open_engine(SimulatedDisk())
    opened.engine.abort()
    word, why = health(opened)
    assert word is Health.DEAD
    assert "by force" in why
    assert opened.engine.status().poisoned is None, "no failure came"


def test_a_failed_sync_is_death_with_its_cause() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk)
    disk.faults = fail_nth(0, Fault(errno.EIO), kinds=(Kind.WRITE_THROUGH,))
    with pytest.raises(Poisoned):
        opened.engine.apply(put(1))
    word, why = health(opened)
    assert word is Health.DEAD
    assert "Input/output error" in why
    assert "open the directory again" in why


@pytest.mark.parametrize(
    ("policy", "word"), [(FsyncPolicy.EVERYSEC, "writers wait"), (FsyncPolicy.ALWAYS, "is 3.0 s old")]
)
def test_a_disk_that_hangs_degrades_while_it_does(policy: FsyncPolicy, word: str) -> None:
    seen: list[tuple[Health, str]] = []

    disk = SimulatedDisk()
    opened = open_engine(disk, fsync=policy)

    def during(operation: Operation) -> None:
        if operation.kind in (Kind.SYNC, Kind.WRITE_THROUGH):
            opened.clock.advance(3.0)
            seen.append(health(opened))

    disk.during = during
    opened.engine.apply(put(1), Durability.SYNCED)
    disk.during = None
    assert len(seen) == 1
    assert seen[0][0] is Health.DEGRADED
    assert word in seen[0][1]
    assert health(opened) == (Health.OK, "")
    opened.engine.close()


def test_no_room_for_the_next_segment_degrades_until_there_is() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk)
    opened.engine.apply(put(1, 2500))
    disk.capacity_bytes = sum(len(data) for data in disk.image().files.values())
    with pytest.raises(DiskFull):
        opened.engine.apply(put(2, 3000))
    word, why = health(opened)
    assert word is Health.DEGRADED
    assert "free some space" in why
    assert opened.engine.status().healthy, "every promise is kept"
    disk.capacity_bytes = None
    opened.engine.apply(put(3, 3000))
    assert health(opened) == (Health.OK, "")
    opened.engine.close()


def test_rewrites_that_fail_again_and_again_degrade_until_one_succeeds() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk)
    opened.engine.apply(put(1))
    disk.capacity_bytes = sum(len(data) for data in disk.image().files.values())
    for failures in range(1, 4):
        with pytest.raises(DurakvError):
            opened.engine.rewrite()
        word, why = health(opened)
        assert word is (Health.OK if failures < 3 else Health.DEGRADED)
    assert "3 rewrites in a row have failed" in why
    disk.capacity_bytes = None
    opened.engine.rewrite()
    assert health(opened) == (Health.OK, "")
    opened.engine.close()


def test_a_forked_or_closed_engine_answers_probes_without_the_disk() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk)
    opened.engine.close()
    calls = disk.trace.seq
    assert opened.engine.status().health is durakv.Health.DEAD
    assert disk.trace.seq == calls
