"""The promise: one command makes the table again, says of every target whether it was met, and keeps what people wrote.

Method: saved runs with made-up figures, the real command, and the small measurements at their smallest.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from durakv.bench import results, targets
from durakv.bench.growth import worst_insert
from durakv.bench.results import RecoveryPoint, Report, Shape
from durakv.bench.start_up import start_up
from durakv.bench.targets_page import BEGIN, END, page
from durakv.bench.targets_parts import QUICK, Parts, measure, together
from durakv.cli import exits
from durakv.cli.bench_targets import targets as command
from tests.bench.test_targets import always, everysec, report


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "report.json"
    results.save(some(), path)
    return path


def some() -> Report:
    return report(always(Shape.THREADS, 1, 970.0), everysec(Shape.THREADS, 1, 1000.0, p999_us=150.0))


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [*map(str, arguments)])


def row(text: str, target: targets.Target) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {target.name} |"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_has_every_target_with_its_verdict(saved: Path) -> None:
    done = run("--from", saved, "--no-parts")
    assert done.exit_code == exits.TOLD, done.output
    for target in targets.TARGETS:
        assert row(done.stdout, target)
    assert row(done.stdout, targets.SINGLE_RAW)[1:4] == ["≥ 0.95", "0.97", "met"]
    assert row(done.stdout, targets.EVERYSEC_P999)[1:4] == ["≤ 100 us", "150 us", "**missed**"]
    assert row(done.stdout, targets.REPLAY)[2:4] == ["-", "not measured"]
    for fact in ("a processor", "ext4 on /dev/vda", "durakv 0.1.0", "2026-01-01"):
        assert fact in done.stdout


def test_without_a_missed_target_the_exit_code_is_ok(tmp_path: Path) -> None:
    results.save(report(always(Shape.THREADS, 1, 970.0)), tmp_path / "report.json")
    assert run("--from", tmp_path / "report.json", "--no-parts").exit_code == exits.OK


def test_what_people_wrote_on_the_page_stays(saved: Path, tmp_path: Path) -> None:
    written = tmp_path / "targets.md"
    assert run("--from", saved, "--no-parts", "--write", written).exit_code == exits.TOLD
    first = written.read_text()
    before, _, rest = first.partition(BEGIN)
    written.write_text(f"{before}above\n{BEGIN}{rest}below\n")
    results.save(report(always(Shape.THREADS, 1, 500.0)), saved)
    assert run("--from", saved, "--no-parts", "--write", written).exit_code == exits.TOLD
    again = written.read_text()
    assert again.startswith(f"{before}above\n")
    assert again.endswith("below\n")
    assert row(again, targets.SINGLE_RAW)[2:4] == ["0.5", "**missed**"]
    assert again.count(BEGIN) == again.count(END) == 1


def test_a_page_without_marks_is_refused_and_not_touched(saved: Path, tmp_path: Path) -> None:
    written = tmp_path / "targets.md"
    written.write_text("somebody's page\n")
    done = run("--from", saved, "--no-parts", "--write", written)
    assert isinstance(done.exception, exits.Failure)
    assert "has no lines" in str(done.exception)
    assert written.read_text() == "somebody's page\n"
    with pytest.raises(ValueError, match="has no lines"):
        page(f"{END}\n{BEGIN}\n", some(), (), "durakv")


def test_what_is_no_saved_run_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text("{}")
    done = run("--from", tmp_path / "report.json", "--no-parts")
    assert isinstance(done.exception, exits.Failure)
    assert "report.json" in str(done.exception)


def test_the_run_is_kept_with_its_verdicts(saved: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.json"
    run("--from", saved, "--no-parts", "--save", kept)
    verdicts = results.load(kept).verdicts
    assert [verdict.name for verdict in verdicts if verdict.met] == [targets.SINGLE_RAW.name]


def test_the_parts_stand_in_the_order_of_the_table_and_memory_beside_the_servers() -> None:
    points = tuple(
        RecoveryPoint("durakv", "log", keys, keys * 150, keys / 1e6, 300 * keys) for keys in (1000, 2000, 3000)
    )
    of = report(always(Shape.THREADS, 1, 970.0), recoveries=points)
    parts = Parts((targets.START_UP.verdict(40.0), targets.REPLAY.verdict(2.0)), server_bytes_per_key=200.0)
    found = together(of, parts)
    names = [target.name for target in targets.TARGETS]
    assert [verdict.name for verdict in found] == sorted((verdict.name for verdict in found), key=names.index)
    assert {targets.START_UP.name, targets.REPLAY.name} <= {verdict.name for verdict in found}
    memory = next(verdict for verdict in found if verdict.name == targets.MEMORY_LINE.name)
    assert memory.note == "300 bytes a key; redis-server 200"


def test_a_part_that_cannot_be_measured_leaves_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without a server
    sizes = QUICK._replace(growth_keys=500, growths=2, start_ups=1)
    told: list[str] = []
    parts = measure(tmp_path, sizes, lambda what, _part: told.append(what))
    verdicts = {verdict.name: verdict for verdict in parts.verdicts}
    assert verdicts[targets.REPLAY.name].met is None
    assert "redis-server" in verdicts[targets.REPLAY.name].note
    for target in (targets.START_UP, targets.WORST_INSERT):
        measured = verdicts[target.name].measured
        assert measured is not None, verdicts[target.name].note
        assert measured > 0
    assert len(told) == 4
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_a_start_is_that_of_an_open_above_that_of_nothing(tmp_path: Path) -> None:
    found = start_up(tmp_path, 1)
    assert found.difference_ms == pytest.approx(found.open_ms - found.empty_ms)
    assert 0 < found.empty_ms < found.open_ms
    assert not list(tmp_path.iterdir())


def test_growing_is_done_key_by_key(tmp_path: Path) -> None:
    found = worst_insert(tmp_path, 300)
    assert found.keys == 300
    assert 0 < found.worst_ms <= 1e3 * found.seconds
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found
