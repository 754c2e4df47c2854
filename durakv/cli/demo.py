"""``durakv demo``: writers killed, power cut, and what the contract says to what is left."""

from __future__ import annotations

import contextlib
import logging
import random
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from durakv.cli import exits
from durakv.cli.output import json_option, print_json
from durakv.durability import FsyncPolicy
from durakv_fuzz.demo.kill import LIVES, WriterError, kill_round
from durakv_fuzz.demo.power import POINTS, power_round
from durakv_fuzz.demo.probe import IMPLAUSIBLE_SECONDS, sync_seconds
from durakv_fuzz.demo.tally import KILL, POWER, Tally

WIDTH_MIN = 80

CLAUSES = """\
C1  the state is that after the first k writes, for one k, batches whole
C2  SIGKILL takes no acknowledged write, whatever the policy
C3  under always, a power cut takes no acknowledged write
C4  under everysec, it takes none older than one second and the sync under way
C5  under no, it takes nothing that a rotation or a close has synced
C6  rotation, rewrite, opening and closing weaken none of these
"""


@dataclass(slots=True)
class Run:
    """What one demonstration was told to do, and what came of it so far."""

    seconds: float
    seed: int
    directory: Path
    sync_seconds: float
    tallies: list[Tally] = field(default_factory=list[Tally])

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return all(tally.kept for tally in self.tallies)


_KEEP_HELP = "Work in this new directory, on the disk you want to see, and leave everything there."


@click.command()
@click.option("--seconds", default=2.0, type=click.FloatRange(0.1, 600), help="How long to write under each policy.")
@click.option("--keep", metavar="DIR", type=click.Path(file_okay=False, path_type=Path), help=_KEEP_HELP)
@click.option("--seed", type=int, help="Repeat the random choices of another run.")
@json_option
@click.pass_context
def demo(ctx: click.Context, seconds: float, keep: Path | None, seed: int | None, as_json: bool) -> None:
    """Crash durakv, and see for each policy what survives.

    Processes that write to real files are killed with SIGKILL; then the same writes are made on a simulated disk,
    whose power is cut at hundreds of points.  The exit code is 1 if any promise was broken.
    """
    # Each of the hundreds of recoveries would log what it found.
    logging.getLogger("durakv").setLevel(logging.ERROR)
    with _scratch(keep) as directory:
        run = Run(
            seconds=seconds,
            seed=random.randrange(1 << 32) if seed is None else seed,
            directory=directory,
            sync_seconds=sync_seconds(directory / "probe"),
        )
        try:
            code = present(run, _rounds(run), as_json=as_json, keep=keep)
        except WriterError as error:
            raise exits.Failure(str(error), exits.FAILED) from error
    ctx.exit(code)


def present(run: Run, rounds: Iterator[Tally], *, as_json: bool, keep: Path | None = None) -> int:
    """Run the rounds, print what came of them, and return the exit code."""
    if as_json:
        run.tallies.extend(rounds)
        print_json(_as_json(run))
    else:
        _show(run, rounds, keep)
    return exits.OK if run.kept else exits.TOLD


@contextlib.contextmanager
def _scratch(keep: Path | None) -> Generator[Path, None, None]:
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise click.BadParameter(f"{keep} is not empty", param_hint="--keep")
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="durakv-demo-") as name:
        yield Path(name)


def _rounds(run: Run) -> Iterator[Tally]:
    for policy in FsyncPolicy:
        yield kill_round(policy, run.directory / policy, seconds=run.seconds, seed=run.seed)
        yield power_round(policy, seed=run.seed)


# --- for programs -----------------------------------------------------------------------------------------------------


def _as_json(run: Run) -> dict[str, Any]:
    return {
        "kept": run.kept,
        "seed": run.seed,
        "seconds": run.seconds,
        "durable_write_seconds": run.sync_seconds,
        "rows": [
            {
                "policy": tally.policy,
                "crash": tally.crash,
                "writes_per_second": tally.writes_per_second,
                "crashes": tally.crashes,
                "acknowledged": tally.acknowledged,
                "survived": tally.survived,
                "lost_max": tally.lost_max,
                "oldest_lost_seconds": tally.oldest_lost_seconds,
                "kept": tally.kept,
                "clauses": tally.clauses,
                "broken": tally.broken,
                "reasons": tally.reasons,
            }
            for tally in run.tallies
        ],
    }


