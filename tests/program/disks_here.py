"""The disk in memory, where it can be had; where it has to be there, its absence fails."""

from __future__ import annotations

import os

import pytest

from durakv_fuzz.recorder.recorder import missing

REQUIRED = "DURAKV_REQUIRE_FUSE"


def needs_memory() -> None:
    """The test ends here if there is none: skipped with the reason, or failed if it must be there."""
    reason = missing()
    if reason:
        if os.environ.get(REQUIRED) == "1":
            pytest.fail(f"the disk in memory: {reason}")
        pytest.skip(f"the disk in memory: {reason}")
