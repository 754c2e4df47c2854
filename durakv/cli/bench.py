"""``durakv bench``: what each policy costs and what a crash under it costs, measured on the user's own disk."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import time
from collections.abc import Generator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from durakv.bench import results
from durakv.bench.progress import room
from durakv.bench.results import Report, Shape
from durakv.cli import exits
from durakv.cli.bench_progress import watched
from durakv.cli.bench_targets import targets
from durakv.cli.output import json_option, tell
from durakv.durability import FsyncPolicy

if TYPE_CHECKING:
    from durakv.bench.matrix import Plan

WIDTH_MIN = 100
"""Of tables that go into a file or a pipe."""

_PACKAGES = ("matplotlib", "hypothesis")
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_PLACE = click.Path(exists=True, file_okay=False, path_type=Path)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_POLICY = click.Choice([str(policy) for policy in FsyncPolicy])
_SHAPE = click.Choice([shape.value for shape in Shape])
_RUN = "run"


class _Measuring(click.Group):
    """A group whose first word may be left out: it is ``run`` then."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """See :class:`click.Group`."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [_RUN, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Measuring)
def bench() -> None:
    """Measure what each policy costs, and what a crash under it costs, beside other stores.

    Without a command it is run: durakv bench --quick [DIR].
    """


bench.add_command(targets)


@bench.command(_RUN)
@click.argument(
    "directory", metavar="[DIR]", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--quick", is_flag=True, help="Fewer cases and rounds: under two minutes.")
@click.option("--output", type=_DIRECTORY, metavar="NEW", help="Where the reports go; ./durakv-bench-TIME by default.")
@click.option(
    "--against", "urls", multiple=True, metavar="URL", help="A server that runs already, redis://… or unix://…"
)
@click.option("--store", "stores", multiple=True, metavar="NAME", help="These stores only; durakv is one of them.")
@click.option("--policy", "policies", multiple=True, type=_POLICY, help="These of durakv's policies only.")
@click.option("--shape", "shapes", multiple=True, type=_SHAPE, help="These kinds of load only.")
@click.option("--writers", multiple=True, type=click.IntRange(1, 4096), help="So many threads, and so many tasks.")
@click.option("--value-bytes", multiple=True, type=click.IntRange(1, 1 << 24), help="Size of the values.")
@click.option("--rate", type=click.FloatRange(1), help="Writes a second of the open loops.")
@click.option("--rounds", type=click.IntRange(1, 1000), help="How often each case is measured.")
@click.option("--seconds", type=click.FloatRange(0.01, 600), help="How long each time.")
@click.option("--loss-seconds", type=click.FloatRange(0), help="How long to crash; 0 leaves the loss windows out.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other crashes.")
@json_option
@click.pass_context
def run_(
    ctx: click.Context,
    /,
    directory: Path,
    quick: bool,
    output: Path | None,
    urls: tuple[str, ...],
    as_json: bool,
    **asked: Any,
) -> None:
    """Measure on the disk of DIR, by default of the current directory.

    Nothing but the reports is left behind: report.json, report.csv and report.html.  With --json the report goes to
    standard output, and into files only where --output names a directory.
    """
    _refuse_unfit()
    from durakv.bench.run import INTERRUPTED, run

    wanted = plan(quick, **asked)
    running = [setting for url in urls for setting in room("peers").against(url)]
    command = shlex.join(["durakv", *sys.argv[1:]])
    with _new_directory(output, as_json) as place:
        with _terminable(), watched(quiet=as_json) as progress:
            report = run(directory, wanted, command=command, running=running, progress=progress)
        if place is not None:
            _write(report, place)
    if as_json:
        click.echo(msgspec.json.encode(report))
    else:
        room("terminal").render(report, _console())
    if place is not None:
        tell(f"the report is in {place}: open {place / 'report.html'}")
    if report.left_out and report.left_out[0].startswith(INTERRUPTED):
        ctx.exit(exits.INTERRUPTED)


@bench.command()
@click.argument("report", metavar="REPORT.json", type=_FILE)
def show(report: Path) -> None:
    """Print the tables of a saved run."""
    room("terminal").render(_load(report), _console())


@bench.command()
@click.argument("before", metavar="BEFORE.json", type=_FILE)
@click.argument("after", metavar="AFTER.json", type=_FILE)
def compare(before: Path, after: Path) -> None:
    """Print what changed from one saved run to another."""
    room("compare").render(_load(before), _load(after), _console())


def plan(
    quick: bool,
    *,
    stores: Sequence[str],
    policies: Sequence[str],
    shapes: Sequence[str],
    writers: Sequence[int],
    value_bytes: Sequence[int],
    rate: float | None,
    rounds: int | None,
    seconds: float | None,
    loss_seconds: float | None,
    seed: int,
) -> Plan:
    """The plan that the options ask for."""
    from dataclasses import replace

    from durakv.bench.matrix import FULL, QUICK

    asked: dict[str, Any] = {
        "stores": tuple(stores),
        "policies": tuple(map(FsyncPolicy, dict.fromkeys(policies))),
        "shapes": tuple(map(Shape, dict.fromkeys(shapes))),
        "writers": tuple(dict.fromkeys(writers)),
        "value_bytes": tuple(dict.fromkeys(value_bytes)),
        "rate": rate,
        "rounds": rounds,
        "seconds": seconds,
        "loss_seconds": loss_seconds,
        "seed": seed,
    }
    if writers:
        asked["sweep_rounds"] = 0  # who names the widths wants no others
    base = QUICK if quick else FULL
    return replace(base, **{name: value for name, value in asked.items() if value is not None and value != ()})


def _refuse_unfit() -> None:
    if sys.platform != "linux":
        raise exits.Failure("durakv bench measures on Linux only: its raw loops and counters are Linux's", exits.FAILED)
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if missing:
        needed = " and ".join(missing)
        raise exits.Failure(f"durakv bench needs {needed}; install it with: pip install 'durakv[bench]'", exits.USAGE)


@contextlib.contextmanager
def _new_directory(output: Path | None, as_json: bool) -> Generator[Path | None, None, None]:
    """Made before anything is measured, so that a run is not for nothing; removed if nothing came into it."""
    if output is None:
        if as_json:
            yield None
            return
        output = Path(time.strftime("durakv-bench-%Y%m%d-%H%M%S"))
    if output.exists() and any(output.iterdir()):
        raise click.BadParameter(f"{output} is not empty", param_hint="--output")
    output.mkdir(parents=True, exist_ok=True)
    try:
        yield output
    finally:
        if not any(output.iterdir()):
            output.rmdir()


@contextlib.contextmanager
def _terminable() -> Generator[None, None, None]:
    """Let SIGTERM do what an interrupt from the terminal does: servers end, files go, what was measured is kept."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _write(report: Report, place: Path) -> None:
    results.save(report, place / "report.json")  # first: from it the others can be made again
    room("csv_file").write(report, place / "report.csv")
    room("html").write(report, place / "report.html")


def _load(path: Path) -> Report:
    try:
        return results.load(path)
    except ValueError as error:
        raise exits.Failure(str(error), exits.FAILED) from error


def _console() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, WIDTH_MIN)
    return console
