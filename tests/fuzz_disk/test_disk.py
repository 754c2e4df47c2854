"""The promise: the simulated disk is a disk like the real one, and its trace says what was done to it.

Method: the conformance kit, from nothing and from an image; then what only a simulation has: notes, time, threads.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from durakv.clock import ManualClock
from durakv.storage.conformance import check_filesystem
from durakv_fuzz.choose import Recorded, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.model import crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind


def test_the_simulated_disk_conforms() -> None:
    check_filesystem(SimulatedDisk)


def test_a_disk_begins_with_its_image_and_never_changes_it() -> None:
    image = Image({"a": b"1", "b": b"2"})
    disk = SimulatedDisk(image)
    assert disk.exists_root()
    assert disk.list() == ["a", "b"]
    disk.open("a", writable=True).write_at(b"changed", 0)
    disk.remove("b")
    assert disk.image() == Image({"a": b"changed"})
    assert image == Image({"a": b"1", "b": b"2"})


def test_an_image_is_told_by_its_names_its_bytes_and_its_root() -> None:
    images = [
        Image({}),
        NOTHING,
        Image({"a": b""}),
        Image({"a": b"b"}),
        Image({"ab": b""}),
        Image({"a": b"", "b": b""}),
    ]
    assert len({image.digest() for image in images}) == len(images)
    assert len({image.fingerprint() for image in images}) == len(images)
    assert Image({"a": b"1", "b": b"2"}).digest() == Image({"b": b"2", "a": b"1"}).digest()


def test_an_image_can_be_written_to_a_real_directory_and_read_again(tmp_path: Path) -> None:
    image = Image({"a": b"1", "b": b""})
    image.save(tmp_path / "copy")
    assert Image.load(tmp_path / "copy") == image
    NOTHING.save(tmp_path / "nothing")
    assert Image.load(tmp_path / "nothing") == NOTHING


def test_the_trace_keeps_what_changes_the_disk_in_order() -> None:
    disk = SimulatedDisk()
    disk.make_root()
    file = disk.create("a")
    file.write_at(b"data", 0)
    file.read_at(4, 0)
    disk.note("acknowledged", 1)
    file.sync()
    disk.rename("a", "b")
    assert [operation.kind for operation in disk.trace.operations] == [
        Kind.MAKE_ROOT,
        Kind.CREATE,
        Kind.WRITE,
        Kind.SYNC,
        Kind.RENAME,
    ]
    marks = [mark for operation in disk.trace.operations for mark in (operation.start, operation.end)]
    marks.append(disk.trace.notes[0].seq)
    assert sorted(marks) == list(range(disk.trace.seq))
    assert str(disk.trace.operations[2]) == "#4 write_at a [0, 4)"


def test_calls_take_time_on_the_disk_s_clock() -> None:
    clock = ManualClock()
    disk = SimulatedDisk(Image(), clock=clock, faults=fail_nth(0, Fault(0, seconds=2.5), kinds={Kind.SYNC}))
    file = disk.create("a")
    clock.advance(1.0)
    disk.note("before")
    file.sync()
    disk.note("after")
    sync = disk.trace.operations[-1]
    assert (sync.started, sync.ended, sync.error) == (1.0, 3.5, 0)
    assert [note.time for note in disk.trace.notes] == [1.0, 3.5]
    timeline = Timeline(disk.trace)
    assert timeline.time_at(sync.end) == 1.0
    assert timeline.time_at(disk.trace.seq) == 3.5
    assert timeline.notes_before(disk.trace.seq) == 2
    assert timeline.notes_before(disk.trace.notes[1].seq) == 1


def test_a_small_disk_fills_up_and_has_room_again() -> None:
    disk = SimulatedDisk(Image({"a": b"12345"}), capacity_bytes=10)
    file = disk.create("b")
    with pytest.raises(OSError, match="No space left"):
        file.write_at(b"1234567", 0)
    assert file.read_at(10, 0) == b"12345", "as a real disk, it writes what there is room for"
    assert disk.free_bytes() == 0
    file.write_at(b"over", 0)
    disk.remove("a")
    file.write_through(b"more", 5)
    assert disk.free_bytes() == 1


def test_threads_may_share_a_disk() -> None:
    disk = SimulatedDisk(Image())

    def work(number: int) -> None:
        file = disk.create(f"file {number}")
        for index in range(50):
            file.write_at(b"%d" % number, index)
            file.sync()
        disk.sync_directory()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected = Image({f"file {number}": b"%d" % number * 50 for number in range(4)})
    assert disk.image() == expected
    assert crash_image(disk.trace, disk.trace.seq, Recorded([])) == expected
    assert crash_image(disk.trace, disk.trace.seq, kindest) == expected
