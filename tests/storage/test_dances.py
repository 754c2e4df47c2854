"""The promise: a replacement is the old content or the new, whatever fails and wherever the power goes; a zeroed file
is whole once it is returned, and leaves nothing behind when it could not be made.

Method: run each dance on the simulated disk, fail every one of its calls in turn, and ask for every crash image.
"""

from __future__ import annotations

import errno

import pytest

from durakv.storage.preallocate import create_zeroed
from durakv.storage.replace import atomic_replace
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.enumerate import crash_states
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.image import Image

OLD, NEW = b"old " * 300, b"new " * 500
BASE = Image({"name": OLD, "temp": b"stale"})


def test_a_crash_leaves_the_old_content_or_the_new() -> None:
    disk = SimulatedDisk(BASE)
    atomic_replace(disk, "name", "temp", NEW)
    disk.note("replaced")
    seen: set[bytes] = set()
    for state in crash_states(disk.trace):
        assert state.image.files["name"] in (OLD, NEW)
        if state.crash_seq == disk.trace.seq:
            assert state.image.files == {"name": NEW}, "what was reported as done was taken back"
        seen.add(state.image.files["name"])
    assert seen == {OLD, NEW}
    assert disk.image().files == {"name": NEW}


@pytest.mark.parametrize("count", range(7))
@pytest.mark.parametrize("done", [0, 1])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EINTR])
def test_a_failing_call_is_reported_and_leaves_the_old_content_or_the_new(count: int, done: int, error: int) -> None:
    disk = SimulatedDisk(BASE, faults=fail_nth(count, Fault(error, done=done)))
    if count == 6:
        atomic_replace(disk, "name", "temp", NEW)  # it has six calls: the fault comes too late
        return
    with pytest.raises(OSError, match=r".") as caught:
        atomic_replace(disk, "name", "temp", NEW)
    assert caught.value.errno == error
    files = disk.image().files
    assert files["name"] in (OLD, NEW)
    assert count == 0 or set(files) == {"name"}, "the temporary file was left although it could be removed"
    for state in crash_states(disk.trace):
        assert state.image.files["name"] in (OLD, NEW)


def test_an_error_while_tidying_up_does_not_hide_the_first() -> None:
    disk = SimulatedDisk(BASE, faults=fail_nth(2, Fault(errno.ENOSPC), times=100))
    with pytest.raises(OSError, match="No space left"):
        atomic_replace(disk, "name", "temp", NEW)


@pytest.mark.parametrize("size", [0, 1, 4096, (1 << 20) + 17, 3 << 20])
def test_a_zeroed_file_survives_everything_once_it_is_returned(size: int) -> None:
    disk = SimulatedDisk(Image())
    file = create_zeroed(disk, "segment", size)
    assert (file.name, file.size()) == ("segment", size)
    for state in crash_states(disk.trace, budget=40):
        if state.crash_seq == disk.trace.seq:
            assert state.image.files == {"segment": bytes(size)}


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("after", [AfterFailedSync.KEPT, AfterFailedSync.STICKY])
def test_a_zeroed_file_that_cannot_be_made_leaves_nothing(count: int, after: AfterFailedSync) -> None:
    disk = SimulatedDisk(Image(), faults=fail_nth(count, Fault(errno.ENOSPC, done=100, after=after)))
    with pytest.raises(OSError, match="No space left"):
        create_zeroed(disk, "segment", 8192)
    assert disk.image().files == ({"segment": b""} if count == 0 else {})


def test_a_full_disk_leaves_no_half_of_a_zeroed_file() -> None:
    disk = SimulatedDisk(Image({"other": bytes(6000)}), capacity_bytes=10_000)
    with pytest.raises(OSError, match="No space left"):
        create_zeroed(disk, "segment", 8192)
    assert disk.list() == ["other"]
    assert disk.free_bytes() == 4000
    create_zeroed(disk, "segment", 4000).close()
    assert disk.free_bytes() == 0


def test_a_zeroed_file_does_not_touch_a_name_that_is_taken() -> None:
    disk = SimulatedDisk(BASE)
    with pytest.raises(FileExistsError):
        create_zeroed(disk, "name", 10)
    assert disk.image() == BASE
