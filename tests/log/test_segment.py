"""The promise: a segment is there, whole and full of zeros, before anybody names it, and its size bounds the numbers
that can have been told from it.

Method: make segments on a disk that forgets, and fill them with the smallest commands there are.
"""

from __future__ import annotations

import errno

import pytest

from durakv.errors import DiskFull
from durakv.log.segment import numbers_given_out_max, prepare_segment
from durakv_formats.frame import HEADER_BYTES, FrameDecoder, encode_frame
from durakv_formats.resp import encode_batch
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.image import Image
from durakv_fuzz.model import crash_image

NAME = "appendonly.aof.7.incr.aof"


def test_a_prepared_segment_survives_a_power_loss_as_zeros() -> None:
    disk = SimulatedDisk(Image())
    segment = prepare_segment(disk, 7, 5000)
    assert (segment.name, segment.number, segment.capacity) == (NAME, 7, 5000)
    assert crash_image(disk.trace, disk.trace.seq, harshest).files == {NAME: bytes(5000)}


def test_a_started_segment_survives_with_its_opening_frame() -> None:
    disk = SimulatedDisk(Image())
    segment = prepare_segment(disk, 7, 5000)
    segment.start(seq=41, retired=12, synced_seq=20, identity=0xABC)
    data = crash_image(disk.trace, disk.trace.seq, harshest).files[NAME]
    decoder = FrameDecoder(0xABC, 7)
    decoder.feed(data)
    frame = decoder.next_frame()
    assert frame is not None
    assert frame.is_opening
    assert (frame.seq, frame.count, frame.synced_seq) == (41, 12, 20)
    assert not data[HEADER_BYTES:].strip(b"\0")
    assert (segment.first, segment.retired) == (42, 12)
    assert segment.offset == segment.reserved == HEADER_BYTES


def test_a_segment_is_worthless_until_it_says_something() -> None:
    disk = SimulatedDisk(Image())
    for number, retired in ((1, 0), (2, 5)):
        segment = prepare_segment(disk, number, 4096)
        segment.start(seq=9, retired=retired, synced_seq=0, identity=1)
        assert segment.is_worthless == (retired == 0), "retired numbers are a statement"
        segment.reserved += 1
        assert not segment.is_worthless


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT])
@pytest.mark.parametrize("index", range(4))
def test_no_room_for_a_segment_is_told_by_name_and_leaves_nothing(error: int, index: int) -> None:
    disk = SimulatedDisk(Image(), faults=fail_nth(index, Fault(error)))
    with pytest.raises(DiskFull, match=r"simulated disk: no room for another log segment of 1500000 bytes; free some"):
        prepare_segment(disk, 7, 1_500_000)
    assert disk.list() == []


def test_any_other_failure_is_told_as_it_is_and_leaves_nothing() -> None:
    for index in range(5):
        disk = SimulatedDisk(Image(), faults=fail_nth(index, Fault(errno.EIO)))
        with pytest.raises(OSError, match=r"Input/output"):
            prepare_segment(disk, 7, 1_500_000)
        assert disk.list() == []


@pytest.mark.parametrize("capacity", [4096, 4097, 20_000])
def test_the_size_of_a_segment_bounds_the_numbers_told_from_it(capacity: int) -> None:
    """Whatever way the smallest commands are batched, the last number is below the bound."""
    first = 1000
    for per_batch in (1, 2, 3, 10, 100, 5000):
        reserved, seq = HEADER_BYTES, first - 1
        while (count := min(per_batch, (capacity - reserved - HEADER_BYTES - 29) // 10)) > 0:
            payload = encode_batch([[b""]] * count)
            seq += count
            reserved += len(encode_frame(payload, seq=seq, count=count, synced_seq=0, identity=1, segment=1))
        assert reserved <= capacity
        assert seq > first
        assert seq <= numbers_given_out_max(first=first, capacity=capacity)
