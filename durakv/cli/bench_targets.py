"""``durakv bench targets``: the ratios that durakv promises itself, measured, as the table that stands in docs/."""

from __future__ import annotations

import shlex
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from durakv.cli import exits
from durakv.cli.output import tell

if TYPE_CHECKING:
    from durakv.bench.results import Report

_FILE = click.Path(dir_okay=False, path_type=Path)
_SAVED = click.Path(exists=True, dir_okay=False, path_type=Path)
_PLACE = click.Path(exists=True, file_okay=False, path_type=Path)


class _Stages:
    """Tells what is measured now, a line for each stage."""

    def stage(self, title: str, /) -> None:
        """A stage begins."""
        tell(f"measuring: {title}")

    def step(self, what: str, part: float, /) -> None:
        """Steps are too many for lines."""


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=_PLACE)
@click.option("--quick", is_flag=True, help="Less data and fewer rounds: minutes; for a look, not for the record.")
@click.option(
    "--from", "saved", type=_SAVED, metavar="REPORT.json", help="Take a saved run; measure only what it lacks."
)
@click.option("--no-parts", is_flag=True, help="Leave out what no run of durakv bench measures.")
@click.option("--write", "written", type=_FILE, metavar="FILE", help="Replace the table in this Markdown file.")
@click.option("--save", "kept", type=_FILE, metavar="REPORT.json", help="Keep the run with its verdicts.")
@click.pass_context
def targets(
    ctx: click.Context,
    directory: Path,
    quick: bool,
    saved: Path | None,
    no_parts: bool,
    written: Path | None,
    kept: Path | None,
) -> None:
    """Measure every target on the disk of DIR, by default of the current directory, and print the table.

    The exit code is 1 if a target was missed.
    """
    from durakv.bench import results, targets_parts
    from durakv.bench.targets_page import page, table

    command = shlex.join(["durakv", *sys.argv[1:]])
    old = _old_page(written)
    report = _measured(directory, quick, command) if saved is None else _load(saved)
    parts = targets_parts.Parts(())
    if not no_parts:
        sizes = targets_parts.QUICK if quick else targets_parts.FULL
        parts = targets_parts.measure(directory, sizes, lambda what, _part: tell(f"measuring: {what}"))
    report = msgspec.structs.replace(report, verdicts=targets_parts.together(report, parts))
    if kept is not None:
        results.save(report, kept)
    if written is None:
        click.echo(table(report, report.verdicts, command), nl=False)
    else:
        written.write_text(page(old, report, report.verdicts, command))
        tell(f"the table is in {written}")
    ctx.exit(exits.TOLD if any(verdict.met is False for verdict in report.verdicts) else exits.OK)


def _old_page(written: Path | None) -> str:
    """What stands there now; refused before anything is measured if the table's place in it is not known."""
    from durakv.bench.targets_page import divided

    if written is None or not written.exists():
        return ""
    old = written.read_text()
    try:
        divided(old)
    except ValueError as error:
        raise exits.Failure(f"{written}: {error}", exits.USAGE) from error
    return old


def _measured(directory: Path, quick: bool, command: str) -> Report:
    matrix: Any = import_module("durakv.bench.matrix")
    run: Any = import_module("durakv.bench.run")
    plan = matrix.QUICK if quick else matrix.FULL
    found: Report = run.run(directory, plan, command=command, progress=_Stages())
    return found


def _load(path: Path) -> Report:
    from durakv.bench import results

    try:
        return results.load(path)
    except ValueError as error:
        raise exits.Failure(str(error), exits.FAILED) from error
