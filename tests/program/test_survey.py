"""The promise: a survey tries what it is given, tells of what it could not try, and goes on where it was interrupted.

Method: small stores instead of the programs it is for; one is missing, one fails, and one interrupts the survey.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from durakv_fuzz.program.campaign import Limits
from durakv_fuzz.program.examine import Examination
from durakv_fuzz.program.seen import BadReport, Report, Seen
from durakv_fuzz.program.survey import survey_subjects, take_survey
from durakv_fuzz.targets import NAMES
from durakv_fuzz.targets.target import Target

from .disks_here import needs_memory
from .stores import LogStore

EXAMINATION = Examination(limits=Limits(states=12), fresh=False)
SOUND = LogStore(setting="sound")
CARELESS = LogStore(setting="careless", flaws=frozenset({"early"}))
FAILING = LogStore(setting="failing", flaws=frozenset({"starts never"}))


@dataclass(slots=True, kw_only=True)
class Missing(LogStore):
    """It is not installed."""

    def missing(self) -> str:
        return "install it first"


@dataclass(slots=True, kw_only=True)
class Interrupting(LogStore):
    """Whoever tries it is interrupted."""

    def missing(self) -> str:
        raise KeyboardInterrupt


def survey(chosen: Sequence[Target], directory: Path) -> tuple[Report, list[Seen]]:
    needs_memory()
    told: list[Seen] = []
    return take_survey(chosen, replace(EXAMINATION, directory=directory), directory, told.append), told


def test_each_is_tried_and_told(tmp_path: Path) -> None:
    report, told = survey([SOUND, CARELESS], tmp_path)
    assert [(seen.setting, seen.is_broken) for seen in told] == [("sound", False), ("careless", True)]
    assert report.seen == told == Report.load(tmp_path / "programs.json").seen
    assert all(seen.states == 12 for seen in told)
    artefacts = {finding.artefact for finding in told[1].findings}
    assert artefacts == {path.name for path in tmp_path.glob("*.crash.zip")} != set()


def test_what_is_missing_or_fails_is_told_and_the_rest_is_tried(tmp_path: Path) -> None:
    _, told = survey([Missing(setting="missing"), FAILING, SOUND], tmp_path)
    assert told[0].missing == "install it first"
    assert told[1].missing == "store failing failed before any crash: it never does"
    assert told[2].states == 12


def test_an_interrupted_survey_goes_on_where_it_was(tmp_path: Path) -> None:
    needs_memory()
    with pytest.raises(KeyboardInterrupt):
        survey([SOUND, Interrupting(setting="careless"), FAILING], tmp_path)
    (before,) = Report.load(tmp_path / "programs.json").seen
    _, told = survey([SOUND, CARELESS], tmp_path)
    assert told[0] == before, "it was not tried again: its seconds are the same"
    assert told[1].is_broken


def test_what_was_missing_is_tried_again(tmp_path: Path) -> None:
    survey([Missing(setting="sound")], tmp_path)
    _, told = survey([SOUND], tmp_path)
    assert told[0].states == 12


def test_a_directory_with_another_report_is_refused(tmp_path: Path) -> None:
    (tmp_path / "programs.json").write_text("{}")
    with pytest.raises(BadReport, match=r"programs\.json"):
        survey([SOUND], tmp_path)


def test_all_programs_are_surveyed_or_those_that_are_named() -> None:
    assert {target.name for target in survey_subjects([])} == set(NAMES)
    assert {target.name for target in survey_subjects(["git", "file"])} == {"git", "file"}
    with pytest.raises(LookupError, match="'nothing': no such program"):
        survey_subjects(["nothing"])
