"""The promise: a durable dict is a mutable mapping as Python has them.

Method: CPython's own tests of the mapping protocol, where this Python has its tests.
"""

from __future__ import annotations

import itertools
import tempfile
import unittest
from pathlib import Path
from typing import Any

import pytest

import durakv

mapping_tests: Any = pytest.importorskip("test.mapping_tests", reason="this Python came without its own tests")


class TestMappingProtocol(mapping_tests.BasicTestMappingProtocol):  # type: ignore[misc]
    """The tests of CPython; pickles, for one of their values is a tuple."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self._database = durakv.open(Path(directory.name, "data"), fsync="no")
        self.addCleanup(self._database.close)
        self._numbers = itertools.count()

    def _empty_mapping(self) -> durakv.DurableDict[str, Any]:
        prefix = b"%d:" % next(self._numbers)
        return durakv.DurableDict.over(self._database, prefix=prefix, value=durakv.PickleCodec())


def test_there_are_tests_in_it() -> None:
    assert unittest.defaultTestLoader.loadTestsFromTestCase(TestMappingProtocol).countTestCases() >= 10
