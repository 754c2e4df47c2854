"""The promise: nothing of a program outlives its supervision, whatever happens to whom.

Method: programs that would run for minutes, in groups and sessions of their own too, are left by closing, by killing
the process that watches them, and by killing the guard between the two; then their numbers are looked for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from durakv_fuzz.injector import CannotInject, Watch, missing, start
from durakv_fuzz.injector.processes import state_of, status_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"system calls cannot be stopped: {missing()}")

FAMILY = "sleep 300 & echo $! >> pids; setsid sleep 300 & echo $! >> pids; echo $$ >> pids; touch ready; "
HARNESS = f"""
import sys
from pathlib import Path
from durakv_fuzz.injector import Watch, start
directory = Path(sys.argv[1])
with start(["sh", "-c", {FAMILY + "wait"!r}], Watch(directory), cwd=directory) as run:
    run.wait()
"""


def until_ready(directory: Path) -> list[int]:
    deadline = time.monotonic() + 20
    while not (directory / "ready").exists():
        assert time.monotonic() < deadline, "the program did not begin"
        time.sleep(0.01)
    return [int(line) for line in (directory / "pids").read_text().split()]


def all_gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 10
    while any(state_of(pid) not in ("", "Z") for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def test_closing_kills_the_whole_family_and_leaves_no_zombie(tmp_path: Path) -> None:
    with start(["sh", "-c", FAMILY + "wait"], Watch(tmp_path), cwd=tmp_path) as run:
        pids = until_ready(tmp_path)
        guard = int(status_of(run.pid, "PPid"))
        assert len(pids) == 3
        assert all(state_of(pid) for pid in pids)
    assert [state_of(pid) for pid in (*pids, guard)] == [""] * 4


def test_what_the_first_process_leaves_behind_goes_on_until_closing(tmp_path: Path) -> None:
    with start(["sh", "-c", f"({FAMILY} sleep 0.1; echo x > late; sleep 300) &"], Watch(tmp_path), cwd=tmp_path) as run:
        assert run.wait(20).code == 0
        pids = until_ready(tmp_path)
        deadline = time.monotonic() + 20
        while not any(call.path == "late" and call.name == "write" for call in run.calls):
            assert time.monotonic() < deadline, "a process whose parent is gone is no longer supervised"
            time.sleep(0.01)
    assert [state_of(pid) for pid in pids[:2]] == [""] * 2


def test_a_wait_that_takes_too_long_is_told_and_the_program_goes_on(tmp_path: Path) -> None:
    with start(["sleep", "300"], Watch(tmp_path)) as run:
        with pytest.raises(TimeoutError):
            run.wait(0.05)
        run.kill()
        assert run.wait(20).code == -signal.SIGKILL
    run.close()


def test_nothing_is_left_when_the_watching_process_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HARNESS, str(tmp_path)]) as harness:
        pids = until_ready(tmp_path)
        harness.kill()
    assert all_gone(pids)


def test_the_first_process_dies_with_the_guard_and_that_is_told(tmp_path: Path) -> None:
    with start(["sleep", "300"], Watch(tmp_path)) as run:
        os.kill(int(status_of(run.pid, "PPid")), signal.SIGKILL)
        with pytest.raises(CannotInject, match="guard"):
            run.wait(20)
        assert all_gone([run.pid])


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        with start(["true"], Watch(tmp_path)) as run:
            run.wait(20)
        with pytest.raises(FileNotFoundError):
            start(["/no-such-program"], Watch(tmp_path))
        with pytest.raises(FileNotFoundError):
            start(["true"], Watch(tmp_path / "no such directory"))
    assert len(os.listdir("/proc/self/fd")) == before
