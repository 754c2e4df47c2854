"""The picture and the figures of docs/choosing-a-policy.md, made from one run of the benchmark.

    python docs/pictures/policies.py                     measure, a quarter of an hour; then write the three files
    python docs/pictures/policies.py --quick             the same in two minutes
    python docs/pictures/policies.py --report FILE       take a report.json of `durakv bench run --store durakv`
    python docs/pictures/policies.py --again             take policies.json, after a change of this script

policies.json is what the run comes to, policies.svg is drawn from it, and the table of the page is written from it.
"""

from __future__ import annotations

import argparse
import math
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from durakv.bench import canvas, results, units
from durakv.bench.canvas import BAND, INK, OURS, PAPER, SOFT, Label
from durakv.bench.medians import KILL, POWER, Medians, loss, measured
from durakv.bench.results import Mode, Report, Shape
from durakv.durability import FsyncPolicy

HERE = Path(__file__).resolve().parent
JSON, SVG, PAGE = HERE / "policies.json", HERE / "policies.svg", HERE.parent / "choosing-a-policy.md"
BEGIN = "<!-- measured: made by `python docs/pictures/policies.py`; what is written here is lost -->"
END = "<!-- end of what was measured -->"
MANY = 64


class Writers(msgspec.Struct, frozen=True):
    """What so many writers were told in a second, each waiting for each of its writes."""

    writers: int
    writes_per_second: float
    p50_us: float
    p999_us: float


class Crashes(msgspec.Struct, frozen=True):
    """What crashes of one kind took."""

    crashes: int
    acknowledged: int
    lost_max: int
    oldest_seconds_median: float
    oldest_seconds_max: float
    promised_seconds: float | None
    """How old a lost write may be; None where nothing is promised."""
    note: str
    """How they were made."""


class Policy(msgspec.Struct, frozen=True):
    """One policy."""

    policy: FsyncPolicy
    one: Writers
    many: Writers
    killed: Crashes
    cut: Crashes


class Figures(msgspec.Struct, frozen=True):
    """One run."""

    command: str
    measured: str
    machine: str
    disk: str
    raw_commits_per_second: float
    durakv: str
    warnings: tuple[str, ...]
    policies: tuple[Policy, ...]


# --- from the benchmark -----------------------------------------------------------------------------------------------


def measure(quick: bool) -> Report:
    """Run the benchmark, with durakv alone, on the disk of the current directory."""
    words = ["bench", "run", "--store", "durakv", "--shape", "threads", "--shape", "tasks"]
    words += ["--writers", "1", "--writers", str(MANY), *(["--quick"] if quick else ["--rounds", "7"])]
    with tempfile.TemporaryDirectory(dir=".", prefix="policies-") as place:
        command = [sys.executable, "-m", "durakv.cli", *words, "--output", f"{place}/run", place]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        report = results.load(Path(place) / "run/report.json")
    return msgspec.structs.replace(report, command=shlex.join(["durakv", *words]))


def figures(report: Report) -> Figures:
    """What the page and the picture say of it."""
    machine, disk = report.machine, report.disk
    return Figures(
        command=report.command,
        measured=report.started,
        machine=f"{machine.processor}, {machine.cores} cores; {machine.platform}, {machine.python}",
        disk=f"{disk.file_system} on {disk.device}, write cache: {disk.write_cache}",
        raw_commits_per_second=disk.raw[0].commits_per_second,
        durakv=machine.versions["durakv"],
        warnings=disk.warnings,
        policies=tuple(_policy(report, policy) for policy in FsyncPolicy),
    )


def _policy(report: Report, policy: FsyncPolicy) -> Policy:
    return Policy(
        policy,
        _writers(_case(report, policy, Shape.THREADS, 1)),
        _writers(_case(report, policy, Shape.TASKS, MANY)),
        _crashes(report, policy, KILL),
        _crashes(report, policy, POWER),
    )


def _case(report: Report, policy: FsyncPolicy, shape: Shape, width: int) -> Medians:
    wanted = (str(policy), shape, width, Mode.CLOSED)
    for found in measured(report):
        case = found.case
        if case.store == "durakv" and (case.setting, case.shape, case.width, case.mode) == wanted:
            return found
    raise SystemExit(f"the report has no {policy} with {shape} {width}; it takes a run with --store durakv")


