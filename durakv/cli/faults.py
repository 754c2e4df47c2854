"""``durakv fuzz faults``: system calls that fail, are cut short, are slow, or end in SIGKILL, for any program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from durakv.cli import exits
from durakv.cli.output import json_option, print_json, print_lines, tell
from durakv.cli.programs import chosen_subjects, duration, plan_of
from durakv_fuzz.injector.numbers import KNOWN, numbers_of
from durakv_fuzz.injector.seccomp import CannotInject
from durakv_fuzz.program.fault_kinds import KINDS, FaultKind
from durakv_fuzz.program.fault_sweep import LOST_UNSYNCED, SubjectFailed
from durakv_fuzz.program.faults_seen import (
    KEPT,
    LIMITS,
    FaultReport,
    FaultSeen,
    FaultsNotTried,
    FaultsSeen,
    try_faults,
)
from durakv_fuzz.program.subject import Promise, Subject

REPORT_NAME = "faults.json"
_COUNT = 20


def calls_of(text: str) -> frozenset[str]:
    """Names of system calls, with commas between."""
    names = frozenset(filter(None, text.split(",")))
    try:
        here = numbers_of(names)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if absent := names - here.keys():
        raise click.BadParameter(f"this machine has no such calls: {', '.join(sorted(absent))}")
    return names


@click.command("faults")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--target", help="A program that is known already, as redis; durakv fuzz targets lists them.")
@click.option("--policy", "setting", help="Of a target: one of its settings; all of them if nothing is said.")
@click.option("--ready", metavar="REGEX", help="COMMAND is a service: ready when a line of its output matches.")
@click.option("--driver", metavar="CMD", help="Writes to the service and prints what was acknowledged.")
@click.option("--check", metavar="CMD", help="Reads back afterwards and prints what is there.")
@click.option(
    "--promise",
    type=click.Choice([str(promise) for promise in Promise]),
    help="What COMMAND promises: always and window owe what was acknowledged, prefix and synced what was synced.",
)
@click.option(
    "--fault", "names", type=click.Choice(list(KINDS)), multiple=True, help="One kind; may be given again. All if none."
)
@click.option(
    "--calls",
    type=calls_of,
    metavar="NAMES",
    default="",
    help=f"Only at these, with commas between, of {', '.join(sorted(KNOWN))}.",
)
@click.option(
    "--points", type=click.IntRange(1), default=12, show_default=True, help="Calls to try each kind at, evenly spread."
)
@click.option("--count", type=click.IntRange(1, 100_000), default=_COUNT, show_default=True, help="Numbers to write.")
@click.option(
    "--patience", type=duration, metavar="TIME", default="10s", show_default=True, help="For each run and each check."
)
@click.option("--fresh/--prepared", default=False, help="Let the faults come while the store is made, too.")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help=f"Where {REPORT_NAME} goes.")
@json_option
@click.pass_context
def faults(
    ctx: click.Context,
    command: tuple[str, ...],
    target: str | None,
    setting: str | None,
    ready: str | None,
    driver: str | None,
    check: str | None,
    promise: str | None,
    names: tuple[str, ...],
    calls: frozenset[str],
    points: int,
    count: int,
    patience: float,
    fresh: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Let the system calls of any program fail, be cut short, be slow, or end in SIGKILL; start it again, and judge.

    \b
    durakv fuzz faults --target redis --policy always
    durakv fuzz faults --target sqlite --fault kill --fault eio --calls fsync,fdatasync
    durakv fuzz faults --check 'CMD' -- ./store {dir}

    \b
    kill        SIGKILL to all of it when a call is about to be made
    kill-after  SIGKILL when the call has happened and not one instruction more
    eio, enospc a sync or a write fails with that error
    eintr       a write fails as if a signal had come
    short       a write of more than a byte writes one byte, really, and says so
    slow        a sync takes 50 ms longer

    COMMAND, drivers and checkers are as for durakv fuzz program.  Nothing is taken out of the page cache, so a loss
    here is a program's own fault; what a power cut takes is for durakv fuzz program.  The exit code is 1 if a promise
    was broken.
    """
    if target is None and command and check is None:
        raise click.UsageError("without --check nobody says what is there afterwards")
    subjects, _ = chosen_subjects(
        command, target, setting, ready, driver, check, promise, 0.0 if promise == Promise.WINDOW else None
    )
    kinds = _kinds(names, calls)
    seen: list[FaultsSeen] = []
    failures: list[str] = []
    for subject in subjects:
        plan = plan_of(subject, count)
        plan = type(plan)(plan.count, prepared=not fresh, environment=plan.environment)
        try:
            one = try_faults(
                subject,
                kinds,
                plan,
                points_max=points,
                seconds=patience,
                progress=_progress(subject, quiet=as_json),
            )
        except (FaultsNotTried, SubjectFailed, CannotInject) as error:
            failures.append(str(error))
            tell(str(error))
            continue
        seen.append(one)
        if not as_json:
            print_lines(_lines(one))
    report = FaultReport.of(seen)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        (output / REPORT_NAME).write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")
    if as_json:
        print_json(msgspec.to_builtins(report))
    else:
        if any(one.calls for one in seen):
            print_lines([LIMITS])
        if output is not None:
            print_lines([f"report: {output / REPORT_NAME}"])
    if any(one.is_broken for one in seen):
        ctx.exit(exits.TOLD)
    ctx.exit(exits.USAGE if failures else exits.OK)