# --- for people -------------------------------------------------------------------------------------------------------


def _show(run: Run, rounds: Iterator[Tally], keep: Path | None) -> None:
    console = Console(highlight=False)
    if console.width < WIDTH_MIN or not console.is_terminal:
        console.width = max(console.width, WIDTH_MIN)
    console.print(_heading(run, keep))
    if console.is_terminal:
        with Live(_table(run, busy=True), console=console, refresh_per_second=10) as live:
            for tally in rounds:
                run.tallies.append(tally)
                live.update(_table(run, busy=True))
            live.update(_table(run, busy=False))
    else:
        run.tallies.extend(rounds)
        with console.capture() as captured:
            console.print(_table(run, busy=False))
        for line in captured.get().splitlines():
            console.print(line.rstrip(), markup=False)
    console.print(_legend(run, keep))


def _heading(run: Run, keep: Path | None) -> RenderableType:
    lines = [
        Text("What survives a crash?", style="bold"),
        Text(
            f"Writers are killed {LIVES} times under each policy in {run.directory}, where a durable write takes "
            f"{_duration(run.sync_seconds)}."
        ),
    ]
    if run.sync_seconds < IMPLAUSIBLE_SECONDS:
        lines.append(
            Text(
                "No disk is that fast: this is memory (tmpfs), or a disk that answers before it has stored anything. "
                "The rates under always are not those of a disk; try --keep DIR elsewhere.",
                style="yellow",
            )
        )
    return Group(*lines)


def _table(run: Run, *, busy: bool) -> RenderableType:
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    table.add_column("policy")
    table.add_column("crash", no_wrap=True)
    for heading in ("writes/s", "crashes", "acked", "survived", "lost", "oldest"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict")
    for tally in run.tallies:
        table.add_row(*_cells(tally))
        if tally.crash == POWER:
            table.add_section()
    if busy and len(run.tallies) < 2 * len(FsyncPolicy):
        policy = list(FsyncPolicy)[len(run.tallies) // 2]
        crash = (KILL, POWER)[len(run.tallies) % 2]
        table.add_row(policy, crash, *[""] * 6, Spinner("dots", "running"))
    return table


def _cells(tally: Tally) -> list[RenderableType]:
    rate = tally.writes_per_second
    return [
        tally.policy if tally.crash == KILL else "",
        tally.crash,
        "-" if rate is None else f"{rate:,.0f}",
        f"{tally.crashes:,}",
        f"{tally.acknowledged:,}",
        f"{tally.survived:,}",
        f"{tally.lost_max:,}",
        f"{tally.oldest_lost_seconds:.2f} s" if tally.lost_max else "-",
        Text(tally.verdict, style="green" if tally.kept else "bold red"),
    ]


def _legend(run: Run, keep: Path | None) -> RenderableType:
    lines = [Text()]
    lines += [Text(f"broken: {reason}", style="red") for tally in run.tallies for reason in tally.reasons]
    lines += [
        Text(
            "acked, survived: acknowledged writes, and those found after the crash; summed. lost: the most that one "
            "crash took. oldest: how long before the crash the oldest of them had been acknowledged."
        ),
        Text(
            f"The power cuts are simulated: {POINTS} moments of a run with rotation, rewrite and close, two disks "
            "each. They show what durakv asks of a disk, not whether yours obeys."
        ),
        Text(),
        Text(CLAUSES, style="dim"),
        Text(
            "On a disk of your own:        durakv demo --keep DIR"
            if keep is None
            else f"What was left:                durakv inspect {keep / FsyncPolicy.ALWAYS}"
        ),
        Text(f"Again with the same choices:  durakv demo --seed {run.seed}"),
    ]
    return Group(*lines)


def _duration(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 1e-3 else f"{seconds * 1e3:.1f} ms"
