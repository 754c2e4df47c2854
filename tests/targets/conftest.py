"""Where stores are put: in memory if possible, for nothing here is about a disk, and some hundred stores are synced."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_MEMORY = "/dev/shm"


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory."""
    root = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="durakv-", dir=root) as directory:
        yield Path(directory)
