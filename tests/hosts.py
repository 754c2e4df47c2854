"""Programs that adapters are for: tests that need one skip visibly where it is not installed, or fail if it must be."""

from __future__ import annotations

import importlib
import os
from types import ModuleType

import pytest

REQUIRED = "DURAKV_REQUIRE_HOSTS"


def host(name: str) -> ModuleType:
    """The module of that name; call it where a test file begins, before the adapter is imported."""
    try:
        return importlib.import_module(name)
    except ImportError as missing:
        if os.environ.get(REQUIRED):
            pytest.fail(f"{name} is not installed, and {REQUIRED} is set: {missing}", pytrace=False)
        pytest.skip(f"{name} is not installed: its adapter is not tested", allow_module_level=True)
