"""The promise: a terminal of 80 columns or more shows every case, what a crash takes beside it, and no line too long.

Method: print a made-up run, whole and with parts missing, on terminals of several widths.
"""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from durakv.bench import tables, terminal
from durakv.bench.results import Report
from tests.bench import made_up

each_width = pytest.mark.parametrize("width", [80, 100, 140])


def printed(report: Report, width: int) -> str:
    out = io.StringIO()
    terminal.render(report, Console(file=out, width=width))
    return out.getvalue()


@each_width
def test_no_line_is_longer_than_the_terminal_is_wide(width: int) -> None:
    lines = printed(made_up.report(), width).splitlines()
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)


@each_width
def test_every_case_is_named(width: int) -> None:
    report = made_up.report()
    told = printed(report, width)
    flat = " ".join(told.split())
    for case in report.cases:
        assert f"{case.store} {case.setting}" in told
        # A narrow column breaks a name over lines, so its words are looked for.
        assert all(word in flat for word in tables.load_name(case, sizes=False).split())
    for said in (*report.left_out, *report.disk.warnings):
        assert said in flat
    for verdict in report.verdicts:
        assert all(word in flat for word in verdict.name.split())


def test_warnings_come_before_any_figure() -> None:
    told = printed(made_up.report(), 100)
    assert told.index(made_up.WARNING[:40]) < told.index("commits/s")


@each_width
def test_what_a_crash_takes_stands_beside_the_throughput(width: int) -> None:
    lines = printed(made_up.report(), width).splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("durakv everysec"))
    row = lines[start + 1].split()
    assert row[:2] == ["threads", "1"]
    assert row[-4:] == ["none", "428k–888k", "1.07", "s"], "killed, power cut, oldest"


def test_a_broken_promise_is_not_missed() -> None:
    report = made_up.report()
    broken = msgspec.structs.replace(report.losses[1], lost=(0, 3), oldest_seconds=(0.0, 0.5))
    assert "BROKEN" in printed(msgspec.structs.replace(report, losses=(broken,)), 80)
    assert "BROKEN" not in printed(report, 80)


def test_a_case_without_rounds_says_why() -> None:
    report = made_up.report()
    unmeasured = msgspec.structs.replace(report.cases[0], rounds=(), note="the disk was full")
    told = printed(msgspec.structs.replace(report, cases=(unmeasured,)), 80)
    assert "threads 1: the disk was full" in told


def test_a_remark_on_every_case_is_made_once() -> None:
    report = made_up.report()
    noted = tuple(msgspec.structs.replace(case, note="one connection") for case in report.cases[:2])
    assert printed(msgspec.structs.replace(report, cases=noted), 80).count("one connection") == 1
    other = (*noted, msgspec.structs.replace(noted[1], width=3, note="two connections"))
    assert printed(msgspec.structs.replace(report, cases=other), 80).count("one connection") == 2


def test_response_times_are_told_from_service_times() -> None:
    report = made_up.report()
    opened = tuple(case for case in report.cases if case.offered_rate)
    told = printed(msgspec.structs.replace(report, cases=opened), 100)
    assert told.count("└ response") == len(opened)


@pytest.mark.parametrize("part", ["cases", "losses", "interferences", "recoveries", "verdicts", "left_out"])
def test_a_part_that_is_missing_is_left_out(part: str) -> None:
    whole = made_up.report()
    assert len(printed(msgspec.structs.replace(whole, **{part: ()}), 100)) < len(printed(whole, 100))


def test_text_of_the_run_is_never_markup() -> None:
    report = made_up.report()
    odd = msgspec.structs.replace(report, left_out=("[bold]odd[/bold] :smile:",))
    assert "[bold]odd[/bold] :smile:" in printed(odd, 100)
