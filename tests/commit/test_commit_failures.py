"""The promise (C7): after a failed write or sync nothing of the failed range is ever acknowledged, no later sync is
believed about it, and a full disk is the one failure that heals in place.

Method: a simulated disk that fails chosen calls, a pipeline driven by hand, and the disk's own trace as the witness of
what was tried again and what was not.
"""

from __future__ import annotations

import errno

import pytest

from durakv.durability import Durability
from durakv.errors import Poisoned
from durakv.log.segment import numbers_given_out_max
from durakv.work import Kind
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.model import crash_image
from durakv_fuzz.trace import Kind as Call
from durakv_fuzz.trace import Operation
from tests.support import Pipeline, put, read_log

WRITTEN, SYNCED = Durability.WRITTEN, Durability.SYNCED
SEGMENT = "appendonly.aof.1.incr.aof"
WRITES = (Call.WRITE, Call.WRITE_THROUGH)


def calls(disk: SimulatedDisk, since: int) -> list[str]:
    return [str(operation.kind) for operation in disk.trace.operations[since:]]


def assert_poisoned(pipeline: Pipeline) -> None:
    """Nothing is taken, nothing is claimed, no position moves."""
    positions = pipeline.positions
    assert pipeline.commit.poison is not None
    with pytest.raises(Poisoned) as caught:
        pipeline.commit.refuse()
    assert caught.value.cause is pipeline.commit.poison
    assert caught.value.__cause__ is pipeline.commit.poison
    for level in (WRITTEN, SYNCED):
        with pytest.raises(Poisoned):
            pipeline.commit.claim(pipeline.commit.applied_seq, level, 0.0)
    with pytest.raises(Poisoned):
        pipeline.commit.claim_sync(0.0)
    with pytest.raises(Poisoned):
        pipeline.commit.claim_rotation(0, 0.0)
    assert pipeline.commit.claim_preparation(early=True) is None
    assert pipeline.positions == positions


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("level", [WRITTEN, SYNCED])
@pytest.mark.parametrize("done", [0, 1, 60, 100])
def test_a_full_disk_on_append_heals_in_place(error: int, level: Durability, done: int) -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), WRITTEN if level is WRITTEN else SYNCED)
    disk.faults = fail_nth(0, Fault(error, done=done, after=AfterFailedSync.DIRTY), kinds=WRITES)
    since = len(disk.trace.operations)
    seq = pipeline.append(put(2))
    work = pipeline.claim(seq, level)
    pipeline.do(work)
    assert calls(disk, since)[1:] == ["truncate", "truncate", "write_at", "sync"]
    assert pipeline.commit.poison is None
    assert pipeline.commit.healed == 1
    assert pipeline.positions == (2, 2, 2), "a healed write is proved by a sync of the whole"
    commands, _ = read_log(crash_image(disk.trace, disk.trace.seq, harshest), 1)
    assert len(commands) == 2
    pipeline.reach(pipeline.append(put(3)), SYNCED)
    assert len(read_log(crash_image(disk.trace, disk.trace.seq, harshest), 1)[0]) == 3


def test_healing_keeps_the_size_that_bounds_the_numbers_given_out() -> None:
    # The next owner retires what the dead one may have told, and knows only the size of the file.
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    disk.faults = fail_nth(0, Fault(errno.ENOSPC), kinds=WRITES)
    pipeline.reach(pipeline.append(put(1)), SYNCED)
    assert pipeline.commit.healed == 1
    told = pipeline.append([[b""]] * 300)
    size = len(disk.image().files[SEGMENT])
    assert size == pipeline.commit.segment.capacity
    assert numbers_given_out_max(first=1, capacity=size) > told


@pytest.mark.parametrize("step", ["truncate", "write_at", "sync"])
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_heal_that_fails_poisons(step: str, error: int) -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), SYNCED)
    broken = False

    def plan(operation: Operation) -> Fault | None:
        nonlocal broken
        if not broken and operation.kind in WRITES:
            broken = True
            return Fault(errno.ENOSPC, done=50)
        return Fault(error) if operation.kind == step else None

    disk.faults = plan
    pipeline.do(pipeline.claim(pipeline.append(put(2)), WRITTEN))
    assert pipeline.positions == (1, 1, 2)
    assert pipeline.commit.healed == 0
    disk.faults = None
    assert_poisoned(pipeline)


@pytest.mark.parametrize("level", [WRITTEN, SYNCED])
@pytest.mark.parametrize("error", [errno.EIO, errno.EINTR, errno.EACCES, errno.EFBIG, errno.EBADF])
def test_any_other_failure_of_a_write_poisons_at_once(level: Durability, error: int) -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), SYNCED)
    disk.faults = fail_nth(0, Fault(error, done=70), kinds=WRITES)
    since = len(disk.trace.operations)
    pipeline.do(pipeline.claim(pipeline.append(put(2)), level))
    assert len(calls(disk, since)) == 1, "no second attempt"
    assert pipeline.positions == (1, 1, 2)
    assert_poisoned(pipeline)


