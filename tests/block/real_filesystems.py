"""The real file systems that can be had here; where they have to be there, their absence fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from durakv_fuzz.block.real import REAL, missing

REQUIRED = "DURAKV_REQUIRE_BLOCK"
"""1 for all of them, or their names with commas between."""
NAMES = tuple(REAL)


def needs(filesystem: str) -> str:
    """The name, or the test ends here: skipped with the reason, or failed if it must be there."""
    reason = missing(filesystem)
    if reason:
        required = os.environ.get(REQUIRED, "")
        if required == "1" or filesystem in required.split(","):
            pytest.fail(f"{filesystem}: {reason}")
        pytest.skip(f"{filesystem}: {reason}")
    return filesystem


def mounts_under(directory: Path) -> list[str]:
    """What is mounted in it."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.split()[4].startswith(f"{directory}/")]


def loop_files() -> list[str]:
    """What the loop devices of this laboratory stand on."""
    files = [path.read_text(encoding="utf-8").strip() for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    return [file for file in files if "durakv-block" in file]
