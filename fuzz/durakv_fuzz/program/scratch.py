"""Temporary directories whose names say whose they are: what a killed process left is removed by the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(prefix: str, within: Path | None = None) -> Generator[Path]:
    """An empty directory, gone afterwards, as are those of this prefix whose processes are no more.

    ``within`` is the usual place for such things.
    """
    root = within or Path(tempfile.gettempdir())
    for stale in root.glob(f"{prefix}-*"):
        owner = stale.name.removeprefix(f"{prefix}-").partition("-")[0]
        if owner.isdigit() and not Path("/proc", owner).exists():
            shutil.rmtree(stale, ignore_errors=True)
    place = Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=root))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
