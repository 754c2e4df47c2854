"""A campaign's directory, and the report on what is in it.

campaign.json, states.u64    how far it is
failure-SEED-RUN.json        what it found
teeth.json                   which planted bugs were found, if they were hunted from here
report.html, .json, .xml     all of that, for people, programs and those who show tests
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from durakv_fuzz.campaign import Failure
from durakv_fuzz.failure_file import BadFailureFile, FailureFile
from durakv_fuzz.mutants import MUTANTS, Hunt
from durakv_fuzz.oracle import Violation
from durakv_fuzz.report_files import write_json, write_junit
from durakv_fuzz.report_html import write_html
from durakv_fuzz.workers import BadCampaign, Campaign

TEETH_NAME = "teeth.json"
REPORT_NAMES = ("report.html", "report.json", "report.xml")
_FORMAT = "durakv-teeth"
_VERSION = 1
_FAILURE_NAME = re.compile(r"failure-\d+-(\d+)\.json")


def write_reports(directory: Path) -> list[Path]:
    """Write the three reports; raises :class:`BadCampaign` or :class:`BadFailureFile` for what cannot be read."""
    campaign = Campaign.load(directory)
    summary = replace(campaign.total, failures=_load_failures(directory))
    teeth = directory / TEETH_NAME
    hunts = load_teeth(teeth) if teeth.exists() else None
    paths = [directory / name for name in REPORT_NAMES]
    html, for_programs, junit = paths
    write_html(summary, html, hunts=hunts)
    write_json(summary, for_programs, hunts=hunts)
    write_junit(summary, junit, hunts=hunts)
    return paths


def save_teeth(hunts: Sequence[Hunt], path: Path) -> None:
    """Write down which planted bugs were found."""
    rows = [
        {
            "name": hunt.mutant.name,
            "runs": hunt.runs,
            "states": hunt.states,
            "seconds": hunt.seconds,
            "run": hunt.failure.run if hunt.failure is not None else None,
            "failure": json.loads(FailureFile.of(hunt.failure, hunt.mutant.name).dump()) if hunt.failure else None,
        }
        for hunt in hunts
    ]
    path.write_text(json.dumps({"format": _FORMAT, "version": _VERSION, "hunts": rows}) + "\n", encoding="utf-8")


def load_teeth(path: Path) -> list[Hunt]:
    """The other way round; raises :class:`BadCampaign`."""
    try:
        words: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if words["format"] != _FORMAT or words["version"] != _VERSION:
            raise BadCampaign(f"{path} is of another format or version; hunt again with `durakv fuzz teeth --output`")
        hunts: list[Hunt] = []
        for row in words["hunts"]:
            failure = None
            if row["failure"] is not None:
                failure = _as_failure(FailureFile.load(json.dumps(row["failure"])), int(row["run"]))
            hunts.append(
                Hunt(MUTANTS[row["name"]], failure, int(row["runs"]), int(row["states"]), float(row["seconds"]))
            )
        return hunts
    except (KeyError, TypeError, ValueError, OSError, RecursionError) as cause:
        if isinstance(cause, BadCampaign):
            raise
        raise BadCampaign(f"{path} cannot be read: {type(cause).__name__}: {cause}") from cause


def _load_failures(directory: Path) -> list[Failure]:
    failures: list[Failure] = []
    for path in sorted(directory.glob("failure-*.json")):
        name = _FAILURE_NAME.fullmatch(path.name)
        if name is not None:
            try:
                file = FailureFile.load(path.read_text(encoding="utf-8"))
            except BadFailureFile as cause:
                raise BadFailureFile(f"{path}: {cause}") from cause
            failures.append(_as_failure(file, int(name[1])))
    return failures


def _as_failure(file: FailureFile, run: int) -> Failure:
    return Failure(Violation(file.verdict, file.reason), file.case, run, file.stage)
