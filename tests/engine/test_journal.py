"""The promise: what the engine has to tell is told, to the logger ``durakv``, and costs nothing until then.

Method: fresh processes, one of them without a file descriptor left.
"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from durakv import journal

HEAVY = ("logging", "dataclasses", "inspect", "json", "asyncio", "importlib.metadata", "subprocess", "sortedcontainers")
"""What an open can do without; each would make it milliseconds longer."""

UNUSED = (
    "durakv.image",
    "durakv.merge",
    "durakv.snapshot.reader",
    "durakv.stock_base",
    "durakv_formats.columns",
    "lz4",
)
"""What only bases and rewrites need."""

_OPEN = """
import sys, durakv
before = set(sys.modules)
durakv.open(sys.argv[1]).close()
print(*sorted(set(sys.argv[2:]) & set(sys.modules) - before))
"""

_WITHOUT_DESCRIPTORS = """
import resource
from durakv import journal
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
journal.warning("%s: no room", "data")
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    hidden = "import sys; sys.modules['typing_extensions'] = None\n"  # where it is installed, msgspec imports it
    return subprocess.run(
        [sys.executable, "-c", hidden + program, *arguments], capture_output=True, text=True, check=True
    )


def test_an_open_imports_nothing_heavy(tmp_path: Path) -> None:
    assert run(_OPEN, str(tmp_path / "data"), *HEAVY, *UNUSED).stdout.split() == []


def test_what_is_told_goes_to_the_logger_with_its_place(caplog: pytest.LogCaptureFixture) -> None:
    failure = OSError("a disk")
    with caplog.at_level(logging.INFO, logger="durakv"):
        journal.info("made from %s", "memory")
        journal.warning("%d lost", 3)
        journal.error("a callback for number %d failed", 7, failure=failure)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "made from memory"),
        ("WARNING", "3 lost"),
        ("ERROR", "a callback for number 7 failed"),
    ]
    assert {record.filename for record in caplog.records} == {"test_journal.py"}
    assert caplog.records[-1].exc_info == (OSError, failure, None)


def test_it_is_told_when_no_descriptor_is_left_to_import_the_logger() -> None:
    assert run(_WITHOUT_DESCRIPTORS).stderr == "durakv: data: no room\n"
