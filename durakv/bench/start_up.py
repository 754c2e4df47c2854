"""What it takes to import durakv and to open an empty directory, above what an empty program takes.

Both are fresh processes and take turns.  Byte code is there already, as it is after an installation, and the files
are in the page cache.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import msgspec

ROUNDS = 25
_EMPTY = "pass"
_OPEN = "import sys, durakv; durakv.open(sys.argv[1]).close()"


class StartUp(msgspec.Struct, frozen=True):
    """Medians over the rounds."""

    empty_ms: float
    """Of a program that does nothing."""
    open_ms: float
    """Of one that opens an empty directory and closes it."""
    difference_ms: float
    """Of the two within a round."""


def start_up(directory: Path, rounds: int = ROUNDS) -> StartUp:
    """Measure in a scratch directory below ``directory``, which is removed again."""
    place = directory / "start-up"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": os.pathsep.join(entry or os.getcwd() for entry in sys.path),
        "PYTHONPYCACHEPREFIX": str(place / "bytecode"),
    }
    place.mkdir()
    try:
        pairs: list[tuple[float, float]] = []
        for number in range(rounds + 1):  # the first one compiles, and does not count
            new = place / f"data-{number}"
            pairs.append((_milliseconds(_EMPTY, new, environment), _milliseconds(_OPEN, new, environment)))
        del pairs[0]
    finally:
        shutil.rmtree(place)
    return StartUp(
        empty_ms=statistics.median(empty for empty, _ in pairs),
        open_ms=statistics.median(opened for _, opened in pairs),
        difference_ms=statistics.median(opened - empty for empty, opened in pairs),
    )


def _milliseconds(program: str, new: Path, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", program, str(new)], env=environment, check=True)
    return 1e3 * (time.perf_counter() - began)
