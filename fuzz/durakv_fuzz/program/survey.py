"""The survey: every program that is installed, with every setting, on every disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from durakv_fuzz.block.real import MakeError
from durakv_fuzz.program.campaign import CannotRecord
from durakv_fuzz.program.examine import Examination, examine
from durakv_fuzz.program.report_files import REPORT_NAMES
from durakv_fuzz.program.seen import Report, Seen
from durakv_fuzz.recorder.process import ServerEnded
from durakv_fuzz.targets import NAMES, subjects
from durakv_fuzz.targets.target import Target


def survey_subjects(names: Sequence[str]) -> list[Target]:
    """Those programs, or all of them; raises ``LookupError``."""
    return [subject for name in names or NAMES for subject in subjects(name)]


def take_survey(
    chosen: Sequence[Target], examination: Examination, directory: Path, done: Callable[[Seen], None]
) -> Report:
    """Examine each, and save after each; what the directory has from an earlier time is not done again.

    A program that fails without any crash is told of as one that could not be run, and so is one whose disk failed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / REPORT_NAMES[1]
    known = {(seen.program, seen.setting): seen for seen in Report.load(path).seen} if path.exists() else {}
    for subject in chosen:
        key = subject.name, subject.setting
        if key not in known or known[key].missing:
            try:
                known[key] = examine(subject, examination, subject.plan)
            except (CannotRecord, MakeError, OSError, ServerEnded) as error:
                known[key] = failed = Seen.of(subject)
                failed.missing = " ".join(str(error).split())
            Report.of(list(known.values())).save(path)
        done(known[key])
    return Report.of(list(known.values()))
