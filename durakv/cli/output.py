"""What commands print: lines for people, or JSON for programs; progress on a terminal only."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
from collections.abc import Callable, Generator, Iterable
from typing import Any

import click

Progress = Callable[[int, int], None]
"""Called with what is done and what there is to do."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of lines.")


def print_json(value: Any) -> None:
    """Print one JSON document, or one line of JSON Lines."""
    click.echo(json.dumps(value, ensure_ascii=False))


def print_lines(lines: Iterable[str]) -> None:
    """Print lines for people."""
    for line in lines:
        click.echo(line)


def tell(line: str) -> None:
    """Tell something that is not the command's answer."""
    click.echo(f"durakv: {line}", err=True)


class _Teller(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        tell(record.getMessage())


@contextlib.contextmanager
def telling_log() -> Generator[None, None, None]:
    """Tell what the engine logs while the block runs: what an open cut, removed or took over (C13)."""
    logger, teller = logging.getLogger("durakv"), _Teller()
    logger.addHandler(teller)
    try:
        yield
    finally:
        logger.removeHandler(teller)


def size(count: int) -> str:
    """A size in bytes, as people read it."""
    amount = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{count} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TiB"


@contextlib.contextmanager
def progress(title: str, *, quiet: bool, total: int | None = None) -> Generator[Progress | None, None, None]:
    """A progress bar on standard error while the block runs; None where nobody would see it."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=total)
        yield lambda done, there: bar.update(task, completed=done, total=there or None)
