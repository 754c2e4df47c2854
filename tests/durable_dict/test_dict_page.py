"""The promise: the page on the durable dict runs as it stands, and prints what it says.

Method: its blocks of Python are run one after the other as one program, in an empty directory.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = (Path(__file__).parents[2] / "docs/durable-dict.md").read_text(encoding="utf-8")


def test_its_blocks_run_as_one_program(tmp_path: Path) -> None:
    program = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    refusal, job, total = done.stdout.splitlines()
    assert f"\n{refusal}\n" in PAGE
    assert (job, total) == ("working on {'resize': 'cat.png'}", "1500")
