"""The promise: a long recorded run gives its telling crash states early, the same ones for the same seed, and cheaply.

Method: the trace of a server that appends, syncs, and once rewrites its log into new files, with a bug: the old log is
removed before the new name is durable.  What is found within a small budget, how much memory the timeline takes, and
how fast states come.
"""

from __future__ import annotations

import time
import tracemalloc

import pytest

from durakv_fuzz.choose import Recorded
from durakv_fuzz.enumerate import TreeState, explain
from durakv_fuzz.model import Model
from durakv_fuzz.pairs import Pairs
from durakv_fuzz.roles import sketch
from durakv_fuzz.sampled import Sampled, sampled_states
from durakv_fuzz.smaller_tree import minimal_crash
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.tree_model import crash_tree

from .trees import Program, seen

APPENDS = 600
OLD, NEW = "data/log.1", "data/log.2"


def server(appends: int = APPENDS, *, sync_names: bool = False) -> Program:
    """Appends ten bytes at a time; in the middle it goes over from one log to a snapshot and another log."""
    program = Program({"data": "dir", OLD: b""})
    log = OLD
    offset = 0
    for number in range(appends):
        if number == appends // 2:
            program.create("data/temp.77")
            for page in range(8):
                program.write("data/temp.77", bytes([page + 1]) * 4096, page * 4096)
            program.sync("data/temp.77")
            program.create(NEW)
            program.rename("data/temp.77", "data/snapshot.1")
            if sync_names:
                program.sync_directory("data")
            program.remove(OLD)
            log, offset = NEW, 0
        program.write(log, b"%09d\n" % number, offset)
        program.sync(log)
        program.trace.note("acked", number)
        offset += 10
    return program


def loses(state: TreeState) -> bool:
    """The old log is gone, and the snapshot is not there."""
    paths = state.image.paths()
    return OLD not in paths and "data/snapshot.1" not in paths


def test_the_bug_is_among_the_first_states() -> None:
    timeline = Timeline(server().trace)
    found = [index for index, state in enumerate(sampled_states(timeline, budget=300, seed=3)) if loses(state)]
    assert found
    assert found[0] < 150


def test_a_server_that_syncs_its_names_has_no_such_state() -> None:
    timeline = Timeline(server(sync_names=True).trace)
    assert not [state for state in sampled_states(timeline, budget=1500, seed=3) if loses(state)]


def test_the_same_seed_gives_the_same_states_each_once_and_each_can_be_made_again() -> None:
    timeline = Timeline(server(60).trace)
    states = list(sampled_states(timeline, budget=200, seed=5))
    again = list(sampled_states(Timeline(server(60).trace), budget=200, seed=5))
    assert [(s.crash_seq, s.model, s.answers) for s in states] == [(s.crash_seq, s.model, s.answers) for s in again]
    assert states != list(sampled_states(timeline, budget=200, seed=6))
    keys = {(s.image.digest(), s.time, timeline.notes_before(s.crash_seq)) for s in states}
    assert len(keys) == len(states) == 200
    for state in states[:50]:
        tree = crash_tree(timeline, state.crash_seq, Recorded(state.answers), model=state.model)
        assert tree.digest() == state.image.digest()
        assert explain(timeline, state)[0] == f"{state.model} before event {state.crash_seq}"


def test_every_signature_and_every_model_has_its_turn_and_in_the_end_every_point() -> None:
    timeline = Timeline(server(150).trace)
    sampled = Sampled(timeline, seed=1)
    states = list(sampled.states(budget=150))
    covered = sampled.coverage()
    assert covered.signatures_tried == covered.signatures
    assert {state.model for state in states} == set(Model)
    assert covered.points_tried < covered.points
    rest = list(sampled.states())
    assert sampled.coverage().points_tried == covered.points
    assert rest


