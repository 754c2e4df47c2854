"""The promise: a base reads back as it was written, in memory bounded by a block; a file that is not exactly what was
written, by one bit or one byte, is never taken for it; and a base that was finished survives a power loss.

Method: real reader and writer over a simulated disk, whose trace shows how the file was written.
"""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv.errors import Corruption, UnsupportedVersion
from durakv.snapshot.reader import READ_BYTES, read_base
from durakv.snapshot.writer import STEP_BYTES, STEP_BYTES_ALONE, BaseWriter
from durakv_formats.snapshot import SnapshotHeader, StoredBlock
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.model import crash_image
from durakv_fuzz.trace import Kind, Operation

IDENTITY = bytes(range(16))
NAME = "appendonly.aof.3.base.dkv"
SLOTS = 16
Block = tuple[int, bytes, int]


def header(*, number: int = 3) -> SnapshotHeader:
    return SnapshotHeader(
        identity=IDENTITY, seq=1000, number=number, slot_count=SLOTS, content="slots", created_ms=1_700_000_000_000
    )


def new_disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    disk.make_root()
    return disk


def write(disk: SimulatedDisk, blocks: list[Block], *, name: str = NAME, number: int = 3) -> int:
    writer = BaseWriter(disk, name, header(number=number))
    for block in blocks:
        writer.block(*block)
    return writer.finish()


def read(disk: SimulatedDisk, name: str = NAME) -> list[StoredBlock]:
    with read_base(disk, name) as reader:
        return list(reader)


def contents(blocks: list[StoredBlock]) -> list[Block]:
    return [(block.slot, block.payload(), block.count) for block in blocks]


def most_unsynced(calls: list[Operation]) -> int:
    """The most bytes that one sync found written since the one before it."""
    most = unsynced = 0
    for operation in calls:
        unsynced = unsynced + operation.size if operation.kind is Kind.WRITE else 0
        most = max(most, unsynced)
    return most


def changed(disk: SimulatedDisk, data: bytes) -> SimulatedDisk:
    other = new_disk()
    file = other.create(NAME)
    file.write_at(data, 0)
    return other


blocks_strategy = st.lists(
    st.tuples(st.integers(0, SLOTS - 1), st.binary(max_size=300), st.integers(0, 1000)), max_size=12
).map(lambda blocks: sorted(blocks, key=lambda block: block[0]))


@given(blocks_strategy)
def test_what_was_written_is_read_back(blocks: list[Block]) -> None:
    disk = new_disk()
    size = write(disk, blocks)
    assert contents(read(disk)) == blocks
    with read_base(disk, NAME) as reader:
        assert reader.header == header()
        for _ in reader:
            pass
        assert reader.offset == reader.size == size


def test_blocks_larger_than_a_read_come_back_whole() -> None:
    blocks = [(slot, random.Random(slot).randbytes(READ_BYTES * slot + slot), slot) for slot in range(4)]
    disk = new_disk()
    write(disk, blocks)
    assert contents(read(disk)) == blocks


def test_a_copied_block_keeps_its_stored_bytes() -> None:
    disk = new_disk()
    write(disk, [(1, b"compresses " * 100, 7), (2, random.Random(0).randbytes(100), 1)])
    old = read(disk)
    writer = BaseWriter(disk, "copy", header(number=4))
    for block in old:
        writer.copy(block)
    writer.finish()
    assert read(disk, "copy") == old
    assert old[0].raw_bytes > len(old[0].stored), "the first one was meant to be compressed"


# --- writing ----------------------------------------------------------------------------------------------------------


def test_small_blocks_are_gathered_and_the_disk_is_synced_as_it_goes() -> None:
    disk = new_disk()
    noise = random.Random(1)
    size = write(disk, [(slot, noise.randbytes(30_000), 1) for slot in range(SLOTS) for _ in range(40)])
    calls = [operation for operation in disk.trace.operations if operation.kind in (Kind.WRITE, Kind.SYNC)]
    writes = [operation.size for operation in calls if operation.kind is Kind.WRITE]
    assert sum(writes) == size
    assert min(writes[:-1]) >= STEP_BYTES
    assert most_unsynced(calls) < 2 * STEP_BYTES, "one sync has to carry too much"
    assert calls[-1].kind is Kind.SYNC


