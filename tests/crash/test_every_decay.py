"""The promise: whatever decays is noticed or does not matter, and is never read as data (F6, C8, C11).

Method: small directories of every machine, closed and left by a dead owner; every byte of every file is changed by each
single bit and by all of them, every sector is zeroed, swapped with every other one and written over it, across files.
Each state is opened by the real engine and judged: of a closed directory only what counts for nothing may decay
unnoticed.  The states are counted, and a broken engine has to fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

import pytest

from durakv.directory import LOCK_NAME, MANIFEST_NAME
from durakv.options import Load
from durakv_fuzz.decay import Damaged
from durakv_fuzz.decay_sweep import (
    BASE,
    BEFORE_BASE,
    LOG,
    MASKS,
    OPEN_BASE,
    OPEN_LOG,
    OPEN_SECTORS,
    SECTORS,
    Outcome,
    Resting,
    Tally,
    Wrong,
    flips,
    sector_damage,
    sectors_of,
    sweep,
)
from durakv_fuzz.image import Image
from durakv_fuzz.machines import MachineKind
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Script, Setup
from durakv_fuzz.trace import SECTOR_BYTES
from durakv_fuzz.witness import left_over

MACHINES = pytest.mark.parametrize("machine", MachineKind)


def rest(machine: MachineKind, script: Script, *, forgotten: Script = ()) -> Resting:
    with quiet():
        return Resting.after(Setup(machine=machine), script, forgotten=forgotten)


def judge(resting: Resting, damages: Callable[[Image], Iterator[Damaged]]) -> Tally:
    with quiet():
        return sweep(resting, damages(resting.image))


def count_flips(image: Image) -> int:
    """Each byte by every mask, and those of the zeros at the end of a file by one."""
    ends = [(len(data.rstrip(b"\0")), len(data)) for name, data in image.files.items() if name != LOCK_NAME]
    return sum(len(MASKS) * end + size - end for end, size in ends)


def count_sector_damage(image: Image) -> int:
    """Each sector zeroed, each pair swapped, and one of the pair written over the other, both ways.

    The last sector of a file may be short, and like the beginning of another one, which then changes nothing.  Zeros
    are counted as if they did.
    """
    sectors = [image.files[name][start : start + SECTOR_BYTES] for name, start in sectors_of(image)]
    alike = sum(any(other) and one.startswith(other) for one, other in permutations(sectors, 2))
    count = len(sectors)
    return count + 3 * count * (count - 1) // 2 - alike


@MACHINES
@pytest.mark.parametrize("script", [LOG, BASE], ids=["log", "base"])
def test_no_changed_byte_of_a_closed_directory_is_accepted(machine: MachineKind, script: Script) -> None:
    resting = rest(machine, script)
    tally = judge(resting, flips)
    assert tally == {Outcome.REFUSED: count_flips(resting.image)}
    assert tally.total() >= 8000


def rest_lazily() -> Resting:
    """Every outcome is judged after all slots were asked for."""
    with quiet():
        return Resting.after(Setup(machine=MachineKind.KEYSPACE, load=Load.LAZY), BASE)


def test_no_changed_byte_is_accepted_by_a_lazy_open_either() -> None:
    resting = rest_lazily()
    assert judge(resting, flips) == {Outcome.REFUSED: count_flips(resting.image)}


def test_a_lazy_open_that_does_not_check_is_found() -> None:
    with MUTANTS["slot not checked when it is needed"].applied():
        resting = rest_lazily()
        with pytest.raises(Wrong, match=r"^UNDETECTED"):
            judge(resting, flips)


def judge_flips_of_an_open_directory(machine: MachineKind, script: Script) -> None:
    resting = rest(machine, script)
    tally = judge(resting, flips)
    assert tally.total() == count_flips(resting.image) >= 11_000
    assert tally[Outcome.REFUSED] >= 6000, "all but the last record is vouched for"
    assert tally[Outcome.CUT] >= 1000, "the last one is not"
    assert tally[Outcome.HARMLESS] >= 3000, "nothing was written into the zeros"


def test_a_changed_byte_costs_a_dead_owner_the_last_batch_at_most_and_is_told() -> None:
    judge_flips_of_an_open_directory(MachineKind.FROZEN, OPEN_LOG)


@pytest.mark.slow
@pytest.mark.timeout(200)  # twenty seconds on a quiet machine
@pytest.mark.parametrize("script", [OPEN_LOG, OPEN_BASE], ids=["log", "base"])
@MACHINES
def test_a_changed_byte_costs_any_machine_the_last_batch_at_most(machine: MachineKind, script: Script) -> None:
    judge_flips_of_an_open_directory(machine, script)


@MACHINES
def test_no_sector_of_a_closed_directory_is_taken_for_another(machine: MachineKind) -> None:
    resting = rest(machine, SECTORS)
    tally = judge(resting, sector_damage)
    assert tally == {Outcome.REFUSED: count_sector_damage(resting.image)}
    assert tally.total() >= 250


@MACHINES
def test_no_sector_of_an_open_directory_is_taken_for_another(machine: MachineKind) -> None:
    resting = rest(machine, OPEN_SECTORS)
    tally = judge(resting, sector_damage)
    assert tally.total() >= 400
    assert tally[Outcome.REFUSED] >= 300
    assert tally[Outcome.CUT] >= 15
    # Zeros that become zeros are no damage, and those that become something else are behind the end.
    zeros = sum(not any(_content(resting.image, sector)) for sector in sectors_of(resting.image))
    assert count_sector_damage(resting.image) - tally.total() == zeros + 3 * zeros * (zeros - 1) // 2


def test_records_begin_with_sectors_so_that_whole_ones_change_places() -> None:
    image = rest(MachineKind.FROZEN, SECTORS).image
    whole = [sector for sector in sectors_of(image) if _content(image, sector).startswith(b"#DKV1 ") and sector[1]]
    assert len(whole) == 7
    assert len({name for name, _ in whole}) == 2, "and from one file to another"
    assert max(len(data) for name, data in image.files.items() if ".base." in name) >= 3 * SECTOR_BYTES


def test_only_files_that_count_for_nothing_may_decay_unnoticed() -> None:
    resting = rest(MachineKind.FROZEN, BASE, forgotten=BEFORE_BASE)
    (forgotten,) = left_over(resting.image.files[MANIFEST_NAME], resting.image.files)
    rest_of_it = {name: data for name, data in resting.image.files.items() if name != forgotten}
    for damages, count in ((flips, count_flips), (sector_damage, count_sector_damage)):
        tally = judge(resting, damages)
        assert set(tally) == {Outcome.REFUSED, Outcome.HARMLESS}
        assert tally[Outcome.REFUSED] >= count(Image(rest_of_it)), "everything that counts"


@pytest.mark.parametrize(
    ("name", "script", "damages", "verdict"),
    [
        ("checksum without the header", LOG, flips, "UNDETECTED"),
        ("corruption taken for a torn tail", LOG, flips, "UNDETECTED"),
        ("corruption taken for a torn tail", OPEN_LOG, flips, "LOST_ACKED"),
        ("bad record skipped", SECTORS, sector_damage, "UNDETECTED"),
        ("bad record skipped", OPEN_LOG, flips, "GAP"),
        ("loss not reported", OPEN_SECTORS, sector_damage, "SILENT"),
    ],
)
def test_a_broken_engine_is_found(
    name: str, script: Script, damages: Callable[[Image], Iterator[Damaged]], verdict: str
) -> None:
    with MUTANTS[name].applied():
        resting = rest(MachineKind.FROZEN, script)
        with pytest.raises(Wrong, match=f"^{verdict}"):
            judge(resting, damages)


def _content(image: Image, sector: tuple[str, int]) -> bytes:
    name, start = sector
    return image.files[name][start : start + SECTOR_BYTES]
