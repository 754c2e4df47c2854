"""The promise: what the README shows can be typed in as it stands.

Method: run each of its Python blocks in an empty directory, check their types, and compare the commands it names with
the command line and with what CI runs.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from durakv.cli.app import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
TEST_COMMAND = "pip install -e '.[test]' && pytest -n auto"
FIRST_COMMAND = "pip install '.[cli]' && durakv demo"


def run(arguments: list[str], directory: Path) -> str:
    done = subprocess.run(arguments, cwd=directory, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n", 1)[0])
def test_every_python_example_runs(block: str, tmp_path: Path) -> None:
    run([sys.executable, "-W", "error", "-c", block], tmp_path)


def test_the_examples_print_what_a_reader_expects(tmp_path: Path) -> None:
    told = [run([sys.executable, "-c", block], tmp_path) for block in BLOCKS]
    assert told == ["0 commands would be lost now\n", "b'100'\n", "[100, -100] 2\n"]


@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy comes with the extra 'check'")
def test_every_python_example_has_its_types_right(tmp_path: Path) -> None:
    for number, block in enumerate(BLOCKS):
        (tmp_path / f"example_{number}.py").write_text(block)
    run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "."], tmp_path)


def test_the_commands_are_those_of_the_command_line() -> None:
    named = re.findall(r"^durakv (\w+) ", README, re.MULTILINE)
    assert sorted(named) == sorted(COMMANDS)


def test_the_first_commands_are_those_that_ci_runs() -> None:
    ci = (ROOT / ".ci/run").read_text(encoding="utf-8")
    for command in (FIRST_COMMAND, TEST_COMMAND):
        assert f"$ {command}\n" in README
        assert command in ci
