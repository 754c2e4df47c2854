"""The table of targets as a page of Markdown, whose figures are made again by one command.

What people wrote on the page stays: only what stands between the two marks is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence

from durakv.bench.results import Report, Verdict
from durakv.bench.targets import TARGETS

BEGIN = "<!-- measured: made by `durakv bench targets --write`; what is written here is lost -->"
END = "<!-- end of what was measured -->"

_HEADING = """\
# Targets

The ratios that durakv promises itself, each measured in one run on one machine.  A ratio is the median over the rounds
of the ratio within a round, in which all contestants take turns; the peer is the one to which the ratio is smallest.

"""


def page(old: str, report: Report, verdicts: Sequence[Verdict], command: str) -> str:
    """The page with these figures; ``old`` is what it was before, or empty.  Raises ValueError as ``divided``."""
    before, after = divided(old) if old else (_HEADING, "")
    return f"{before}{BEGIN}\n\n{table(report, verdicts, command)}\n{END}\n{after}"


def divided(old: str) -> tuple[str, str]:
    """What stands before and after the figures of a page.

    Raises ValueError if the page has no marks, for then nobody knows what of it may be replaced.
    """
    before, begin, rest = old.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not begin or not end:
        raise ValueError(f"the page has no lines {BEGIN!r} and {END!r}; put them around the table, or write a new file")
    return before, after


def table(report: Report, verdicts: Sequence[Verdict], command: str) -> str:
    """What was measured, where, and what it says about each target."""
    machine, disk = report.machine, report.disk
    raw = disk.raw[0] if disk.raw else None
    facts = [
        ("date", report.started),
        ("machine", f"{machine.processor}, {machine.cores} cores, {machine.memory_bytes / 2**30:.0f} GiB"),
        ("system", f"{machine.platform}, {machine.python}"),
        ("disk", f"{disk.file_system} on {disk.device} ({disk.mount_options}), write cache: {disk.write_cache}"),
        ("raw loop", f"{raw.commits_per_second:,.0f} commits/s ({raw.name})" if raw is not None else "not measured"),
        ("versions", ", ".join(f"{name} {version}" for name, version in machine.versions.items())),
        ("command", f"`{command}`"),
    ]
    lines = [f"- {name}: {fact}" for name, fact in facts]
    lines += [f"- warning: {warning}" for warning in disk.warnings]
    lines += ["", "| target | wanted | measured | verdict | against |", "|---|---|---|---|---|"]
    by_name = {verdict.name: verdict for verdict in verdicts}
    rows = [by_name.get(target.name) or target.verdict(None, note="not measured in this run") for target in TARGETS]
    lines += [
        f"| {_cell(row.name)} | {wanted(row)} | {figure(row)} | {word(row)} | {_cell(row.against)} |" for row in rows
    ]
    lines += _notes("Missed", [row for row in rows if row.met is False], always=True)
    lines += _notes("Not measured", [row for row in rows if row.met is None], always=True)
    lines += _notes("Met", [row for row in rows if row.met], always=False)
    return "\n".join(lines) + "\n"


def wanted(verdict: Verdict) -> str:
    """What was wanted."""
    return f"{'≥' if verdict.at_least else '≤'} {_number(verdict.wanted)}{_unit(verdict)}"


def figure(verdict: Verdict) -> str:
    """What was measured."""
    return "-" if verdict.measured is None else f"{_number(verdict.measured)}{_unit(verdict)}"


def word(verdict: Verdict) -> str:
    """The verdict."""
    return {True: "met", False: "**missed**", None: "not measured"}[verdict.met]


def _notes(title: str, rows: Sequence[Verdict], *, always: bool) -> list[str]:
    told = [row for row in rows if always or row.note]
    lines = [f"- {row.name}: {row.note}" if row.note else f"- {row.name}" for row in told]
    return ["", f"{title}:", "", *lines] if lines else []


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _unit(verdict: Verdict) -> str:
    return f" {verdict.unit}" if verdict.unit not in ("", "x") else ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
