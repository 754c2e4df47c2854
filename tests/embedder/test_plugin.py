"""The promise: an outside project finds the bug of its own state machine with the pytest plugin alone.

Method: the example project is copied into an empty folder and its tests are run there as a user would, by a pytest of
their own: as it is, with a bug, and with the file that the bug left behind.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import copytree
from xml.etree import ElementTree

import pytest

EXAMPLE = Path(__file__).parents[2] / "fuzz" / "example"
LINES_MAX = 40


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return Path(copytree(EXAMPLE, tmp_path / "project", ignore=lambda *_: ["__pycache__"]))


def forget(project: Path) -> None:
    test = project / "test_ledger.py"
    test.write_text(test.read_text().replace("make=Ledger", "make=lambda: Ledger(forgetful=True)"))


def run(project: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--strict-markers", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=False, timeout=100)


def test_the_example_is_short_and_passes(project: Path) -> None:
    assert len((project / "test_ledger.py").read_text().splitlines()) <= LINES_MAX
    ran = run(project)
    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_its_bug_is_found_kept_and_repeated(project: Path) -> None:
    forget(project)
    ran = run(project, "--durakv-artifacts=found", "--junitxml=report.xml")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert "PHANTOM: the machine came back in a state that it was never in" in ran.stdout
    assert "it breaks a rule of state machines" in ran.stdout
    (file,) = (project / "found").glob("*.crash.json")
    properties = ElementTree.parse(project / "report.xml").iter("property")
    assert [(each.get("name"), each.get("value")) for each in properties] == [("durakv_crash", f"found/{file.name}")]

    again = run(project, f"--crash-replay=found/{file.name}")
    assert again.returncode == 1
    assert "never in" in again.stdout
    (project / "test_ledger.py").write_text((EXAMPLE / "test_ledger.py").read_text())
    mended = run(project, f"--crash-replay=found/{file.name}")
    assert mended.returncode == 0, mended.stdout


def test_the_command_line_has_the_last_word(project: Path) -> None:
    forget(project)
    ran = run(project, "--crash-seed=11", "--crash-states=5000")
    assert ran.returncode == 1
    assert "--crash-seed=11" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--crash-states=0"], "states=0"),
        (["--crash-replay=test_ledger.py"], "it is not JSON"),
        (["--crash-replay=missing.json"], "No such file"),
    ],
)
def test_bad_options_are_named(project: Path, arguments: list[str], reason: str) -> None:
    ran = run(project, *arguments)
    assert ran.returncode != 0
    assert reason in ran.stdout + ran.stderr


def test_loading_the_plugin_imports_nothing_else(tmp_path: Path) -> None:
    code = "import sys, durakv_fuzz.pytest_plugin; print(sorted(m for m in sys.modules if m.startswith('durakv')))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "['durakv_fuzz', 'durakv_fuzz.pytest_plugin']"
