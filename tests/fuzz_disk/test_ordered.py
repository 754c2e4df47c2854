"""The promise: the ordered profile (F4) is what a journalling file system leaves, and never more than F1 to F3 allow.

Method: litmus programs and their outcomes; and a comparison with the general model on every program here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model

from .litmus import EMPTY, one, outcomes

A, B, Z = b"a" * 512, b"b" * 512, bytes(512)


def test_names_survive_as_a_prefix() -> None:
    disk = SimulatedDisk(Image({"old": b""}))
    disk.create("a")
    disk.remove("old")
    disk.create("b")
    ordered = outcomes(disk, model=Model.ORDERED)
    assert ordered == {one(old=b""), one(a=b"", old=b""), one(a=b""), one(a=b"", b=b"")}


def test_syncing_a_new_file_commits_the_names_before_it() -> None:
    disk = SimulatedDisk(Image())
    disk.create("a")
    file = disk.create("b")
    file.write_at(b"data", 0)
    file.sync()
    disk.create("c")
    assert outcomes(disk, model=Model.ORDERED) == {one(a=b"", b=b"data"), one(a=b"", b=b"data", c=b"")}


def test_syncing_data_in_place_commits_no_names() -> None:
    disk = SimulatedDisk(Image({"f": Z}))
    disk.create("a")
    disk.open("f", writable=True).write_through(A, 0)
    assert outcomes(disk, model=Model.ORDERED) == {one(f=A), one(a=b"", f=A)}


def test_syncing_a_file_that_grew_commits_the_names_before_it() -> None:
    disk = SimulatedDisk(Image({"f": b"1"}))
    disk.create("a")
    disk.open("f", writable=True).write_through(b"2", 1)
    assert outcomes(disk, model=Model.ORDERED) == {one(a=b"", f=b"12")}


def test_what_the_directory_sync_committed_need_not_be_committed_again() -> None:
    disk = SimulatedDisk(Image())
    file = disk.create("f")
    disk.sync_directory()
    disk.create("a")
    file.sync()
    assert outcomes(disk, model=Model.ORDERED) == {one(f=b""), one(a=b"", f=b"")}


def test_a_write_that_was_synced_is_kept_whatever_becomes_of_the_others() -> None:
    disk = SimulatedDisk(Image({"f": Z * 3}))
    file = disk.open("f", writable=True)
    file.write_at(A, 0)
    file.write_through(A, 512)
    file.write_at(A, 1024)
    assert outcomes(disk, model=Model.ORDERED) == {one(f=data) for data in (Z + A + Z, A + A + Z, Z + A + A, A + A + A)}


def test_a_file_grows_in_order_with_a_torn_last_write() -> None:
    disk = SimulatedDisk(Image({"f": b""}))
    file = disk.open("f", writable=True)
    file.write_at(A + B, 0)
    file.write_at(B, 1024)
    assert outcomes(disk, model=Model.ORDERED) == {one(f=data) for data in (b"", A, A + B, A + B + B)}


def test_sectors_that_are_in_a_file_already_survive_in_any_order() -> None:
    disk = SimulatedDisk(Image({"f": Z * 3}))
    file = disk.open("f", writable=True)
    file.write_at(A + B, 0)
    file.write_at(B, 1024)
    assert outcomes(disk, model=Model.ORDERED) == {
        one(f=first + second + third) for first in (Z, A) for second in (Z, B) for third in (Z, B)
    }


def test_a_write_across_the_end_is_in_any_order_within_and_grows_in_order() -> None:
    disk = SimulatedDisk(Image({"f": Z * 2}))
    disk.open("f", writable=True).write_at(A * 4, 0)
    assert outcomes(disk, model=Model.ORDERED) == {
        one(f=first + second + grown) for first in (Z, A) for second in (Z, A) for grown in (b"", A, A + A)
    }


def test_nothing_orders_a_tail_that_may_be_zeros() -> None:
    disk = SimulatedDisk(Image({"f": Z}))
    disk.open("f", writable=True).write_at(A * 2, 512)
    assert one(f=Z + Z + A) in outcomes(disk, model=Model.ORDERED_ZERO_TAIL)


def test_what_was_synced_behind_an_end_that_a_truncation_made_is_kept() -> None:
    disk = SimulatedDisk(Image({"f": Z * 2}))
    file = disk.open("f", writable=True)
    file.write_at(A, 512)
    file.truncate(512)
    file.write_through(B, 1024)
    for found in outcomes(disk, model=Model.ORDERED):
        assert found is not None
        assert dict(found)["f"][1024:] == B


def test_a_size_never_runs_ahead_of_its_data_unless_the_tail_may_be_zeros() -> None:
    disk = SimulatedDisk(Image({"f": b"12"}))
    disk.open("f", writable=True).write_at(b"abc", 2)
    assert outcomes(disk, model=Model.ORDERED) == {one(f=b"12"), one(f=b"12abc")}
    assert outcomes(disk, model=Model.ORDERED_ZERO_TAIL) == {
        one(f=data) for data in (b"12", b"12a", b"12ab", b"12abc", b"12\0\0\0", b"12a\0\0", b"12ab\0")
    }


def program_of_a_replacement(disk: SimulatedDisk) -> None:
    file = disk.create("temp")
    file.write_at(A + B, 0)
    disk.rename("temp", "f")
    disk.create("g").write_through(b"g", 0)


def program_of_two_files(disk: SimulatedDisk) -> None:
    disk.open("f", writable=True).write_at(A + A, 512)
    disk.create("g").write_at(B, 0)
    disk.sync_directory()
    disk.remove("f")


def program_of_one_sync(disk: SimulatedDisk) -> None:
    file = disk.create("g")
    file.write_at(A, 0)
    file.sync()
    file.write_through(B, 1024)
    file.truncate(100)


@pytest.mark.parametrize("program", [program_of_a_replacement, program_of_two_files, program_of_one_sync])
def test_whatever_an_ordered_disk_leaves_the_general_model_allows(program: Callable[[SimulatedDisk], None]) -> None:
    disk = SimulatedDisk(Image({"f": Z}))
    program(disk)
    for crash_seq in range(disk.trace.seq + 1):
        general = outcomes(disk, crash_seq=crash_seq)
        assert outcomes(disk, crash_seq=crash_seq, model=Model.ORDERED) <= general
        assert outcomes(disk, crash_seq=crash_seq, model=Model.PROCESS_CRASH) <= general


def test_the_root_may_be_lost_in_order_too() -> None:
    disk = SimulatedDisk()
    disk.make_root()
    assert outcomes(disk, crash_seq=1, model=Model.ORDERED) == {None, EMPTY}
