"""The promise: with ``durakv.testing`` a program's tests can restart and kill what they have open, and see a disk fail.

Method: use it as a program's tests would, and let its filesystem pass the kit for filesystems.
"""

from __future__ import annotations

import errno
import subprocess
import sys
from itertools import count
from pathlib import Path

import pytest

import durakv
from durakv.testing import (
    FailingFilesystem,
    ManualClock,
    check_filesystem,
    check_state_machine,
    killed,
    reopen,
    temporary_database,
)


def test_a_temporary_database_is_restarted_and_killed_and_leaves_nothing() -> None:
    with temporary_database() as db:
        first = db
        place = Path(db.engine.filesystem.describe())
        db.set(b"key", b"1")
        db = reopen(db)
        assert (db.get(b"key"), db.report.clean) == (b"1", True)
        db.set(b"key", b"2")
        db = killed(db)
        assert (db.get(b"key"), db.report.clean) == (b"2", False)
        with pytest.raises(durakv.Closed):
            first.get(b"key")
        assert place.is_dir()
    assert not place.parent.exists()
    with pytest.raises(durakv.Closed):
        db.get(b"key")


def test_options_and_clock_are_kept_by_what_follows() -> None:
    clock = ManualClock()
    with temporary_database(fsync="always", clock=clock) as db:
        db.set(b"key", b"value", ex=10)
        db = reopen(db)
        assert db.engine.fsync is durakv.FsyncPolicy.ALWAYS
        assert db.get(b"key") == b"value"
        clock.advance(11)
        assert db.get(b"key") is None


def test_the_failing_filesystem_is_a_filesystem(tmp_path: Path) -> None:
    numbers = count()
    check_filesystem(lambda: FailingFilesystem(tmp_path / str(next(numbers))))


def test_a_failed_sync_is_seen_by_the_program(tmp_path: Path) -> None:
    disk = FailingFilesystem(tmp_path / "data")
    db = durakv.open(None, filesystem=disk, fsync="no")
    disk.fail("sync", errno.EIO)
    db.set(b"key", b"value")
    with pytest.raises(durakv.Poisoned):
        db.sync()
    assert db.status().health is durakv.Health.DEAD
    db = killed(db)
    assert db.get(b"key") == b"value"
    db.close()
    with durakv.open(tmp_path / "data") as again:
        assert again.get(b"key") == b"value", "it is an ordinary directory"


def test_a_full_disk_is_seen_by_the_program_and_passes(tmp_path: Path) -> None:
    disk = FailingFilesystem(tmp_path / "data")
    options = durakv.Options(fsync=durakv.FsyncPolicy.NO, segment_bytes=4096)
    with durakv.open(None, filesystem=disk, options=options, background=False) as db:
        disk.fail("create", errno.ENOSPC)
        with pytest.raises(durakv.DiskFull):
            db.set(b"key", b"x" * 5000)
        assert db.get(b"key") is None
        db.set(b"key", b"x" * 5000)


def test_calls_are_spared_and_failed_as_often_as_was_said(tmp_path: Path) -> None:
    disk = FailingFilesystem(tmp_path / "data")
    disk.make_root()
    disk.fail("list", errno.EACCES, after=1, times=2)
    outcomes: list[int] = []
    for _ in range(4):
        try:
            disk.list()
            outcomes.append(0)
        except OSError as failure:
            outcomes.append(failure.errno or -1)
    assert outcomes == [0, errno.EACCES, errno.EACCES, 0]
    with pytest.raises(ValueError, match="no call 'fsync'; choose one of"):
        disk.fail("fsync", errno.EIO)
    with pytest.raises(TypeError, match="a path, or a filesystem"):
        FailingFilesystem()


def test_it_brings_the_kits_and_needs_no_test_framework() -> None:
    assert check_state_machine is durakv.check_state_machine
    assert check_filesystem is durakv.check_filesystem
    program = "import sys, durakv.testing; print(*{'pytest', 'hypothesis', 'durakv_fuzz'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
