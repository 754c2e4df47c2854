"""The promise: what a campaign found once stays found, exactly as it was found.

Method: replay every failure file that is kept in ``fuzz/regressions``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from durakv_fuzz.failure_file import FailureFile

FILES = sorted((Path(__file__).parents[2] / "fuzz/regressions").glob("*.json"))


def test_there_are_regressions() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_promise_that_was_broken_once_is_kept(path: Path) -> None:
    failure = FailureFile.load(path.read_text(encoding="utf-8"))
    violation = failure.replay().violation
    assert violation is None, "\n".join(failure.tell())
