"""The promise: a full disk is DiskFull, never a half-made change: the directory is as it was, and once there is room
everything goes on.

Method: a simulated disk that holds so many bytes and no more, for every amount that can make a difference, while a
directory is opened, written, repaired and exported; then room is made and the same is tried again.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from durakv.errors import Corruption, DiskFull, DurakvError, Poisoned
from durakv.repair import repair
from durakv.repair_plan import Remedy
from durakv.storage.replace import atomic_replace
from durakv.verification import Severity
from durakv.verify import verify
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.badinput.places import Files, abandoned_directory, closed_directory, files_of, read
from tests.support import numbers, open_engine, put

SEGMENT_BYTES = 4096


def used(files: Files) -> int:
    return sum(map(len, files.values()))


@pytest.mark.parametrize("spare", [0, 1, 100, 511, 512, 2048, 4095, 4096, 4100, 4300, 4400])
@pytest.mark.parametrize("make", [closed_directory, lambda: abandoned_directory()[:2]], ids=["closed", "abandoned"])
def test_an_open_for_which_there_is_no_room_leaves_everything_as_it_was(
    make: Callable[[], tuple[Files, list[int]]], spare: int
) -> None:
    files, commands = make()
    disk = SimulatedDisk(Image(dict(files)), capacity_bytes=used(files) + spare)
    refusal: DurakvError | None = None
    try:
        open_engine(disk, segment_bytes=SEGMENT_BYTES)
    except DiskFull as full:
        refusal = full
    if refusal is None:
        assert spare > SEGMENT_BYTES, "a segment is made before anything else"
        return
    assert "simulated disk" in str(refusal)
    assert "free some space" in str(refusal) or "no room" in str(refusal)
    assert files_of(disk) == files
    disk.capacity_bytes = None
    opened = open_engine(disk, segment_bytes=SEGMENT_BYTES)
    assert numbers(opened.journal)[-4:] == commands[-4:]


def test_a_new_directory_for_which_there_is_no_room_can_be_made_later() -> None:
    for capacity in range(0, SEGMENT_BYTES + 400, 50):
        disk = SimulatedDisk(capacity_bytes=capacity)
        refusal: DurakvError | None = None
        try:
            open_engine(disk, segment_bytes=SEGMENT_BYTES)
        except DiskFull as full:
            refusal = full
        if refusal is not None:
            assert verify(disk).ok, "what is there is a beginning, not a wreck"
            disk.capacity_bytes = None
            opened = open_engine(disk, segment_bytes=SEGMENT_BYTES)
            opened.engine.apply(put(1))
            opened.engine.close()


def test_a_write_for_which_there_is_no_room_is_refused_and_those_before_it_kept() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk, segment_bytes=SEGMENT_BYTES)
    disk.capacity_bytes = used(files_of(disk)) + 1000
    taken = 0
    refusal: DurakvError | None = None
    while refusal is None:
        try:
            opened.engine.apply(put(taken + 1, size=300))
            taken += 1
        except DiskFull as full:
            refusal = full
    assert taken > 5, "the segment that is there is filled first"
    assert opened.engine.applied_seq == taken, "what is refused gets no number"
    assert numbers(opened.journal) == list(range(1, taken + 1)), "and is not applied"
    disk.capacity_bytes = None
    opened.engine.apply(put(taken + 1, size=300))
    opened.engine.close()
    again = open_engine(disk, segment_bytes=SEGMENT_BYTES)
    assert numbers(again.journal) == list(range(1, taken + 2))
    assert again.engine.report.cut is None


def test_a_close_for_which_there_is_no_room_loses_nothing() -> None:
    disk = SimulatedDisk()
    opened = open_engine(disk, segment_bytes=SEGMENT_BYTES)
    for number in range(1, 4):
        opened.engine.apply(put(number))
    disk.capacity_bytes = used(files_of(disk))
    try:
        opened.engine.close()
    except (DiskFull, Poisoned):
        assert verify(disk).ok
    disk.capacity_bytes = None
    assert numbers(open_engine(disk).journal) == [1, 2, 3]


def test_a_repair_for_which_there_is_no_room_touches_nothing() -> None:
    files, _ = closed_directory()
    name = "appendonly.aof.2.incr.aof"
    files[name] = files[name][:-1]
    for spare in (0, 100, 400, 700, 800, 1000):
        disk = SimulatedDisk(Image(dict(files)), capacity_bytes=used(files) + spare)
        refusal: Exception | None = None
        try:
            plan = repair(disk, discard_after_damage=True, entropy=lambda size: bytes(size))
        except (DiskFull, OSError) as full:
            refusal = full
        if refusal is None:
            assert plan.remedy is Remedy.DISCARD
            assert read(files_of(disk)).refusal is None
        else:
            assert isinstance(refusal, DiskFull) or getattr(refusal, "errno", 0) == errno.ENOSPC
            kept = {key: data for key, data in files_of(disk).items() if not key.startswith(("broken-", "temp-"))}
            assert kept == files
            assert verify(disk).severity is Severity.CORRUPTION, "as corrupt as before, and no more"
            disk.capacity_bytes = None
            assert repair(disk, discard_after_damage=True).remedy is Remedy.DISCARD


def test_a_file_that_does_not_fit_leaves_the_one_it_would_replace() -> None:
    disk = SimulatedDisk(Image({"target": b"old"}), capacity_bytes=1000)
    with pytest.raises(OSError, match="space"):
        atomic_replace(disk, "target", "temporary", (bytes(400) for _ in range(3)))
    assert files_of(disk) == {"target": b"old"}


def test_a_directory_that_is_corrupt_stays_corrupt_on_a_full_disk() -> None:
    files, _ = closed_directory()
    name = "appendonly.aof.2.incr.aof"
    files[name] = files[name][:-1]
    disk = SimulatedDisk(Image(dict(files)), capacity_bytes=used(files))
    with pytest.raises(Corruption):
        open_engine(disk)
    assert files_of(disk) == files
