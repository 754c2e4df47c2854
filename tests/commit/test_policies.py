"""The promise: each policy syncs when it says so (C3 to C5), a change of policy weakens nothing (C6), and the status
tells the exposure truly, above all when the disk is late (C4).

Method: a clock that moves only when told, an engine without threads, and the simulated disk's trace of what was synced
when.  Nothing sleeps.
"""

from __future__ import annotations

from typing import Any

import pytest

from durakv.clock import ManualClock
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import Limit
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault
from durakv_fuzz.model import crash_image
from durakv_fuzz.trace import Kind, Operation
from tests.support import Opened, numbers, open_engine, put

ALWAYS, EVERYSEC, NO = FsyncPolicy.ALWAYS, FsyncPolicy.EVERYSEC, FsyncPolicy.NO
APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED


def opened(policy: FsyncPolicy, **options: Any) -> tuple[SimulatedDisk, Opened]:
    clock = ManualClock()
    disk = SimulatedDisk(clock=clock)
    return disk, open_engine(disk, fsync=policy, clock=clock, segment_bytes=1 << 16, **options)


def survivors(disk: SimulatedDisk) -> list[int]:
    """What the harshest power loss of now leaves."""
    return numbers(open_engine(SimulatedDisk(crash_image(disk.trace, disk.trace.seq, harshest))).journal)


@pytest.mark.parametrize(("policy", "level"), [(ALWAYS, SYNCED), (EVERYSEC, WRITTEN), (NO, WRITTEN)])
def test_a_call_that_names_no_level_waits_for_the_one_of_its_policy(policy: FsyncPolicy, level: Durability) -> None:
    disk, (engine, _, _) = opened(policy)
    assert engine.fsync is policy
    engine.apply(put(1))
    assert engine.written_seq == 1
    assert engine.synced_seq == (1 if level is SYNCED else 0)
    assert engine.submit(put(2)).durability is level
    assert survivors(disk) == ([1] if level is SYNCED else [])
    engine.close()


@pytest.mark.parametrize("policy", list(FsyncPolicy))
def test_a_call_may_ask_for_any_level_under_any_policy(policy: FsyncPolicy) -> None:
    disk, (engine, _, _) = opened(policy)
    engine.apply(put(1), APPLIED)
    assert (engine.applied_seq, engine.written_seq, engine.synced_seq) == (1, 0, 0)
    engine.apply(put(2), WRITTEN)
    assert (engine.applied_seq, engine.written_seq, engine.synced_seq) == (2, 2, 0)
    engine.apply(put(3), SYNCED)
    assert (engine.applied_seq, engine.written_seq, engine.synced_seq) == (3, 3, 3)
    assert survivors(disk) == [1, 2, 3]
    engine.close()


@pytest.mark.parametrize("policy", list(FsyncPolicy))
def test_sync_covers_everything_before_it_and_read_holds_its_answer_back(policy: FsyncPolicy) -> None:
    disk, (engine, journal, _) = opened(policy)
    for number in range(1, 4):
        engine.submit(put(number), APPLIED)
    assert engine.read(lambda: numbers(journal)) == [1, 2, 3]
    assert survivors(disk) == []
    assert engine.read(lambda: numbers(journal), WRITTEN) == [1, 2, 3]
    assert engine.written_seq == 3
    assert engine.read(lambda: numbers(journal), SYNCED) == [1, 2, 3]
    assert survivors(disk) == [1, 2, 3], "C14: the answer depends on nothing that a crash may take back"
    engine.submit(put(4), APPLIED)
    engine.sync()
    assert survivors(disk) == [1, 2, 3, 4]
    engine.sync()
    engine.close()


def test_everysec_owes_a_sync_when_the_oldest_unsynced_write_is_old_enough() -> None:
    disk, (engine, _, clock) = opened(EVERYSEC)
    engine.apply(put(1))
    clock.advance(0.5)
    engine.apply(put(2))
    clock.advance(0.34)
    assert not engine.step(), "0.84 s: not due"
    assert engine.synced_seq == 0
    clock.advance(0.02)
    assert engine.step(), "0.86 s: due"
    assert engine.synced_seq == 2
    assert survivors(disk) == [1, 2]
    assert not engine.step()
    clock.advance(100.0)
    assert not engine.step(), "nothing new, nothing owed"
    assert engine.status().syncs == 1
    engine.close()


def test_everysec_syncs_what_was_only_applied_too() -> None:
    disk, (engine, _, clock) = opened(EVERYSEC)
    engine.submit(put(1), APPLIED)
    clock.advance(0.9)
    while engine.step():
        pass
    assert survivors(disk) == [1]
    engine.close()


