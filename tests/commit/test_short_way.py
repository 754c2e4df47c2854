"""The promise: the short way does what the long way does, or nothing; a store through a window is a write."""

from __future__ import annotations

import errno

import pytest

from durakv.commit import SYNC_AGE_SECONDS
from durakv.durability import Durability, FsyncPolicy
from durakv.options import Options
from durakv.work import Kind
from durakv_formats.resp import encode_batch
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.trace import Kind as Call
from tests.support import Pipeline, numbers, put, read_log

APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED
SEGMENT = "appendonly.aof.1.incr.aof"


def pipeline(policy: FsyncPolicy = FsyncPolicy.EVERYSEC, *, windows: bool = True) -> Pipeline:
    disk = SimulatedDisk()
    disk.windows = windows
    return Pipeline(disk, options=Options(fsync=policy, segment_bytes=4096))


def alone(made: Pipeline, number: int, level: Durability, now: float = 0.0) -> object:
    batch = put(number)
    return made.commit.append_alone(encode_batch(batch), batch, now, level)


def state(made: Pipeline) -> tuple[object, ...]:
    commit = made.commit
    return (*made.positions, commit.logged_bytes, commit.segment.reserved, commit.segment.offset, commit.pending_bytes)


def disk_of(made: Pipeline) -> SimulatedDisk:
    disk = made.directory.filesystem
    assert isinstance(disk, SimulatedDisk)
    return disk


@pytest.mark.parametrize("policy", [FsyncPolicy.EVERYSEC, FsyncPolicy.NO])
def test_a_store_is_a_write(policy: FsyncPolicy) -> None:
    made, long = pipeline(policy), pipeline(policy, windows=False)
    assert alone(made, 1, WRITTEN) is not None
    assert alone(made, 2, WRITTEN) is not None
    assert made.positions == (0, 2, 2)
    assert made.commit.unsynced_age(3.0) == 3.0
    for number in (1, 2):
        long.reach(long.append(put(number)), WRITTEN)
    assert state(made) == state(long)
    assert disk_of(made).image() == disk_of(long).image()
    made.reach(2, SYNCED)
    assert made.positions == (2, 2, 2)
    assert numbers(made.journal) == [1, 2]
    assert len(read_log(disk_of(made).image(), 1)[0]) == 2


def test_a_durable_write_is_claimed_as_on_the_long_way() -> None:
    made, long = pipeline(FsyncPolicy.ALWAYS), pipeline(FsyncPolicy.ALWAYS)
    found = made.commit.append_alone(encode_batch(put(1)), put(1), 0.0, SYNCED)
    assert found is not None
    seq, _, work = found
    assert work is not None
    assert seq == 1
    seq = long.append(put(1))
    other = long.claim(seq, SYNCED)
    for one, two in ((made, work), (long, other)):
        assert one.commit.claim(1, SYNCED, 0.0) is None, "both roles are taken"
        assert two.kind is Kind.WRITE_THROUGH
    assert (work.target, work.data, work.offset, work.logged_bytes) == (
        other.target,
        other.data,
        other.offset,
        other.logged_bytes,
    )
    made.do(work)
    long.do(other)
    assert state(made) == state(long)
    assert made.positions == (1, 1, 1)


def test_whoever_meets_somebody_goes_the_long_way() -> None:
    for level in (WRITTEN, SYNCED):
        made = pipeline()
        made.append(put(1))
        before = state(made)
        assert alone(made, 2, level) is None, "something is pending"
        work = made.claim(1, WRITTEN)
        assert alone(made, 2, level) is None, "somebody writes"
        made.do(work)
        sync = made.commit.claim_sync(0.0)
        assert sync is not None
        assert alone(made, 2, level) is None, "somebody syncs"
        made.do(sync)
        assert made.positions[2] == before[2], "nothing was applied"
        assert alone(made, 2, level) is not None


