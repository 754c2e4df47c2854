"""The promise: ``synced_seq <= written_seq <= applied_seq``, none ever decreases, and a number counts as synced only
when a sync that began after its write has returned.

Method: claim, perform and finish by hand on a simulated disk, in every order the roles allow, and hold what the
pipeline says against what a power loss at that moment would leave.
"""

from __future__ import annotations

import errno
import random

import pytest

from durakv.durability import Durability
from durakv.work import Kind, Work
from durakv_formats.frame import FrameDecoder
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault
from durakv_fuzz.model import crash_image
from durakv_fuzz.trace import Operation
from tests.support import FRAME_IDENTITY, Pipeline, put, read_log

APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED


def survivors(disk: SimulatedDisk) -> int:
    """How many commands the harshest power loss leaves."""
    commands, _ = read_log(crash_image(disk.trace, disk.trace.seq, harshest), 1)
    assert [int(command[1]) for command in commands] == list(range(1, len(commands) + 1)), "not a prefix"
    return len(commands)


def test_a_durable_write_of_a_lone_writer_is_one_call() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    seq = pipeline.append(put(1))
    assert pipeline.positions == (0, 0, 1)
    work = pipeline.claim(seq, SYNCED)
    assert work.kind is Kind.WRITE_THROUGH
    before = len(disk.trace.operations)
    pipeline.do(work)
    assert [str(operation.kind) for operation in disk.trace.operations[before:]] == ["write_through"]
    assert pipeline.positions == (1, 1, 1)
    assert survivors(disk) == 1


def test_a_write_says_nothing_about_the_disk() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    seq = pipeline.append(put(1))
    work = pipeline.claim(seq, WRITTEN)
    assert work.kind is Kind.WRITE
    pipeline.do(work)
    assert pipeline.positions == (0, 1, 1)
    assert pipeline.commit.reached(seq, WRITTEN)
    assert not pipeline.commit.reached(seq, SYNCED)
    assert survivors(disk) == 0
    assert len(read_log(disk.image(), 1)[0]) == 1, "a process crash keeps it (C2)"


def test_after_unsynced_writes_a_durable_write_syncs_the_file_and_not_just_its_own_range() -> None:
    # A write-through covers its own range only; with an unsynced write before it, it would vouch for a hole.
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    seq = pipeline.append(put(2))
    work = pipeline.claim(seq, SYNCED)
    assert work.kind is Kind.WRITE
    pipeline.do(work)
    work = pipeline.claim(seq, SYNCED)
    assert work.kind is Kind.SYNC
    pipeline.do(work)
    assert pipeline.positions == (2, 2, 2)
    assert survivors(disk) == 2


def test_everything_that_is_pending_goes_into_one_write() -> None:
    pipeline = Pipeline(SimulatedDisk())
    for number in range(1, 6):
        pipeline.append(put(number))
    work = pipeline.claim(1, SYNCED)
    assert work.target == 5
    pipeline.do(work)
    assert pipeline.positions == (5, 5, 5)
    assert (pipeline.commit.writes, pipeline.commit.syncs) == (1, 1)


def test_there_is_one_writer_at_a_time() -> None:
    pipeline = Pipeline(SimulatedDisk())
    first = pipeline.claim(pipeline.append(put(1)), WRITTEN)
    seq = pipeline.append(put(2))
    assert pipeline.commit.claim(seq, WRITTEN, 0.0) is None
    assert pipeline.commit.claim(seq, SYNCED, 0.0) is None
    pipeline.do(first)
    assert pipeline.claim(seq, WRITTEN).target == 2


def test_there_is_one_sync_at_a_time_and_writes_go_on_beside_it() -> None:
    pipeline = Pipeline(SimulatedDisk())
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    sync = pipeline.claim(1, SYNCED)
    assert sync.kind is Kind.SYNC
    assert pipeline.commit.claim(1, SYNCED, 0.0) is None
    seq = pipeline.append(put(2))
    write = pipeline.claim(seq, SYNCED)
    assert write.kind is Kind.WRITE, "a durable write needs both roles"
    pipeline.do(write)
    assert pipeline.positions == (0, 2, 2)
    assert pipeline.commit.claim(seq, SYNCED, 0.0) is None
    pipeline.do(sync)
    assert pipeline.positions == (1, 2, 2)


def test_a_sync_vouches_for_nothing_that_was_written_while_it_ran() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    sync = pipeline.claim(1, SYNCED)

    def write_meanwhile(operation: Operation) -> None:
        disk.during = None
        pipeline.reach(pipeline.append(put(2)), WRITTEN)

    disk.during = write_meanwhile
    pipeline.do(sync)
    assert pipeline.positions == (1, 2, 2)
    assert survivors(disk) == 1
    pipeline.reach(2, SYNCED)
    assert survivors(disk) == 2


