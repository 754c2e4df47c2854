"""The tables of a report, once for the terminal and the page: what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, zip_longest

from durakv.bench import units
from durakv.bench.fits import Fit, fits
from durakv.bench.medians import KILL, POWER, Medians, Risk, kept, medians, risk
from durakv.bench.results import Case, Interference, Latency, Loss, Mode, Report, Verdict
from durakv.bench.table import Cell, Column, Group, Row, Table, Tone

_NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


def tables(report: Report) -> list[Table]:
    """The tables of what was measured; a part that was not has none."""
    made = [
        *_targets(report.verdicts),
        *_throughput(report),
        *_losses(report.losses),
        *_flushes(report),
        *_interference(report.interferences),
        *_recovery(report),
    ]
    return [table for table in made if table.rows]


def disk(report: Report) -> Table:
    """The limit: the raw loops."""
    columns = (Column("raw loop", number=False), Column("commits/s"), *_percentiles(), Column("max"))
    rows = [
        (
            raw.name,
            units.rate(raw.commits_per_second),
            *_latency_cells(raw.latency),
            units.duration(raw.latency.max_us),
        )
        for raw in report.disk.raw
    ]
    return Table("Disk", columns, rows, "Nothing that waits for this disk with each write is faster than these loops.")


def load_name(case: Case, *, sizes: bool) -> str:
    """A case within its store, setting and client."""
    parts = [f"{case.shape.value} {case.width:,}"]
    if sizes:
        parts.append(f"{case.value_bytes:,} B")
    if case.mode is Mode.OPEN:
        parts.append(f"open {units.rate(case.offered_rate)}/s")
    return ", ".join(parts)


def fit_line(fit: Fit) -> str:
    """The line through the points, in words."""
    parts: list[str] = []
    if fit.seconds_per_mb is not None:
        parts.append(f"{fit.seconds_per_mb * 1e3:,.3g} ms per MB")
    if fit.straightness is not None:
        parts.append(f"R² {fit.straightness:.3f}")
    if fit.file_bytes_per_key is not None:
        parts.append(f"{units.size(fit.file_bytes_per_key)} a key in the file")
    if fit.memory_bytes_per_key is not None:
        parts.append(f"{units.size(fit.memory_bytes_per_key)} a key in memory")
    return ", ".join(parts)


# --- the tables -------------------------------------------------------------------------------------------------------


def _targets(verdicts: Sequence[Verdict]) -> Iterator[Table]:
    rows = [
        (
            verdict.name,
            Cell(_measure(verdict.measured, verdict.unit), _verdict_tone(verdict)),
            f"{'≥' if verdict.at_least else '≤'} {_measure(verdict.wanted, verdict.unit)}",
            Cell({True: "met", False: "missed", None: "not measured"}[verdict.met], _verdict_tone(verdict)),
            "; ".join(part for part in (verdict.against, verdict.note) if part),
        )
        for verdict in verdicts
    ]
    columns = (
        Column("target", number=False),
        Column("measured"),
        Column("wanted"),
        Column("verdict", number=False),
        Column("against", number=False),
    )
    yield Table("Targets", columns, rows)


def _throughput(report: Report) -> Iterator[Table]:
    lost = bool(report.losses)
    columns = (
        Column("load", number=False),
        Column("writes/s"),
        Column("min–max", columns_min=110),
        Column("/ raw"),
        *_percentiles(),
        *((Column("killed"), Column("power cut"), Column("oldest")) if lost else ()),
    )
    note = (
        "Medians of rounds; / raw: to the raw loop of the same round. Latencies are service times, of a batch or "
        "window as a whole; response counts from the intended start."
    )
    if lost:
        note += (
            " Killed, power cut: the acknowledged writes that such a crash takes, median and most, at the rate beside; "
            "oldest: how long before the power cut the oldest of them was acknowledged, at most."
        )
    yield Table("Throughput, and what a crash takes", columns, list(_throughput_rows(report, lost=lost)), note)


def _throughput_rows(report: Report, *, lost: bool) -> Iterator[Row | Group]:
    sizes = len({case.value_bytes for case in report.cases}) > 1
    for title, cases in _grouped(report.cases):
        promises = ", ".join(dict.fromkeys(case.promise.value for case in cases))
        yield Group(title, f"acknowledged writes survive: {promises}", cases[0].store == "durakv")
        shared = cases[0].note if len({case.note for case in cases}) == 1 else ""
        if shared:
            yield Group("", shared)
        for case in cases:
            of = medians(case)
            if of is None:
                yield Group("", f"{load_name(case, sizes=sizes)}: {case.note or 'not measured'}")
                continue
            yield (
                load_name(case, sizes=sizes),
                units.rate(of.rate),
                Cell(f"{units.rate(of.rate_min)}–{units.rate(of.rate_max)}", Tone.SOFT),
                units.ratio(of.raw_ratio),
                *_latency_cells(of.service),
                *(_risk_cells(report, of) if lost else ()),
            )
            if of.response is not None:
                blank = ("", "", "")
                yield (Cell("└ response", Tone.SOFT), *blank, *_latency_cells(of.response), *(blank if lost else ()))
            if case.note and not shared:
                yield Group("", case.note)


def _risk_cells(report: Report, of: Medians) -> Iterator[Cell]:
    for crash in (KILL, POWER):
        found = risk(report, of, crash)
        yield Cell(units.NONE, Tone.SOFT) if found is None else _risk_cell(found)
    found = risk(report, of, POWER)
    if found is None:
        yield Cell(units.NONE, Tone.SOFT)
    else:
        yield Cell(units.seconds(found.oldest_max_seconds), Tone.PLAIN if found.at_risk_max else Tone.GOOD)


def _risk_cell(found: Risk) -> Cell:
    if not found.at_risk_max:
        return Cell("none", Tone.GOOD)
    return Cell(
        f"{units.count(found.at_risk_median)}–{units.count(found.at_risk_max)}",
        Tone.BAD if kept(found.loss) is False else Tone.PLAIN,
    )


def _losses(losses: Sequence[Loss]) -> Iterator[Table]:
    columns = (
        Column("crash", number=False),
        Column("at writes/s"),
        Column("crashes"),
        Column("lossy"),
        Column("p50"),
        Column("p99", columns_min=110),
        Column("most"),
        Column("oldest p50", columns_min=110),
        Column("oldest"),
        Column("ages", number=False, columns_min=100),
        Column("promise", number=False),
    )
    rows: list[Row | Group] = []
    last = ""
    # The crashes of a store and setting side by side, whatever the order they were made in.
    order = list(dict.fromkeys((entry.store, entry.setting) for entry in losses))
    for entry in sorted(losses, key=lambda entry: order.index((entry.store, entry.setting))):
        name = f"{entry.store} {entry.setting}"
        if name != last:
            rows.append(Group(name, "", entry.store == "durakv"))
            last = name
        if not entry.lost:
            rows.append(Group("", f"{entry.crash}: {entry.note or 'not crashed'}"))
            continue
        lost, ages = sorted(entry.lost), sorted(entry.oldest_seconds)
        rows.append(
            (
                entry.crash,
                units.count(entry.writes_per_second),
                f"{len(lost):,}",
                units.share(sum(number > 0 for number in lost) / len(lost)),
                units.count(quantile(lost, 0.5)),
                units.count(quantile(lost, 0.99)),
                units.count(lost[-1]),
                units.seconds(quantile(ages, 0.5)),
                units.seconds(ages[-1]),
                Cell(_bars(ages), Tone.SOFT),
                _promise_cell(entry),
            )
        )
    methods = merged(f"{entry.crash}: {entry.method}" for entry in losses if entry.method)
    note = (
        "Acknowledged writes that were gone after a crash, and how long before it the oldest of them was acknowledged. "
        "Lossy: crashes that took any. Ages: their distribution, from 0 to the oldest. " + ". ".join(methods) + "."
    )
    yield Table("Loss windows", columns, rows, note)


def _promise_cell(entry: Loss) -> Cell:
    promised = (
        "none lost"
        if entry.promised_lost_max == 0
        else f"at most {units.count(entry.promised_lost_max)} lost"
        if entry.promised_lost_max is not None
        else f"at most {units.seconds(entry.promised_age_max_seconds)}"
        if entry.promised_age_max_seconds is not None
        else ""
    )
    verdict = kept(entry)
    if verdict is None:
        return Cell("no promise", Tone.SOFT)
    return Cell(f"{promised}: {'kept' if verdict else 'BROKEN'}", Tone.GOOD if verdict else Tone.BAD)


def _flushes(report: Report) -> Iterator[Table]:
    columns = (
        Column("load", number=False),
        Column("acks per sync"),
        Column("bytes per flush"),
        Column("write amplification"),
        Column("memory"),
    )
    sizes = len({case.value_bytes for case in report.cases}) > 1
    rows: list[Row | Group] = []
    for title, cases in _grouped(report.cases):
        own = [
            (
                load_name(of.case, sizes=sizes),
                units.ratio(of.acks_per_sync),
                units.size(of.bytes_per_flush),
                units.ratio(of.write_amplification),
                units.size(of.rss_bytes),
            )
            for case in cases
            if (of := medians(case)) is not None and any(one.counters is not None for one in case.rounds)
        ]
        if own:
            rows += [Group(title, "", cases[0].store == "durakv"), *own]
    note = (
        "Write amplification: bytes written to the device (where that is not known, by the process) per byte of keys "
        "and values. Memory: of the process that does the store's work."
    )
    yield Table("What it asked of the disk", columns, rows, note)


def _interference(found: Sequence[Interference]) -> Iterator[Table]:
    columns = (
        Column("store, setting", number=False),
        Column("keys", columns_min=90),
        Column("writes/s"),
        Column("p99 before"),
        Column("during"),
        Column("ratio"),
        Column("max before", columns_min=110),
        Column("max"),
        Column("rewrite"),
        Column("extra memory"),
    )
    rows = [
        (
            f"{one.store} {one.setting}",
            units.count(one.keys),
            units.rate(one.offered_rate),
            units.duration(one.before.p99_us),
            units.duration(one.during.p99_us),
            units.ratio(one.during.p99_us / one.before.p99_us) if one.before.p99_us else units.NONE,
            units.duration(one.before.max_us),
            units.duration(one.during.max_us),
            units.seconds(one.rewrite_seconds),
            _extra_memory(one),
        )
        for one in found
    ]
    yield Table(
        "Writers beside a background rewrite", columns, rows, "Paced writes. Extra memory: above what was held before."
    )


def _extra_memory(one: Interference) -> str:
    text = units.size(one.extra_memory_bytes)
    if one.extra_memory_bytes is not None and one.data_bytes:
        text += f" ({one.extra_memory_bytes / one.data_bytes:.0%})"
    return text


def _recovery(report: Report) -> Iterator[Table]:
    columns = (Column("keys", number=True), Column("file"), Column("time"), Column("MB/s"), Column("memory"))
    rows: list[Row | Group] = []
    for fit in fits(report.recoveries):
        rows.append(Group(f"{fit.store}, {fit.what}", fit_line(fit), fit.store == "durakv"))
        rows += [
            (
                units.count(point.keys),
                units.size(point.file_bytes),
                units.seconds(point.seconds),
                units.ratio(point.file_bytes / 1e6 / point.seconds) if point.seconds else units.NONE,
                units.size(point.rss_bytes),
            )
            for point in fit.points
        ]
    yield Table("Recovery", columns, rows, "The time of one open, and the line through the points of a store.")


def merged(texts: Iterable[str]) -> list[str]:
    """Texts that differ in their numbers only become one, with the range of each."""
    alike: dict[tuple[str, ...], list[list[str]]] = {}
    for text in texts:
        alike.setdefault(tuple(_NUMBER.split(text)), []).append(_NUMBER.findall(text))
    return [
        "".join(chain.from_iterable(zip_longest(words, map(_range, zip(*numbers, strict=True)), fillvalue="")))
        for words, numbers in alike.items()
    ]


def _range(numbers: Iterable[str]) -> str:
    different = sorted(set(numbers), key=lambda number: float(number.replace(",", "")))
    return different[0] if len(different) == 1 else f"{different[0]}–{different[-1]}"


# --- cells ------------------------------------------------------------------------------------------------------------


def quantile(ordered: Sequence[float], part: float) -> float:
    """The value that so large a part of the ordered values does not exceed."""
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))]


def _percentiles() -> tuple[Column, ...]:
    return (Column("p50"), Column("p99"), Column("p99.9"))


def _latency_cells(latency: Latency | None) -> tuple[str, str, str]:
    if latency is None:
        return (units.NONE, units.NONE, units.NONE)
    return (units.duration(latency.p50_us), units.duration(latency.p99_us), units.duration(latency.p999_us))


def _grouped(cases: Iterable[Case]) -> list[tuple[str, list[Case]]]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        by = f", by {case.client}" if case.client else ""
        groups.setdefault(f"{case.store} {case.setting}{by}", []).append(case)
    return list(groups.items())


def _verdict_tone(verdict: Verdict) -> Tone:
    return {True: Tone.GOOD, False: Tone.BAD, None: Tone.SOFT}[verdict.met]


def _measure(number: float | None, unit: str) -> str:
    if number is None:
        return units.NONE
    return f"{number:,.4g}{'' if unit in ('', 'x', '%') else ' '}{unit}"


def _bars(ages: Sequence[float], bins: int = 8) -> str:
    """A histogram of the ages, one character a bin; nothing where nothing was lost."""
    most = ages[-1]
    if not most:
        return ""
    counts = [0] * bins
    for age in ages:
        counts[min(bins - 1, int(age / most * bins))] += 1
    tallest = max(counts)
    return "".join(" " if not number else "▁▂▃▄▅▆▇█"[(number * 8 - 1) // tallest if number else 0] for number in counts)
