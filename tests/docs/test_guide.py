"""The promise: what the guide to crash-testing shows is what is shipped.

Method: its pieces of source are compared with the examples that it names, its sweep is run, and the options that it
names are asked of the command line.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from durakv.cli.app import app
from durakv_fuzz.injector.seccomp import missing
from durakv_fuzz.program.finding_html import ABOUT_FATES, ABOUT_TIERS
from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.subject import Promise

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs/crash-testing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE)
EXAMPLES = ROOT / "fuzz/example/programs"


def test_its_savers_are_those_that_are_shipped() -> None:
    wrong, right, _ = BLOCKS
    assert wrong in (EXAMPLES / "save_json.py").read_text(encoding="utf-8")
    assert right in (EXAMPLES / "save_json_fixed.py").read_text(encoding="utf-8")


@pytest.mark.skipif(bool(missing()), reason=missing() or "calls can be stopped here")
def test_its_sweep_runs_and_says_what_the_guide_says(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", BLOCKS[2]], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("40 points: 20 convicted, 0 did not come\n")
    assert "40 points: 20 convicted, 0 did not come\n" in GUIDE


def test_every_option_of_a_command_that_it_shows_exists() -> None:
    helps = {name: CliRunner().invoke(app, ["fuzz", name, "--help"]).output for name in ("program", "survey")}
    shown = re.findall(r"^\$ durakv fuzz (program|survey)((?:.*\\\n)*.*)", GUIDE, re.MULTILINE)
    assert len(shown) >= 5
    for command, line in shown:
        for option in re.findall(r"(?<!\S)--[a-z]+", line.partition(" -- ")[0]):
            assert option in helps[command], f"{command} has no {option}"


def test_it_explains_every_verdict_kind_of_disk_and_promise() -> None:
    for word in (*Verdict, *Promise, *ABOUT_TIERS):
        assert f"`{word}`" in GUIDE or word is Verdict.KEPT, word
    for fate in ABOUT_FATES:
        assert f"*{fate}*" in GUIDE
