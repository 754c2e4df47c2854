"""The promise: ``durakv bench`` writes a report and leaves nothing else, refuses what it cannot do, and says why.

Method: call the command with runs that measure nothing, or only a little.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from durakv.bench.matrix import FULL, QUICK, Plan
from durakv.bench.progress import Progress
from durakv.bench.results import VERSION, Disk, Machine, Report, Shape, load, save
from durakv.bench.run import INTERRUPTED
from durakv.bench.store import Setting
from durakv.cli.app import app
from durakv.cli.bench import plan
from durakv.durability import FsyncPolicy
from tests.bench.doubles import Rooms

DISK = Disk(directory="d", file_system="ext4", device="/dev/x", mount_options="", write_cache="", raw=(), warnings=())
MACHINE = Machine(platform="p", processor="q", cores=1, memory_bytes=1, python="3", versions={})
REPORT = Report(version=VERSION, command="durakv bench", started="now", seconds=1.0, machine=MACHINE, disk=DISK)
NOTHING: dict[str, Any] = {
    "stores": (),
    "policies": (),
    "shapes": (),
    "writers": (),
    "value_bytes": (),
    "rate": None,
    "rounds": None,
    "seconds": None,
    "loss_seconds": None,
    "seed": 1,
}


class Runs:
    """Stands for ``run``; keeps what it was asked, and reports what it was told to."""

    def __init__(self) -> None:
        self.report = REPORT
        self.failure: BaseException | None = None
        self.directory = Path()
        self.plan: Plan | None = None
        self.running: Sequence[Setting] = ()

    def __call__(
        self, directory: Path, plan: Plan, *, command: str, running: Sequence[Setting], progress: Progress
    ) -> Report:
        self.directory, self.plan, self.running = directory, plan, running
        progress.stage("disk")
        progress.step("raw", 0.5)
        self.stage()
        if self.failure is not None:
            raise self.failure
        return replace_command(self.report, command)

    def stage(self) -> None:
        """What happens meanwhile."""


def replace_command(report: Report, command: str) -> Report:
    from msgspec.structs import replace

    return replace(report, command=command)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Runs:
    Rooms(monkeypatch)
    runs = Runs()
    monkeypatch.setattr("durakv.bench.run.run", runs)
    monkeypatch.chdir(tmp_path)
    return runs


def durakv(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["bench", *arguments], prog_name="durakv")


def test_a_run_leaves_its_reports_and_says_where(runs: Runs, tmp_path: Path) -> None:
    done = durakv("--quick")
    assert done.exit_code == 0, done.output
    (place,) = tmp_path.iterdir()
    assert place.name.startswith("durakv-bench-")
    assert {file.name for file in place.iterdir()} == {"report.json", "report.csv", "report.html"}
    assert load(place / "report.json").machine == MACHINE
    assert done.stdout == "0 cases\n"
    assert f"the report is in {place.name}" in done.stderr
    assert "measuring: disk" in done.stderr
    assert runs.plan == QUICK
    assert runs.directory == Path()


def test_run_may_be_said_and_the_directory_named(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    for arguments in (["run", "disk"], ["disk"], ["disk", "--seed", "1"]):
        assert durakv(*arguments, "--json").exit_code == 0
        assert runs.directory == Path("disk")
        assert runs.plan == FULL
    assert durakv("nowhere").exit_code == 2


def test_json_goes_to_standard_output_and_into_files_only_when_asked(runs: Runs, tmp_path: Path) -> None:
    done = durakv("--json")
    assert json.loads(done.stdout)["version"] == VERSION
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
    assert durakv("--json", "--output", "kept").exit_code == 0
    assert (tmp_path / "kept" / "report.html").exists()


def test_what_is_there_is_not_written_over(runs: Runs, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "precious").write_text("mine")
    done = durakv("--output", "mine")
    assert done.exit_code == 2
    assert "mine is not empty" in done.stderr
    assert runs.plan is None
    assert [file.name for file in (tmp_path / "mine").iterdir()] == ["precious"]


def test_a_run_that_fails_leaves_no_empty_directory(runs: Runs, tmp_path: Path) -> None:
    runs.failure = OSError(28, "No space left on device")
    done = durakv()
    assert done.exit_code == 4
    assert "free some space" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_interrupted_before_anything_was_measured(runs: Runs, tmp_path: Path) -> None:
    runs.failure = KeyboardInterrupt()
    assert durakv().exit_code == 130
    assert list(tmp_path.iterdir()) == []


def test_terminated_is_interrupted(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "stage", lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert durakv().exit_code == 130
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_interrupted_it_still_reports(runs: Runs, tmp_path: Path) -> None:
    from msgspec.structs import replace

    runs.report = replace(REPORT, left_out=(f"{INTERRUPTED} during disk",))
    done = durakv("--output", "kept")
    assert done.exit_code == 130
    assert (tmp_path / "kept" / "report.html").exists()


def test_missing_packages_are_told_with_the_remedy(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durakv.cli.bench.find_spec", lambda name: None if name == "matplotlib" else object())
    done = durakv()
    assert done.exit_code == 2
    assert "needs matplotlib; install it with: pip install 'durakv[bench]'" in done.stderr


def test_saved_runs_are_shown_and_compared(runs: Runs, tmp_path: Path) -> None:
    save(REPORT, tmp_path / "a.json")
    assert durakv("show", "a.json").stdout == "0 cases\n"
    assert durakv("compare", "a.json", "a.json").stdout == "0 and 0 cases\n"
    (tmp_path / "b.json").write_text("{}")
    done = durakv("compare", "a.json", "b.json")
    assert done.exit_code == 4
    assert "b.json: this is no saved run" in done.stderr


def test_help_lists_what_there_is(runs: Runs) -> None:
    told = durakv("--help").stdout
    for word in ("run", "show", "compare"):
        assert word in told
    assert "--quick" in durakv("run", "--help").stdout


def test_options_reach_the_plan() -> None:
    asked = NOTHING | {
        "policies": ("no", "always", "no"),
        "shapes": ("tasks",),
        "writers": (8, 8),
        "value_bytes": (10,),
        "rate": 50.0,
        "rounds": 9,
        "loss_seconds": 0.0,
    }
    assert plan(True, **asked) == replace(
        QUICK,
        policies=(FsyncPolicy.NO, FsyncPolicy.ALWAYS),
        shapes=(Shape.TASKS,),
        writers=(8,),
        sweep_rounds=0,
        value_bytes=(10,),
        rate=50.0,
        rounds=9,
        loss_seconds=0.0,
    )
    assert plan(False, **NOTHING) == FULL
