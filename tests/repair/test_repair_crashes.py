"""The promise (C6): a crash at any moment of a repair leaves what was there, or what the repair comes to; in both cases
the originals are still there, and the next repair ends what this one began.

Method: repairs recorded on a simulated disk; every telling crash state of each, with and without a loss of power, is
opened, and repaired again where it does not open.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from durakv.directory import MANIFEST_NAME
from durakv.errors import Corruption, DirectoryError
from durakv.repair import repair
from durakv.verification import KEPT_PREFIX
from durakv.verify import verify
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.enumerate import crash_states
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.image import Image
from tests.badinput.places import Files, abandoned_directory, files_of
from tests.repair.test_repair import flip, long_log, stock_directory, stock_log, zeros
from tests.support import numbers, open_engine

BUDGET = 400


def torn() -> tuple[Files, list[int]]:
    files, commands, promised = abandoned_directory()
    name = "appendonly.aof.2.incr.aof"
    return {**files, name: flip(files[name], files[name].rindex(b"#DKV1 ") + 100)}, commands[:promised]


def corrupt() -> tuple[Files, list[int]]:
    files = long_log()
    name = "appendonly.aof.2.incr.aof"
    return {**files, name: flip(files[name], files[name].rindex(b"#DKV1 ") + 100)}, [1, 2, 3]


def without_manifest() -> tuple[Files, list[int]]:
    files, expected = corrupt()
    return {name: data for name, data in files.items() if name != MANIFEST_NAME}, expected


def stock() -> tuple[Files, list[int]]:
    return stock_directory(stock_log(1, 2), stock_log(3, 4)[:-2]), [1, 2, 3]


@pytest.mark.parametrize("make", [torn, corrupt, without_manifest, stock])
def test_a_crash_at_any_moment_of_a_repair_is_harmless(make: Callable[[], tuple[Files, list[int]]]) -> None:
    files, expected = make()
    disk = SimulatedDisk(Image(files))
    plan = repair(disk, discard_after_damage=True, entropy=zeros)
    lost = [files[name] for name in (*plan.cut, *plan.left_out)]
    before = after = 0
    for state in crash_states(disk.trace, budget=BUDGET):
        survivor = SimulatedDisk(state.image)
        kept = files_of(survivor)
        try:
            opened = open_engine(survivor)
        except Corruption:
            assert {name: kept[name] for name in files} == files, "neither what was there nor what it comes to"
            repair(survivor, discard_after_damage=True, entropy=zeros)
            opened = open_engine(survivor)
            kept = files_of(survivor)
            before += 1
        else:
            after += 1
        assert numbers(opened.journal) == expected
        assert opened.engine.applied_seq >= plan.retire_seq, "a number can be given out again"
        if make is not torn and make is not stock:
            copies = [data for name, data in kept.items() if name.startswith(KEPT_PREFIX)]
            assert all(data in copies for data in lost), "what was taken out is gone"
    assert after
    assert before or make in (torn, stock), "a torn directory opens before the repair as well"


@pytest.mark.parametrize("make", [torn, corrupt, without_manifest, stock])
def test_a_repair_that_fails_at_any_call_can_be_repeated(make: Callable[[], tuple[Files, list[int]]]) -> None:
    files, expected = make()
    for count in range(400):
        disk = SimulatedDisk(Image(files), faults=fail_nth(count, Fault()))
        failed = False
        try:
            repair(disk, discard_after_damage=True, entropy=zeros)
        except (OSError, DirectoryError):
            failed = True
        disk.faults = None
        repair(disk, discard_after_damage=True, entropy=zeros)
        assert verify(disk).ok
        assert numbers(open_engine(disk).journal) == expected
        if not failed and count > 50:
            return
    raise AssertionError("it never succeeded")
