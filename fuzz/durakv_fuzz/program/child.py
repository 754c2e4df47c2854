"""Processes that a subject starts: in a group of their own, and never longer there than who started them.

Whoever starts one may be killed with SIGKILL at any time, and then nobody is left to end it; so the kernel is asked to.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_STOP_SECONDS = 10.0

_prctl = getattr(ctypes.CDLL(None), "prctl", None)
"""Looked up before any fork: a forked child of a threaded process should load nothing."""


def spawn(
    argv: Sequence[str],
    *,
    executable: str | None = None,
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start a program that the kernel kills when this thread ends; raises ``OSError`` if it cannot be started.

    What the program itself starts is in its process group, see :func:`kill`, but is not killed with this thread.
    """
    parent = os.getpid()

    def die_with_parent() -> None:
        if _prctl is None:
            return
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)  # it was dead before it could be watched

    return subprocess.Popen(
        argv,
        executable=executable,
        cwd=directory,
        env=None if environment is None else {**os.environ, **environment},
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        process_group=0,
        preexec_fn=die_with_parent,
    )


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for it and everything in its group, wait for its end, and close its pipes."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()


def outputs(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """The pipes of a process that was started with both."""
    assert process.stdout is not None, "asked for"
    assert process.stderr is not None, "asked for"
    return process.stdout, process.stderr


def stop(process: subprocess.Popen[bytes], seconds: float = _STOP_SECONDS) -> None:
    """SIGTERM, as an administrator would; :func:`kill` if it takes too long, and for what it left in its group."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    kill(process)


class Tail:
    """Reads a pipe to its end in a thread of its own, so that who writes into it never waits; keeps the end of it."""

    def __init__(self, pipe: IO[bytes], bytes_max: int = 4096) -> None:
        self._descriptor = os.dup(pipe.fileno())  # its own, so that nobody closes what is being read
        self._bytes_max = bytes_max
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def last_words(self, seconds: float = 1.0) -> str:
        """The last line that says something, once everything is read, or after so long."""
        self._thread.join(seconds)
        lines = [line.strip() for line in self._kept.decode(errors="backslashreplace").splitlines()]
        return next((line for line in reversed(lines) if line), "")

    def _read(self) -> None:
        try:
            while data := os.read(self._descriptor, 65536):
                self._kept = (self._kept + data)[-self._bytes_max :]
        finally:
            os.close(self._descriptor)
