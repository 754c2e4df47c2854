"""``durakv fuzz``: crash campaigns, the failures they find, and the breaks that they have to find."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from zipfile import is_zipfile

import click

from durakv.cli import exits
from durakv.cli.calibrating import calibrate
from durakv.cli.faults import faults
from durakv.cli.output import json_option, print_json, print_lines, tell
from durakv.cli.programs import program, replay_program, survey, targets
from durakv.durability import FsyncPolicy
from durakv_fuzz.campaign import Summary
from durakv_fuzz.failure_file import BadFailureFile, FailureFile
from durakv_fuzz.mutants import MUTANTS, Hunt, hunt
from durakv_fuzz.report import summarise, tabulate
from durakv_fuzz.reports import REPORT_NAMES, TEETH_NAME, save_teeth, write_reports
from durakv_fuzz.scope import Profile, Scope
from durakv_fuzz.trace_file import write_trace
from durakv_fuzz.workers import STATE_NAME, BadCampaign, Campaign

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_NAMES = click.Choice(list(MUTANTS))
_SECONDS_PER_SAVE = 60.0
_SECONDS_PER_LINE = 10.0
"""How often a log, unlike a terminal, is told how far a campaign is."""


@click.group()
def fuzz() -> None:
    """Crash the engine on a simulated disk, at any point, and judge what is left.

    The exit code is 1 if a promise was broken (for teeth: if a break was not found).
    """


fuzz.add_command(calibrate)


@fuzz.command("run")
@click.option("--seconds", type=click.FloatRange(0.1), help="Stop after so long; 60 if nothing else is said.")
@click.option("--states", type=click.IntRange(1), help="Stop after so many distinct crash states.")
@click.option("--workers", default=2, show_default=True, type=click.IntRange(1, 256), help="Processes.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other programs and crashes.")
@click.option("--output", type=_DIRECTORY, help="Where failures and the state of the campaign go.")
@click.option("--resume", type=_DIRECTORY, metavar="DIR", help="Go on with the campaign in DIR, an earlier --output.")
@click.option(
    "--policy",
    type=click.Choice([str(policy) for policy in FsyncPolicy]),
    help="Under this policy alone; else all, and changes.",
)
@click.option(
    "--profile",
    type=click.Choice([str(profile) for profile in Profile]),
    help="Which crashes: bare POSIX disks, journalling ones, killed processes, or any of them (the default).",
)
@click.option("--mutant", type=_NAMES, help="Break the engine on purpose, and see it found.")
@json_option
@click.pass_context
def run_(
    ctx: click.Context,
    seconds: float | None,
    states: int | None,
    workers: int,
    seed: int,
    output: Path | None,
    resume: Path | None,
    policy: str | None,
    profile: str | None,
    mutant: str | None,
    as_json: bool,
) -> None:
    """Run a campaign: random programs, crashed everywhere, nested, resumed and decayed.

    The same seed does the same.  Each failure is made smaller, written to a file of its own and told.  With --output
    the campaign is saved every minute, and its report is written there: report.html, .json and .xml (JUnit).
    """
    if resume is not None and output is not None:
        raise click.UsageError("--resume goes on in its own directory: leave out --output")
    if resume is not None and (policy is not None or profile is not None):
        raise click.UsageError("a campaign goes on with what it began with: leave out --policy and --profile")
    directory = resume if resume is not None else output
    scope = Scope(FsyncPolicy(policy) if policy else None, Profile(profile) if profile else Profile.ANY)
    try:
        campaign = Campaign.load(resume) if resume is not None else Campaign.begin(seed, workers, mutant or "", scope)
    except BadCampaign as error:
        raise exits.Failure(str(error), exits.USAGE) from error
    if campaign.mutant not in ("", *MUTANTS):
        raise exits.Failure(f"{resume}: this version has no mutant {campaign.mutant!r}", exits.USAGE)
    if mutant is not None and mutant != campaign.mutant:
        raise click.UsageError(f"the campaign in {resume} goes on with the engine it began with: leave out --mutant")
    mutant = campaign.mutant or None
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
    if seconds is None and states is None:
        seconds = 60.0
    with MUTANTS[mutant].applied() if mutant is not None else contextlib.nullcontext():
        total = campaign.go(states=states, seconds=seconds, progress=_progress(campaign, directory, quiet=as_json))
    found = [FailureFile.of(failure, mutant or "").shrink() for failure in total.failures]
    paths = [_write_down(file, directory or Path(), f"failure-{campaign.seed}-{failure.run}.json")
             for file, failure in zip(found, total.failures, strict=True)]  # fmt: skip
    if directory is not None:
        # After a failure too: it goes on behind the run that found it.
        campaign.save(directory)
        write_reports(directory)
    if as_json:
        print_json(_as_json(total, paths))
    else:
        print_lines(summarise(total))
        if directory is not None:
            print_lines([f"report: {directory / REPORT_NAMES[0]}"])
        for file, path in zip(found, paths, strict=True):
            print_lines(["", f"again with: durakv fuzz replay {path}", *file.tell()])
    ctx.exit(exits.TOLD if found else exits.OK)


@fuzz.command()
@click.argument("file", type=_FILE)
@click.option("--trace", type=click.Path(dir_okay=False, path_type=Path), help="Also write down every call (trace v1).")
@click.pass_context
def replay(ctx: click.Context, file: Path, trace: Path | None) -> None:
    """Repeat a failure exactly, and tell its story.

    FILE is what a campaign wrote, against the engine (.json) or against a program (.crash.zip).  The exit code is 1 if
    it still breaks its promise, 0 if it does not.
    """
    if is_zipfile(file):
        if trace is not None:
            raise click.UsageError(f"{file} has its trace inside: unzip it")
        ctx.exit(replay_program(file))
    failure = _load(file)
    print_lines(failure.tell())
    if trace is not None:
        write_trace(failure.trace(), trace)
    violation = failure.replay().violation
    if violation is not None and violation.verdict is not failure.verdict:
        tell(f"when it was found the verdict was {failure.verdict}: {failure.reason}")
    ctx.exit(exits.OK if violation is None else exits.TOLD)


@fuzz.command()
@click.argument("file", type=_FILE)
@click.option("--attempts", default=1000, show_default=True, type=click.IntRange(1), help="How many programs to try.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Where to write it; default: FILE.")
def shrink(file: Path, attempts: int, output: Path | None) -> None:
    """Make a failure smaller, and write it down again."""
    failure = _load(file)
    smaller = failure.shrink(attempts)
    before, after = (sum(len(life.script) for life in each.case.lives) for each in (failure, smaller))
    (output or file).write_text(smaller.dump())
    print_lines([f"{before} steps became {after}; {smaller.verdict}: {smaller.reason}"])


@fuzz.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
def report(directory: Path) -> None:
    """Write the report on the campaign in DIRECTORY, an earlier --output, anew: report.html, .json and .xml (JUnit)."""
    try:
        print_lines(map(str, write_reports(directory)))
    except (BadCampaign, BadFailureFile) as error:
        raise exits.Failure(str(error), exits.USAGE) from error


@fuzz.command()
@click.argument(
    "directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path("fuzz/regressions")
)
@click.pass_context
def regressions(ctx: click.Context, directory: Path) -> None:
    """Replay every failure file in DIRECTORY (fuzz/regressions): each must keep its promise by now."""
    # The directory may be the --output of a campaign, whose own state is no failure.
    files = sorted(
        path for path in directory.glob("*.json") if path.name not in (STATE_NAME, TEETH_NAME, *REPORT_NAMES)
    )
    broken = 0
    for file in files:
        failure = _load(file)
        violation = failure.replay().violation
        broken += violation is not None
        now = f"{violation.verdict}: {violation.reason}" if violation is not None else f"kept (was {failure.verdict})"
        print_lines([f"{file.name}: {now}"])
    print_lines([f"{len(files)} failures replayed, {broken} broken"])
    ctx.exit(exits.TOLD if broken else exits.OK)


@fuzz.command()
@click.argument("names", nargs=-1, type=_NAMES)
@click.option("--seconds", default=60.0, show_default=True, type=click.FloatRange(1), help="For each break.")
@click.option("--seed", default=1, show_default=True)
@click.option("--output", type=_DIRECTORY, help="Also write teeth.json there, for the report of a campaign.")
@click.pass_context
def teeth(ctx: click.Context, names: tuple[str, ...], seconds: float, seed: int, output: Path | None) -> None:
    """Break the engine on purpose, one behaviour at a time, and hunt each break as a campaign would."""
    hunts: list[Hunt] = []

    def one_by_one() -> Iterator[Hunt]:
        for name in names or MUTANTS:
            hunts.append(hunt(MUTANTS[name], seed=seed, states=None, seconds=seconds))
            yield hunts[-1]

    print_lines(tabulate(one_by_one()))
    found = sum(each.failure is not None for each in hunts)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        save_teeth(hunts, output / TEETH_NAME)
    print_lines(["", f"{found} of {len(hunts)} breaks were found within {seconds:.0f} s each"])
    ctx.exit(exits.OK if found == len(hunts) else exits.TOLD)


def _load(path: Path) -> FailureFile:
    try:
        return FailureFile.load(path.read_text(encoding="utf-8"))
    except (BadFailureFile, UnicodeDecodeError) as error:
        raise exits.Failure(f"{path}: {error}", exits.USAGE) from error


def _write_down(failure: FailureFile, directory: Path, name: str) -> Path:
    path = directory / name
    path.write_text(failure.dump(), encoding="utf-8")
    return path


def _progress(campaign: Campaign, directory: Path | None, *, quiet: bool) -> Callable[[Summary], None]:
    """Save now and then, and tell how far it is."""
    live = sys.stderr.isatty()
    told = saved = campaign.total.seconds

    def tell_progress(total: Summary) -> None:
        nonlocal told, saved
        if directory is not None and total.seconds >= saved + _SECONDS_PER_SAVE:
            saved = total.seconds
            campaign.save(directory)
        if quiet:
            return
        if not live and total.seconds < told + _SECONDS_PER_LINE:
            return
        told = total.seconds
        rate = len(total.distinct) / total.seconds if total.seconds else 0.0
        line = f"{total.seconds:6.0f} s  {total.runs:8,} runs  {len(total.distinct):12,} states  {rate:7,.0f} states/s"
        click.echo(f"\r{line}" if live else line, err=True, nl=not live)

    return tell_progress


def _as_json(total: Summary, paths: list[Path]) -> dict[str, object]:
    return {
        "seed": total.seed,
        "runs": total.runs,
        "states": len(total.distinct),
        "judged": total.checks,
        "seconds": total.seconds,
        "stages": dict(total.stages),
        "windows": [
            {"policy": policy, "crash": kind, **asdict(windows)} for (policy, kind), windows in total.windows.items()
        ],
        "failures": [
            {"verdict": failure.violation.verdict, "reason": failure.violation.reason, "file": str(path)}
            for failure, path in zip(total.failures, paths, strict=True)
        ],
    }


for _command in (program, survey, targets, faults):
    fuzz.add_command(_command)
