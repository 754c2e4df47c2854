"""The promise: what is told of a crash says where in the program its calls were made, if that was asked for.

Method: the command, on a program whose rename is lost; and a trace written by hand.
"""

from __future__ import annotations

import platform
import re

import pytest
from click.testing import CliRunner

from durakv.cli.app import app
from durakv_fuzz.recorder.recorder import missing
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Operation, Trace
from durakv_fuzz.tree import EMPTY


@pytest.mark.skipif(bool(missing()), reason=f"no recorder: {missing()}")
@pytest.mark.skipif(platform.machine() != "x86_64", reason="places in programs are told on x86-64 only")
def test_the_witness_and_what_was_lost_have_their_places_if_they_are_asked_for() -> None:
    arguments = ["fuzz", "program", "--target", "file", "--policy", "rename", "--model", "ordered", "--prepared"]
    for more, place in ((["--sites"], r" \(called at \S*python\S* \S+\)"), ([], "")):
        ran = CliRunner().invoke(app, [*arguments, "--states", "30", *more])
        assert ran.exit_code == 1, ran.output
        assert re.search(rf"  (?:#\d+ )?rename state\.tmp -> state\.json{place} was lost", ran.output), ran.output
        assert ("called at" in ran.output) == bool(more)


def test_a_line_about_a_call_gets_that_calls_place_and_a_long_one_is_cut() -> None:
    trace = Trace(EMPTY)
    trace.operations = [
        Operation(Kind.CREATE, "a", file=1, start=0, end=1, site="program main+0x1"),
        Operation(Kind.SYNC, "a", file=1, start=2, end=3),
        Operation(Kind.RENAME, "a", new_name="b", file=1, start=4, end=5, site="s" * 500),
    ]
    trace.seq = 6
    timeline = Timeline(trace)
    create, sync, rename = map(timeline.tell, trace.operations)
    assert create == "#0 create a (called at program main+0x1)"
    assert sync == "#2 sync a"
    assert re.fullmatch(r"#4 rename a -> b \(called at s{120}\.\.\.\)", rename)
    assert timeline.placed("lost: entry #0 create a") == "lost: entry #0 create a (called at program main+0x1)"
    for line in ("lost: data #2 sync a", "lost: data #1 nothing", "kept: #9 nothing", "journal length"):
        assert timeline.placed(line) == line
