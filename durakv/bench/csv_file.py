"""A run as CSV, one row a case, for spreadsheets and scripts.

The first columns are named as in ``redis-benchmark --csv`` and mean the same, so that what reads one reads the other;
of its columns the average, the minimum and the 95th percentile are not measured and not there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

from durakv.bench.medians import KILL, POWER, Medians, medians, risk
from durakv.bench.results import Case, Latency, Report

Value = str | int | float | None

COLUMNS = {
    "test": "the case's name",
    "rps": "writes per second; median of the rounds, like every figure below unless it says otherwise",
    "p50_latency_ms": "of the response in an open loop, else of the service",
    "p99_latency_ms": "the same",
    "max_latency_ms": "the same; the longest of all rounds",
    "store": "durakv, raw, or the name of a peer",
    "setting": "as its users know it",
    "promise": "what an acknowledged write survives, says the store",
    "shape": "how writes are made",
    "width": "threads, tasks or clients; or the size of the window, batch or pipeline",
    "value_bytes": "size of a value",
    "mode": "closed or open loop",
    "offered_rate": "open loop: writes per second that were asked for",
    "client": "what made the load, if not the store's own Python interface",
    "rounds": "how many times it was measured",
    "rate_min": "writes per second of the slowest round",
    "rate_max": "writes per second of the fastest round",
    "raw_ratio": "rate over that of the raw loop in the same round",
    "service_p50_us": "from the call to the acknowledgement; of a batch or window as a whole",
    "service_p90_us": "the same",
    "service_p99_us": "the same",
    "service_p999_us": "the same",
    "service_max_us": "the same; the longest of all rounds",
    "response_p50_us": "open loop: from the intended start to the acknowledgement",
    "response_p90_us": "the same",
    "response_p99_us": "the same",
    "response_p999_us": "the same",
    "response_max_us": "the same; the longest of all rounds",
    "acks_per_sync": "acknowledged writes per sync",
    "bytes_per_flush": "bytes of the log per write to it",
    "write_amplification": "bytes to the device, or if unknown from the process, per byte of keys and values",
    "rss_bytes": "memory of the process that does the store's work",
    "kill_crashes": "how often the store was killed with SIGKILL",
    "kill_at_risk_median": "acknowledged writes that such a crash takes at this case's rate",
    "kill_at_risk_max": "the same; the most that one took",
    "kill_oldest_max_seconds": "how long before it the oldest of them was acknowledged, at most",
    "power_crashes": "how often the power was cut",
    "power_at_risk_median": "as for kills",
    "power_at_risk_max": "as for kills",
    "power_oldest_max_seconds": "as for kills",
    "note": "what else is to be known",
}
"""Every column and what is in it.  What was not measured is empty."""


def write(report: Report, path: Path) -> None:
    """Write the file."""
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.DictWriter(file, list(COLUMNS), lineterminator="\n")
        out.writeheader()
        out.writerows(rows(report))


def rows(report: Report) -> Iterator[dict[str, Value]]:
    """One for each case, in the order of the report."""
    for case in report.cases:
        row: dict[str, Value] = dict.fromkeys(COLUMNS)
        row.update(_load(case))
        if (of := medians(case)) is not None:
            row.update(_measured(of))
            row.update(_risks(report, of))
        yield row


def _load(case: Case) -> dict[str, Value]:
    return {
        "test": case.name,
        "store": case.store,
        "setting": case.setting,
        "promise": case.promise.value,
        "shape": case.shape.value,
        "width": case.width,
        "value_bytes": case.value_bytes,
        "mode": case.mode.value,
        "offered_rate": case.offered_rate,
        "client": case.client,
        "rounds": len(case.rounds),
        "note": case.note,
    }


def _measured(of: Medians) -> dict[str, Value]:
    found: dict[str, Value] = {
        "rps": of.rate,
        "rate_min": of.rate_min,
        "rate_max": of.rate_max,
        "raw_ratio": of.raw_ratio,
        "acks_per_sync": of.acks_per_sync,
        "bytes_per_flush": of.bytes_per_flush,
        "write_amplification": of.write_amplification,
        "rss_bytes": of.rss_bytes,
    }
    felt = of.response or of.service
    if felt is not None:
        found["p50_latency_ms"] = felt.p50_us / 1e3
        found["p99_latency_ms"] = felt.p99_us / 1e3
        found["max_latency_ms"] = felt.max_us / 1e3
    return found | _percentiles("service", of.service) | _percentiles("response", of.response)


def _percentiles(name: str, latency: Latency | None) -> dict[str, Value]:
    if latency is None:
        return {}
    return {
        f"{name}_p50_us": latency.p50_us,
        f"{name}_p90_us": latency.p90_us,
        f"{name}_p99_us": latency.p99_us,
        f"{name}_p999_us": latency.p999_us,
        f"{name}_max_us": latency.max_us,
    }


def _risks(report: Report, of: Medians) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for name, crash in (("kill", KILL), ("power", POWER)):
        cost = risk(report, of, crash)
        if cost is not None:
            found[f"{name}_crashes"] = len(cost.loss.lost)
            found[f"{name}_at_risk_median"] = cost.at_risk_median
            found[f"{name}_at_risk_max"] = cost.at_risk_max
            found[f"{name}_oldest_max_seconds"] = cost.oldest_max_seconds
    return found