def _writers(found: Medians) -> Writers:
    assert found.service is not None, "a closed loop has service times"
    return Writers(found.case.width, round(found.rate), round(found.service.p50_us, 1), round(found.service.p999_us, 1))


def _crashes(report: Report, policy: FsyncPolicy, crash: str) -> Crashes:
    found = loss(report, "durakv", str(policy), crash)
    if found is None:
        raise SystemExit(f"the report has no {crash} under {policy}; leave --loss-seconds as it is")
    ages = found.oldest_seconds
    promised = 0.0 if found.promised_lost_max == 0 else found.promised_age_max_seconds
    return Crashes(
        crashes=len(found.lost),
        acknowledged=sum(found.acknowledged),
        lost_max=max(found.lost),
        oldest_seconds_median=round(median(ages), 4),
        oldest_seconds_max=round(max(ages), 4),
        promised_seconds=None if promised is None else round(promised, 4),
        note=f"{found.method}; {found.note}",
    )


# --- the page ---------------------------------------------------------------------------------------------------------


def block(run: Figures) -> str:
    """What stands on the page between the two marks."""
    many = run.policies[0].many.writers
    lines = [
        f"| policy | one writer, writes/s | p50 | p99.9 | {many} tasks, writes/s | killed: lost | "
        "power cut: lost at most | oldest lost write | promised |",
        "|---|---|---|---|---|---|---|---|---|",
        *(_row(policy) for policy in run.policies),
        "",
        f"- measured: {run.measured}, durakv {run.durakv}",
        f"- command: `python docs/pictures/policies.py`, which ran `{run.command}`",
        f"- machine: {run.machine}",
        f"- disk: {run.disk}; a raw loop of pwrite and fdatasync does {run.raw_commits_per_second:,.0f} a second",
        *(f"- {kind}, `{of.policy}`: {crashes.note}" for of in run.policies for kind, crashes in _kinds(of)),
        *(f"- warning: {warning}" for warning in run.warnings),
    ]
    return f"{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}\n"


def _kinds(of: Policy) -> Sequence[tuple[str, Crashes]]:
    return ("kills", of.killed), ("power cuts", of.cut)


def _row(of: Policy) -> str:
    cells = [
        f"`{of.policy}`",
        units.rate(of.one.writes_per_second),
        units.duration(of.one.p50_us),
        units.duration(of.one.p999_us),
        units.rate(of.many.writes_per_second),
        _taken(of.killed, "kill"),
        _taken(of.cut, "cut"),
        _window(of.cut),
        "nothing" if of.cut.promised_seconds is None else units.seconds(of.cut.promised_seconds),
    ]
    return f"| {' | '.join(cells)} |"


def _taken(crashes: Crashes, what: str) -> str:
    plural = "" if crashes.crashes == 1 else "s"
    return f"{crashes.lost_max:,} of {crashes.acknowledged:,} in {crashes.crashes:,} {what}{plural}"


def _window(crashes: Crashes) -> str:
    return units.seconds(crashes.oldest_seconds_max) if crashes.lost_max else "–"


def written(page: str, run: Figures) -> str:
    """The page with the figures of this run."""
    before, begin, rest = page.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not begin or not end:
        raise SystemExit(f"{PAGE} has no lines {BEGIN!r} and {END!r}")
    return f"{before}{block(run)}{after}"


# --- the picture ------------------------------------------------------------------------------------------------------

_NOTHING = 0.55
"""Where those stand that lost nothing, in decades left of the first second-mark."""
_DECADES = (-2, 2)
"""The axis of windows: from 10 ms to 100 s."""


def spoken(run: Figures) -> str:
    """The picture in words."""
    return " ".join(
        f"{of.policy}: {units.count(of.one.writes_per_second)} writes a second by one writer, "
        f"{units.count(of.many.writes_per_second)} by {of.many.writers} tasks; a kill took {of.killed.lost_max}, "
        f"a power cut the last {units.seconds(of.cut.oldest_seconds_max)}."
        for of in run.policies
    )


def svg(run: Figures) -> str:
    """Acknowledged writes a second, against how far back a crash reaches."""

    def drawing(run: Figures) -> str:
        return canvas.svg(_draw(run), "policies", spoken(run)) + "\n"

    return canvas.drawn(drawing)(run)


