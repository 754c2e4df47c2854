"""``durakv verify``: check every byte, change nothing."""

from __future__ import annotations

import os
from typing import Any

import click

from durakv.cli import exits
from durakv.cli.output import json_option, print_json, print_lines, progress, size
from durakv.cli.places import existing_place
from durakv.cli.salvaging import survey
from durakv.verification import FileCheck, Severity, Verification
from durakv.verify import verify as verify_directory

EXIT_BY_SEVERITY = {
    Severity.OK: exits.OK,
    Severity.NOTE: exits.OK,
    Severity.TORN: exits.TOLD,
    Severity.UNCHECKED: exits.FAILED,
    Severity.CORRUPTION: exits.CORRUPTION,
}


@click.command()
@click.argument("directory", metavar="DIR")
@json_option
@click.pass_context
def verify(ctx: click.Context, directory: str, as_json: bool) -> None:
    """Check every byte of a data directory, and write nothing.

    It needs no lock, so it can be run while the owner is at work.  DIR may also be a single file, an RDB file or an
    append-only file of a stock server: it is told which stretches of it are whole, which only read as if they were, and
    which are lost.

    \b
    Exit codes:
      0  everything is whole (there may be notes)
      1  a torn tail, which the next open will cut; nothing that was promised is lost
      3  corruption: promised data is damaged or missing, and an open will refuse
      4  something could not be checked: a newer version, another format, no permission
    """
    if os.path.isfile(directory):
        found = survey(directory)
        if as_json:
            print_json(found.as_json())
        else:
            print_lines(found.lines())
        ctx.exit(found.exit_code())
    with progress("verify", quiet=as_json) as bar:
        verification = verify_directory(existing_place(directory), bar)
    if as_json:
        print_json(_as_json(verification))
    else:
        print_lines(_lines(verification))
    ctx.exit(EXIT_BY_SEVERITY[verification.severity])


def _as_json(verification: Verification) -> dict[str, Any]:
    manifest = verification.manifest
    return {
        "directory": verification.where,
        "severity": verification.severity.name.lower(),
        "ok": verification.ok,
        "identity": manifest.identity.hex() if manifest is not None and manifest.identity is not None else None,
        "generation": None if manifest is None else manifest.generation,
        "promised_seq": verification.promised_seq,
        "last_seq": verification.last_seq,
        "files": [
            {
                "name": check.entry.name,
                "role": "base" if check.is_base else "log",
                "bytes": check.size,
                "first_seq": check.entry.first,
                "last_seq": check.last,
                "batches": None if check.end is None else check.end.batches,
                "commands": None if check.end is None else check.end.commands,
                "foreign_commands": None if check.end is None else check.end.foreign_commands,
                "keys": check.count if check.is_base else None,
                "severity": verification.severity_of(check.entry.name).name.lower(),
            }
            for check in verification.files
        ],
        "findings": [
            {
                "name": finding.name,
                "severity": finding.severity.name.lower(),
                "offset": finding.offset,
                "reason": finding.reason,
            }
            for finding in verification.findings
        ],
    }


def _lines(verification: Verification) -> list[str]:
    lines = [
        f"{verification.severity_of(check.entry.name).name.lower():10} {_describe(check)}"
        for check in verification.files
    ]
    lines += [
        f"{finding.severity.name.lower()}: {finding}"
        for finding in sorted(verification.findings, key=lambda finding: -finding.severity)
    ]
    verdict = {
        Severity.OK: "whole: every byte is accounted for",
        Severity.NOTE: "whole: every byte is accounted for",
        Severity.TORN: "torn: the next open cuts the tail; `durakv repair` cuts it and keeps the original",
        Severity.UNCHECKED: "not everything could be checked",
        Severity.CORRUPTION: "CORRUPT: an open will refuse; `durakv repair --dry-run` shows what can be kept",
    }[verification.severity]
    return [*lines, f"{verification.where}: up to number {verification.last_seq}, {verdict}"]


def _describe(check: FileCheck) -> str:
    text = f"{check.entry.name}: {size(check.size)}"
    if check.end is not None:
        return f"{text}, {check.end.batches} batches, {check.end.commands} commands, up to number {check.end.last}"
    return f"{text}, {check.count} keys, up to number {check.last}" if check.last is not None else text
