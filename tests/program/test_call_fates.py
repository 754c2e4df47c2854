"""The promise: what is told of each call of a crash is what the crash left.

Method: a short program that writes sectors which can be told apart; every answer to every question at every crash
point, under each model.  What the tree shows is compared with the fates, which are made from the answers alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from durakv_fuzz.choose import recorded
from durakv_fuzz.enumerate import State, TreeState
from durakv_fuzz.model import Model
from durakv_fuzz.program.call_fates import CallFates, Fate
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.tree_model import crash_tree
from tests.fuzz_disk.litmus import Every
from tests.fuzz_disk.trees import Program, seen

SECTOR = 512
THERE = (Fate.KEPT, Fate.SETTLED)
STATES_MAX = 20_000


def a_program() -> Timeline:
    program = Program()
    program.create("log")
    program.write("log", b"1111")
    program.sync("log")
    program.sync_directory()
    program.write("log", b"2222", SECTOR)
    program.mkdir("d")
    program.create("new")
    program.write("new", b"3333")
    program.rename("new", "d/old")
    program.write("log", b"4444", 2 * SECTOR)
    program.remove("log")
    return Timeline(program.trace)


def states(timeline: Timeline, model: Model) -> Iterator[TreeState]:
    for crash_seq in range(timeline.trace.seq + 1):
        every = Every()
        while True:
            answers, remember = recorded(every)
            tree = crash_tree(timeline, crash_seq, remember, model=model)
            yield State(crash_seq, model, tuple(answers), "every", tree, 0.0)
            if not every.advance():
                break


@pytest.mark.parametrize("model", list(Model))
def test_what_is_told_of_a_call_is_what_the_crash_left(model: Model) -> None:
    timeline = a_program()
    calls = {str(call).partition(" ")[2]: call for call in timeline.trace.operations}
    told_of: set[Fate] = set()
    for count, state in enumerate(states(timeline, model)):
        assert count < STATES_MAX, "the program is too long for every answer"
        fates = CallFates.of(timeline, state).calls
        told_of |= set(fates.values())
        fate = {words: fates.get(call.start) for words, call in calls.items()}
        found = dict(seen(state.image))
        contents = [data for data in found.values() if isinstance(data, bytes)]

        assert ("d" in found) == (fate["make_directory d"] in THERE)
        if "log" in found:
            assert fate["create log"] in THERE
            assert fate["remove log"] not in THERE
        if "d/old" in found:
            assert fate["rename new -> old"] in (*THERE, Fate.TORN)
        if "new" in found:
            assert fate["rename new -> old"] not in THERE
        for call in timeline.trace.operations:
            if call.kind is Kind.WRITE and call.start < state.crash_seq:
                check_write(call, fates[call.start], contents)
    assert told_of >= {Fate.KEPT} if model is Model.PROCESS_CRASH else told_of >= {*Fate} - {Fate.TORN}


def check_write(call: Operation, fate: Fate, contents: list[bytes]) -> None:
    """A few bytes of one sector: they are there or not; of a file without a name nobody knows."""
    is_there = any(call.data in data for data in contents)
    if fate is Fate.UNNAMED or fate is Fate.LOST:
        assert not is_there
    elif is_there:
        assert fate in THERE


def test_of_a_write_that_is_torn_it_is_told() -> None:
    program = Program()
    program.create("f")
    program.sync_directory()
    program.write("f", b"x" * SECTOR + b"y" * SECTOR)
    timeline = Timeline(program.trace)
    (write,) = [call for call in timeline.trace.operations if call.kind is Kind.WRITE]
    fates = {
        bytes(state.image.nodes[number].data).strip(b"\0"): CallFates.of(timeline, state).calls.get(write.start)
        for state in states(timeline, Model.POWER_LOSS)
        for number in state.image.paths().values()
        if state.crash_seq == timeline.trace.seq
    }
    assert fates[b"x" * SECTOR + b"y" * SECTOR] is Fate.KEPT
    assert fates[b"x" * SECTOR] is fates[b"y" * SECTOR] is Fate.TORN
    assert fates[b""] is Fate.LOST


def test_zeros_that_nobody_wrote_are_remarked_upon() -> None:
    program = Program()
    program.create("f")
    program.sync_directory()
    program.write("f", b"x" * SECTOR)
    timeline = Timeline(program.trace)
    remarks = {
        next(iter(dict(seen(state.image)).values()), b""): CallFates.of(timeline, state).remarks
        for state in states(timeline, Model.ORDERED_ZERO_TAIL)
        if state.crash_seq == timeline.trace.seq
    }
    assert remarks[b"x" * SECTOR] == remarks[b""] == ()
    assert "zeros" in remarks[bytes(SECTOR)][0]
