"""The promise: what may be left of a tree obeys a few laws, whatever the program did.

Method: random programs over a small tree; for each crash all answers, or many seeded ones, are tried.  The laws are
stated on the calls themselves, with a naive file system of nested dictionaries for what the program itself sees.
"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from durakv_fuzz.choose import Choose, Seeded, harshest, kindest
from durakv_fuzz.model import Model
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.tree import NodeKind, Tree
from durakv_fuzz.tree_model import crash_tree

from .trees import Program, outcomes, seen
from .walks import Walk

POWER = (Model.POWER_LOSS, Model.ORDERED, Model.ORDERED_ZERO_TAIL)
SEEDS = st.integers(0, 1 << 32)


def settle(program: Program, path: str) -> None:
    """The syncs that the fault model asks for after a change of names."""
    program.sync_directory(path.rpartition("/")[0])


def is_tree(tree: Tree) -> bool:
    """Whether every directory has one name, everything is reached, and nothing is missing."""
    numbers = list(tree.entries.values())
    directories = [number for number, node in tree.nodes.items() if node.kind is NodeKind.DIRECTORY]
    one_name = all(numbers.count(number) == (number != 0) for number in directories)
    return one_name and len(tree.paths()) == len(tree.entries) and set(numbers) | {0} == set(tree.nodes)


@given(SEEDS, st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_whatever_is_lost_a_tree_is_left(seed: int, steps: int) -> None:
    walk = Walk(seed).go(steps)
    timeline = Timeline(walk.program.trace)
    source = random.Random(seed)
    for crash_seq in range(0, timeline.trace.seq + 1, 2):
        for model in Model:
            choosers: list[Choose] = [harshest, kindest, *[Seeded(source)] * 4]
            for choose in choosers:
                assert is_tree(crash_tree(timeline, crash_seq, choose, model=model))


@given(SEEDS, st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_all_kept_is_what_the_program_sees_and_sync_all_leaves_nothing_else(seed: int, steps: int) -> None:
    walk = Walk(seed).go(steps)
    expected = walk.naive.outcome()
    timeline = Timeline(walk.program.trace)
    for model in Model:
        if model is not Model.ORDERED_ZERO_TAIL:  # whose last answers are sizes that ran ahead
            assert seen(crash_tree(timeline, timeline.trace.seq, kindest, model=model)) == expected
    walk.program.sync_all()
    for model in Model:
        assert outcomes(walk.program, model=model) == {expected}


@given(SEEDS, st.integers(1, 14))
@settings(max_examples=60, deadline=None)
def test_a_program_that_syncs_what_it_should_after_each_call_has_one_outcome(seed: int, steps: int) -> None:
    walk = Walk(seed, after=settle).go(steps)
    for model in POWER:
        assert outcomes(walk.program, model=model) == {walk.naive.outcome()}


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_milder_disk_leaves_nothing_that_a_harsher_one_would_not(seed: int, steps: int) -> None:
    walk = Walk(seed).go(steps)
    harsh = outcomes(walk.program, model=Model.POWER_LOSS)
    zero_tail = outcomes(walk.program, model=Model.ORDERED_ZERO_TAIL)
    ordered = outcomes(walk.program, model=Model.ORDERED)
    assert ordered <= zero_tail
    # Files here are smaller than a sector, which is kept whole or not at all; what a zero tail tears is not compared.
    assert ordered <= harsh


@given(SEEDS, st.integers(1, 5))
@settings(max_examples=40, deadline=None)
def test_one_more_sync_never_allows_more(seed: int, steps: int) -> None:
    walk = Walk(seed).go(steps)
    before = outcomes(walk.program)
    directory = walk.random.choice(["", *(path for path in walk.program.numbers if path and walk.is_directory(path))])
    walk.program.sync_directory(directory)
    assert outcomes(walk.program) <= before


@given(SEEDS, st.integers(1, 8))
@settings(max_examples=150, deadline=None)
def test_moving_directories_about_loses_and_doubles_nothing(seed: int, steps: int) -> None:
    source = random.Random(seed)
    program = Program({"a": "dir", "b": "dir", "c": "dir", "a/f": b"1", "b/f": b"2", "c/f": b"3"})
    for step in range(steps):
        directories = sorted(path.removesuffix("/f") for path in program.numbers if path.endswith("/f"))
        old, parent = source.choice(directories), source.choice(["", *directories])
        if parent != old and not parent.startswith(f"{old}/"):
            program.rename(old, f"{parent}/{step}" if parent else str(step))
            if source.random() < 0.2:
                program.sync_directory(parent if parent in program.numbers else "")
    timeline = Timeline(program.trace)
    choosers: list[Choose] = [harshest, kindest, *[Seeded(source)] * 20]
    for model in Model:
        for choose in choosers:
            tree = crash_tree(timeline, timeline.trace.seq, choose, model=model)
            assert is_tree(tree)
            assert sorted(str(data) for _, data in seen(tree)) == ["b'1'", "b'2'", "b'3'", "dir", "dir", "dir"]
