"""The promise: of a run that is killed nothing stays, whatever is killed with it.

Method: SIGKILL a run while its file system is mounted, alone or together with its server; look for mounts, loop
devices, processes and directories, and let the next run clear what is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from durakv_fuzz.block.leftovers import clear, clear_leftovers, private_directory
from durakv_fuzz.block.real import missing

from .real_filesystems import mounts_under, needs

_PROGRAM = Path(__file__).with_name("killed_run.py")
_PATIENCE_SECONDS = 15.0


@contextmanager
def a_run(what: str) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A run that has its file system mounted, and its private directory."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, str(_PROGRAM), what], stdout=subprocess.PIPE, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        try:
            yield run, Path(run.stdout.readline().strip()).parent
        finally:
            run.kill()


def servers_of(private: Path) -> list[int]:
    """Processes that were started to serve this directory."""
    found: list[int] = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdecimal() and str(private).encode() in (process / "cmdline").read_bytes().split(b"\0"):
                found.append(int(process.name))
    return found


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def is_gone(private: Path) -> bool:
    return not (mounts_under(private) or servers_of(private) or private.exists())


@pytest.mark.parametrize("what", ["recorder", "mount"])
def test_a_killed_run_leaves_nothing(what: str) -> None:
    needs("ext4")
    with a_run(what) as (run, private):
        assert mounts_under(private)
        assert servers_of(private)
        devices = [line.split(" - ")[1].split()[1] for line in mounts_under(private) if "/dev/loop" in line]
        assert devices
        run.kill()
        run.wait()
        assert soon(lambda: is_gone(private))
        for device in devices:
            backing = Path(f"/sys/block/{Path(device).name}/loop/backing_file")
            assert not backing.exists() or str(private) not in backing.read_text(encoding="utf-8")


@pytest.mark.parametrize("what", ["recorder", "mount"])
def test_a_run_killed_together_with_its_server_is_cleared_by_the_next(what: str) -> None:
    needs("ext4")
    with a_run(what) as (run, private):
        for server in servers_of(private):
            os.kill(server, signal.SIGKILL)
        run.kill()
        run.wait()
        assert private.exists()
        assert private in clear_leftovers()
        assert soon(lambda: is_gone(private))


def test_a_server_that_does_not_answer_does_not_keep_the_next_run_waiting() -> None:
    needs("ext4")
    with a_run("recorder") as (run, private):
        for server in servers_of(private):
            os.kill(server, signal.SIGSTOP)
        run.kill()
        run.wait()
        began = time.monotonic()
        assert private in clear_leftovers()
        assert time.monotonic() - began < _PATIENCE_SECONDS
        assert soon(lambda: is_gone(private))


def test_a_program_that_is_still_in_there_keeps_nothing_mounted() -> None:
    needs("ext4")
    with a_run("recorder") as (run, private):
        held = os.open(private / "mount" / "held", os.O_CREAT | os.O_WRONLY)
        try:
            run.kill()
            run.wait()
            assert soon(lambda: is_gone(private))
        finally:
            os.close(held)


def test_what_lives_and_what_is_not_ours_is_let_be() -> None:
    private = private_directory()
    strange = Path(tempfile.mkdtemp(prefix="durakv-block-strange-"))
    try:
        assert private not in clear_leftovers()
        assert private.exists()
        assert strange.exists()
    finally:
        strange.rmdir()
        clear(private)
        assert not private.exists()


def test_who_is_not_root_is_told_so() -> None:
    if os.geteuid() == 0:
        script = "import os; from durakv_fuzz.block.real import missing; os.setuid(65534); print(missing('ext4'))"
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=60, check=True
        )
        reason = done.stdout.strip()
    else:
        reason = missing("ext4")
    assert reason == "mounting a real file system needs root"
