"""A run of the benchmark as one HTML file: no network, no script, nothing beside it.

On top stands what must be known before any figure is believed, then the one picture and what it says; then whether the
targets were met, the tables and the other plots; and last what ran it, how it is read, and what was left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from pathlib import Path

from durakv.bench import concurrency, picture, plots, tables, units
from durakv.bench.results import Report
from durakv.bench.table import Cell, Group, Row, Table
from durakv_fuzz.page import page

_STYLE = """
.warning { border-left: .3rem solid var(--bad); background: var(--tile); padding: .5rem .9rem; margin: .6rem 0;
  color: var(--ink); }
.lead { color: var(--ink); font-size: 1.08rem; } body { max-width: 66rem; } table { font-size: 14px; }
td.soft { color: var(--soft); }
td.good, td.bad, td.soft { white-space: nowrap; } th { vertical-align: bottom; } td.n, th.n { white-space: nowrap; }
tr.group td { padding-top: .9rem; font-weight: 600; } tr.group span { color: var(--soft); font-weight: 400;
  margin-left: .6rem; } tr.ours td { color: var(--bar); } tr.remark td { color: var(--soft); padding-left: 1.6rem; }
tr:has(+ tr.remark) td { border-bottom: 0; }
figure.plot { margin: .8rem 0 1.4rem; overflow-x: auto; } figure.plot svg { min-width: 40rem; display: block; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: .4rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; } li { margin: .25rem 0; }
"""

_PLOTS = (
    (
        "Throughput, and what a crash takes",
        plots.concurrency_svg,
        "Named is the best curve of each store with its best rate, and of durakv the best with threads and the best "
        "with tasks; every curve stands in the table below. Rings: durakv's knees. More writers than that only wait.",
    ),
    (
        "Throughput, and what a crash takes",
        plots.latency_svg,
        "Writes at a fixed rate. Solid: response times of each second, from the intended start, so that a stall counts "
        "for every write that it kept waiting. Dotted: the longest that a call itself took in the same run.",
    ),
    (
        "Loss windows",
        plots.loss_svg,
        "A line that stands at the left lost nothing; the further to the right it climbs, the more a cut takes.",
    ),
    ("Writers beside a background rewrite", plots.interference_svg, ""),
    ("Recovery", plots.recovery_svg, ""),
)
"""Each after the table with this title."""

_HOW = (
    (
        "At risk",
        "An acknowledged write is at risk until it would survive the crash in question. What a crash took was "
        "counted: the store was crashed under load, opened again, and asked for each write that it had acknowledged. "
        "A loss that was measured at another rate than the one it stands beside is scaled to it, since a crash takes "
        "a span of time.",
    ),
    (
        "Closed and open loop",
        "In a closed loop a writer waits for each write before it makes the next, so a stall delays one write of "
        "each writer and hides the rest. In an open loop writes are due at a fixed rate, and the response time of "
        "each counts from when it was due.",
    ),
    (
        "Ratio to raw",
        "The rate over that of a loop that only writes and syncs, run in the same round on the same disk; the median "
        "of the rounds. It compares between machines; the rates do not.",
    ),
    (
        "Promise",
        "What the store itself says an acknowledged write survives with this setting. Rates of settings that promise "
        "different things are no contest.",
    ),
)


def write(report: Report, path: Path) -> None:
    """Write the page."""
    path.write_text(render(report), encoding="utf-8")


def render(report: Report) -> str:
    """The page as text."""
    parts = [
        *_top(report),
        *_tables(report),
        *_origin(report),
        *_how(),
        *_left_out(report),
    ]
    return page(f"durakv bench, {report.started}", parts, style=_STYLE)


def _top(report: Report) -> Iterator[str]:
    yield "<h1>What writes cost, and what a crash takes</h1>"
    for warning in report.disk.warnings:
        yield f'<div class="warning"><strong>Beware:</strong> {escape(warning)}</div>'
    said, drawn = picture.sentence(report), plots.picture_svg(report)
    if said is not None and drawn is not None:
        yield f'<p class="lead">{escape(said)}</p>'
        yield _figure(drawn, picture.legend(report))


def _tables(report: Report) -> Iterator[str]:
    for table in (*tables.tables(report), tables.disk(report)):
        yield f"<h2>{escape(table.title)}</h2>"
        if table.note:
            yield f"<p>{escape(table.note)}</p>"
        for after, draw, caption in _PLOTS:
            if after == table.title and (drawn := draw(report)) is not None:
                yield _figure(drawn, caption)
                if draw is plots.concurrency_svg:
                    yield f"<details><summary>All curves</summary>{_table(concurrency.legend(report))}</details>"
        yield _table(table)


def _origin(report: Report) -> Iterator[str]:
    machine, disk = report.machine, report.disk
    facts = {
        "command": report.command,
        "started": f"{report.started}, took {units.seconds(report.seconds)}",
        "machine": f"{machine.processor}, {machine.cores} cores, {units.size(machine.memory_bytes)}",
        "system": f"{machine.platform}, {machine.python}",
        "disk": f"{disk.directory}: {disk.file_system} on {disk.device} ({disk.mount_options})",
        "write cache": disk.write_cache,
        "versions": ", ".join(f"{name} {version}" for name, version in machine.versions.items()),
    }
    yield "<h2>What ran it</h2><dl>"
    for name, text in facts.items():
        yield f"<dt>{name}</dt><dd>{escape(text)}</dd>"
    yield "</dl>"


def _how() -> Iterator[str]:
    yield "<h2>How to read it</h2>"
    for name, text in _HOW:
        yield f"<p><strong>{escape(name)}.</strong> {escape(text)}</p>"


def _left_out(report: Report) -> Iterator[str]:
    if report.left_out:
        yield "<h2>Left out</h2><ul>"
        yield from (f"<li>{escape(reason)}</li>" for reason in report.left_out)
        yield "</ul>"


def _figure(drawn: str, caption: str) -> str:
    # In a page the name spaces go without saying, and a page without addresses is seen to load nothing.
    inline = re.sub(r' xmlns(:\w+)?="[^"]*"', "", drawn)
    told = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure class="plot">{inline}{told}</figure>'


def _table(table: Table) -> str:
    heads = "".join(f"<th{_right(column.number)}>{escape(column.head)}</th>" for column in table.columns)
    rows = "\n".join(_group(row, table) if isinstance(row, Group) else _row(row, table) for row in table.rows)
    return f'<div class="wide"><table><tr>{heads}</tr>\n{rows}</table></div>'


def _group(group: Group, table: Table) -> str:
    span = len(table.columns)
    if not group.title:
        return f'<tr class="remark"><td colspan="{span}">{escape(group.about)}</td></tr>'
    about = f"<span>{escape(group.about)}</span>" if group.about else ""
    ours = " ours" if group.ours else ""
    return f'<tr class="group{ours}"><td colspan="{span}">{escape(group.title)}{about}</td></tr>'


def _row(row: Row, table: Table) -> str:
    cells = [cell if isinstance(cell, Cell) else Cell(cell) for cell in row]
    made = (
        f"<td{_right(column.number, cell.tone)}>{escape(cell.text)}</td>"
        for cell, column in zip(cells, table.columns, strict=True)
    )
    return f"<tr>{''.join(made)}</tr>"


def _right(number: bool, tone: str = "") -> str:
    classes = " ".join(part for part in ("n" if number else "", tone) if part)
    return f' class="{classes}"' if classes else ""
