"""A run of the benchmark on a terminal: what to beware of first, then every table, as wide as the terminal is."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from durakv.bench import tables, units
from durakv.bench.results import Report
from durakv.bench.table import Cell, Column, Group, Table, Tone

_STYLES = {Tone.PLAIN: "", Tone.GOOD: "green", Tone.BAD: "bold red", Tone.SOFT: "dim"}
_GAP = 2
"""Between columns, where there is room; else one."""
_NARROWEST = 12
"""Columns of words are not made narrower than this."""


def render(report: Report, console: Console) -> None:
    """Print the report.  Columns that say the least are left out of a narrow terminal; words wrap, nothing is cut."""
    show(_lines(report, console.width), console)


def show(lines: Iterator[Text], console: Console) -> None:
    """Print lines that are as wide as they should be."""
    for line in lines:
        line.rstrip()
        console.print(line, soft_wrap=True, highlight=False)


def draw(table: Table, width: int) -> Iterator[Text]:
    """A table as lines: an empty one, the title, the heads, the rows, the note."""
    yield Text()
    yield Text(table.title, style="bold")
    shown = [index for index, column in enumerate(table.columns) if width >= column.columns_min]
    columns = [table.columns[index] for index in shown]
    rows = [
        row if isinstance(row, Group) else [_cell(row[index]) if index < len(row) else Cell("") for index in shown]
        for row in table.rows
    ]
    widths = _widths(columns, [row for row in rows if not isinstance(row, Group)], width)
    gap = _GAP if sum(widths) + _GAP * (len(widths) - 1) <= width else 1
    yield from _row([Cell(column.head, Tone.SOFT) for column in columns], columns, widths, gap)
    yield Text("─" * min(width, sum(widths) + gap * (len(widths) - 1)), style="dim")
    for row in rows:
        yield from _group(row, width) if isinstance(row, Group) else _row(row, columns, widths, gap)
    yield from (Text(line, style="dim") for line in textwrap.wrap(table.note, width))


def _lines(report: Report, width: int) -> Iterator[Text]:
    machine = report.machine
    yield Text("What writes cost, and what a crash takes", style="bold")
    yield Text(f"{report.command}   {report.started}, {units.seconds(report.seconds)}", style="dim")
    for warning in report.disk.warnings:
        for line in textwrap.wrap(f"Warning: {warning}", width):
            yield Text(line, style="bold yellow")
    about = (
        f"{machine.processor}, {machine.cores} cores, {units.size(machine.memory_bytes)}, {machine.platform}, "
        f"{machine.python}; {', '.join(f'{name} {version}' for name, version in machine.versions.items())}",
        f"{report.disk.directory}: {report.disk.file_system} on {report.disk.device} ({report.disk.mount_options}), "
        f"write cache: {report.disk.write_cache}",
    )
    for sentence in about:
        yield from (Text(line) for line in textwrap.wrap(sentence, width))
    yield from draw(tables.disk(report), width)
    for table in tables.tables(report):
        yield from draw(table, width)
    if report.left_out:
        yield Text()
        yield Text("Left out", style="bold")
        for reason in report.left_out:
            yield from (Text(line) for line in textwrap.wrap(reason, width, subsequent_indent="  "))


def _cell(cell: str | Cell) -> Cell:
    return Cell(cell) if isinstance(cell, str) else cell


def _widths(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> list[int]:
    """As wide as what is in them; words give way, the widest first."""
    widths = [max(len(column.head), *(len(row[index].text) for row in rows), 0) for index, column in enumerate(columns)]
    room = width - _GAP * (len(columns) - 1)
    wordy = [index for index, column in enumerate(columns) if not column.number]
    while sum(widths) > room and wordy:
        widest = max(wordy, key=lambda index: widths[index])
        if widths[widest] <= _NARROWEST:
            break
        widths[widest] -= 1
    return widths


def _row(cells: Sequence[Cell], columns: Sequence[Column], widths: Sequence[int], gap: int) -> Iterator[Text]:
    wrapped = [
        [cell.text]
        if column.number or len(cell.text) <= width
        else textwrap.wrap(cell.text, width, break_on_hyphens=False)
        for cell, column, width in zip(cells, columns, widths, strict=True)
    ]
    for number in range(max(len(lines) for lines in wrapped)):
        line = Text()
        for index, (cell, lines) in enumerate(zip(cells, wrapped, strict=True)):
            text = lines[number] if number < len(lines) else ""
            padded = text.rjust(widths[index]) if columns[index].number else text.ljust(widths[index])
            line.append(" " * gap if index else "").append(padded, style=_STYLES[cell.tone])
        yield line


def _group(group: Group, width: int) -> Iterator[Text]:
    about = [
        Text(line, style="dim")
        for line in textwrap.wrap(group.about, width, initial_indent="  ", subsequent_indent="  ")
    ]
    if not group.title:
        yield from about
        return
    title = Text(group.title, style="bold cyan" if group.ours else "bold")
    if len(group.title) + len(group.about) + _GAP <= width:
        yield title.append("  " + group.about, style="not bold dim")
        return
    yield title
    yield from about
