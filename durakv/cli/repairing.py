"""``durakv repair``: cut a torn tail, or keep the largest provable prefix of a damaged directory."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from durakv.cli import exits
from durakv.cli.output import json_option, print_json, print_lines, progress
from durakv.cli.places import existing_place
from durakv.cli.salvaging import loss, survey
from durakv.cli.salvaging import repair as repair_file
from durakv.repair import repair as repair_directory
from durakv.repair_plan import Remedy, RepairPlan, plan_repair

_EXIT_BY_REMEDY = {
    Remedy.NOTHING: exits.OK,
    Remedy.CUT: exits.TOLD,
    Remedy.DISCARD: exits.CORRUPTION,
    Remedy.IMPOSSIBLE: exits.CORRUPTION,
}


@click.command()
@click.argument("directory", metavar="DIR")
@click.option("--dry-run", is_flag=True, help="Tell what would be done and what would be lost; write nothing.")
@click.option(
    "--discard-after-damage",
    is_flag=True,
    help="Accept that promised data is lost: keep everything up to the first damage, take out the rest.",
)
@click.option(
    "--keep-readable",
    is_flag=True,
    help="Of a single file, keep also what only reads as if it were whole, before and behind the damage.",
)
@click.option("--yes", is_flag=True, help="Do not ask before promised data is discarded.")
@json_option
@click.pass_context
def repair(
    ctx: click.Context,
    directory: str,
    dry_run: bool,
    discard_after_damage: bool,
    keep_readable: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Bring a directory that does not open back to its largest provable prefix.

    A torn tail is cut, as the next open would do.  Corruption is left alone unless --discard-after-damage accepts what
    --dry-run says would be lost.  Whatever is changed or taken out stays beside the store as broken-*.

    DIR may also be a single RDB file or append-only file of a stock server.  Of an append-only file the commands before
    the first damage are kept, of an RDB file the blocks that are proven; --keep-readable keeps whatever can be read.

    \b
    Exit codes:
      0  there was nothing to repair
      1  repaired, or (--dry-run) a torn tail would be cut
      3  corruption: nothing was touched; restore a copy or accept the loss
      4  not possible: missing, of a newer version, no permission, a full disk
      5  another process owns the directory
    """
    if os.path.isfile(directory):
        accepted = discard_after_damage or keep_readable
        _repair_file(ctx, directory, dry_run, accepted=accepted, keep_readable=keep_readable, yes=yes, as_json=as_json)
    if keep_readable:
        raise click.UsageError("--keep-readable is about single files; of a directory only what is proven is kept")
    filesystem = existing_place(directory)
    if dry_run or (discard_after_damage and not yes):
        with progress("check", quiet=as_json) as bar:
            plan = plan_repair(filesystem, progress=bar)
        if dry_run:
            _print(plan, as_json=as_json, done=False)
            ctx.exit(_EXIT_BY_REMEDY[plan.remedy])
        if plan.remedy is Remedy.DISCARD:
            _ask(plan.lines())
    with progress("repair", quiet=as_json) as bar:
        plan = repair_directory(filesystem, discard_after_damage=discard_after_damage, progress=bar)
    _print(plan, as_json=as_json, done=plan.remedy is not Remedy.NOTHING)
    ctx.exit(exits.OK if plan.remedy is Remedy.NOTHING else exits.TOLD)


def _repair_file(
    ctx: click.Context, path: str, dry_run: bool, *, accepted: bool, keep_readable: bool, yes: bool, as_json: bool
) -> NoReturn:
    found = survey(path)
    kept = found.kept(keep_readable=keep_readable)
    lost = loss(found, kept)
    lines = [*found.lines(), f"lose: {lost}"]
    done = False
    if not dry_run and not found.is_whole:
        if not found.is_torn and not accepted:
            raise exits.Failure(
                f"{path} is damaged, and nothing was touched: a repair would lose {lost}. Restore a copy, or accept "
                "that with --discard-after-damage, or with --keep-readable",
                exits.CORRUPTION,
            )
        if not kept:
            raise exits.Failure(
                f"{path}: nothing of it is proven; see what --keep-readable would keep", exits.CORRUPTION
            )
        if not found.is_torn and not yes:
            _ask(lines)
        original = repair_file(path, found, keep_readable=keep_readable)
        lines.append(f"repaired; the original is {original}")
        done = True
    if as_json:
        print_json({**found.as_json(), "loss": lost, "done": done})
    else:
        print_lines(["nothing to repair"] if found.is_whole else lines)
    ctx.exit(exits.OK if found.is_whole else exits.TOLD if done or found.is_torn else exits.CORRUPTION)


def _ask(lines: list[str]) -> None:
    for line in lines:
        click.echo(line, err=True)
    if not sys.stdin.isatty():
        raise exits.Failure("nobody is there to be asked; say --yes to discard what is lost", exits.USAGE)
    if not click.confirm("Discard it?", err=True):
        raise exits.Failure("nothing was touched", exits.CORRUPTION)


def _print(plan: RepairPlan, *, as_json: bool, done: bool) -> None:
    if not as_json:
        print_lines(plan.lines())
        return
    print_json(
        {
            "directory": plan.verification.where,
            "remedy": plan.remedy.value,
            "done": done,
            "reason": plan.reason,
            "loss": plan.loss,
            "keep_seq": plan.keep_seq,
            "promised_seq": plan.verification.promised_seq,
            "retire_seq": plan.retire_seq,
            "cut": list(plan.cut),
            "left_out": list(plan.left_out),
        }
    )