@pytest.mark.parametrize(
    ("policy", "windows", "level", "now"),
    [
        (FsyncPolicy.EVERYSEC, False, WRITTEN, 0.0),
        (FsyncPolicy.ALWAYS, True, WRITTEN, 0.0),
        (FsyncPolicy.EVERYSEC, True, APPLIED, 0.0),
        (FsyncPolicy.EVERYSEC, True, WRITTEN, SYNC_AGE_SECONDS),
        (FsyncPolicy.EVERYSEC, True, SYNCED, 0.0),
    ],
    ids=["no window", "always", "applied only", "a sync is due", "earlier writes are unsynced"],
)
def test_nothing_is_done_where_the_short_way_is_not_enough(
    policy: FsyncPolicy, windows: bool, level: Durability, now: float
) -> None:
    made = pipeline(policy, windows=windows)
    made.reach(made.append(put(1)), WRITTEN)
    before = state(made)
    assert alone(made, 2, level, now) is None
    assert state(made) == before
    assert numbers(made.journal) == [1]


def test_under_no_it_goes_on_after_the_first_second() -> None:
    made = pipeline(FsyncPolicy.NO)
    assert alone(made, 1, WRITTEN) is not None
    assert alone(made, 2, WRITTEN, now=1000.0) is not None


def test_a_full_segment_and_a_poisoned_log_are_left_to_the_long_way() -> None:
    made = pipeline()
    batch = [[b"SET", b"1", b"x" * 4000]]
    assert made.commit.append_alone(encode_batch(batch), batch, 0.0, WRITTEN) is None
    made.commit.fail(OSError(errno.EIO, "gone"))
    assert alone(made, 1, WRITTEN) is None
    assert made.positions == (0, 0, 0)


def test_what_others_left_pending_is_stored_before_what_comes() -> None:
    made = pipeline()
    made.append(put(1))
    made.append(put(2))
    made.commit.store()
    assert made.positions == (0, 2, 2)
    assert made.commit.pending_bytes == 0
    made.commit.store()
    assert made.commit.writes == 1, "nothing was pending"
    assert len(read_log(disk_of(made).image(), 1)[0]) == 2


def test_nothing_is_stored_beside_a_write() -> None:
    made = pipeline()
    work = made.claim(made.append(put(1)), WRITTEN)
    made.append(put(2))
    made.commit.store()
    assert made.positions == (0, 0, 2)
    made.do(work)
    made.commit.store()
    assert made.positions == (0, 2, 2)
    assert len(read_log(disk_of(made).image(), 1)[0]) == 2


def test_after_a_heal_nothing_is_stored_into_the_hole() -> None:
    made = pipeline()
    disk_of(made).faults = fail_nth(0, Fault(errno.ENOSPC), kinds={Call.WRITE, Call.WRITE_THROUGH})
    made.reach(made.append(put(1)), SYNCED)
    assert made.commit.healed == 1
    assert made.commit.segment.window is None
    assert alone(made, 2, WRITTEN) is None
    made.reach(made.append(put(2)), SYNCED)
    assert len(read_log(disk_of(made).image(), 1)[0]) == 2


def claimed_elsewhere(outcome: OSError | bool) -> tuple[Pipeline, int]:
    """A durable write whose call was made by somebody else, who claimed it the short way."""
    made = pipeline(FsyncPolicy.ALWAYS)
    found = made.commit.append_alone(encode_batch(put(1)), put(1), 0.0, SYNCED)
    assert found is not None
    assert found[2] is not None
    found[2].called = outcome
    made.do(found[2])
    return made, found[0]


def test_a_call_that_failed_elsewhere_is_not_made_again_but_healed_if_the_disk_was_full() -> None:
    made, seq = claimed_elsewhere(OSError(errno.ENOSPC, "full"))
    assert made.commit.reached(seq, SYNCED)
    assert made.commit.healed == 1
    assert len(read_log(disk_of(made).image(), 1)[0]) == 1
    made, seq = claimed_elsewhere(OSError(errno.EIO, "gone"))
    assert isinstance(made.commit.poison, OSError)
    assert not made.commit.reached(seq, SYNCED)
    assert read_log(disk_of(made).image(), 1)[0] == [], "nothing was written after the failure"