def _kinds(names: tuple[str, ...], calls: frozenset[str]) -> list[FaultKind]:
    wanted = [KINDS[name] for name in names or KINDS]
    kinds = [left for kind in wanted if (left := kind.among(calls)) is not None]
    if not kinds:
        raise click.UsageError(f"{', '.join(names)} cannot happen to {', '.join(sorted(calls))}")
    return kinds


def _progress(subject: Subject, *, quiet: bool) -> Callable[[str], None]:
    name = f"{subject.name} {subject.setting}".strip()

    def tell_progress(kind: str) -> None:
        if not quiet and sys.stderr.isatty():
            click.echo(f"\r{f'{name}: {kind}':60}\r", err=True, nl=False)

    return tell_progress


def _lines(seen: FaultsSeen) -> list[str]:
    name = f"{seen.program} {seen.setting}".strip()
    if seen.missing:
        return [f"{name}: not run, {seen.missing}"]
    lines = [f"{name} (promised: {seen.promise}): {seen.calls} calls counted while {seen.numbers} numbers were written"]
    for kind in seen.kinds:
        verdicts = ", ".join(
            f"{count} {verdict}" for verdict, count in sorted(kind.verdicts.items(), key=lambda one: one[0] == KEPT)
        )
        never = f"; {kind.unfired} never came" if kind.unfired else ""
        tried = f"at {kind.points} of {kind.met} calls: {verdicts or 'nothing came'}" if kind.met else "no such call"
        lines.append(f"  {kind.kind:10} {tried}{never}")
        if kind.unheeded:
            more = f" and {len(kind.unheeded) - 1} more" if len(kind.unheeded) > 1 else ""
            lines.append(f"  {'':10} no verdict: it acknowledged right after a failed {kind.unheeded[0]}{more}")
    alike: dict[tuple[str, ...], list[FaultSeen]] = {}
    for finding in seen.findings:
        if finding.verdict == LOST_UNSYNCED:
            continue  # counted, and allowed
        alike.setdefault((finding.kind, finding.verdict, finding.name, finding.role), []).append(finding)
    for first, *others in alike.values():
        lines += ["", *_finding(first)]
        if others:
            lines.append(f"  and after {len(others)} more such calls")
    if seen.promise != Promise.NONE:
        lines.append("a promise was broken" if seen.is_broken else "every promise was kept")
    return lines


def _finding(finding: FaultSeen) -> list[str]:
    came = "" if finding.fired else ", which never came"
    return [
        f"{finding.verdict}: {finding.reason}",
        f"  after {finding.fault}{came}",
        f"  which without it is call {finding.call}: {finding.name} {finding.role}".rstrip(),
        *(f"    {frame}" for frame in finding.stack),
    ]
