"""The promise: ``durakv demo`` shows what it measured, leaves nothing behind, and fails if a promise was broken.

Method: run it as a user does; and give its face rounds that were kept and rounds that were broken.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from durakv.cli.demo import Run, present
from durakv.durability import FsyncPolicy
from durakv_fuzz.demo.tally import KILL, POWER, Crash, Tally
from durakv_fuzz.demo.workload import Found


def durakv_demo(*arguments: str, scratch: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "durakv.cli", "demo", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=scratch,
        env=os.environ | {"TMPDIR": str(scratch)},
        timeout=100,
    )


def test_the_command_measures_every_policy_and_both_crashes(tmp_path: Path) -> None:
    done = durakv_demo("--json", "--seconds", "0.3", "--seed", "5", scratch=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told["kept"] is True
    assert told["seed"] == 5
    assert told["durable_write_seconds"] > 0
    rows = told["rows"]
    assert [(row["policy"], row["crash"]) for row in rows] == [(p, c) for p in FsyncPolicy for c in (KILL, POWER)]
    for row in rows:
        assert row["kept"], row["reasons"]
        assert row["acknowledged"] >= row["survived"] > 0
        assert (row["writes_per_second"] is None) == (row["crash"] == POWER)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_use_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    done = durakv_demo("--keep", str(tmp_path), scratch=tmp_path)
    assert done.returncode == 2
    assert "is not empty" in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["precious"]


def rounds(*, last: int) -> Iterator[Tally]:
    """One round in which ten writes were acknowledged."""
    tally = Tally(policy=FsyncPolicy.ALWAYS, crash=KILL, clauses=("C1", "C2"), writes_per_second=12345.6)
    if tally.count(Crash(10, 11, 10, "C2", "life 1"), Found(last)) is not None:
        tally.age(0.25)
    yield tally


def run(tmp_path: Path, *, sync_seconds: float = 0.0002) -> Run:
    return Run(seconds=1.0, seed=3, directory=tmp_path, sync_seconds=sync_seconds)


def test_a_kept_promise_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert present(run(tmp_path), rounds(last=10), as_json=False) == 0
    told = capsys.readouterr().out
    row = next(line for line in told.splitlines() if line.startswith("always"))
    assert row.split() == ["always", "SIGKILL", "12,346", "1", "10", "10", "0", "-", "kept", "C1", "C2"]
    assert "200 us" in told
    assert "durakv demo --seed 3" in told
    assert "BROKEN" not in told
    assert "\x1b" not in told, "colours where there is no terminal"


def test_a_broken_promise_is_told_and_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert present(run(tmp_path), rounds(last=4), as_json=False) == 1
    told = capsys.readouterr().out
    row = next(line for line in told.splitlines() if line.startswith("always"))
    assert row.split() == ["always", "SIGKILL", "12,346", "1", "10", "4", "6", "0.25", "s", "BROKEN", "C2"]
    assert "broken: C2: life 1: writes up to 10 had to survive, but only those up to 4 did" in told


def test_a_broken_promise_fails_for_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert present(run(tmp_path), rounds(last=4), as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["rows"][0]["broken"] == {"C2": 1}


def test_a_disk_that_is_too_fast_to_be_one_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    present(run(tmp_path), rounds(last=10), as_json=False)
    assert "No disk is that fast" not in capsys.readouterr().out
    present(run(tmp_path, sync_seconds=2e-6), rounds(last=10), as_json=False)
    assert "No disk is that fast" in capsys.readouterr().out
