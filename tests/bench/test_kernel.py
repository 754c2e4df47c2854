"""The promise: counters are the kernel's, or None where it does not tell.

Method: make the kernel count, and ask for what is not there.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from durakv.bench.kernel import Foreign, children, device_write_bytes, process_write_bytes, rss_bytes
from durakv.bench.mounts import mount_of

NO_PROCESS = 1 << 30


def test_a_process_that_writes_is_counted(tmp_path: Path) -> None:
    before = process_write_bytes()
    with (tmp_path / "file").open("wb") as file:
        file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())
    after = process_write_bytes()
    if before is None or mount_of(tmp_path).device.startswith("0:"):
        return  # not told here, or no disk
    assert after is not None
    assert after - before >= 1 << 20


def test_what_is_not_there_is_none() -> None:
    assert process_write_bytes(NO_PROCESS) is None
    assert rss_bytes(NO_PROCESS) is None
    assert device_write_bytes("") is None
    assert device_write_bytes("0:27") is None
    assert device_write_bytes("4095:9999") is None


def test_memory_is_this_process_s() -> None:
    held = rss_bytes()
    assert held is not None
    assert 1 << 20 < held < 1 << 40
    assert rss_bytes(os.getpid()) is not None


def test_children_of_children_are_known() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'print(1, flush=True); input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in children()
        assert len(children(child.pid)) == 1
        child.communicate(b"\n")
    assert children(NO_PROCESS) == set()


def test_work_of_this_process_is_not_foreign() -> None:
    foreign = Foreign()
    cpu = sum(os.times()[:2])
    while sum(os.times()[:2]) - cpu < 0.2:
        pass
    share = foreign.share()
    assert share is not None
    assert share <= os.cpu_count()  # type: ignore[operator]
