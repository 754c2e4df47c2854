"""The promise: who interrupts a campaign is told what was seen until then, and keeps what was found.

Method: a careless program is crashed, and the interrupt comes at a state that is counted, by an exception and by a
real SIGINT.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from durakv.cli import programs
from durakv.cli.app import app
from durakv_fuzz.program.campaign import Campaign, Limits, Outcome
from durakv_fuzz.program.examine import Examination, Interrupted, examine
from durakv_fuzz.program.seen import Report

from .disks_here import needs_memory
from .stores import LogStore

CARELESS = LogStore(flaws=frozenset({"early"}))
EXAMPLES = Path(__file__).parents[2] / "fuzz" / "example" / "programs"
STATES = 40


def interrupting(outcome: Outcome) -> None:
    if outcome.states == STATES:
        raise KeyboardInterrupt


def test_what_was_seen_is_told_and_what_was_found_is_written_down(tmp_path: Path) -> None:
    needs_memory()
    examination = Examination(limits=Limits(seconds=60.0), fresh=False, directory=tmp_path)
    with pytest.raises(Interrupted) as came:
        examine(CARELESS, examination, CARELESS.plan, interrupting)
    seen = came.value.seen
    assert seen.states == STATES
    assert seen.is_broken
    assert {finding.artefact for finding in seen.findings} == {path.name for path in tmp_path.iterdir()} != set()


def test_one_that_had_not_begun_to_judge_has_nothing_to_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    needs_memory()

    def interrupted(*arguments: object) -> Outcome:
        raise KeyboardInterrupt

    monkeypatch.setattr(Campaign, "run", interrupted)
    with pytest.raises(KeyboardInterrupt) as came:
        examine(CARELESS, Examination(), CARELESS.plan)
    assert came.type is KeyboardInterrupt


def test_the_command_writes_its_report_and_ends_as_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needs_memory()

    def progress(outcome: Outcome) -> None:
        if outcome.states == STATES:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(programs, "_progress", lambda *arguments, **options: progress)
    command = ("fuzz", "program", "--budget", "60s", "--output", str(tmp_path))
    ran = CliRunner().invoke(app, [*command, "--", sys.executable, str(EXAMPLES / "save_json.py"), "{dir}"])
    assert ran.exit_code == 130, ran.output
    assert ran.stderr.endswith("durakv: interrupted\n")
    (seen,) = Report.load(tmp_path / "programs.json").seen
    assert STATES <= seen.states < 2 * STATES
    assert seen.is_broken
    assert all((tmp_path / finding.artefact).exists() for finding in seen.findings)
    assert f"report: {tmp_path}" in ran.stdout
