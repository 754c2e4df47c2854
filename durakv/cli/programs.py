"""``durakv fuzz program``, ``survey`` and ``targets``: power cuts for programs that know nothing of durakv."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import click

from durakv.cli import exits
from durakv.cli.output import json_option, print_json, print_lines, tell
from durakv_fuzz.block.real import MakeError
from durakv_fuzz.program import interrupts
from durakv_fuzz.program.artefact import BadArtefact, load
from durakv_fuzz.program.campaign import CannotRecord, Limits, Outcome, start_and_judge
from durakv_fuzz.program.commands import CommandSubject
from durakv_fuzz.program.examine import DISKS, MEMORY, MODELS, Examination, Interrupted, examine, missing
from durakv_fuzz.program.replay import replay
from durakv_fuzz.program.report_files import REPORT_NAMES, words_of, write_reports
from durakv_fuzz.program.saved_files import SavedFiles
from durakv_fuzz.program.seen import TIERS, BadReport, Report, Seen
from durakv_fuzz.program.subject import Plan, Promise, Subject
from durakv_fuzz.program.survey import survey_subjects, take_survey
from durakv_fuzz.program.survey_page import render_survey
from durakv_fuzz.recorder.process import ServerEnded
from durakv_fuzz.targets import subjects

_DIRECTORY = click.Path(file_okay=False, path_type=Path)
_SECONDS_PER_LINE = 10.0
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def duration(text: str) -> float:
    """``60``, ``60s``, ``5m`` or ``2h``, as seconds."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if match is None or not float(match[1]):
        raise click.BadParameter(f"{text!r} is no time: write 60s, 5m or 2h")
    return float(match[1]) * _UNITS[match[2]]


def disks_of(text: str) -> tuple[str, ...]:
    """Names of disks, with commas between."""
    names = tuple(text.split(","))
    for name in names:
        if name not in DISKS:
            raise click.BadParameter(f"{name!r} is no disk; there are {', '.join(DISKS)}")
    return names


