"""The promise: the litmus programs of trees would notice a model that is wrong about directories.

Method: bend what the model is told about each crash point, one clause at a time, and see some program object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from durakv_fuzz.kernel import FileState
from durakv_fuzz.model import Model
from durakv_fuzz.pending import EntryUnit, Part
from durakv_fuzz.timeline import Moment, Timeline
from durakv_fuzz.trace import Kind
from durakv_fuzz.tree import Node

from .trees import Outcome, Program, one, outcomes

Litmus = tuple[Program, Model, set[Outcome]]


def file_in_a_new_directory() -> Litmus:
    program = Program()
    program.mkdir("d")
    program.create("d/f", b"1")
    program.sync("d/f")
    program.sync_directory("d")
    return program, Model.POWER_LOSS, {one(), one(d="dir", d_f=b"1")}


def rename_across() -> Litmus:
    program = Program({"d": "dir", "d/f": b"1"})
    program.rename("d/f", "g")
    return program, Model.POWER_LOSS, {one(d="dir", d_f=b"1"), one(d="dir", d_f=b"1", g=b"1"), one(d="dir", g=b"1")}


def moved_around() -> Litmus:
    program = Program({"a": "dir", "b": "dir", "b/f": b"1"})
    program.rename("a", "b/a")
    program.rename("b/a", "c")
    program.rename("b", "c/b")
    start = one(a="dir", b="dir", b_f=b"1")
    inside = one(b="dir", b_a="dir", b_f=b"1")
    out = one(b="dir", b_f=b"1", c="dir")
    return program, Model.POWER_LOSS, {start, inside, out, one(c="dir", c_b="dir", c_b_f=b"1")}


def exchanged() -> Litmus:
    program = Program({"f": b"1", "g": b"2"})
    program.exchange("f", "g")
    return program, Model.POWER_LOSS, {one(f=b"1", g=b"2"), one(f=b"2", g=b"1")}


def one_journal() -> Litmus:
    program = Program({"d": "dir", "e": "dir"})
    program.create("d/f")
    program.create("e/g")
    program.sync_directory("e")
    return program, Model.ORDERED, {one(d="dir", e="dir", d_f=b"", e_g=b"")}


def linked() -> Litmus:
    program = Program({"f": b"1"})
    program.link("f", "g")
    program.sync_directory()
    program.write("g", b"2")
    return program, Model.POWER_LOSS, {one(f=b"1", g=b"1"), one(f=b"2", g=b"2")}


PROGRAMS = [file_in_a_new_directory, rename_across, moved_around, exchanged, one_journal, linked]


def objectors(bend: Callable[[Moment], Moment]) -> list[str]:
    names: list[str] = []
    for program in PROGRAMS:
        recorded, model, expected = program()
        timeline = Timeline(recorded.trace)
        timeline.moments = [bend(moment) for moment in timeline.moments]
        if outcomes(timeline, model=model) != expected:
            names.append(program.__name__)
    return names


def each_entry(change: Callable[[EntryUnit], EntryUnit]) -> Callable[[Moment], Moment]:
    return lambda moment: replace(moment, entries=tuple(change(unit) for unit in moment.entries))


def everything_is_in_the_root(unit: EntryUnit) -> EntryUnit:
    return replace(unit, operation=replace(unit.operation, directory=0, new_directory=0))


def directories_move_as_they_like(unit: EntryUnit) -> EntryUnit:
    return replace(unit, moves_directory=False)


def renames_between_directories_are_atomic(unit: EntryUnit) -> EntryUnit:
    return replace(unit, part=Part.WHOLE)


def exchanges_only_rename(unit: EntryUnit) -> EntryUnit:
    kind = Kind.RENAME if unit.operation.kind is Kind.EXCHANGE else unit.operation.kind
    return replace(unit, operation=replace(unit.operation, kind=kind))


def a_sync_of_one_directory_is_of_all(moment: Moment) -> Moment:
    return replace(moment, entries_required=(any(moment.entries_required),) * len(moment.entries))


def no_journal(moment: Moment) -> Moment:
    return replace(moment, committed_seq=0, entries_required=(False,) * len(moment.entries))


def links_are_copies(moment: Moment) -> Moment:
    if moment.nodes is None or "g" not in moment.names:
        return moment
    number = moment.names["g"]
    files: Mapping[int, FileState] = {**moment.files, 99: replace(moment.files[number], units=(), required=())}
    nodes: Mapping[int, Node] = {**moment.nodes, 99: moment.nodes[number]}
    return replace(moment, names={**moment.names, "g": 99}, files=files, nodes=nodes)


def test_a_model_that_is_right_is_accepted() -> None:
    assert objectors(lambda moment: moment) == []


@pytest.mark.parametrize(
    ("bend", "expected"),
    [
        (each_entry(everything_is_in_the_root), "rename_across"),
        (each_entry(renames_between_directories_are_atomic), "rename_across"),
        (each_entry(directories_move_as_they_like), "moved_around"),
        (each_entry(exchanges_only_rename), "exchanged"),
        (a_sync_of_one_directory_is_of_all, "file_in_a_new_directory"),
        (no_journal, "one_journal"),
        (links_are_copies, "linked"),
    ],
)
def test_a_model_that_is_wrong_in_one_clause_is_refused(bend: Callable[[Moment], Moment], expected: str) -> None:
    assert expected in objectors(bend)