def test_a_writer_pays_an_overdue_sync_itself() -> None:
    """The window holds even if nobody ever calls ``step``."""
    disk, (engine, _, clock) = opened(EVERYSEC)
    engine.apply(put(1))
    clock.advance(0.99)
    engine.apply(put(2), APPLIED)
    assert engine.synced_seq == 0
    clock.advance(0.02)
    engine.apply(put(3), APPLIED)
    assert engine.synced_seq == 2, "C4: no write older than a second is left behind when another one is taken"
    assert survivors(disk) == [1, 2]
    engine.close()


def test_a_write_that_arrives_during_a_sync_belongs_to_the_next_one() -> None:
    disk, (engine, _, clock) = opened(EVERYSEC)
    engine.apply(put(1))
    clock.advance(0.9)

    def meanwhile(operation: Operation) -> None:
        disk.during = None
        engine.apply(put(2))
        clock.advance(0.3)

    disk.during = meanwhile
    assert engine.step()
    assert engine.synced_seq == 1
    assert survivors(disk) == [1]
    assert round(engine.status().unsynced_age_seconds, 6) == 0.3
    assert not engine.step(), "the write of then is 0.3 s old"
    clock.advance(0.6)
    assert engine.step()
    assert survivors(disk) == [1, 2]
    engine.close()


def test_a_sync_that_was_missed_during_a_long_one_follows_at_once() -> None:
    disk, (engine, _, clock) = opened(EVERYSEC)
    engine.apply(put(1))
    clock.advance(0.9)

    def meanwhile(operation: Operation) -> None:
        disk.during = None
        engine.apply(put(2))
        clock.advance(2.0)

    disk.during = meanwhile
    assert engine.step()
    assert engine.step()
    assert engine.synced_seq == 2
    engine.close()


def test_when_the_disk_stalls_the_status_says_so_and_writers_would_have_to_wait() -> None:
    disk, (engine, _, clock) = opened(EVERYSEC, stall_seconds=1.0)
    engine.apply(put(1))
    clock.advance(0.9)
    seen: list[str] = []

    def meanwhile(operation: Operation) -> None:
        disk.during = None
        assert engine.committing
        engine.apply(put(2))
        assert engine.status().healthy
        assert not engine.status().stalled
        clock.advance(0.99)
        status = engine.status()
        assert not status.stalled
        assert not status.healthy, "the oldest unsynced write is 1.89 s old (C4)"
        assert round(status.unsynced_age_seconds, 6) == 1.89
        clock.advance(0.02)
        assert engine.status().stalled
        with pytest.raises(BlockingIOError):
            engine.submit(put(3), blocking=False)
        assert (engine.status().unsynced_commands, engine.applied_seq) == (2, 2)
        seen.append("stalled")

    disk.during = meanwhile
    assert engine.step()
    assert seen == ["stalled"]
    status = engine.status()
    assert not status.stalled
    assert status.unsynced_commands == 1
    assert round(status.unsynced_age_seconds, 6) == 1.01
    assert not status.healthy, "the write that came during the stall is late, too"
    assert engine.step()
    assert engine.status().healthy
    engine.close()


@pytest.mark.parametrize("policy", [ALWAYS, NO])
def test_only_everysec_makes_writers_wait_for_a_slow_sync(policy: FsyncPolicy) -> None:
    disk, (engine, _, clock) = opened(policy)
    engine.apply(put(1), WRITTEN)
    called: list[bool] = []

    def meanwhile(operation: Operation) -> None:
        disk.during = None
        clock.advance(60.0)
        called.append(engine.status().stalled)
        engine.submit(put(2), APPLIED, blocking=False)

    disk.during = meanwhile
    engine.sync()
    assert called == [False]
    assert engine.applied_seq == 2
    engine.close()


def test_a_slow_sync_widens_the_window_by_its_own_length_and_not_more() -> None:
    """W is one second plus the sync under way (C4): play a slow disk and look at every instant."""
    clock = ManualClock()
    disk = SimulatedDisk(clock=clock)
    engine, _, _ = open_engine(disk, fsync=EVERYSEC, clock=clock, segment_bytes=1 << 16)
    slow = 0.7

    def plan(operation: Operation) -> Fault | None:
        return Fault(0, seconds=slow) if operation.kind is Kind.SYNC else None

    disk.faults = plan
    written: dict[int, float] = {}
    for number in range(1, 200):
        engine.apply(put(number))
        written[number] = clock.monotonic()
        clock.advance(0.05)
        engine.step()
        oldest = min((at for n, at in written.items() if n > engine.synced_seq), default=clock.monotonic())
        assert clock.monotonic() - oldest <= 1.0 + slow + 0.05
        assert engine.status().unsynced_age_seconds >= clock.monotonic() - oldest - 1e-9, "the status plays it down"
    assert engine.status().syncs > 5
    disk.faults = None
    engine.close()


