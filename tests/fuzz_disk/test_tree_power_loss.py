"""The promise: in a tree of directories a power loss takes what no sync of the right thing covered, and no more.

Method: litmus programs of a few calls; the set of all trees that a crash at the end may leave is compared with what the
fault model (F3, F4) allows.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.choose import harshest, kindest
from durakv_fuzz.model import Model
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.trace_file import dump_trace, load_trace
from durakv_fuzz.tree import NodeKind, Tree
from durakv_fuzz.tree_model import crash_tree

from .trees import Outcome, Program, one, outcomes, seen, tree_of

EMPTY: Outcome = frozenset()
ORDERED = Model.ORDERED


def test_a_synced_file_is_lost_with_its_name() -> None:
    program = Program()
    program.create("f", b"data")
    program.sync("f")
    assert outcomes(program) == {EMPTY, one(f=b"data")}
    program.sync_directory()
    assert outcomes(program) == {one(f=b"data")}


def test_a_directory_that_was_lost_takes_everything_beneath_along() -> None:
    program = Program()
    program.mkdir("d")
    program.create("d/f", b"data")
    program.sync("d/f")
    program.sync_directory("d")
    assert outcomes(program) == {EMPTY, one(d="dir", d_f=b"data")}
    program.sync_directory()
    assert outcomes(program) == {one(d="dir", d_f=b"data")}


def test_the_sync_of_a_directory_says_nothing_about_another() -> None:
    program = Program({"d": "dir", "e": "dir"})
    program.create("d/f")
    program.sync_directory("e")
    program.sync_directory()
    assert outcomes(program) == {one(d="dir", e="dir"), one(d="dir", e="dir", d_f=b"")}
    program.sync_directory("d")
    assert outcomes(program) == {one(d="dir", e="dir", d_f=b"")}


BEFORE, BOTH, AFTER = (
    one(d="dir", e="dir", d_f=b"1"),
    one(d="dir", e="dir", d_f=b"1", e_g=b"1"),
    one(d="dir", e="dir", e_g=b"1"),
)


def test_a_rename_is_settled_by_the_directory_it_went_to() -> None:
    program = Program({"d": "dir", "e": "dir", "d/f": b"1"})
    program.rename("d/f", "e/g")
    program.sync_directory("d")
    assert outcomes(program) == {BEFORE, AFTER}
    program.sync_directory("e")
    assert outcomes(program) == {AFTER}


def test_a_renamed_file_may_be_in_both_directories_until_the_one_it_left_is_synced_and_is_never_in_none() -> None:
    program = Program({"d": "dir", "e": "dir", "d/f": b"1"})
    program.rename("d/f", "e/g")
    assert outcomes(program) == {BEFORE, BOTH, AFTER}
    assert outcomes(program, model=ORDERED) == {BEFORE, AFTER}
    program.sync_directory("e")
    assert outcomes(program) == {BOTH, AFTER}
    assert outcomes(program, model=ORDERED) == {AFTER}
    program.sync_directory("d")
    assert outcomes(program) == {AFTER}


def test_a_new_file_under_the_old_name_replaces_the_one_that_may_still_be_there() -> None:
    program = Program({"d": "dir", "e": "dir", "d/f": b"1"})
    program.rename("d/f", "e/g")
    program.create("d/f", b"2")
    program.sync("d/f")
    program.sync_directory("d")
    new = one(d="dir", e="dir", d_f=b"2", e_g=b"1")
    assert outcomes(program) == {new}, "the name that was made anew shows that the file has left"


def test_a_killed_rename_to_another_directory_happened_or_not() -> None:
    program = Program({"d": "dir", "e": "dir", "d/f": b"1"})
    program.rename("d/f", "e/g")
    start = program.trace.operations[-1].start
    killed = outcomes(program, crash_seq=start + 1, model=Model.PROCESS_CRASH)
    assert killed == {BEFORE, AFTER}


def test_a_replaced_file_is_the_old_or_the_new_one() -> None:
    program = Program({"d": "dir", "d/f": b"old"})
    program.create("d/t", b"new")
    program.sync("d/t")
    program.rename("d/t", "d/f")
    assert outcomes(program) == {
        one(d="dir", d_f=b"old"),
        one(d="dir", d_f=b"old", d_t=b"new"),
        one(d="dir", d_f=b"new"),
    }
    assert outcomes(program, model=ORDERED) == {one(d="dir", d_f=b"old", d_t=b"new"), one(d="dir", d_f=b"new")}


@pytest.mark.parametrize("model", [Model.POWER_LOSS, Model.ORDERED])
def test_nothing_forces_the_data_of_a_file_that_replaces_another(model: Model) -> None:
    program = Program({"f": b"old"})
    program.create("t", b"new")
    program.rename("t", "f")
    assert one(f=b"") in outcomes(program, model=model)


def test_a_truncated_file_that_was_written_again_may_be_empty() -> None:
    program = Program({"f": b"old"})
    program.truncate("f", 0)
    program.write("f", b"new")
    assert {one(f=b"old"), one(f=b""), one(f=b"new")} <= outcomes(program)
    program.sync("f")
    assert outcomes(program) == {one(f=b"new")}


def test_each_name_of_a_file_is_lost_by_itself_and_its_content_is_one() -> None:
    program = Program({"f": b"1"})
    program.link("f", "g")
    program.write("g", b"2")
    both = {one(f=x, g=x) for x in (b"1", b"2")}
    assert outcomes(program) == both | {one(f=b"1"), one(f=b"2")}
    program.sync_directory()
    assert outcomes(program) == both


def test_a_link_and_a_removal_may_lose_the_file_where_a_rename_may_not() -> None:
    program = Program({"t": b"1"})
    program.link("t", "f")
    program.remove("t")
    assert outcomes(program) == {one(t=b"1"), one(t=b"1", f=b"1"), one(f=b"1"), EMPTY}
    assert outcomes(program, model=ORDERED) == {one(t=b"1"), one(t=b"1", f=b"1"), one(f=b"1")}


def test_a_removed_directory_may_be_back_and_empty() -> None:
    program = Program({"d": "dir", "d/f": b"1"})
    program.remove("d/f")
    program.sync_directory("d")
    program.remove("d")
    assert outcomes(program) == {one(d="dir"), EMPTY}


def test_a_symbolic_link_has_its_target_or_is_not_there() -> None:
    program = Program()
    program.symlink("some/where", "l")
    assert outcomes(program) == {EMPTY, one(l="-> some/where")}


def test_an_exchange_is_atomic() -> None:
    program = Program({"d": "dir", "f": b"1", "d/g": b"2"})
    program.exchange("f", "d/g")
    assert outcomes(program) == {one(d="dir", f=b"1", d_g=b"2"), one(d="dir", f=b"2", d_g=b"1")}
    program.sync_directory("d")
    assert outcomes(program) == {one(d="dir", f=b"2", d_g=b"1")}


def test_names_of_all_directories_survive_in_one_order_where_they_are_ordered() -> None:
    program = Program({"d": "dir"})
    program.create("a")
    program.create("d/b")
    program.create("c")
    expected = [one(d="dir"), one(d="dir", a=b""), one(d="dir", a=b"", d_b=b""), one(d="dir", a=b"", d_b=b"", c=b"")]
    assert outcomes(program, model=ORDERED) == set(expected)
    assert len(outcomes(program)) == 8
    program.sync_directory("d")
    program.create("e")
    whole = one(d="dir", a=b"", d_b=b"", c=b"")
    assert outcomes(program, model=ORDERED) == {whole, whole | one(e=b"")}


def test_the_sync_of_a_file_that_grew_commits_the_journal_where_there_is_one() -> None:
    program = Program()
    program.mkdir("d")
    program.create("d/f", b"1")
    program.sync("d/f")
    assert outcomes(program, model=ORDERED) == {one(d="dir", d_f=b"1")}
    assert outcomes(program) == {EMPTY, one(d="dir"), one(d="dir", d_f=b"1")}


def test_a_renamed_directory_has_one_name_and_all_that_is_in_it() -> None:
    program = Program({"a": "dir", "a/f": b"1"})
    program.rename("a", "b")
    program.rename("b", "c")
    assert outcomes(program) == {
        one(a="dir", a_f=b"1"),
        one(b="dir", b_f=b"1"),
        one(c="dir", c_f=b"1"),
    }
    program.mkdir("a")
    for found in outcomes(program):
        assert [data for _, data in found].count(b"1") == 1


def test_no_directory_gets_beneath_itself() -> None:
    program = Program({"a": "dir", "b": "dir", "b/f": b"1"})
    program.rename("a", "b/a")
    program.rename("b/a", "c")
    program.rename("b", "c/b")
    # The last move alone, without the one before it, would put both inside each other.
    for found in outcomes(program):
        assert b"1" in {data for _, data in found}
    assert one(c="dir", c_b="dir", c_b_f=b"1") in outcomes(program)


def test_a_file_without_a_name_goes_on_until_its_removal_is_lost() -> None:
    program = Program({"f": b"1"})
    number = program.remove("f")
    program.write(number, b"2")
    assert outcomes(program) == {EMPTY, one(f=b"1"), one(f=b"2")}
    program.sync(number)
    assert outcomes(program) == {EMPTY, one(f=b"2")}
    program.sync_directory()
    assert outcomes(program) == {EMPTY}


def test_sync_all_settles_everything_that_ended_before_it_began() -> None:
    program = Program({"d": "dir"})
    program.create("d/f", b"1")
    program.symlink("d", "l")
    program.sync_all()
    everything = one(d="dir", d_f=b"1", l="-> d")
    for model in Model:
        assert outcomes(program, model=model) == {everything}


def test_what_happens_during_a_sync_is_not_covered_by_it() -> None:
    program = Program({"d": "dir"})
    program.sync_directory("d", during=lambda: program.symlink("d", "d/l"))
    assert outcomes(program) == {one(d="dir"), one(d="dir", d_l="-> d")}


def test_modes_are_as_last_set_whatever_else_is_lost() -> None:
    program = Program({"f": b"1"})
    program.set_mode("f", 0o600)
    number = program.create("g", mode=0o640)
    for choose in (harshest, kindest):
        tree = crash_tree(program.trace, program.trace.seq, choose)
        assert tree.nodes[program.numbers["f"]].mode == 0o600
    assert tree.nodes[number].mode == 0o640
    assert tree.nodes[number].kind is NodeKind.FILE


def test_a_process_crash_loses_nothing_but_may_stop_a_call_half_way() -> None:
    program = Program({"d": "dir"})
    program.mkdir("d/e")
    program.create("d/e/f", b"1")
    program.rename("d/e", "e")
    assert outcomes(program, model=Model.PROCESS_CRASH) == {one(d="dir", e="dir", e_f=b"1")}
    last = program.trace.operations[-1]
    assert outcomes(program, crash_seq=last.end, model=Model.PROCESS_CRASH) == {
        one(d="dir", e="dir", e_f=b"1"),
        one(d="dir", d_e="dir", d_e_f=b"1"),
    }


def test_a_trace_that_was_cut_by_a_process_crash_is_a_trace() -> None:
    program = Program({"d": "dir"})
    program.create("d/f", b"1", mode=0o600)
    program.symlink("f", "d/l")
    program.set_mode("d/f", 0o644)
    program.link("d/f", "g")
    program.rename("d", "e")
    program.sync_directory()
    for crash_seq in range(program.trace.seq + 1):
        for choose in (harshest, kindest):
            cut = program.trace.killed(crash_seq, choose)
            expected = crash_tree(program.trace, crash_seq, choose, model=Model.PROCESS_CRASH)
            seen_now = crash_tree(load_trace(dump_trace(cut)), cut.seq, kindest, model=Model.PROCESS_CRASH)
            assert seen(seen_now) == seen(expected)


def test_a_rename_of_one_link_onto_another_of_the_same_file_does_nothing() -> None:
    program = Program({"f": b"1"})
    program.link("f", "g")
    program.sync_all()
    program.do(Operation(Kind.RENAME, "f", "g", program.numbers["f"]))
    assert outcomes(program) == {one(f=b"1", g=b"1")}


def test_a_base_may_have_any_numbers() -> None:
    base = tree_of({"d": "dir", "d/f": b"1"})
    moved = Tree({0: base.nodes[0], 40: base.nodes[1], 7: base.nodes[2]}, {(0, "d"): 40, (40, "f"): 7})
    program = Program(moved)
    program.create("d/g")
    assert outcomes(program) == {one(d="dir", d_f=b"1"), one(d="dir", d_f=b"1", d_g=b"")}
