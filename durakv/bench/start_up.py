"""What it takes to import durakv and to open an empty directory, above what an empty program takes.

Both are fresh processes and take turns.  What is imported is a copy of the packages with its byte code beside it, as
an installation has it, and the files are in the page cache.
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

import durakv
import durakv_formats

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
    packages = place / "packages"
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": os.pathsep.join((str(packages), *(entry or os.getcwd() for entry in sys.path))),
    }
    environment.pop("PYTHONPYCACHEPREFIX", None)  # finding byte code far from its source takes longer
    try:
        for package in (durakv, durakv_formats):
            source = Path(str(package.__file__)).parent
            shutil.copytree(source, packages / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        pairs: list[tuple[float, float]] = []
        for number in range(rounds + 1):  # the first one compiles, and does not count
            new = place / f"data-{number}"
            pairs.append((_milliseconds(_EMPTY, new, environment), _milliseconds(_OPEN, new, environment)))
        del pairs[0]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return StartUp(
        empty_ms=statistics.median(empty for empty, _ in pairs),
        open_ms=statistics.median(opened for _, opened in pairs),
        difference_ms=statistics.median(opened - empty for empty, opened in pairs),
    )


def _milliseconds(program: str, new: Path, environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-P", "-c", program, str(new)], env=environment, check=True)
    return 1e3 * (time.perf_counter() - began)
