"""The promise: a file is written through a window only where such a write cannot need room, and is then in the file."""

from __future__ import annotations

import errno
import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from durakv.storage import in_place
from durakv.storage.posix import PosixFilesystem
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.image import Image
from durakv_fuzz.trace import Kind

MOUNTS = """\
21 1 254:0 / / rw,relatime shared:1 - {kind} /dev/vda rw
22 21 0:21 / /proc rw - proc proc rw
23 21 {device} / /data rw,relatime - {kind} /dev/vdb rw
"""


@pytest.mark.parametrize(("kind", "has_one"), [("ext4", True), ("xfs", True), ("btrfs", False), ("fuse.x", False)])
def test_there_is_a_window_where_blocks_stay_in_their_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, has_one: bool
) -> None:
    number = os.stat(tmp_path).st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS.format(kind=kind, device=f"{os.major(number)}:{os.minor(number)}"))
    real = open
    monkeypatch.setattr(
        "builtins.open", lambda path, *a, **k: real(mounts if "mountinfo" in str(path) else path, *a, **k)
    )
    in_place._file_system.cache_clear()
    try:
        filesystem = PosixFilesystem(tmp_path / "root")
        filesystem.make_root()
        file = filesystem.create("a")
        file.write_at(bytes(8192), 0)
        file.sync()
        window = file.window(8192)
        assert (window is not None) == has_one
        if window is not None:
            window[5:8] = b"abc"
            assert file.read_at(5, 4) == b"\0abc\0"
        file.close()
    finally:
        in_place._file_system.cache_clear()


def test_a_device_that_is_not_in_the_table_has_no_windows() -> None:
    assert in_place._file_system(os.makedev(4095, 77)) == ""


def test_a_system_that_refuses_mappings_has_no_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(mmap, "mmap", refuse)
    filesystem = PosixFilesystem(tmp_path / "root")
    filesystem.make_root()
    file = filesystem.create("a")
    file.write_at(bytes(100), 0)
    assert file.window(100) is None
    file.close()


def test_what_a_killed_process_wrote_through_a_window_is_in_the_file(tmp_path: Path) -> None:
    program = """
import os, signal, sys
from durakv.storage.posix import PosixFilesystem
filesystem = PosixFilesystem(sys.argv[1])
filesystem.make_root()
file = filesystem.create("a")
file.write_at(bytes(65536), 0)
file.sync()
window = file.window(65536)
if window is None:
    sys.exit(3)
window[40000:40005] = b"alive"
os.kill(os.getpid(), signal.SIGKILL)
"""
    run = subprocess.run([sys.executable, "-c", program, str(tmp_path / "root")], check=False)
    if run.returncode == 3:
        pytest.skip("no windows on the file system of the temporary directory")
    assert run.returncode == -signal.SIGKILL
    data = (tmp_path / "root" / "a").read_bytes()
    assert data[40000:40005] == b"alive"
    assert len(data) == 65536


def test_a_simulated_window_is_written_without_a_call_that_could_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedDisk, "windows", True)
    disk = SimulatedDisk(Image({"a": bytes(100)}), faults=fail_nth(0, Fault(errno.EIO), kinds={Kind.WRITE}))
    file = disk.open("a", writable=True)
    window = file.window(100)
    assert window is not None
    window[3:6] = b"abc"
    assert file.read_at(5, 2) == b"\0abc\0"
    with pytest.raises(OSError):
        file.write_at(b"x", 0)