def _draw(run: Figures) -> Any:
    figure, (axes,) = canvas.figure(5.0, left=0.065, right=0.7, top=0.9, bottom=0.15)
    rates = [group.writes_per_second for of in run.policies for group in (of.one, of.many)]
    axes.set_yscale("log")
    axes.set_ylim(min(rates) / 2.2, max(rates) * 2.6)
    axes.yaxis.set_major_formatter(canvas.short)
    axes.yaxis.minorticks_off()
    axes.set_xlim(0, 1 + _DECADES[1] - _DECADES[0])
    axes.axvspan(0, 1, color=BAND.light, linewidth=0, zorder=0)
    ticks = [
        (_NOTHING, "nothing"),
        *((_at(10.0**power), canvas.short_us(10.0 ** (power + 6))) for power in range(_DECADES[0] + 1, _DECADES[1])),
    ]
    axes.set_xticks([at for at, _ in ticks], [text for _, text in ticks])
    axes.grid(False, axis="x")
    canvas.titles(
        axes,
        x="age of the oldest acknowledged write that a crash took, at most →",
        y="↑ acknowledged writes a second     ○ one writer  ● many tasks     ✕ killed  ○ ● power cut  | promised",
    )
    labels = [label for of in run.policies for label in _marks(axes, of)]
    canvas.leave_room(figure, labels, least=0.5)
    canvas.label_column(axes, labels)
    return figure


def _marks(axes: Any, of: Policy) -> Iterator[Label]:
    for group, face in ((of.one, PAPER.light), (of.many, OURS.light)):
        y = group.writes_per_second
        killed, cut = _at(of.killed.oldest_seconds_max) - 0.3, _at(of.cut.oldest_seconds_max)
        if cut != _NOTHING:
            axes.plot([killed, cut], [y, y], color=SOFT.light, linewidth=1, linestyle=(0, (1, 3)), zorder=1)
        axes.plot([killed], [y], "x", color=INK.light, markersize=7, zorder=3)
        axes.plot([cut], [y], "o", color=OURS.light, markersize=11, markeredgewidth=1.8, markerfacecolor=face, zorder=3)
        if of.cut.promised_seconds is None:
            axes.annotate("", (_at(1e9), y), (cut, y), arrowprops={"arrowstyle": "->", "color": SOFT.light}, zorder=1)
        elif of.cut.promised_seconds > 0:
            promise = _at(of.cut.promised_seconds)
            axes.plot([cut, promise], [y, y], color=OURS.light, linewidth=2, alpha=0.5, zorder=1)
            axes.plot([promise], [y], "|", color=OURS.light, markersize=16, markeredgewidth=2, zorder=2)
        who = "one writer" if group.writers == 1 else f"{group.writers} tasks"
        window = "nothing lost" if cut == _NOTHING else f"the last {_window(of.cut)}"
        if of.cut.promised_seconds is None:
            window += " or more"
        yield Label(cut, y, f"{of.policy}, {who}: {units.count(y)}/s, {window}", OURS.light, bold=group.writers > 1)


def _at(seconds: float) -> float:
    """Where a window stands."""
    low, high = _DECADES
    return _NOTHING if seconds <= 0 else 1 + min(max(math.log10(seconds) - low, 0.05), high - low - 0.05)


# --- the command ------------------------------------------------------------------------------------------------------


def main(words: Sequence[str] | None = None) -> None:
    """Make all three files."""
    parser = argparse.ArgumentParser(description="Measure, draw and write the figures of docs/choosing-a-policy.md.")
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--quick", action="store_true", help="two minutes instead of a quarter of an hour")
    source.add_argument("--report", type=Path, metavar="FILE", help="a report.json instead of a new run")
    source.add_argument("--again", action="store_true", help="take policies.json as it is")
    asked = parser.parse_args(words)
    if asked.again:
        run = read()
    else:
        run = figures(results.load(asked.report) if asked.report else measure(asked.quick))
        JSON.write_bytes(msgspec.json.format(msgspec.json.encode(run), indent=1) + b"\n")
    SVG.write_text(svg(run), encoding="utf-8")
    PAGE.write_text(written(PAGE.read_text(encoding="utf-8"), run), encoding="utf-8")


def read() -> Figures:
    """What was measured last."""
    return msgspec.json.decode(JSON.read_bytes(), type=Figures)


if __name__ == "__main__":
    main()