def test_a_rotation_holds_both_roles() -> None:
    pipeline = Pipeline(SimulatedDisk())
    pipeline.append(put(1))
    rotation = pipeline.commit.claim_rotation(4000, 0.0)
    assert rotation is not None
    assert pipeline.commit.claim(1, WRITTEN, 0.0) is None
    assert pipeline.commit.claim(1, SYNCED, 0.0) is None
    assert pipeline.commit.claim_rotation(4000, 0.0) is None
    assert not pipeline.commit.room(0), "a batch appended now would name the old segment"
    pipeline.do(rotation)
    assert pipeline.positions == (1, 1, 1)
    assert pipeline.commit.segment.number == 2


@pytest.mark.parametrize("busy", ["writing", "syncing", "preparing"])
def test_a_rotation_waits_for_work_under_way(busy: str) -> None:
    pipeline = Pipeline(SimulatedDisk())
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    pipeline.append(put(2))
    work: Work | None
    if busy == "writing":
        work = pipeline.claim(2, WRITTEN)
    elif busy == "syncing":
        work = pipeline.claim(1, SYNCED)
    else:
        work = pipeline.commit.claim_preparation(early=True)
    assert work is not None
    assert getattr(pipeline.commit.supply if busy == "preparing" else pipeline.commit, busy)
    assert pipeline.commit.claim_rotation(0, 0.0) is None
    pipeline.do(work)
    assert pipeline.commit.claim_rotation(0, 0.0) is not None


def test_every_frame_carries_the_synced_seq_known_when_it_was_numbered() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    known: list[int] = []
    for number in range(1, 13):
        known.append(pipeline.commit.synced_seq)
        seq = pipeline.append(put(number))
        pipeline.reach(seq, (APPLIED, WRITTEN, SYNCED)[number % 3])
    pipeline.reach(12, SYNCED)
    decoder = FrameDecoder(FRAME_IDENTITY, 1)
    decoder.feed(disk.image().files["appendonly.aof.1.incr.aof"])
    opening = decoder.next_frame()
    assert opening is not None
    assert opening.is_opening
    for promised in known:
        frame = decoder.next_frame()
        assert frame is not None
        assert frame.synced_seq == promised
    assert len(set(known)) > 3, "the test must see different promises"


def test_numbers_count_commands_and_are_contiguous() -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk)
    assert pipeline.append([[b"a"], [b"b"], [b"c"]]) == 3
    assert pipeline.append([[b"d"]]) == 4
    assert pipeline.append([[b"e"], [b"f"]]) == 6
    pipeline.reach(6, SYNCED)
    commands, end = read_log(disk.image(), 1)
    assert [command[0] for command in commands] == [b"a", b"b", b"c", b"d", b"e", b"f"]
    assert (end.last, end.batches, end.commands) == (6, 3, 6)


@pytest.mark.parametrize("seed", range(40))
def test_no_order_of_steps_breaks_the_positions(seed: int) -> None:
    """Append, claim, perform and finish at random, sometimes with a failing disk, and check after each step."""
    dice = random.Random(seed)
    failing = seed % 3 == 0

    def plan(operation: Operation) -> Fault | None:
        if not failing or not started or dice.random() > 0.04:
            return None
        return Fault(dice.choice([errno.EIO, errno.ENOSPC]), done=dice.randrange(200))

    started = False
    disk = SimulatedDisk(faults=plan)
    pipeline = Pipeline(disk, capacity=1 << 16)
    started = True
    commit = pipeline.commit
    claimed: list[Work] = []
    performed: list[Work] = []
    promised = (0, 0, 0)
    for _ in range(120):
        action = dice.randrange(4)
        if action == 0 and commit.poison is None:
            pipeline.append(put(commit.applied_seq + 1, dice.randrange(40)))
        elif action == 1 and commit.poison is None and commit.applied_seq:
            work = commit.claim(dice.randint(1, commit.applied_seq), dice.choice([WRITTEN, SYNCED]), 0.0)
            if work is not None:
                claimed.append(work)
        elif action == 2 and claimed:
            work = claimed.pop(dice.randrange(len(claimed)))
            commit.perform(work)
            performed.append(work)
        elif action == 3 and performed:
            commit.finish(performed.pop(dice.randrange(len(performed))))
        positions = pipeline.positions
        assert positions[0] <= positions[1] <= positions[2]
        assert all(now >= then for now, then in zip(positions, promised, strict=True)), "a position decreased"
        if commit.poison is not None:
            assert positions[:2] == promised[:2], "a position moved after the poison"
        promised = positions
        assert sum(work.kind is not Kind.SYNC for work in claimed + performed) <= 1, "two writers"
        assert sum(work.kind is not Kind.WRITE for work in claimed + performed) <= 1, "two syncs"
        assert survivors(disk) >= commit.synced_seq, "synced_seq promises what a power loss takes"
        if commit.poison is None:
            assert len(read_log(disk.image(), 1)[0]) >= commit.written_seq
    assert commit.poison is not None or commit.applied_seq > 10, "the walk must get somewhere"
