"""What forks its test process goes first, while the process is small: a fork copies the tables of all its memory."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

FORKING = ("program", "injector", "recorder", "block", "calibration", "targets")
"""Rooms below this folder that fork for almost everything they do."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    first = tuple(Path(__file__).parent / room for room in FORKING)
    items.sort(key=lambda item: item.path.parent not in first)


def pytest_collection_finish() -> None:
    """What was collected lives until the end, and collections of garbage need not look at it."""
    gc.collect()
    gc.freeze()
