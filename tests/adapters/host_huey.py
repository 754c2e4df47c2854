"""huey's own tests, run on our storage: ``python -m tests.adapters.host_huey [-v]``.

They come with the installed huey, or with the source distribution of its version, which pip then downloads.  Each
class is run as it is, with a huey of ours in the place of the one it makes.  Those that huey calls slow, among them
the consumer at work, are run by this command, and elsewhere only if ``HUEY_SLOW_TESTS`` is set.
"""

from __future__ import annotations

import importlib
import io
import itertools
import os
import subprocess
import sys
import tarfile
import tempfile
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

SLOW = "HUEY_SLOW_TESTS"
WITH_OPTIONS: dict[str, dict[str, Any]] = {
    "TestDisableResultStore": {"results": False},
    "TestStoreIntermediateErrors": {"store_intermediate_errors": False},
}
"""What the hueys of these classes are made with."""

MODULES = ("test_api", "test_consumer", "test_priority", "test_signals")
ELSEWHERE = {"TestCustomErrorMetadata": "it is about a subclass of huey's own"}
FROM_STORAGES = (  # what huey tests of single storages, and any should do
    ("TestMemoryStorage", "test_put_if_empty_concurrent"),
    ("TestSqliteStorage", "test_dequeue_multithreaded"),
    ("TestSqliteStorage", "test_read_schedule_large"),
    ("TestFileStorageMethods", "test_fs_multithreaded"),
    ("TestFileStorageMethods", "test_float_priority"),
)
NOT_OURS = {
    "test_read_schedule": "expects that due tasks which were read and not enqueued are gone: that is how they get lost",
    "test_chord_bookkeeping_cleared": "looks into a private dictionary of the storage in memory",
    "test_consumer_config": "makes a consumer of processes, which is refused",
    "test_process_environment_uses_fork": "makes a consumer of processes, which is refused",
}
"""The tests that are left out, and why."""


class NotHere(Exception):
    """huey's tests can be had neither from the installation nor from the package index."""


def find_tests(directory: Path) -> None:
    """Make ``huey.tests`` importable; raises NotHere.  ``directory`` is for what is downloaded."""
    huey = importlib.import_module("huey")
    try:
        importlib.import_module("huey.tests.base")
    except ImportError:
        huey.__path__.append(str(_download(huey.__version__, directory)))
        importlib.invalidate_caches()
        importlib.import_module("huey.tests.base")


def _download(version: str, directory: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-binary", ":all:", "--no-deps"]
    command += ["--dest", str(directory), f"huey=={version}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = sorted(directory.glob("huey-*.tar.gz"))
    if done.returncode or not found:
        raise NotHere(f"huey {version} has no tests installed, and pip cannot download them: {done.stderr[-500:]}")
    with tarfile.open(found[0]) as archive:
        archive.extractall(directory, filter="data")
    return found[0].with_name(found[0].name.removesuffix(".tar.gz")) / "huey"


def ours(case: type, make: Callable[..., Any]) -> type[unittest.TestCase]:
    """The class with hueys of ours."""
    options = WITH_OPTIONS.get(case.__name__, {})

    def get_huey(self: Any) -> Any:
        huey = make(utc=False, **options)
        self.addCleanup(huey.close)
        return huey

    left_out = {name: unittest.skip(reason)(lambda _: None) for name, reason in NOT_OURS.items() if hasattr(case, name)}
    return type(case.__name__, (case,), {"get_huey": get_huey, **left_out})


def suite(make: Callable[..., Any]) -> unittest.TestSuite:
    """All tests of huey that are about any huey or storage; ``make`` makes a new huey in a new directory."""
    base = importlib.import_module("huey.tests.base").BaseTestCase
    storages = importlib.import_module("huey.tests.test_storage")
    tests = unittest.TestSuite()
    load = unittest.defaultTestLoader.loadTestsFromTestCase
    more = {name: vars(getattr(storages, home))[name] for home, name in FROM_STORAGES}
    tests.addTests(load(ours(type("AnyStorage", (storages.StorageTests, base), more), make)))
    for name in MODULES:
        module = importlib.import_module(f"huey.tests.{name}")
        for case in vars(module).values():
            own = isinstance(case, type) and issubclass(case, base) and case.__module__ == module.__name__
            if own and case.__name__ not in ELSEWHERE:
                tests.addTests(load(ours(case, make)))
    return tests


def run(make: Callable[..., Any], downloads: Path, stream: Any, verbosity: int = 1) -> unittest.TestResult:
    """Run them; raises NotHere."""
    find_tests(downloads)
    return unittest.TextTestRunner(stream, verbosity=verbosity).run(suite(make))


def main() -> None:
    """Run them all, each in a directory of its own, and say how it went."""
    from durakv.adapters.huey import DurakvHuey

    os.environ[SLOW] = "1"  # read when the tests are imported
    stream = io.StringIO()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        numbers: Iterator[int] = itertools.count()

        def make(**options: Any) -> Any:
            return DurakvHuey(path=directory / f"tasks-{next(numbers)}", read_timeout=0.01, **options)

        try:
            result = run(make, directory, stream, 2 if "-v" in sys.argv else 1)
        except NotHere as missing:
            sys.exit(str(missing))
    sys.stdout.write(stream.getvalue())
    sys.exit(not result.wasSuccessful())


if __name__ == "__main__":
    main()
