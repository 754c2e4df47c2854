"""Calls are forks of the test's process, in which an execution in parallel has a thread of its own waiting."""

from __future__ import annotations

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/program/" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"))