@pytest.mark.parametrize("after", list(AfterFailedSync))
def test_a_failed_sync_is_never_tried_again(after: AfterFailedSync) -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    disk.faults = fail_nth(0, Fault(errno.EIO, after=after), kinds={Call.SYNC})
    pipeline.do(pipeline.claim(1, SYNCED))
    since = len(disk.trace.operations)
    assert pipeline.positions == (0, 1, 1)
    assert_poisoned(pipeline)
    assert not pipeline.commit.reached(1, SYNCED)
    assert calls(disk, since) == []


def test_after_a_failed_sync_what_was_written_is_not_acknowledged_either() -> None:
    # The pages may be gone from the cache (REVERTED): a process crash would take them.
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), SYNCED)
    pipeline.reach(pipeline.append(put(2)), WRITTEN)
    assert pipeline.commit.reached(2, WRITTEN)
    disk.faults = fail_nth(0, Fault(errno.EIO, after=AfterFailedSync.REVERTED), kinds={Call.SYNC})
    pipeline.do(pipeline.claim(2, SYNCED))
    assert len(read_log(disk.image(), 1)[0]) == 1
    assert not pipeline.commit.reached(2, WRITTEN)
    assert pipeline.commit.reached(1, WRITTEN), "what was synced before stays acknowledged"
    assert pipeline.commit.reached(1, SYNCED)


def test_a_write_under_way_while_a_sync_fails_is_not_acknowledged() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    sync = pipeline.claim(1, SYNCED)
    write = pipeline.claim(pipeline.append(put(2)), WRITTEN)
    disk.faults = fail_nth(0, Fault(errno.EIO), kinds={Call.SYNC})
    pipeline.do(sync)
    pipeline.do(write)
    assert pipeline.positions == (0, 1, 2)
    assert_poisoned(pipeline)


def test_a_sync_under_way_while_a_write_fails_is_not_acknowledged() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    sync = pipeline.claim(1, SYNCED)
    write = pipeline.claim(pipeline.append(put(2)), WRITTEN)
    disk.faults = fail_nth(0, Fault(errno.EIO), kinds=WRITES)
    pipeline.do(write)
    pipeline.do(sync)
    assert pipeline.positions == (0, 1, 2)
    assert_poisoned(pipeline)


def test_a_heal_is_not_believed_while_another_sync_may_have_been_told_of_a_failure() -> None:
    # The failed sync marks the pages clean; the heal's own sync then succeeds and proves nothing about them (F5).
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1, size=1500)), WRITTEN)
    sync = pipeline.claim(1, SYNCED)
    write = pipeline.claim(pipeline.append(put(2)), WRITTEN)
    disk.faults = fail_nth(0, Fault(errno.EIO, after=AfterFailedSync.KEPT), kinds={Call.SYNC})
    pipeline.commit.perform(sync)
    disk.faults = fail_nth(0, Fault(errno.ENOSPC), kinds=WRITES)
    pipeline.commit.perform(write)
    pipeline.commit.finish(write)
    survived, _ = read_log(crash_image(disk.trace, disk.trace.seq, harshest), 1)
    assert pipeline.commit.synced_seq <= len(survived)
    pipeline.commit.finish(sync)
    assert_poisoned(pipeline)


@pytest.mark.parametrize("kind", [Kind.WRITE, Kind.WRITE_THROUGH, Kind.SYNC, Kind.ROTATE, Kind.PREPARE])
@pytest.mark.parametrize("begun", [True, False])
def test_work_that_an_exception_interrupts_acknowledges_nothing(kind: Kind, begun: bool) -> None:
    """A signal handler may raise anywhere, before the call, inside it or behind it."""
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    commit = pipeline.commit
    pipeline.reach(pipeline.append(put(1)), SYNCED)
    pipeline.append(put(2))
    if kind is Kind.WRITE:
        work = pipeline.claim(2, WRITTEN)
    elif kind is Kind.WRITE_THROUGH:
        work = pipeline.claim(2, SYNCED)
    elif kind is Kind.SYNC:
        pipeline.reach(2, WRITTEN)
        work = pipeline.claim(2, SYNCED)
    else:
        claimed = commit.claim_rotation(0, 0.0) if kind is Kind.ROTATE else commit.claim_preparation(early=True)
        assert claimed is not None
        work = claimed
    assert work.kind is kind

    def interrupt(operation: Operation) -> Fault | None:
        raise KeyboardInterrupt

    positions = pipeline.positions
    if begun:
        disk.faults = interrupt
        with pytest.raises(KeyboardInterrupt):
            commit.perform(work)
        disk.faults = None
    commit.finish(work)
    assert pipeline.positions == positions
    assert commit.segment is work.segment
    assert_poisoned(pipeline)


def test_the_poison_tells_what_failed_first() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    sync, write = pipeline.claim(1, SYNCED), pipeline.claim(pipeline.append(put(2)), WRITTEN)

    def plan(operation: Operation) -> Fault:
        return Fault(errno.EIO if operation.kind is Call.SYNC else errno.EROFS)

    disk.faults = plan
    pipeline.do(sync)
    pipeline.do(write)
    assert isinstance(pipeline.commit.poison, OSError)
    assert pipeline.commit.poison.errno == errno.EIO
    with pytest.raises(Poisoned, match=r"simulated disk.*failed.*reopen"):
        pipeline.commit.refuse()
