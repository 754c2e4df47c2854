"""Two runs side by side: what became faster, slower, or lost more.

Rates are compared as ratios to each run's own raw loop, so that runs on different disks compare.  A change counts as
one only if no round of the one run was as good as any of the other: what lies within the rounds' own spread is noise.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.text import Text

from durakv.bench import terminal, units
from durakv.bench.medians import medians, raw_ratios
from durakv.bench.results import Case, Latency, Loss, Report
from durakv.bench.table import Cell, Column, Group, Row, Table, Tone

FASTER = "faster"
SLOWER = "slower"
SAME = "within the spread"
UNSURE = "one round only"
"""What is said of a change."""


@dataclass(frozen=True, slots=True)
class Change:
    """One case in both runs; a ratio is after over before."""

    case: Case
    rate: float
    """Of the rates relative to the raw loop, or of the rates themselves if a run does not know its raw loop's."""
    relative: bool
    """Whether it is relative to the raw loop."""
    p50: float | None
    p99: float | None
    verdict: str


def changes(before: Report, after: Report) -> list[Change]:
    """The cases that both runs measured, in the order of the later."""
    earlier = {case.name: case for case in before.cases if case.rounds}
    return [_change(earlier[case.name], case) for case in after.cases if case.rounds and case.name in earlier]


def render(before: Report, after: Report, console: Console) -> None:
    """Print what changed, what cannot be compared, and why the comparison may mislead."""
    terminal.show(_lines(before, after, console.width), console)


def differences(before: Report, after: Report) -> list[str]:
    """What was not the same in both runs besides what is compared."""
    pairs = (
        ("processor", before.machine.processor, after.machine.processor),
        ("number of cores", str(before.machine.cores), str(after.machine.cores)),
        ("system", before.machine.platform, after.machine.platform),
        ("Python", before.machine.python, after.machine.python),
        ("file system", before.disk.file_system, after.disk.file_system),
        ("device", before.disk.device, after.disk.device),
        ("mount options", before.disk.mount_options, after.disk.mount_options),
        ("write cache", before.disk.write_cache, after.disk.write_cache),
    )
    return [f"not the same {what}: {old}, then {new}" for what, old, new in pairs if old != new]


def _change(before: Case, after: Case) -> Change:
    old, new = raw_ratios(before), raw_ratios(after)
    relative = bool(old and new)
    if not relative:
        old, new = [one.rate for one in before.rounds], [one.rate for one in after.rounds]
    first, second = medians(before), medians(after)
    assert first is not None, "only measured cases are compared"
    assert second is not None, "only measured cases are compared"
    # A response counts what a service time hides, so where there is one it is compared.
    felt = (first.response or first.service, second.response or second.service)
    p50, p99 = _latencies(*felt)
    verdict = UNSURE if min(len(old), len(new)) < 2 else _verdict(old, new)
    return Change(after, median(new) / median(old) if median(old) else float("inf"), relative, p50, p99, verdict)


def _verdict(old: list[float], new: list[float]) -> str:
    if min(new) > max(old):
        return FASTER
    return SLOWER if max(new) < min(old) else SAME


def _latencies(before: Latency | None, after: Latency | None) -> tuple[float | None, float | None]:
    if before is None or after is None:
        return None, None
    return (
        after.p50_us / before.p50_us if before.p50_us else None,
        after.p99_us / before.p99_us if before.p99_us else None,
    )


# --- as lines ---------------------------------------------------------------------------------------------------------


def _lines(before: Report, after: Report, width: int) -> Iterator[Text]:
    yield Text("Two runs compared: after over before", style="bold")
    for name, report in (("before", before), ("after", after)):
        version = report.machine.versions.get("durakv", "?")
        yield Text(f"{name + ':':8}{report.started}, durakv {version}, {report.command}", style="dim")
    for difference in differences(before, after):
        yield from (Text(line, style="bold yellow") for line in textwrap.wrap(f"Warning: {difference}", width))
    for table in (_speeds(before, after), _losses(before, after)):
        if table.rows:
            yield from terminal.draw(table, width)
    for title, names in _alone(before, after):
        yield Text()
        yield Text(title, style="bold")
        yield from (Text(f"  {name}") for name in names)


def _speeds(before: Report, after: Report) -> Table:
    columns = (
        Column("case", number=False),
        Column("rate"),
        Column("p50"),
        Column("p99"),
        Column("verdict", number=False),
    )
    tones = {FASTER: Tone.GOOD, SLOWER: Tone.BAD}
    rows: list[Row | Group] = []
    for change in changes(before, after):
        tone = tones.get(change.verdict, Tone.SOFT)
        rate = f"{units.ratio(change.rate)}x" + ("" if change.relative else "*")
        rows.append(
            (
                change.case.name,
                Cell(rate, tone),
                units.ratio(change.p50),
                units.ratio(change.p99),
                Cell(change.verdict, tone),
            )
        )
    note = "Rates: relative to the raw loop of each run (*: not known, the rates themselves). Latencies: as measured."
    return Table("Speed", columns, rows, note)


def _losses(before: Report, after: Report) -> Table:
    earlier = {_key(entry): entry for entry in before.losses if entry.lost}
    columns = (
        Column("store, setting", number=False),
        Column("crash", number=False),
        Column("most lost before"),
        Column("after"),
        Column("oldest before"),
        Column("after"),
    )
    rows: list[Row | Group] = []
    for entry in after.losses:
        old = earlier.get(_key(entry))
        if old is None or not entry.lost:
            continue
        worse = max(entry.lost) > 0 == max(old.lost)
        rows.append(
            (
                f"{entry.store} {entry.setting}",
                entry.crash,
                units.count(max(old.lost)),
                Cell(units.count(max(entry.lost)), Tone.BAD if worse else Tone.PLAIN),
                units.seconds(max(old.oldest_seconds)),
                units.seconds(max(entry.oldest_seconds)),
            )
        )
    return Table(
        "Acknowledged writes that a crash took", columns, rows, "As counted, at the rates they were crashed at."
    )


def _key(entry: Loss) -> tuple[str, str, str, str]:
    return entry.store, entry.setting, entry.crash, entry.method


def _alone(before: Report, after: Report) -> Iterator[tuple[str, list[str]]]:
    old, new = (dict.fromkeys(case.name for case in report.cases if case.rounds) for report in (before, after))
    for title, names in (
        ("Only in the run before", [name for name in old if name not in new]),
        ("Only in the run after", [name for name in new if name not in old]),
    ):
        if names:
            yield title, names
