"""The promise: a change is called one only beyond the rounds' own spread, and a slower disk is no slower store.

Method: change one thing in a made-up run, and compare.
"""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from durakv.bench import compare
from durakv.bench.results import Case, Report
from tests.bench import made_up


def with_rates(report: Report, factor: float, raw_factor: float = 1.0) -> Report:
    return msgspec.structs.replace(report, cases=tuple(scaled(case, factor, raw_factor) for case in report.cases))


def scaled(case: Case, factor: float, raw_factor: float) -> Case:
    rounds = tuple(
        msgspec.structs.replace(one, rate=one.rate * factor, raw_rate=one.raw_rate * raw_factor) for one in case.rounds
    )
    return msgspec.structs.replace(case, rounds=rounds)


def printed(before: Report, after: Report, width: int = 120) -> str:
    out = io.StringIO()
    compare.render(before, after, Console(file=out, width=width))
    return out.getvalue()


def verdicts(before: Report, after: Report) -> set[str]:
    return {change.verdict for change in compare.changes(before, after) if len(change.case.rounds) > 1}


def test_the_same_run_shows_no_change() -> None:
    found = compare.changes(made_up.report(), made_up.report())
    assert [change.case for change in found] == list(made_up.report().cases)
    assert {change.rate for change in found} == {1.0}
    assert verdicts(made_up.report(), made_up.report()) == {compare.SAME}


@pytest.mark.parametrize(("factor", "verdict"), [(2.0, compare.FASTER), (0.5, compare.SLOWER)])
def test_a_change_beyond_the_spread_is_one(factor: float, verdict: str) -> None:
    after = with_rates(made_up.report(), factor)
    assert verdicts(made_up.report(), after) == {verdict}
    assert verdict in printed(made_up.report(), after)


def test_a_change_within_the_spread_is_none() -> None:
    assert verdicts(made_up.report(), with_rates(made_up.report(), 1.001)) == {compare.SAME}


def test_a_slower_disk_is_no_slower_store() -> None:
    after = with_rates(made_up.report(), 0.2, raw_factor=0.2)
    assert verdicts(made_up.report(), after) == {compare.SAME}


def test_without_the_raw_loop_the_rates_themselves_are_compared_and_marked() -> None:
    after = with_rates(made_up.report(), 2.0, raw_factor=0.0)
    assert all(change.rate == pytest.approx(2.0) for change in compare.changes(made_up.report(), after))
    assert "2.00x*" in printed(made_up.report(), after)


def test_one_round_decides_nothing() -> None:
    single = compare.changes(made_up.report(), with_rates(made_up.report(), 9.0))
    assert {change.verdict for change in single if len(change.case.rounds) == 1} == {compare.UNSURE}


def test_another_machine_or_disk_is_warned_of() -> None:
    report = made_up.report()
    other = msgspec.structs.replace(
        report,
        machine=msgspec.structs.replace(report.machine, cores=64),
        disk=msgspec.structs.replace(report.disk, device="/dev/sdb"),
    )
    told = printed(report, other)
    assert "Warning: not the same number of cores: 2, then 64" in told
    assert "Warning: not the same device: /dev/vda, then /dev/sdb" in told
    assert "Warning" not in printed(report, report)


def test_cases_of_one_run_only_are_listed() -> None:
    report = made_up.report()
    first, *rest = report.cases
    shorter = msgspec.structs.replace(report, cases=tuple(rest))
    assert f"Only in the run before\n  {first.name}" in printed(report, shorter)
    assert f"Only in the run after\n  {first.name}" in printed(shorter, report)
    assert "Only in" not in printed(report, report)


def test_losses_are_compared() -> None:
    report = made_up.report()
    losses = tuple(
        msgspec.structs.replace(one, lost=(0, 12_345), oldest_seconds=(0.0, 7.5)) if one.setting == "everysec" else one
        for one in report.losses
    )
    told = printed(report, msgspec.structs.replace(report, losses=losses))
    row = next(line for line in told.splitlines() if line.startswith("durakv everysec") and "power cut" in line)
    assert row.split()[-6:] == ["96.4k", "12.3k", "1.07", "s", "7.50", "s"]


def test_a_run_compares_with_one_that_has_nothing() -> None:
    report = made_up.report()
    assert "Only in the run before" in printed(report, msgspec.structs.replace(report, cases=(), losses=()))