def test_under_no_nothing_is_synced_by_itself() -> None:
    disk, (engine, _, clock) = opened(NO)
    for number in range(1, 10):
        engine.apply(put(number))
        clock.advance(30.0)
        engine.step()
    assert engine.synced_seq == 0
    assert engine.status().healthy, "it was asked for"
    assert round(engine.status().unsynced_age_seconds, 6) == 270.0
    assert survivors(disk) == []
    engine.close()
    assert survivors(disk) == list(range(1, 10)), "a close syncs under every policy (C5)"


def test_a_change_to_always_covers_what_was_written_before() -> None:
    disk, (engine, _, _) = opened(NO)
    engine.apply(put(1))
    engine.submit(put(2), APPLIED)
    engine.set_fsync("always")
    assert engine.fsync is ALWAYS
    assert survivors(disk) == [1, 2]
    engine.apply(put(3))
    assert survivors(disk) == [1, 2, 3]
    engine.close()


def test_a_change_from_no_to_everysec_pays_the_old_debt() -> None:
    disk, (engine, _, clock) = opened(NO)
    engine.apply(put(1))
    clock.advance(10.0)
    engine.set_fsync(EVERYSEC)
    assert not engine.status().healthy
    assert engine.step()
    assert survivors(disk) == [1]
    assert engine.status().healthy
    engine.close()


def test_a_change_away_from_always_takes_effect_with_the_next_write() -> None:
    _, (engine, _, clock) = opened(ALWAYS)
    engine.apply(put(1))
    engine.set_fsync(NO)
    engine.apply(put(2))
    assert (engine.written_seq, engine.synced_seq) == (2, 1)
    engine.set_fsync(EVERYSEC)
    clock.advance(0.9)
    assert engine.step()
    assert engine.synced_seq == 2
    engine.close()


def test_a_policy_that_does_not_exist_changes_nothing() -> None:
    _, (engine, _, _) = opened(EVERYSEC)
    with pytest.raises(Limit, match="choose 'always', 'everysec' or 'no'"):
        engine.set_fsync("sometimes")
    assert engine.fsync is EVERYSEC
    engine.close()


def test_the_status_tells_what_a_power_loss_of_now_would_take() -> None:
    disk, (engine, _, clock) = opened(NO)
    empty = engine.status()
    assert (empty.unsynced_commands, empty.unsynced_bytes, empty.unsynced_age_seconds) == (0, 0, 0.0)
    engine.apply(put(1), SYNCED)
    assert engine.status().unsynced_commands == 0
    assert engine.status().unsynced_bytes == 0
    clock.advance(1.0)
    start = len(disk.image().files["appendonly.aof.1.incr.aof"].rstrip(b"\0"))
    engine.apply([[b"a"], [b"b"], [b"c"]])
    clock.advance(2.0)
    engine.submit(put(5), APPLIED)
    clock.advance(3.0)
    status = engine.status()
    assert (status.applied_seq, status.written_seq, status.synced_seq) == (5, 4, 1)
    assert status.unsynced_commands == 4
    assert round(status.unsynced_age_seconds, 6) == 5.0
    engine.wait(5, WRITTEN)
    written = len(disk.image().files["appendonly.aof.1.incr.aof"].rstrip(b"\0"))
    assert status.unsynced_bytes == written - start
    assert 0 < status.pending_bytes < status.unsynced_bytes
    assert engine.status().pending_bytes == 0
    engine.sync()
    assert engine.status().unsynced_bytes == 0
    assert engine.status().unsynced_age_seconds == 0.0
    engine.close()


def test_a_submitter_writes_itself_when_too_much_waits_in_memory() -> None:
    _, (engine, _, _) = opened(NO, pending_bytes_max=2048)
    for number in range(1, 20):
        engine.submit(put(number, 500), APPLIED)
        assert engine.status().pending_bytes <= 2048 + 1000
    assert engine.written_seq > 0
    with pytest.raises(BlockingIOError):
        for number in range(10):
            engine.submit(put(number, 500), APPLIED, blocking=False)
    engine.close()
