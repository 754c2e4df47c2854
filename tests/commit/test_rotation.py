"""The promise: a rotation weakens nothing (C5, C6).  The old segment is synced before the manifest names its successor,
and the successor is whole before the manifest names it; a full disk refuses the batch that needs a new segment, and
nothing else.

Method: read the order of the calls from the simulated disk's trace, and fail or stop each of them in turn.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from itertools import pairwise

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import DiskFull, Poisoned
from durakv.options import Options
from durakv_formats.frame import HEADER_BYTES
from durakv_formats.manifest import decode_manifest
from durakv_fuzz.choose import Seeded, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Operation
from tests.support import Pipeline, numbers, open_engine, put, read_log

WRITTEN, SYNCED = Durability.WRITTEN, Durability.SYNCED
OLD, NEW = "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"


def since(disk: SimulatedDisk, index: int) -> Iterator[Operation]:
    return iter(disk.trace.operations[index:])


def only(operations: Iterator[Operation], kind: Kind, name: str) -> Operation:
    found = [operation for operation in operations if operation.kind is kind and operation.name == name]
    assert len(found) == 1, f"expected one {kind} of {name}, saw {[str(operation) for operation in found]}"
    return found[0]


@pytest.mark.parametrize("prepared", [True, False])
@pytest.mark.parametrize("policy", list(FsyncPolicy))
def test_the_manifest_names_a_segment_only_when_it_and_the_old_one_are_durable(
    prepared: bool, policy: FsyncPolicy
) -> None:
    disk = SimulatedDisk()
    pipeline = Pipeline(disk, options=Options(fsync=policy, segment_bytes=4096))
    commit = pipeline.commit
    begin = len(disk.trace.operations)
    pipeline.reach(pipeline.append(put(1)), WRITTEN)
    pipeline.append(put(2))
    if prepared:
        work = commit.claim_preparation(early=True)
        assert work is not None
        pipeline.do(work)
    rotation = commit.claim_rotation(3900, 0.0)
    assert rotation is not None
    pipeline.do(rotation)
    trimming = commit.claim_trim()
    assert trimming is not None
    pipeline.do(trimming)

    renamed = next(o for o in since(disk, begin) if o.kind is Kind.RENAME and o.new_name == MANIFEST_NAME)
    old_synced = only(since(disk, begin), Kind.SYNC, OLD)
    last_write = [o for o in since(disk, begin) if o.name == OLD and o.kind in (Kind.WRITE, Kind.WRITE_THROUGH)][-1]
    created = only(since(disk, begin), Kind.CREATE, NEW)
    zeroed = only(since(disk, begin), Kind.SYNC, NEW)
    opened = only(since(disk, begin), Kind.WRITE_THROUGH, NEW)
    assert last_write.end < old_synced.start, "the sync covers everything that was written to the old segment"
    assert old_synced.end < renamed.start, "the old segment is synced before the manifest names the new one"
    assert created.end < zeroed.start < zeroed.end < renamed.start
    assert opened.end < renamed.start, "the opening frame is durable before the manifest names the segment"
    assert any(
        created.end < o.start and o.end < renamed.start for o in since(disk, begin) if o.kind is Kind.SYNC_DIRECTORY
    ), "its name is durable before the manifest names it"
    published = next(o for o in since(disk, begin) if o.kind is Kind.SYNC_DIRECTORY and o.start > renamed.end)
    assert only(since(disk, begin), Kind.TRUNCATE, OLD).start > published.end, "trimmed only when it is sealed"
    assert pipeline.positions == (2, 2, 2)

    manifest = decode_manifest(disk.image().files[MANIFEST_NAME])
    sealed, current = manifest.segments
    assert (sealed.name, sealed.last, sealed.bytes) == (OLD, 2, len(disk.image().files[OLD]))
    assert (current.name, current.first, current.last) == (NEW, 3, None)
    assert manifest.synced_seq == 2
    pipeline.reach(pipeline.append(put(3)), SYNCED)
    assert len(read_log(disk.image(), 1, 2)[0]) == 3


def test_a_batch_larger_than_a_segment_gets_one_of_its_own_size() -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk)
    engine.apply(put(1))
    engine.apply(put(2, 100_000))
    engine.apply(put(3))
    names = [name for name in disk.list() if name.endswith(".incr.aof")]
    assert len(names) == 3
    assert len(disk.image().files[names[1]]) < 101_000, "the segment is as large as its batch"
    engine.close()
    again = open_engine(disk)
    assert numbers(again.journal) == [1, 2, 3]
    assert again.journal.commands == journal.commands
    again.engine.close()


def test_a_prepared_segment_that_is_too_small_is_given_up_and_removed() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 2500))
    assert engine.step(), "more than half full: the next segment is prepared"
    assert NEW in disk.list()
    engine.apply(put(2, 9000))
    manifest = decode_manifest(disk.image().files[MANIFEST_NAME])
    assert manifest.segments[0].seq == 1
    assert {name for name in disk.list() if name.endswith(".incr.aof")} == {s.name for s in manifest.segments}
    engine.close()
    assert numbers(open_engine(disk).journal) == [1, 2]


def test_the_next_segment_is_prepared_ahead_of_need_and_used() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 1000))
    assert not engine.step(), "not half full yet"
    engine.apply(put(2, 1500))
    assert engine.step()
    assert not engine.step(), "one is enough"
    begin = len(disk.trace.operations)
    engine.apply(put(3, 2000))
    assert engine.status().rotations == 1
    assert not [o for o in since(disk, begin) if o.kind is Kind.CREATE and o.name.endswith(".incr.aof")]
    engine.close()


def test_a_prepared_segment_that_was_not_needed_is_removed_by_close() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 2500))
    assert engine.step()
    engine.close()
    assert NEW not in disk.list()


def fill(disk: SimulatedDisk, room: int = 0) -> None:
    """Leave so many bytes of room on the disk."""
    disk.capacity_bytes = sum(len(data) for data in disk.image().files.values()) + room


def segments_of(disk: SimulatedDisk) -> set[str]:
    return {name for name in disk.list() if "incr" in name or name.startswith("temp-")}


@pytest.mark.parametrize("room", [0, 500, 4096])
def test_a_full_disk_refuses_the_batch_that_needs_a_new_segment_and_nothing_else(room: int) -> None:
    """With room for the segment but not for the manifest (4096) the swap is what fails."""
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk)
    engine.apply(put(1, 3000))
    before = segments_of(disk)
    fill(disk, room)
    for _ in range(3):
        with pytest.raises(DiskFull, match="simulated disk: no room for"):
            engine.apply(put(2, 3000))
        assert numbers(journal) == [1]
        assert engine.applied_seq == engine.synced_seq == 1
    status = engine.status()
    assert status.healthy
    assert status.poisoned is None
    assert (status.unsynced_commands, status.unsynced_bytes, status.pending_bytes) == (0, 0, 0)
    assert engine.apply(put(3, 500)) == [2], "what fits into the current segment is still taken"
    if room < 4096:
        assert segments_of(disk) == before, "nothing half made is left"
    disk.capacity_bytes = None
    assert engine.apply(put(4, 3000)) == [3]
    assert numbers(open_engine(SimulatedDisk(disk.image())).journal) == [1, 3, 4]
    engine.close()
    assert numbers(open_engine(disk).journal) == [1, 3, 4]


def test_a_full_disk_met_while_preparing_is_told_only_when_the_segment_is_needed() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 2500))
    fill(disk)
    engine.step()
    assert engine.status().healthy
    assert engine.apply(put(2, 200)) == [2]
    with pytest.raises(DiskFull):
        engine.apply(put(3, 2500))
    disk.capacity_bytes = None
    assert engine.apply(put(4, 2500)) == [3]
    engine.close()


def test_a_rotation_that_could_not_happen_writes_and_syncs_what_was_pending() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO)
    receipt = engine.submit(put(1, 3000), SYNCED)
    fill(disk)
    with pytest.raises(DiskFull):
        engine.submit(put(2, 3000))
    assert receipt.done()
    image = crash_image(disk.trace, disk.trace.seq, harshest)
    assert numbers(open_engine(SimulatedDisk(image)).journal) == [1]
    disk.capacity_bytes = None
    engine.close()


def test_closing_on_a_full_disk_finds_its_room_in_the_log() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 1000))
    fill(disk)
    engine.close()
    disk.capacity_bytes = None
    again = open_engine(disk)
    assert again.engine.report.clean
    assert numbers(again.journal) == [1]
    again.engine.close()


def test_closing_on_a_disk_without_any_room_says_so_and_loses_nothing() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 4096 - 2 * HEADER_BYTES - 40))
    fill(disk)
    with pytest.raises(DiskFull, match="no room for a new manifest"):
        engine.close()
    engine.close()
    disk.capacity_bytes = None
    again = open_engine(disk)
    assert not again.engine.report.clean
    assert numbers(again.journal) == [1]
    again.engine.close()


def rotation_calls() -> int:
    """How many calls a rotation makes that can fail."""
    disk = SimulatedDisk()
    engine = open_engine(disk).engine
    engine.apply(put(1, 3000))
    calls = 0

    def count(operation: Operation) -> None:
        nonlocal calls
        calls += 1

    disk.faults = count
    engine.apply(put(2, 3000))
    disk.faults = None
    engine.close()
    return calls


@pytest.mark.parametrize("error", [errno.EIO, errno.EMFILE, errno.EACCES])
@pytest.mark.parametrize("after", [AfterFailedSync.KEPT, AfterFailedSync.REVERTED])
def test_whatever_fails_in_a_rotation_poisons_and_loses_nothing(error: int, after: AfterFailedSync) -> None:
    poisoned = 0
    calls = rotation_calls()
    assert calls > 12
    for index in range(calls):
        disk = SimulatedDisk()
        engine, journal, _ = open_engine(disk)
        engine.apply(put(1, 3000))
        disk.faults = fail_nth(index, Fault(error, after=after))
        try:
            engine.apply(put(2, 3000))
        except Poisoned:
            poisoned += 1
            assert engine.synced_seq == 1
            assert engine.read(journal.freeze), "reads go on"
            with pytest.raises(Poisoned):
                engine.submit(put(3))
        acknowledged = engine.synced_seq
        for choose in (harshest, kindest, Seeded(index)):
            image = crash_image(disk.trace, disk.trace.seq, choose)
            recovered = numbers(open_engine(SimulatedDisk(image)).journal)
            assert recovered == [1, 2][: len(recovered)]
            assert len(recovered) >= acknowledged
    assert poisoned > 8


def test_a_crash_at_any_point_of_a_rotation_loses_nothing() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1, 3000))
    begin = disk.trace.seq
    engine.apply(put(2, 3000))
    engine.apply(put(3, 100))
    timeline = Timeline(disk.trace)
    for crash_seq in range(begin, disk.trace.seq + 1):
        for model, choose in (
            (Model.POWER_LOSS, harshest),
            (Model.POWER_LOSS, kindest),
            (Model.POWER_LOSS, Seeded(crash_seq)),
            (Model.PROCESS_CRASH, harshest),
        ):
            image = crash_image(timeline, crash_seq, choose, model=model)
            recovered = open_engine(SimulatedDisk(image))
            got = numbers(recovered.journal)
            assert got == [1, 2, 3][: len(got)]
            assert len(got) >= 1
            recovered.engine.close()


def test_numbers_go_on_across_segments() -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk)
    for number in range(1, 41):
        batch = put(number, 700) if number % 4 else [*put(number, 300), [b"extra"], [b"more"]]
        engine.apply(batch)
    assert engine.status().rotations >= 5
    assert engine.applied_seq == len(journal.commands) == 30 + 10 * 3
    while engine.step():
        pass
    image = disk.image()
    segments = decode_manifest(image.files[MANIFEST_NAME]).segments
    for one, other in pairwise(segments):
        assert one.last is not None
        assert other.first == one.last + 1
        assert len(image.files[one.name]) == one.bytes, "a sealed segment is trimmed"
    commands, _ = read_log(image, *(segment.seq for segment in segments))
    assert commands == journal.commands
    engine.close()


def test_an_explicit_rotation_of_an_empty_segment_is_none() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    begin = len(disk.trace.operations)
    assert engine._runner.rotate() == 0
    assert len(disk.trace.operations) == begin
    engine.apply(put(1))
    told: list[int] = []
    assert engine._runner.rotate(told.append) == 1
    assert told == [1]
    assert engine.status().rotations == 1
    assert engine._runner.rotate(told.append) == 1
    assert engine.status().rotations == 1
    engine.close()


def test_a_segment_too_small_for_the_frame_of_its_batch_is_never_chosen() -> None:
    """The edge: a batch that fits exactly, and one that is a byte larger."""
    for surplus, rotations in ((0, 0), (1, 1)):
        disk = SimulatedDisk()
        engine, _, _ = open_engine(disk)
        empty = len(b"*3\r\n$3\r\nput\r\n$1\r\n1\r\n$3000\r\n\r\n")
        engine.apply(put(1, 4096 - 2 * HEADER_BYTES - empty + surplus))
        assert engine.status().rotations == rotations
        engine.apply(put(2))
        engine.close()
        assert numbers(open_engine(disk).journal) == [1, 2]


def test_without_background_work_few_sealed_segments_wait_to_be_trimmed_and_none_after_a_close() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    for number in range(1, 61):
        engine.apply(put(number, 700))

    def untrimmed() -> list[str]:
        image = disk.image()
        segments = decode_manifest(image.files[MANIFEST_NAME]).segments
        return [one.name for one in segments if one.bytes is not None and len(image.files[one.name]) != one.bytes]

    assert engine.status().rotations > 8
    assert 1 <= len(untrimmed()) <= 4
    engine.close()
    assert untrimmed() == []
