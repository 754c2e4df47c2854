"""Where a run of the benchmark is: two lines on a terminal, a line for each stage elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from durakv.bench.progress import Progress as Told
from durakv.cli.output import tell


class _Bar:
    """A bar for the stage, and beside it what is measured now."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task: TaskID | None = None

    def stage(self, title: str, /) -> None:
        """See :class:`durakv.bench.progress.Progress`."""
        if self._task is not None:
            self._bar.update(self._task, completed=1.0, what="")
            self._bar.stop_task(self._task)
        self._task = self._bar.add_task(title, total=1.0, what="")

    def step(self, what: str, part: float, /) -> None:
        """See :class:`durakv.bench.progress.Progress`."""
        if self._task is not None:
            self._bar.update(self._task, completed=part, what=what)


class _Lines:
    """A line for each stage."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet

    def stage(self, title: str, /) -> None:
        """See :class:`durakv.bench.progress.Progress`."""
        if not self._quiet:
            tell(f"measuring: {title}")

    def step(self, what: str, part: float, /) -> None:
        """See :class:`durakv.bench.progress.Progress`."""


@contextlib.contextmanager
def watched(*, quiet: bool) -> Generator[Told, None, None]:
    """Tell on standard error while the block runs; ``quiet`` where only a terminal is to be told."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(quiet=quiet)
        return
    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description:22}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[what]}"),
    )
    # Redrawn rarely: the thread that draws takes its turns from those that are measured.
    with Progress(*columns, console=console, transient=True, refresh_per_second=2) as bar:
        yield _Bar(bar)
