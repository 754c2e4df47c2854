"""The promise: the litmus programs would notice a crash model that is wrong.

Method: bend what the model is told about each crash point, one clause at a time, and see some litmus program object.
A program here is run once; its expectation is the whole set of outcomes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.image import Image
from durakv_fuzz.kernel import FileState
from durakv_fuzz.model import Model
from durakv_fuzz.timeline import Moment, Timeline
from durakv_fuzz.trace import Kind

from .litmus import EMPTY, Outcome, one, outcomes

A, B, Z = b"a" * 512, b"b" * 512, bytes(512)
Litmus = tuple[SimulatedDisk, Model, set[Outcome]]


def synced_file() -> Litmus:
    disk = SimulatedDisk(Image())
    file = disk.create("f")
    file.write_at(b"data", 0)
    file.sync()
    return disk, Model.POWER_LOSS, {EMPTY, one(f=b"data")}


def two_sectors() -> Litmus:
    disk = SimulatedDisk(Image({"f": Z + Z}))
    disk.open("f", writable=True).write_at(A + B, 0)
    return disk, Model.POWER_LOSS, {one(f=x + y) for x in (Z, A) for y in (Z, B)}


def write_through_after_a_write() -> Litmus:
    disk = SimulatedDisk(Image({"f": Z + Z}))
    file = disk.open("f", writable=True)
    file.write_at(A, 0)
    file.write_through(B, 512)
    return disk, Model.POWER_LOSS, {one(f=Z + B), one(f=A + B)}


def longer_file() -> Litmus:
    disk = SimulatedDisk(Image({"f": b"1"}))
    disk.open("f", writable=True).write_at(b"2", 1)
    return disk, Model.POWER_LOSS, {one(f=b"1"), one(f=b"1\0"), one(f=b"12")}


def atomic_rename() -> Litmus:
    disk = SimulatedDisk(Image({"temp": b"2", "f": b"1"}))
    disk.rename("temp", "f")
    return disk, Model.POWER_LOSS, {one(temp=b"2", f=b"1"), one(f=b"2")}


def independent_names() -> Litmus:
    disk = SimulatedDisk(Image())
    disk.create("a")
    disk.create("b")
    return disk, Model.POWER_LOSS, {EMPTY, one(a=b""), one(b=b""), one(a=b"", b=b"")}


def ordered_names() -> Litmus:
    disk = SimulatedDisk(Image())
    disk.create("a").write_through(b"", 0)
    disk.create("b").sync()
    disk.create("c")
    return disk, Model.ORDERED, {one(a=b"", b=b""), one(a=b"", b=b"", c=b"")}


def new_root() -> Litmus:
    disk = SimulatedDisk(faults=fail_nth(0, Fault(done=1)))
    with pytest.raises(OSError, match="Input/output"):
        disk.make_root()
    return disk, Model.POWER_LOSS, {None, EMPTY}


def failed_sync() -> Litmus:
    disk = SimulatedDisk(Image({"f": b"1"}), faults=fail_nth(0, Fault(), kinds={Kind.SYNC}))
    file = disk.open("f", writable=True)
    file.write_at(b"2", 0)
    with pytest.raises(OSError, match="Input/output"):
        file.sync()
    file.sync()
    return disk, Model.POWER_LOSS, {one(f=b"1"), one(f=b"2")}


def process_crash() -> Litmus:
    disk = SimulatedDisk(Image())
    disk.create("f").write_at(b"data", 0)
    return disk, Model.PROCESS_CRASH, {one(f=b"data")}


PROGRAMS = [
    synced_file,
    two_sectors,
    write_through_after_a_write,
    longer_file,
    atomic_rename,
    independent_names,
    ordered_names,
    new_root,
    failed_sync,
    process_crash,
]


def objectors(bend: Callable[[Moment], Moment]) -> list[str]:
    names: list[str] = []
    for program in PROGRAMS:
        disk, model, expected = program()
        timeline = Timeline(disk.trace)
        timeline.moments = [bend(moment) for moment in timeline.moments]
        if outcomes(timeline, model=model) != expected:
            names.append(program.__name__)
    return names


def each_file(change: Callable[[FileState], FileState]) -> Callable[[Moment], Moment]:
    return lambda moment: replace(moment, files={number: change(state) for number, state in moment.files.items()})


def data_always_survives(state: FileState) -> FileState:
    return replace(state, required=(True,) * len(state.units))


def write_through_promises_nothing(state: FileState) -> FileState:
    return replace(state, required=(False,) * len(state.units))


def writes_are_atomic(state: FileState) -> FileState:
    return replace(state, units=tuple(replace(unit, ways=2) for unit in state.units))


def sizes_never_run_ahead(state: FileState) -> FileState:
    return replace(state, units=tuple(replace(unit, size_after=0) for unit in state.units))


def writes_are_lost(state: FileState) -> FileState:
    return replace(state, units=(), required=())


def names_always_survive(moment: Moment) -> Moment:
    return replace(moment, entries_required=(True,) * len(moment.entries))


def names_are_lost(moment: Moment) -> Moment:
    return replace(moment, entries=(), entries_required=())


def renames_only_add(moment: Moment) -> Moment:
    units = tuple(
        replace(unit, operation=replace(unit.operation, kind=Kind.CREATE, name=unit.operation.new_name))
        if unit.operation.kind is Kind.RENAME
        else unit
        for unit in moment.entries
    )
    return replace(moment, entries=units)


def the_journal_commits_nothing(moment: Moment) -> Moment:
    return replace(moment, committed_seq=0)


def the_root_always_survives(moment: Moment) -> Moment:
    return replace(moment, root_durable=True)


def test_a_model_that_is_right_is_accepted() -> None:
    assert objectors(lambda moment: moment) == []


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (each_file(data_always_survives), "failed_sync"),
        (each_file(write_through_promises_nothing), "write_through_after_a_write"),
        (each_file(writes_are_atomic), "two_sectors"),
        (each_file(sizes_never_run_ahead), "longer_file"),
        (each_file(writes_are_lost), "process_crash"),
        (names_always_survive, "independent_names"),
        (names_are_lost, "atomic_rename"),
        (renames_only_add, "atomic_rename"),
        (the_journal_commits_nothing, "ordered_names"),
        (the_root_always_survives, "new_root"),
    ],
)
def test_a_model_that_is_wrong_in_one_clause_is_refused(bend: Callable[[Moment], Moment], expected: str) -> None:
    assert expected in objectors(bend)
