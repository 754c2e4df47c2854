"""What the rounds of a case come to, and what crashes cost the store and setting that it measured.

Everything is a median over rounds.  A ratio to the raw loop is taken within each round first, since both had the same
disk then.  What was not measured is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from durakv.bench.results import Case, Latency, Loss, Mode, Promise, Report, Round

KILL = "SIGKILL"
POWER = "power cut"
"""The values of ``Loss.crash``."""


@dataclass(frozen=True, slots=True)
class Medians:
    """A case that was measured in at least one round."""

    case: Case
    rate: float
    rate_min: float
    rate_max: float
    raw_ratio: float | None
    service: Latency | None
    response: Latency | None
    acks_per_sync: float | None
    bytes_per_flush: float | None
    write_amplification: float | None
    """Bytes that reached the device, or where that is not known left the process, per byte of keys and values."""
    rss_bytes: float | None


@dataclass(frozen=True, slots=True)
class Risk:
    """What crashes of one kind took, scaled to the rate of a case.

    A crash takes a window of time, and with it the writes that went into the window.  So a loss that was measured under
    a load of another rate is scaled to the rate that it stands beside.
    """

    loss: Loss
    at_risk_median: float
    at_risk_max: float
    oldest_median_seconds: float
    oldest_max_seconds: float


def medians(case: Case) -> Medians | None:
    """None if the case has no rounds."""
    rounds = case.rounds
    if not rounds:
        return None
    rates = [one.rate for one in rounds]
    return Medians(
        case,
        median(rates),
        min(rates),
        max(rates),
        middle(raw_ratios(case)),
        _latency([one.service for one in rounds if one.service is not None]),
        _latency([one.response for one in rounds if one.response is not None]),
        middle(_each(rounds, _acks_per_sync)),
        middle(_each(rounds, _bytes_per_flush)),
        middle(_each(rounds, _write_amplification)),
        middle([one.counters.rss_bytes for one in rounds if one.counters and one.counters.rss_bytes is not None]),
    )


def measured(report: Report) -> list[Medians]:
    """The cases that have rounds, in the order of the report."""
    return [found for case in report.cases if (found := medians(case)) is not None]


def raw_ratios(case: Case) -> list[float]:
    """Of each round that knows the raw loop's rate."""
    return [one.rate / one.raw_rate for one in case.rounds if one.raw_rate]


def loss(report: Report, store: str, setting: str, crash: str) -> Loss | None:
    """What crashes of a kind took from a store and setting; of several ways to crash it, the worst."""
    found = [
        entry
        for entry in report.losses
        if (entry.store, entry.setting, entry.crash) == (store, setting, crash) and entry.lost
    ]
    return max(found, key=lambda entry: max(entry.lost), default=None)


def risk(report: Report, of: Medians, crash: str) -> Risk | None:
    """What a crash costs at this case's rate; None if no such crash was made."""
    entry = loss(report, of.case.store, of.case.setting, crash)
    if entry is None:
        return None
    scale = of.rate / entry.writes_per_second if entry.writes_per_second else 1.0
    return Risk(
        entry,
        median(entry.lost) * scale,
        max(entry.lost) * scale,
        median(entry.oldest_seconds),
        max(entry.oldest_seconds),
    )


def kept(entry: Loss) -> bool | None:
    """Whether a store kept what it promises of a crash; None where it promises nothing that can be counted."""
    promises: list[bool] = []
    if entry.promised_lost_max is not None:
        promises.append(max(entry.lost, default=0) <= entry.promised_lost_max)
    if entry.promised_age_max_seconds is not None:
        promises.append(max(entry.oldest_seconds, default=0.0) <= entry.promised_age_max_seconds)
    return all(promises) if promises else None


def usual_value_bytes(cases: Iterable[Case]) -> int:
    """The size of value that most cases were measured with; the smaller of two."""
    sizes = Counter(case.value_bytes for case in cases)
    return min(sizes, key=lambda size: (-sizes[size], size))


def best_of_each(report: Report, *, qualifies: Callable[[Case], bool]) -> dict[tuple[str, str], Medians]:
    """The fastest closed-loop case of each store and setting among those of the usual value size that qualify."""
    found = [of for of in measured(report) if of.case.mode is Mode.CLOSED and qualifies(of.case)]
    if not found:
        return {}
    usual = usual_value_bytes(of.case for of in found)
    best: dict[tuple[str, str], Medians] = {}
    for of in found:
        key = (of.case.store, of.case.setting)
        if of.case.value_bytes == usual and (key not in best or of.rate > best[key].rate):
            best[key] = of
    return best


def survives_power(case: Case) -> bool:
    """Whether the store promises it."""
    return case.promise is Promise.POWER


def middle(values: Sequence[float]) -> float | None:
    """The median; None of nothing."""
    return median(values) if values else None


def _latency(found: Sequence[Latency]) -> Latency | None:
    if not found:
        return None
    return Latency(
        sum(one.count for one in found),
        median(one.p50_us for one in found),
        median(one.p90_us for one in found),
        median(one.p99_us for one in found),
        median(one.p999_us for one in found),
        max(one.max_us for one in found),
    )


def _each(rounds: Sequence[Round], figure: Callable[[Round], float | None]) -> list[float]:
    return [value for one in rounds if (value := figure(one)) is not None]


def _acks_per_sync(one: Round) -> float | None:
    return one.writes / one.counters.syncs if one.counters and one.counters.syncs else None


def _bytes_per_flush(one: Round) -> float | None:
    if one.counters is None or one.counters.log_bytes is None or not one.counters.log_writes:
        return None
    return one.counters.log_bytes / one.counters.log_writes


def _write_amplification(one: Round) -> float | None:
    if one.counters is None or not one.counters.user_bytes:
        return None
    written = one.counters.device_write_bytes
    if written is None:
        written = one.counters.process_write_bytes
    return None if written is None else written / one.counters.user_bytes
