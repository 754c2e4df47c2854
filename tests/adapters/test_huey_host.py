"""The promise: huey's own tests of storages, and of hueys, pass with ours; those left out are named, with the reason.

Method: the tests that come with huey, or with its source distribution, are run as they are, in one database in which
each begins with nothing.  ``python -m tests.adapters.host_huey`` runs them in directories of their own, and huey's slow
tests too.
"""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import durakv
from tests.adapters import host_huey
from tests.hosts import REQUIRED, host

host("huey")

from durakv.adapters.huey import DurakvHuey  # noqa: E402

FEWEST = 150


@pytest.fixture(autouse=True)
def handlers_of_others() -> Iterator[None]:
    """The consumers of huey's tests take the process's signals, and keep them."""
    taken = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    yield
    for number, handler in taken.items():
        signal.signal(number, handler)


@pytest.mark.filterwarnings("ignore::DeprecationWarning:huey")
def test_the_tests_that_huey_brings_pass(tmp_path: Path) -> None:
    stream = io.StringIO()
    with durakv.open(tmp_path / "tasks", fsync="no") as db:

        def make(**options: Any) -> Any:
            db.execute(b"FLUSHALL")
            return DurakvHuey(database=db, read_timeout=0.01, **options)

        try:
            result = host_huey.run(make, tmp_path, stream)
        except host_huey.NotHere as missing:
            if os.environ.get(REQUIRED):
                raise
            pytest.skip(str(missing))
    assert result.wasSuccessful(), stream.getvalue()
    assert result.testsRun >= FEWEST
    told = {reason for _, reason in result.skipped}
    assert set(host_huey.NOT_OURS.values()) <= told, "a test that is left out is no longer there"
