"""The promise: a process crash loses nothing that was handed over (C2), and the machine lives on with what it owes.

Method: compare the image of a process crash after every call with what programs saw then; resume the machine and cut
its power in the second life.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.choose import Choose, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.trace import Kind

from .litmus import EMPTY, one, outcomes


def test_everything_handed_over_survives_a_process_crash() -> None:
    disk = SimulatedDisk(Image({"old": b"old" * 500}), faults=fail_nth(1, Fault(5), kinds={Kind.SYNC}))
    seen: list[tuple[int, Image]] = []

    def saw() -> None:
        seen.append((disk.trace.seq, disk.image()))

    file = disk.create("a")
    saw()
    for step in range(5):
        file.write_at(b"%d" % step * 300, step * 200)
        saw()
        if step % 2:
            file.write_through(b"through", step * 1000)
            saw()
        else:
            try:
                file.sync()
            except OSError:
                saw()
    file.truncate(700)
    saw()
    disk.rename("a", "old")
    saw()
    disk.remove("old")
    saw()
    assert len(seen) > 10
    for seq, image in seen:
        for choose in (harshest, kindest):
            assert crash_image(disk.trace, seq, choose, model=Model.PROCESS_CRASH) == image


def test_a_write_in_flight_got_some_of_its_pages() -> None:
    disk = SimulatedDisk(Image({"f": bytes(9000)}))
    disk.open("f", writable=True).write_at(b"x" * 8000, 1000)
    (write,) = disk.trace.operations
    for crash_seq in (write.start + 1, write.end):
        assert outcomes(disk, crash_seq=crash_seq, model=Model.PROCESS_CRASH) == {
            one(f=(bytes(1000) + b"x" * (stop - 1000)).ljust(9000, b"\0")) for stop in (1000, 4096, 8192, 9000)
        }
    assert len(outcomes(disk, model=Model.PROCESS_CRASH)) == 1


def test_any_other_call_in_flight_happened_or_not() -> None:
    disk = SimulatedDisk(Image({"f": b"data"}))
    disk.open("f", writable=True).truncate(2)
    disk.rename("f", "g")
    disk.remove("g")
    truncate, rename, remove = disk.trace.operations
    killed = Model.PROCESS_CRASH
    assert outcomes(disk, crash_seq=truncate.end, model=killed) == {one(f=b"data"), one(f=b"da")}
    assert outcomes(disk, crash_seq=rename.end, model=killed) == {one(f=b"da"), one(g=b"da")}
    assert outcomes(disk, crash_seq=remove.end, model=killed) == {one(g=b"da"), EMPTY}
    assert outcomes(SimulatedDisk(NOTHING), model=killed) == {None}


def test_the_next_process_sees_everything_and_a_power_loss_may_still_take_it() -> None:
    disk = SimulatedDisk(Image({"f": b"old"}))
    lock = disk.lock("lock")
    disk.open("f", writable=True).write_at(b"new", 0)
    disk.note("first life")
    second = SimulatedDisk.resume(disk.trace, disk.trace.seq)
    assert second.image() == disk.image()
    assert second.open("f").read_at(10, 0) == b"new"
    second.lock("lock").release()
    lock.release()
    second.sync_directory()
    assert outcomes(second) == {one(f=b"old", lock=b""), one(f=b"new", lock=b"")}
    second.open("f", writable=True).sync()
    assert outcomes(second) == {one(f=b"new", lock=b"")}
    assert [note.kind for note in second.trace.notes] == ["first life"]
    assert len(disk.trace.operations) == 2, "the first trace was continued in place"


def test_a_call_cut_short_promises_nothing_in_the_second_life() -> None:
    disk = SimulatedDisk(Image({"f": b"old"}))
    file = disk.open("f", writable=True)
    file.write_at(b"new", 0)
    file.sync()
    sync = disk.trace.operations[-1]
    second = SimulatedDisk.resume(disk.trace, sync.end)
    assert outcomes(second) == {one(f=b"old"), one(f=b"new")}
    second.open("f", writable=True).sync()
    assert outcomes(second) == {one(f=b"new")}
    finished = SimulatedDisk.resume(disk.trace, sync.end + 1)
    assert outcomes(finished) == {one(f=b"new")}


@pytest.mark.parametrize("choose", [harshest, kindest])
def test_how_far_a_call_got_is_chosen(choose: Choose) -> None:
    disk = SimulatedDisk(Image({"f": b""}))
    disk.open("f", writable=True).write_through(b"x" * 5000, 0)
    (write,) = disk.trace.operations
    second = SimulatedDisk.resume(disk.trace, write.end, choose)
    assert second.open("f").size() == (0 if choose is harshest else 5000)
    assert one(f=b"") in outcomes(second), "it was not synced: it never returned"


@pytest.mark.parametrize("after", AfterFailedSync)
def test_a_failed_sync_is_remembered_across_a_process_crash(after: AfterFailedSync) -> None:
    disk = SimulatedDisk(Image({"f": b"old"}), faults=fail_nth(0, Fault(after=after), kinds={Kind.SYNC}))
    file = disk.open("f", writable=True)
    file.write_at(b"new", 0)
    with pytest.raises(OSError, match="Input/output"):
        file.sync()
    second = SimulatedDisk.resume(disk.trace, disk.trace.seq)
    again = second.open("f", writable=True)
    assert again.read_at(3, 0) == (b"old" if after is AfterFailedSync.REVERTED else b"new")
    if after is AfterFailedSync.STICKY:
        with pytest.raises(OSError, match="Input/output"):
            again.sync()
    else:
        again.sync()
    expected = {
        AfterFailedSync.KEPT: {b"old", b"new"},
        AfterFailedSync.REVERTED: {b"old"},
        AfterFailedSync.STICKY: {b"old", b"new"},
        AfterFailedSync.DIRTY: {b"new"},
    }
    assert outcomes(second) == {one(f=data) for data in expected[after]}