def test_a_sync_carries_more_while_nobody_writes_to_the_log_and_little_once_somebody_does() -> None:
    disk = new_disk()
    noise = random.Random(2)
    blocks = [noise.randbytes(30_000) for _ in range(300)]
    busy = False
    writer = BaseWriter(disk, NAME, header(), busy=lambda: busy)
    for block in blocks[:200]:
        writer.block(0, block, 1)
    alone = [operation for operation in disk.trace.operations if operation.kind in (Kind.WRITE, Kind.SYNC)]
    assert STEP_BYTES_ALONE <= most_unsynced(alone) < 2 * STEP_BYTES_ALONE
    busy = True  # with much gathered that was not yet written
    for block in blocks[200:]:
        writer.block(0, block, 1)
    size = writer.finish()
    calls = [operation for operation in disk.trace.operations if operation.kind in (Kind.WRITE, Kind.SYNC)]
    assert most_unsynced(calls[len(alone) :]) < 2 * STEP_BYTES
    assert calls[-1].kind is Kind.SYNC
    assert sum(operation.size for operation in calls if operation.kind is Kind.WRITE) == size
    assert [payload for _, payload, _ in contents(read(disk))] == blocks


def test_one_large_block_is_synced_in_pieces_too() -> None:
    disk = new_disk()
    write(disk, [(0, random.Random(3).randbytes(1_000_000), 1)])
    calls = [operation for operation in disk.trace.operations if operation.kind in (Kind.WRITE, Kind.SYNC)]
    assert most_unsynced(calls) < 2 * STEP_BYTES


def test_a_finished_base_survives_a_power_loss_once_its_name_does() -> None:
    disk = new_disk()
    blocks = [(1, b"one", 1), (2, b"two" * 1000, 2)]
    write(disk, blocks)
    disk.sync_directory()
    assert contents(read(SimulatedDisk(crash_image(disk.trace, disk.trace.seq, harshest)))) == blocks


def test_an_aborted_base_leaves_nothing() -> None:
    disk = new_disk()
    writer = BaseWriter(disk, NAME, header())
    writer.block(0, random.Random(4).randbytes(2 * STEP_BYTES), 1)
    assert len(disk.image().files[NAME]) > STEP_BYTES
    writer.abort()
    assert disk.list() == []


def test_a_name_that_is_taken_is_not_touched() -> None:
    disk = new_disk()
    write(disk, [(0, b"first", 1)])
    with pytest.raises(FileExistsError):
        BaseWriter(disk, NAME, header())
    assert contents(read(disk)) == [(0, b"first", 1)]


# --- what is not a base -----------------------------------------------------------------------------------------------


def test_no_shorter_file_is_accepted() -> None:
    disk = new_disk()
    write(disk, [(1, b"one", 1), (2, b"two " * 50, 2)])
    whole = disk.image().files[NAME]
    for size in range(len(whole)):
        with pytest.raises(Corruption) as caught:
            read(changed(disk, whole[:size]))
        assert caught.value.name == NAME
        assert caught.value.offset <= size


def test_no_single_flipped_bit_is_ever_accepted() -> None:
    disk = new_disk()
    write(disk, [(1, b"one", 1), (2, b"two " * 50, 2)])
    whole = disk.image().files[NAME]
    for index in range(len(whole)):
        for bit in range(8):
            data = bytearray(whole)
            data[index] ^= 1 << bit
            with pytest.raises((Corruption, UnsupportedVersion)) as caught:
                read(changed(disk, bytes(data)))
            assert isinstance(caught.value, Corruption) or index == 7, "only the version's digit may look like news"


@pytest.mark.parametrize("tail", [b"\0", b"DKVSNAP1", b"*1\r\n$4\r\nPING\r\n"])
def test_nothing_may_follow_the_footer(tail: bytes) -> None:
    disk = new_disk()
    size = write(disk, [(1, b"one", 1)])
    with pytest.raises(Corruption) as caught:
        read(changed(disk, disk.image().files[NAME] + tail))
    assert caught.value.offset == size


def test_a_block_of_another_base_is_refused() -> None:
    disk = new_disk()
    write(disk, [(1, b"one", 1)])
    write(disk, [(1, b"two", 1)], name="other", number=4)
    mine, other = (disk.image().files[name] for name in (NAME, "other"))
    start = read(disk)[0].offset
    # The footers differ as well; what counts is that the block itself is noticed, where it stands.
    with pytest.raises(Corruption, match="another file") as caught:
        read(changed(disk, mine[:start] + other[start:]))
    assert caught.value.offset == start


def test_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(UnsupportedVersion, match=NAME):
        read(changed(new_disk(), b"DKVSNAP2" + bytes(200)))


@pytest.mark.parametrize(
    ("identity", "number", "seq", "reason"),
    [
        (bytes(16), 3, 1000, "belongs to directory"),
        (IDENTITY, 4, 1000, "written as base 3"),
        (IDENTITY, 3, 999, "goes up to number 1000"),
    ],
)
def test_the_base_of_another_place_is_refused(identity: bytes, number: int, seq: int, reason: str) -> None:
    disk = new_disk()
    write(disk, [])
    with read_base(disk, NAME) as reader:
        reader.expect(identity=IDENTITY, number=3, seq=1000)
        with pytest.raises(Corruption, match=reason) as caught:
            reader.expect(identity=identity, number=number, seq=seq)
    assert (caught.value.name, caught.value.remedy != "") == (NAME, True)