def test_pairs_are_counted_of_which_one_was_lost_and_a_later_one_kept() -> None:
    timeline = Timeline(server(60).trace)
    pairs = Pairs(timeline)
    rename, removal = "entry rename data/temp.N -> data/snapshot.N", "entry remove data/log.N"
    assert (rename, removal) in pairs.possible
    assert (removal, rename) not in pairs.possible
    for state in sampled_states(timeline, budget=200, seed=1):
        before = (rename, removal) in pairs.tried
        pairs.saw(state)
        if not before and (rename, removal) in pairs.tried:
            assert loses(state) or "data/temp.77" in state.image.paths()
            assert OLD not in state.image.paths()
    assert (rename, removal) in pairs.tried
    assert pairs.tried <= pairs.possible


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("rename temp-12.rdb -> dump.rdb", "rename temp-N.rdb -> dump.rdb"),
        ("create objects/3f/a9c07be2", "create objects/Nf/N"),
        ("create log1", "create logN"),
        ("write data/catalog", "write data/catalog"),
    ],
)
def test_paths_that_differ_in_numbers_only_are_one(text: str, same: str) -> None:
    assert sketch(text) == same


def test_only_the_models_asked_for_are_tried() -> None:
    timeline = Timeline(server(40).trace)
    states = sampled_states(timeline, budget=100, models=(Model.ORDERED,))
    assert {state.model for state in states} == {Model.ORDERED}


def test_states_come_by_the_hundred_a_second_and_versions_of_a_file_share_their_pages() -> None:
    program = Program({"data": "dir", **{f"data/{number}": b"%d" % number * 400 for number in range(100)}})
    program.create("data/big", b"x" * (4 << 20))
    for number in range(1000):
        program.write("data/big", b"%04d" % number, number * 4093)
        program.sync("data/big")
    tracemalloc.start()
    timeline = Timeline(program.trace)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert used < 60 << 20
    started = time.process_time()
    count = sum(1 for _ in sampled_states(timeline, budget=500))
    assert count == 500
    # Measured: some 4,000 a second.
    assert time.process_time() - started < 5


def test_a_failing_crash_is_made_small_with_few_tries() -> None:
    timeline = Timeline(server().trace)
    start = next(
        state
        for state in sampled_states(timeline, seed=3)
        if loses(state) and state.model is Model.POWER_LOSS and state.stage in ("uneven", "any", "omit one")
    )
    tries: list[TreeState] = []

    def fails(state: TreeState) -> bool:
        tries.append(state)
        return loses(state)

    smaller = minimal_crash(timeline, fails, start, attempts=80)
    assert len(tries) == smaller.tries <= 80
    assert loses(smaller.state)
    (lost,) = smaller.lines(timeline)
    assert "rename data/temp.77 -> data/snapshot.1" in lost
    removal = next(op for op in timeline.trace.operations if op.kind == "remove")
    assert removal.start < smaller.state.crash_seq <= removal.start + 3
    assert "rename data/temp.77 -> data/snapshot.1 was lost though " in smaller.witness
    assert f"remove {OLD}, which came later, survived" in smaller.witness
    tree = crash_tree(timeline, smaller.state.crash_seq, Recorded(smaller.state.answers), model=smaller.state.model)
    assert seen(tree) == seen(smaller.state.image)


def test_the_mildest_disk_that_will_do_is_found() -> None:
    timeline = Timeline(server(100).trace)

    def torn(state: TreeState) -> bool:
        """The last line of a log is not whole: on any disk."""
        return any(
            isinstance(data, bytes) and path.startswith("data/log") and len(data) % 10
            for path, data in seen(state.image)
        )

    def nothing_new(state: TreeState) -> bool:
        """The new log is empty though the old one is gone: where names are ordered too."""
        found = dict(seen(state.image))
        return OLD not in found and found.get(NEW) == b""

    for fails, model in ((torn, Model.ORDERED_ZERO_TAIL), (nothing_new, Model.PROCESS_CRASH)):
        start = next(s for s in sampled_states(timeline, seed=2, models=(Model.POWER_LOSS,)) if nothing_new(s))
        if fails is torn:
            start = next(s for s in sampled_states(timeline, seed=2, models=(Model.ORDERED_ZERO_TAIL,)) if torn(s))
        smaller = minimal_crash(timeline, fails, start, attempts=100)
        assert smaller.state.model is model
        assert fails(smaller.state)


def test_a_start_that_does_not_fail_comes_back() -> None:
    timeline = Timeline(server(40).trace)
    start = next(iter(sampled_states(timeline)))
    smaller = minimal_crash(timeline, lambda state: False, start, attempts=20)
    assert smaller.state.image.digest() == start.image.digest()
    assert smaller.tries <= 20
