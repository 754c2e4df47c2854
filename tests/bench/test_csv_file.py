"""The promise: one row a case, under names that are documented, of which the first are those of redis-benchmark.

Method: write a made-up run and read it with a CSV reader.
"""

from __future__ import annotations

import csv
from pathlib import Path

import msgspec
import pytest

from durakv.bench import csv_file
from durakv.bench.results import Mode, Report
from tests.bench import made_up

REDIS_BENCHMARK = "test rps avg_latency_ms min_latency_ms p50_latency_ms p95_latency_ms p99_latency_ms max_latency_ms"


def written(report: Report, tmp_path: Path) -> list[dict[str, str]]:
    csv_file.write(report, tmp_path / "report.csv")
    with (tmp_path / "report.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_case_is_a_row(tmp_path: Path) -> None:
    report = made_up.report()
    rows = written(report, tmp_path)
    assert [row["test"] for row in rows] == [case.name for case in report.cases]
    assert all(list(row) == list(csv_file.COLUMNS) for row in rows)


def test_what_reads_redis_benchmark_reads_this() -> None:
    first = list(csv_file.COLUMNS)[:5]
    assert [name for name in REDIS_BENCHMARK.split() if name in csv_file.COLUMNS] == first


def test_figures_are_in_the_units_of_their_names(tmp_path: Path) -> None:
    report = made_up.report()
    for case, row in zip(report.cases, written(report, tmp_path), strict=True):
        felt = "response" if case.mode is Mode.OPEN else "service"
        assert float(row["p99_latency_ms"]) == pytest.approx(float(row[f"{felt}_p99_us"]) / 1000)
        assert float(row["rate_min"]) <= float(row["rps"]) <= float(row["rate_max"])
    always = next(row for row in written(report, tmp_path) if (row["store"], row["setting"]) == ("durakv", "always"))
    assert (always["power_crashes"], float(always["power_at_risk_max"])) == ("1200", 0)


def test_what_was_not_measured_is_empty(tmp_path: Path) -> None:
    report = made_up.report()
    unmeasured = msgspec.structs.replace(report.cases[0], rounds=(), note='full, "quite"')
    (row,) = written(msgspec.structs.replace(report, cases=(unmeasured,), losses=()), tmp_path)
    assert row["rps"] == row["service_p50_us"] == row["power_crashes"] == ""
    assert (row["rounds"], row["note"]) == ("0", 'full, "quite"')