@click.command("program", context_settings={"ignore_unknown_options": False})
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--target", help="A program that is known already, as redis; durakv fuzz targets lists them.")
@click.option("--policy", "setting", help="Of a target: one of its settings; all of them if nothing is said.")
@click.option("--ready", metavar="REGEX", help="COMMAND is a service: ready when a line of its output matches.")
@click.option("--driver", metavar="CMD", help="Writes to the service and prints what was acknowledged.")
@click.option("--check", metavar="CMD", help="Reads back after a crash and prints what is there.")
@click.option(
    "--promise",
    type=click.Choice([str(promise) for promise in Promise]),
    help="What COMMAND promises for a power cut; always, if nothing is said.",
)
@click.option("--window", type=duration, metavar="TIME", help="For --promise window: how old a lost write may be.")
@click.option("--count", type=click.IntRange(1, 1_000_000), help="How many numbers a driver writes.")
@click.option(
    "--disk",
    "disks",
    type=disks_of,
    metavar="DISKS",
    default=MEMORY,
    help=f"Comma-separated, of {', '.join(DISKS)}; memory if nothing is said.",
)
@click.option("--model", type=click.Choice([*MODELS, "any"]), default="any", help="For the disk in memory.")
@click.option(
    "--budget", type=duration, metavar="TIME", help="How long, for each disk and setting; 60s if nothing else is said."
)
@click.option("--states", type=click.IntRange(1), help="How many distinct crash states, likewise.")
@click.option("--seed", default=1, show_default=True, help="Another seed, other crashes.")
@click.option(
    "--fresh/--prepared", default=None, help="Crash the making of the store too, or never; else now and then."
)
@click.option(
    "--sites",
    is_flag=True,
    help="Tell where in its native code the program made its calls; on the disk in memory, x86-64 only.",
)
@click.option("--output", type=_DIRECTORY, help="Where the report goes, and a file for each broken promise.")
@json_option
@click.pass_context
def program(
    ctx: click.Context,
    command: tuple[str, ...],
    target: str | None,
    setting: str | None,
    ready: str | None,
    driver: str | None,
    check: str | None,
    promise: str | None,
    window: float | None,
    count: int | None,
    disks: tuple[str, ...],
    model: str,
    budget: float | None,
    states: int | None,
    seed: int,
    fresh: bool | None,
    sites: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Crash-test any program: record what it does to a disk, cut the power, start it again, and judge.

    \b
    durakv fuzz program -- python save.py {dir}          it saves files; each line that it prints acknowledges
    durakv fuzz program --check 'CMD' -- ./store {dir}   it prints issued N and acked N itself
    durakv fuzz program --ready 'listening' --driver 'CMD' --check 'CMD' -- ./service {dir} {port}
    durakv fuzz program --target redis --policy everysec --budget 60s

    Drivers print `issued N`, `acked N` and `synced N`; checkers print `found N` or `wrong TEXT`.  The exit code is 1 if
    a promise was broken.  Whoever interrupts it gets the report of what was seen until then, and exit code 130.
    """
    chosen, words = chosen_subjects(command, target, setting, ready, driver, check, promise, window)
    limits = Limits(states=states, seconds=budget if budget is not None or states is not None else 60.0)
    start = start_and_judge
    if isinstance(chosen[0], SavedFiles):
        if count is not None or fresh is not None:
            raise click.UsageError("--count, --fresh and --prepared are about programs with a --check")
        if disks[0] != MEMORY:
            raise click.UsageError(f"files are compared with what was saved in memory: --disk {MEMORY},{disks[0]}")
        start, fresh = chosen[0].start, False  # nothing is prepared that could be crashed or not
    examination = Examination(
        start=start,
        disks=disks,
        models=[kind for name, kinds in MODELS.items() if model in (name, "any") for kind in kinds],
        limits=limits,
        seed=seed,
        fresh=fresh,
        directory=output,
        command=words,
        sites=sites,
    )
    for disk in disks:
        if reason := missing(disk):
            tell(f"{disk}: skipped, {reason}")
    if all(missing(disk) for disk in disks):
        raise exits.Failure("no disk can be used here", exits.USAGE)
    seen: list[Seen] = []
    interrupted: Interrupted | None = None
    with interrupts.held(), _told_in_one_line():
        try:
            for subject in chosen:
                seen.append(examine(subject, examination, plan_of(subject, count), _progress(subject, quiet=as_json)))
        except Interrupted as interrupt:
            interrupted = interrupt
            seen.append(interrupt.seen)
    if all(one.missing for one in seen):
        raise exits.Failure(f"nothing was run: {seen[0].missing}", exits.USAGE)
    report = Report.of(seen)
    if output is not None:
        write_reports(report, output)
    if as_json:
        print_json(_words(report))
    else:
        for one in seen:
            print_lines(_lines(one, output))
        if output is not None:
            print_lines([f"report: {output / REPORT_NAMES[0]}"])
    if interrupted is not None:
        raise interrupted
    ctx.exit(exits.TOLD if any(one.is_broken for one in seen) else exits.OK)


@click.command("targets")
def targets() -> None:
    """List the programs that are known, their settings and promises, and why some cannot run here."""
    for subject in subjects():
        reason = subject.missing()
        click.echo(
            f"{subject.name:14} {subject.setting:22} {subject.promise:8} {f'not here: {reason}' if reason else ''}"
        )


@click.command("survey")
@click.argument("names", nargs=-1)
@click.option(
    "--budget", type=duration, metavar="TIME", default="20s", show_default=True, help="For each setting on each disk."
)
@click.option(
    "--disk", "disks", type=disks_of, metavar="DISKS", default=",".join(DISKS), help="All of them if nothing is said."
)
@click.option("--seed", default=1, show_default=True, help="Another seed, other crashes.")
@click.option(
    "--output", type=_DIRECTORY, default=Path("survey"), show_default=True, help="It goes on from what is there."
)
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="The page in Markdown.")
def survey(
    names: tuple[str, ...], budget: float, disks: tuple[str, ...], seed: int, output: Path, write: Path | None
) -> None:
    """Run every target that is installed on every disk, and write the table.

    Each setting is saved when it is done, so that a survey which was interrupted goes on where it stopped.  NAMES are
    targets; all of them if nothing is said.
    """
    try:
        chosen = survey_subjects(names)
    except LookupError as error:
        raise click.UsageError(str(error)) from error
    examination = Examination(
        disks=disks, limits=Limits(seconds=budget), seed=seed, directory=output, shrink_seconds=budget / 2
    )

    def done(seen: Seen) -> None:
        print_lines(_lines(seen, output))

    with interrupts.held(), _told_in_one_line():
        report = take_survey(chosen, examination, output, done)
    write_reports(report, output)
    if write is not None:
        write.write_text(render_survey(report), encoding="utf-8")
    print_lines([f"report: {output / REPORT_NAMES[0]}"])


@contextlib.contextmanager
def _told_in_one_line() -> Generator[None]:
    """What ends a campaign, and the exit code."""
    try:
        yield
    except (CannotRecord, BadReport) as error:
        raise exits.Failure(str(error), exits.USAGE) from error
    except (MakeError, ServerEnded) as error:
        raise exits.Failure(str(error), exits.FAILED) from error


def replay_program(path: Path) -> int:
    """Repeat what a campaign against a program found; returns the exit code."""
    try:
        crashed, _, _ = load(path)
        with interrupts.held():
            judgement = replay(path)
    except BadArtefact as error:
        raise exits.Failure(str(error), exits.USAGE) from error
    when = f"{crashed.program} {crashed.setting}".strip()
    print_lines([f"{when} ({crashed.tier}): {judgement.verdict} {judgement.reason}".rstrip()])
    if judgement.verdict is not crashed.verdict:
        tell(f"when it was found the verdict was {crashed.verdict}: {crashed.reason}")
    return exits.OK if judgement.is_kept else exits.TOLD


def chosen_subjects(
    command: tuple[str, ...],
    target: str | None,
    setting: str | None,
    ready: str | None,
    driver: str | None,
    check: str | None,
    promise: str | None,
    window: float | None,
) -> tuple[Sequence[Subject], dict[str, str]]:
    """What a command line names, and the words that name it; of a target there are none."""
    if target is not None:
        if command or ready or driver or check or promise or window:
            others = "COMMAND, --ready, --driver, --check, --promise and --window"
            raise click.UsageError(f"--target says all: leave out {others}")
        try:
            found = [subject for subject in subjects(target) if setting in (None, subject.setting)]
        except LookupError as error:
            raise click.UsageError(str(error)) from error
        if not found:
            there = ", ".join(subject.setting for subject in subjects(target))
            raise click.UsageError(f"{target} has no setting {setting!r}; it has {there}")
        return found, {}
    if setting is not None:
        raise click.UsageError("--policy is about a --target")
    if not command:
        raise click.UsageError("say which program: COMMAND after --, or --target; see durakv fuzz program --help")
    if (promise == Promise.WINDOW) != (window is not None):
        raise click.UsageError("--promise window needs --window TIME, and no other promise has one")
    words = {"argv": shlex.join(command)}
    words |= {name: value for name, value in (("ready", ready), ("driver", driver), ("check", check)) if value}
    if check is None and driver is None and ready is None:
        if promise is not None:
            raise click.UsageError("--promise is about programs with a --check: saved files are always kept")
        if not any("{dir}" in part for part in command):
            raise click.UsageError("COMMAND has to be told where it saves: put {dir} into it")
        return [SavedFiles(command)], words
    if check is None:
        raise click.UsageError("without --check nobody says what is there after a crash")
    try:
        pattern = re.compile(ready) if ready is not None else None
    except re.error as error:
        raise click.UsageError(f"--ready is no regular expression: {error}") from error
    try:
        subject = CommandSubject(
            argv=command,
            ready=pattern,
            driver=driver or "",
            checker=check,
            promise=Promise(promise or Promise.ALWAYS),
            window_seconds=window or 0.0,
        )
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    return [subject], words


def plan_of(subject: Subject, count: int | None) -> Plan:
    """The plan that suits the subject best, with another count if one is given."""
    plan = getattr(subject, "plan", Plan())
    assert isinstance(plan, Plan)
    return plan if count is None else Plan(count, plan.prepared, plan.sync_seconds, plan.environment)


def _progress(subject: Subject, *, quiet: bool) -> Callable[[Outcome], None]:
    live = sys.stderr.isatty()
    told = 0.0
    name = f"{subject.name} {subject.setting}".strip()

    def tell_progress(outcome: Outcome) -> None:
        nonlocal told
        if quiet or outcome.seconds < told + (0.2 if live else _SECONDS_PER_LINE):
            return
        told = outcome.seconds
        rate = outcome.states / outcome.seconds if outcome.seconds else 0.0
        line = f"{name} on {outcome.tier}: {outcome.seconds:5.0f} s {outcome.states:7,} states {rate:5,.0f}/s"
        click.echo(f"\r{line}" if live else line, err=True, nl=not live)

    return tell_progress


def _lines(seen: Seen, output: Path | None) -> list[str]:
    name = f"{seen.program} {seen.setting}".strip()
    if seen.missing:
        return [f"{name}: not run, {seen.missing}"]
    rates = ", ".join(f"{rate:,.0f} a second on {disk}" for disk, rate in seen.rates.items())
    lives = ", ".join(f"{count:,} of its {life} life" for life, count in sorted(seen.lives.items()))
    lines = [f"{name} (promised: {seen.promise}): {seen.states:,} distinct crash states; {lives}; {rates}"]
    lines += [f"  {tier:8} {words_of(seen, tier)}" for tier in TIERS if seen.verdicts.get(tier)]
    for tier, reason in seen.skipped.items():
        lines.append(f"  {tier:8} skipped: {reason}")
    if seen.promise == Promise.NONE:
        return lines
    for finding in seen.findings:
        when = "" if finding.prepared else ", while the store was made"
        lines += ["", f"{finding.verdict} ({finding.tier}{when}, {finding.life} life): {finding.reason}"]
        lines += [f"  {line}" for line in finding.story]
        if finding.artefact and output is not None:
            lines.append(f"  again with: durakv fuzz replay {output / finding.artefact}")
    lines.append("every promise was kept" if not seen.is_broken else "a promise was broken")
    return lines


def _words(report: Report) -> object:
    import msgspec

    return msgspec.to_builtins(report)
