"""The promise: what the README of the laboratory shows about services can be typed in as it stands, and has teeth.

Method: its files are written into an empty folder and run there as a user would, as they are and with a bug.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "fuzz/README.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```", README, re.DOTALL | re.MULTILINE))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    place = {**os.environ, "TMPDIR": str(project)}  # the files of a broken promise are kept
    return subprocess.run(command, cwd=project, env=place, capture_output=True, text=True, check=False, timeout=100)


def run_tests(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(project, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "--strict-markers", *arguments)


def test_its_files_are_there() -> None:
    assert list(FILES) == ["test_orders.py", "driver.py", "crash_orders.py"]


def test_the_right_service_passes(project: Path) -> None:
    ran = run_tests(project, "--crash-states=300")
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout


def test_its_bug_is_found_by_the_fixture(project: Path) -> None:
    wrong = FILES["test_orders.py"].replace("with db.batch() as batch:", "for batch in [db]:")
    (project / "test_orders.py").write_text(wrong)
    ran = run_tests(project, "--crash-seed=11")
    assert ran.returncode == 1, ran.stdout
    assert "durakv crash call" in ran.stdout
    assert "first_run=0, runs=1" in ran.stdout
    assert re.search(r"of seed 11, after \d+ distinct crash states", ran.stdout)
    assert re.search(r"acknowledged, so it must be there: (nothing|0)", ran.stdout)


def test_the_command_runs_both_and_its_exit_code_tells(project: Path) -> None:
    ran = run(project, "crash_orders.py", "--cuts=100", "--kills=3")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "100 distinct crash states" in ran.stdout
    assert "of 3 lives killed with SIGKILL" in ran.stdout
    driver = FILES["driver.py"].replace("say(began=order)", "say(acked=order)").replace('"always"', '"no"')
    (project / "driver.py").write_text(driver)
    ran = run(project, "crash_orders.py", "--cuts=0", "--kills=200")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "AssertionError: assert set(facts.acked)" in ran.stdout
