"""The promise: any call can fail as F5 says, and what a failed sync should have kept is never taken as kept again.

Method: fail each kind of call with each error, and look at what programs see, what later syncs say, and what a power
loss leaves.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest

from durakv.storage.filesystem import File
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import AfterFailedSync, Fault, fail_nth
from durakv_fuzz.image import Image
from durakv_fuzz.trace import OF_TREES, Kind

from .litmus import Outcome, one, outcomes

ERRORS = [errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EINTR, errno.EMFILE, errno.EACCES]
CALLS: dict[Kind, Callable[[SimulatedDisk, File], object]] = {
    Kind.MAKE_ROOT: lambda disk, file: disk.make_root(),
    Kind.CREATE: lambda disk, file: disk.create("g"),
    Kind.WRITE: lambda disk, file: file.write_at(b"new", 0),
    Kind.WRITE_THROUGH: lambda disk, file: file.write_through(b"new", 0),
    Kind.TRUNCATE: lambda disk, file: file.truncate(1),
    Kind.SYNC: lambda disk, file: file.sync(),
    Kind.RENAME: lambda disk, file: disk.rename("f", "g"),
    Kind.REMOVE: lambda disk, file: disk.remove("f"),
    Kind.SYNC_DIRECTORY: lambda disk, file: disk.sync_directory(),
    Kind.EXISTS_ROOT: lambda disk, file: disk.exists_root(),
    Kind.LIST: lambda disk, file: disk.list(),
    Kind.OPEN: lambda disk, file: disk.open("f"),
    Kind.READ: lambda disk, file: file.read_at(1, 0),
    Kind.SIZE: lambda disk, file: file.size(),
    Kind.LOCK: lambda disk, file: disk.lock("f"),
    Kind.FREE_BYTES: lambda disk, file: disk.free_bytes(),
}


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("kind", [kind for kind in Kind if kind not in OF_TREES])
def test_any_call_can_fail_and_then_has_no_effect(kind: Kind, error: int) -> None:
    disk = SimulatedDisk(Image({"f": b"old"}))
    file = disk.open("f", writable=True)
    disk.faults = fail_nth(0, Fault(error), kinds={kind})
    with pytest.raises(OSError, match=r".") as caught:
        CALLS[kind](disk, file)
    assert caught.value.errno == error
    assert disk.image() == Image({"f": b"old"})
    assert outcomes(disk) == {one(f=b"old")}
    CALLS[kind](disk, file)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (Kind.CREATE, Image({"f": b"old", "g": b""})),
        (Kind.WRITE, Image({"f": b"ned"})),
        (Kind.WRITE_THROUGH, Image({"f": b"ned"})),
        (Kind.TRUNCATE, Image({"f": b"o"})),
        (Kind.RENAME, Image({"g": b"old"})),
        (Kind.REMOVE, Image({})),
    ],
)
def test_a_failed_call_may_have_had_its_effect_all_the_same(kind: Kind, expected: Image) -> None:
    disk = SimulatedDisk(Image({"f": b"old"}), faults=fail_nth(0, Fault(done=2), kinds={kind}))
    file = disk.open("f", writable=True)
    with pytest.raises(OSError, match="Input/output"):
        CALLS[kind](disk, file)
    assert disk.image() == expected
    zeros = {one(f=b"o\0\0")} if kind is Kind.TRUNCATE else set[Outcome]()
    assert outcomes(disk) == {one(f=b"old"), frozenset(expected.files.items())} | zeros


def test_a_root_whose_making_failed_may_be_there_until_the_power_goes() -> None:
    disk = SimulatedDisk(faults=fail_nth(0, Fault(done=1)))
    with pytest.raises(OSError, match="Input/output"):
        disk.make_root()
    assert disk.exists_root()
    assert outcomes(disk) == {None, frozenset()}
    disk.make_root()
    assert outcomes(disk) == {frozenset()}


def failed_sync(after: AfterFailedSync, kind: Kind = Kind.SYNC) -> tuple[SimulatedDisk, File]:
    disk = SimulatedDisk(Image({"f": b"old"}), faults=fail_nth(0, Fault(after=after), kinds={kind}))
    file = disk.open("f", writable=True)
    file.write_at(b"new", 0)
    with pytest.raises(OSError, match="Input/output"):
        file.sync() if kind is Kind.SYNC else file.write_through(b"+", 3)
    return disk, file


@pytest.mark.parametrize("kind", [Kind.SYNC, Kind.WRITE_THROUGH])
def test_after_a_failed_sync_a_second_one_succeeds_and_proves_nothing(kind: Kind) -> None:
    disk, file = failed_sync(AfterFailedSync.KEPT, kind)
    assert file.read_at(3, 0) == b"new", "reads still show it"
    file.sync()
    assert outcomes(disk) == {one(f=b"old"), one(f=b"new")}
    file.write_at(b"NEW", 0)
    file.sync()
    assert outcomes(disk) == {one(f=b"NEW")}, "written again, it is new data"


def test_after_a_failed_sync_reads_may_show_the_old_data() -> None:
    disk, file = failed_sync(AfterFailedSync.REVERTED)
    assert file.read_at(3, 0) == b"old"
    file.write_at(b"!", 3)
    file.sync()
    assert outcomes(disk) == {one(f=b"old!")}


def test_after_a_failed_sync_all_later_ones_may_fail() -> None:
    disk, file = failed_sync(AfterFailedSync.STICKY)
    for _ in range(2):
        with pytest.raises(OSError, match="Input/output"):
            file.sync()
    with pytest.raises(OSError, match="Input/output"):
        file.write_through(b"NEW", 0)
    assert outcomes(disk) == {one(f=data) for data in (b"old", b"new", b"NEW")}


def test_writes_after_a_failed_sync_are_kept_by_the_next_one() -> None:
    disk = SimulatedDisk(Image({"f": bytes(1024)}), faults=fail_nth(0, Fault(), kinds={Kind.SYNC}))
    file = disk.open("f", writable=True)
    file.write_at(b"a" * 512, 0)
    with pytest.raises(OSError, match="Input/output"):
        file.sync()
    file.write_at(b"b" * 512, 512)
    file.sync()
    assert outcomes(disk) == {one(f=first * 512 + b"b" * 512) for first in (b"\0", b"a")}


def test_a_failed_sync_of_one_file_dooms_no_other() -> None:
    disk, _ = failed_sync(AfterFailedSync.KEPT)
    other = disk.create("g")
    other.write_at(b"fine", 0)
    other.sync()
    disk.sync_directory()
    assert outcomes(disk) == {one(f=data, g=b"fine") for data in (b"old", b"new")}


@pytest.mark.parametrize("after", [AfterFailedSync.KEPT, AfterFailedSync.STICKY])
def test_a_failed_sync_of_the_directory_promises_nothing_later(after: AfterFailedSync) -> None:
    plan = fail_nth(0, Fault(after=after), kinds={Kind.SYNC_DIRECTORY})
    disk = SimulatedDisk(Image({"f": b""}), faults=plan)
    disk.rename("f", "g")
    with pytest.raises(OSError, match="Input/output"):
        disk.sync_directory()
    if after is AfterFailedSync.KEPT:
        disk.sync_directory()
    else:
        with pytest.raises(OSError, match="Input/output"):
            disk.sync_directory()
    assert outcomes(disk) == {one(f=b""), one(g=b"")}


def test_a_full_disk_drops_nothing_that_was_accepted() -> None:
    disk = SimulatedDisk(Image({"f": b""}), capacity_bytes=5)
    file = disk.open("f", writable=True)
    file.write_at(b"123", 0)
    with pytest.raises(OSError, match="No space left"):
        file.write_through(b"4567", 3)
    file.truncate(3)
    file.sync()
    assert outcomes(disk) == {one(f=b"123")}


def test_a_plan_counts_only_what_it_is_about() -> None:
    plan = fail_nth(1, Fault(), kinds={Kind.WRITE}, name="g", times=2)
    disk = SimulatedDisk(Image({"f": b"", "g": b""}), faults=plan)
    f, g = disk.open("f", writable=True), disk.open("g", writable=True)
    failed: list[int] = []
    for step in range(5):
        f.write_at(b"x", 0)
        g.sync()
        try:
            g.write_at(b"x", 0)
        except OSError:
            failed.append(step)
    assert failed == [1, 2]
