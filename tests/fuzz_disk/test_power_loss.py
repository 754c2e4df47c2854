"""The promise: a power loss leaves exactly what F1 to F3 allow: no less, or bugs hide; no more, or alarms are false.

Method: litmus programs of a few calls, and the whole set of their outcomes, written down by hand.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.choose import Seeded, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.trace import PAGE_BYTES, SECTOR_BYTES, Kind, Operation

from .litmus import EMPTY, one, outcomes

A, B, C, D, E = (bytes([byte]) * 512 for byte in b"abcde")
Z = bytes(512)


def disk_with(**files: bytes) -> SimulatedDisk:
    return SimulatedDisk(Image(files))


def test_a_new_file_may_be_gone_or_empty_or_whole() -> None:
    disk = disk_with()
    disk.create("f").write_at(b"data", 0)
    assert outcomes(disk) == {EMPTY, one(f=b""), one(f=b"data"), one(f=bytes(4))}


def test_syncing_a_file_keeps_its_data_and_its_size_but_not_its_name() -> None:
    disk = disk_with()
    file = disk.create("f")
    file.write_at(b"data", 0)
    file.sync()
    assert outcomes(disk) == {EMPTY, one(f=b"data")}


def test_syncing_the_directory_keeps_the_name_but_not_the_data() -> None:
    disk = disk_with()
    disk.create("f").write_at(b"data", 0)
    disk.sync_directory()
    assert outcomes(disk) == {one(f=b""), one(f=b"data"), one(f=bytes(4))}


def test_both_syncs_keep_both() -> None:
    disk = disk_with()
    file = disk.create("f")
    file.write_at(b"data", 0)
    file.sync()
    disk.sync_directory()
    assert outcomes(disk) == {one(f=b"data")}


def test_closing_a_file_keeps_nothing() -> None:
    disk = disk_with(f=b"old")
    file = disk.open("f", writable=True)
    file.write_at(b"new", 0)
    file.close()
    assert outcomes(disk) == {one(f=b"old"), one(f=b"new")}


def test_sectors_of_one_page_survive_in_any_combination() -> None:
    disk = disk_with(f=Z * 3)
    disk.open("f", writable=True).write_at(A + B + C, 0)
    assert outcomes(disk) == {one(f=x + y + z) for x in (Z, A) for y in (Z, B) for z in (Z, C)}


def test_pages_survive_in_any_combination() -> None:
    disk = disk_with(f=Z * 16)
    disk.open("f", writable=True).write_at(A + B, 7 * 512)
    assert outcomes(disk) == {one(f=Z * 7 + x + y + Z * 7) for x in (Z, A) for y in (Z, B)}


def test_a_later_write_may_survive_without_an_earlier_one() -> None:
    disk = disk_with(f=Z * 2)
    file = disk.open("f", writable=True)
    file.write_at(A, 0)
    file.write_at(B, 512)
    assert outcomes(disk) == {one(f=x + y) for x in (Z, A) for y in (Z, B)}


def test_a_sector_is_never_torn_and_shows_one_of_its_states() -> None:
    disk = disk_with(f=b"......")
    file = disk.open("f", writable=True)
    file.write_at(b"12", 0)
    file.write_at(b"34", 2)
    file.write_at(b"5", 1)
    assert outcomes(disk) == {one(f=data) for data in (b"......", b"12....", b"1234..", b"1534..")}


def test_a_lost_write_before_a_kept_one_leaves_a_gap_of_zeros() -> None:
    disk = disk_with(f=b"")
    file = disk.open("f", writable=True)
    file.write_at(A, 0)
    file.write_at(B, 512)
    assert outcomes(disk) == {one(f=data) for data in (b"", A, Z, A + B, Z + B, A + Z, Z + Z)}


def test_a_size_may_survive_without_its_data() -> None:
    disk = disk_with(f=b"old")
    file = disk.open("f", writable=True)
    file.write_at(b"abc", 3)
    file.write_at(B, 512)
    sizes = {len(data) for state in outcomes(disk) for _, data in state or ()}
    assert sizes == {3, 6, 1024}
    assert one(f=b"old" + bytes(1021)) in outcomes(disk)


def test_space_of_a_dead_file_may_show_its_old_content_where_data_was_lost() -> None:
    disk = disk_with(dead=b"x" * 8192, f=b"f" * 100)
    disk.remove("dead")
    disk.sync_directory()
    disk.open("f", writable=True).write_at(b"y" * 10, 8000)
    held = {dict(state or ())["f"] for state in outcomes(disk)}
    zeros = bytes(4096 - 100)
    patch = bytes(8000 - 7680) + b"y" * 10
    assert b"f" * 100 in held
    assert b"f" * 100 + zeros + bytes(3584) + patch in held
    assert b"f" * 100 + zeros + b"x" * 3584 + patch in held
    assert b"f" * 100 + zeros + b"x" * (8010 - 4096) in held
    assert not any(b"x" in data[:4096] for data in held), "the rest of a page in use is wiped"


def test_only_dead_files_leave_old_content() -> None:
    disk = disk_with(f=b"alive" * 1000)
    disk.rename("f", "f")
    disk.rename("f", "g")
    disk.sync_directory()
    disk.create("h").write_at(b"h", 9000)
    disk.sync_directory()
    assert outcomes(disk) == {one(g=b"alive" * 1000, h=data) for data in (b"", bytes(9000) + b"h", bytes(9001))}


def test_a_truncation_may_be_lost_or_leave_zeros_at_the_old_size() -> None:
    disk = disk_with(f=b"0123456789")
    file = disk.open("f", writable=True)
    file.truncate(4)
    assert outcomes(disk) == {one(f=b"0123456789"), one(f=b"0123" + bytes(6)), one(f=b"0123")}
    file.sync()
    assert outcomes(disk) == {one(f=b"0123")}
    file.truncate(6)
    assert outcomes(disk) == {one(f=b"0123"), one(f=b"0123\0\0")}


def test_the_zeros_of_a_truncation_end_with_the_page_and_come_sector_by_sector() -> None:
    disk = disk_with(f=b"x" * (PAGE_BYTES + 1))
    disk.open("f", writable=True).truncate(PAGE_BYTES - SECTOR_BYTES - 1)
    last, page = 1, SECTOR_BYTES
    kept = b"x" * (PAGE_BYTES - SECTOR_BYTES - 1)
    assert outcomes(disk) == {
        one(f=kept + first + second + b"x")
        for first in (b"x" * last, bytes(last))
        for second in (b"x" * page, bytes(page))
    } | {one(f=kept)}
    disk = disk_with(f=b"x" * (PAGE_BYTES + 1))
    disk.open("f", writable=True).truncate(PAGE_BYTES)
    assert outcomes(disk) == {one(f=b"x" * (PAGE_BYTES + 1)), one(f=b"x" * PAGE_BYTES)}


def test_write_through_keeps_its_own_range_and_nothing_else() -> None:
    disk = disk_with(f=Z * 2)
    file = disk.open("f", writable=True)
    file.write_at(A, 0)
    file.write_through(B, 512)
    assert outcomes(disk) == {one(f=Z + B), one(f=A + B)}
    file.sync()
    assert outcomes(disk) == {one(f=A + B)}


def test_write_through_keeps_the_size_it_needs() -> None:
    disk = disk_with(f=b"")
    file = disk.open("f", writable=True)
    file.write_at(A, 0)
    file.write_through(B, 512)
    assert outcomes(disk) == {one(f=Z + B), one(f=A + B)}


def test_a_sync_covers_what_came_before_and_not_what_comes_after() -> None:
    disk = disk_with(f=Z * 2)
    file = disk.open("f", writable=True)
    file.write_at(A, 0)
    file.sync()
    file.write_at(B, 512)
    assert outcomes(disk) == {one(f=A + Z), one(f=A + B)}


def test_a_sync_of_one_file_says_nothing_about_another() -> None:
    disk = disk_with(f=b"-", g=b"-")
    disk.open("f", writable=True).write_at(b"x", 0)
    disk.open("g", writable=True).sync()
    assert outcomes(disk) == {one(f=b"-", g=b"-"), one(f=b"x", g=b"-")}


@pytest.mark.parametrize("barrier", [Kind.SYNC, Kind.WRITE_THROUGH])
def test_a_write_during_a_sync_is_not_covered(barrier: Kind) -> None:
    disk = disk_with(f=Z * 3)
    file = disk.open("f", writable=True)
    other = disk.open("f", writable=True)

    def meanwhile(operation: Operation) -> None:
        disk.during = None
        other.write_at(C, 1024)

    disk.during = meanwhile
    if barrier is Kind.SYNC:
        file.write_at(A, 0)
        file.sync()
    else:
        file.write_through(A, 0)
    assert outcomes(disk) == {one(f=A + Z + Z), one(f=A + Z + C)}


@pytest.mark.parametrize("barrier", [Kind.SYNC, Kind.WRITE_THROUGH, Kind.SYNC_DIRECTORY])
def test_a_barrier_counts_from_its_end_and_until_then_any_part_may_be_there(barrier: Kind) -> None:
    disk = disk_with(f=Z * 2)
    file = disk.open("f", writable=True)
    if barrier is Kind.SYNC_DIRECTORY:
        disk.rename("f", "g")
        disk.sync_directory()
        before, after = {one(f=Z * 2), one(g=Z * 2)}, {one(g=Z * 2)}
    else:
        before, after = {one(f=x + y) for x in (Z, A) for y in (Z, B)}, {one(f=A + B)}
        if barrier is Kind.WRITE_THROUGH:
            file.write_through(A + B, 0)
        else:
            file.write_at(A + B, 0)
            file.sync()
    last = disk.trace.operations[-1]
    assert last.kind is barrier
    assert last.start < last.end
    assert outcomes(disk, crash_seq=last.start + 1) == before
    assert outcomes(disk, crash_seq=last.end) == before
    assert outcomes(disk, crash_seq=last.end + 1) == after


def test_a_write_in_flight_counts_as_unsynced() -> None:
    disk = disk_with(f=Z)
    disk.open("f", writable=True).write_at(A, 0)
    (write,) = disk.trace.operations
    assert outcomes(disk, crash_seq=write.start) == {one(f=Z)}
    assert outcomes(disk, crash_seq=write.start + 1) == {one(f=Z), one(f=A)}


def test_names_survive_independently_of_each_other() -> None:
    disk = disk_with(old=b"")
    disk.create("a")
    disk.remove("old")
    disk.create("b")
    kept = outcomes(disk)
    assert kept == {
        frozenset((name, b"") for name, there in (("a", a), ("b", b), ("old", old)) if there)
        for a in (False, True)
        for b in (False, True)
        for old in (False, True)
    }
    disk.sync_directory()
    assert outcomes(disk) == {one(a=b"", b=b"")}


def test_a_rename_is_atomic() -> None:
    disk = disk_with(temp=b"new", name=b"old")
    disk.rename("temp", "name")
    assert outcomes(disk) == {one(temp=b"new", name=b"old"), one(name=b"new")}
    disk.sync_directory()
    assert outcomes(disk) == {one(name=b"new")}


def test_a_rename_may_survive_although_the_creation_did_not() -> None:
    disk = disk_with()
    disk.create("temp").write_through(b"new", 0)
    disk.rename("temp", "name")
    assert outcomes(disk) == {EMPTY, one(temp=b"new"), one(name=b"new")}


def test_a_rename_that_survives_ends_every_earlier_state_of_its_first_name() -> None:
    disk = disk_with(temp=b"stale", name=b"1")
    disk.remove("temp")
    disk.create("temp").write_through(b"2", 0)
    disk.rename("temp", "name")
    assert {state for state in outcomes(disk) if state and dict(state)["name"] == b"2"} == {one(name=b"2")}


def test_the_entries_of_one_name_keep_their_order() -> None:
    disk = disk_with(name=b"1")
    disk.remove("name")
    disk.create("name").write_through(b"2", 0)
    assert outcomes(disk) == {EMPTY, one(name=b"1"), one(name=b"2")}
    disk.sync_directory()
    disk.remove("name")
    disk.create("name").write_through(b"3", 0)
    disk.remove("name")
    assert outcomes(disk) == {EMPTY, one(name=b"2"), one(name=b"3")}


def test_successive_renames_over_a_name_leave_one_of_its_files() -> None:
    disk = disk_with(name=b"1")
    for content in (b"2", b"3"):
        disk.create("temp").write_through(content, 0)
        disk.rename("temp", "name")
    assert {dict(state or ())["name"] for state in outcomes(disk)} == {b"1", b"2", b"3"}


def test_a_rename_survives_if_a_later_change_of_one_of_its_names_does() -> None:
    disk = disk_with(a=b"1", b=b"2", c=b"3")
    disk.rename("b", "a")
    disk.rename("c", "b")
    assert outcomes(disk) == {one(a=b"1", b=b"2", c=b"3"), one(a=b"2", c=b"3"), one(a=b"2", b=b"3")}


def test_a_name_that_is_used_again_shows_that_its_file_was_renamed_away() -> None:
    disk = disk_with(temp=b"2", name=b"1")
    disk.rename("temp", "name")
    disk.create("temp").write_through(b"3", 0)
    assert outcomes(disk) == {one(temp=b"2", name=b"1"), one(name=b"2"), one(temp=b"3", name=b"2")}


def test_a_removed_file_comes_back_with_the_content_that_was_durable() -> None:
    disk = disk_with(f=b"old")
    disk.open("f", writable=True).write_at(b"new", 0)
    disk.remove("f")
    assert outcomes(disk) == {EMPTY, one(f=b"old"), one(f=b"new")}


def test_a_file_follows_its_name_and_not_the_other_way_round() -> None:
    disk = disk_with(a=b"one")
    file = disk.open("a", writable=True)
    disk.rename("a", "b")
    file.write_through(b"two", 0)
    assert outcomes(disk) == {one(a=b"two"), one(b=b"two")}


def test_the_root_is_there_for_good_once_it_was_made() -> None:
    disk = SimulatedDisk()
    disk.make_root()
    (make_root,) = disk.trace.operations
    assert outcomes(disk, crash_seq=make_root.start) == {None}
    assert outcomes(disk, crash_seq=make_root.end) == {None, EMPTY}
    assert outcomes(disk) == {EMPTY}
    assert crash_image(disk.trace, 0, kindest) is NOTHING


def test_zero_is_the_harshest_answer_and_the_last_the_kindest() -> None:
    disk = disk_with(f=b"old", dead=b"d" * 5000)
    disk.open("f", writable=True).write_at(A * 20, 600)
    disk.rename("f", "g")
    disk.remove("dead")
    disk.create("h").write_at(b"h", 9000)
    file = disk.create("i")
    file.write_at(b"longer than it will be", 0)
    file.truncate(3)
    assert crash_image(disk.trace, disk.trace.seq, harshest) == disk.trace.base
    for model in Model:
        assert crash_image(disk.trace, disk.trace.seq, kindest, model=model) == disk.image()


def test_the_same_answers_give_the_same_image() -> None:
    disk = disk_with(f=Z * 9)
    disk.open("f", writable=True).write_at(A * 9, 100)
    images = [crash_image(disk.trace, disk.trace.seq, Seeded(seed)) for seed in (1, 1, 2, 3)]
    assert images[0] == images[1]
    assert images[0].digest() == images[1].digest()
    assert images[0].fingerprint() == images[1].fingerprint()
    assert len({image.digest() for image in images}) > 1
