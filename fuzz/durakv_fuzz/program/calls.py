"""Calls in processes of their own: what they start ends with them, and what takes too long is ended.

A program under test may crash its process, hang, or leave servers behind.  So whoever calls one is the reaper of
whatever the call leaves, and kills it before the next call.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import pickle
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from durakv_fuzz.program.interrupts import admitted, as_usual

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_CHILD_SUBREAPER = 37
_READ_BYTES = 1 << 20
_REAP_SECONDS = 5.0

_libc = ctypes.CDLL(None, use_errno=True)


class CallFailed(Exception):
    """The call raised, or its process ended; the message has the last line of what it said."""


class CallHung(Exception):
    """The call took longer than it was given, and was killed."""


class Pending(Generic[T]):
    """A call under way; until its end, orphans come to this process."""

    def __init__(self, function: Callable[[], T], *, output: Path | None = None) -> None:
        """Start it; what it prints goes to ``output``, or nowhere."""
        self._known = frozenset(_children())
        self._was_reaper = _is_reaper()
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        receive, send = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self._pid = os.fork()
        if not self._pid:
            os.close(receive)
            _run(function, send, output, parent)
        os.close(send)
        self._receive = receive
        self._parts: list[bytes] = []

    def wait(self, seconds: float) -> T:
        """Its result; raises :class:`CallFailed` or :class:`CallHung`.  Nothing of it runs afterwards."""
        try:
            finished = self._read(time.monotonic() + seconds)
        finally:
            self._end()
        if not finished:
            raise CallHung(f"no answer within {seconds:g} s")
        body = b"".join(self._parts)
        if not body:
            raise CallFailed("its process ended without a word")
        good, result = pickle.loads(body)
        if not good:
            raise CallFailed(str(result))
        return cast(T, result)

    def kill(self) -> None:
        """End it, with everything that it started."""
        self._end()

    def poll(self, seconds: float) -> bool:
        """Wait so long; whether it is finished."""
        return self._read(time.monotonic() + seconds)

    def _read(self, deadline: float) -> bool:
        while (left := deadline - time.monotonic()) > 0:
            with admitted():
                ready, _, _ = select.select([self._receive], [], [], left)
            if ready:
                part = os.read(self._receive, _READ_BYTES)
                if not part:
                    return True
                self._parts.append(part)
        return False

    def _end(self) -> None:
        if self._receive < 0:
            return
        os.close(self._receive)
        self._receive = -1
        try:
            kill_children(but=self._known)
        finally:
            _prctl(_PR_SET_CHILD_SUBREAPER, self._was_reaper)


def call(function: Callable[[], T], seconds: float, *, output: Path | None = None) -> T:
    """Run it in a fork of this process, which must have one thread, and return what it returned (by pickle)."""
    return Pending(function, output=output).wait(seconds)


def kill_children(*, but: frozenset[int]) -> None:
    """Kill and reap all children of this process except those; and what they leave, until nothing is left."""
    deadline = time.monotonic() + _REAP_SECONDS
    while left := [pid for pid in _children() if pid not in but]:
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in left:
            with contextlib.suppress(ChildProcessError):
                _reap(pid, deadline)
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {left} cannot be killed")


def _reap(pid: int, deadline: float) -> None:
    pause = 0.0002
    while os.waitpid(pid, os.WNOHANG)[0] != pid:
        if time.monotonic() > deadline:
            return
        time.sleep(pause)
        pause = min(0.01, pause * 2)


def _run(function: Callable[[], Any], send: int, output: Path | None, parent: int) -> None:
    """In the child; does not return."""
    code = 1
    try:
        gc.disable()  # a collection would touch, and so copy, the parent's whole heap
        _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        os.setsid()
        as_usual()
        sink = os.open(output or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115 - until the end
        if os.getppid() == parent:
            try:
                body = pickle.dumps((True, function()))
            except BaseException as failure:  # noqa: BLE001 - it is told to the parent, whatever it is
                traceback.print_exc()
                body = pickle.dumps((False, f"{type(failure).__name__}: {failure}"))
            with open(send, "wb", closefd=False) as stream:
                stream.write(body)
            code = 0
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _children() -> list[int]:
    pids: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            pids += map(int, (task / "children").read_text().split())
    return pids


def _is_reaper() -> int:
    """Whether orphans come to this process, as a number."""
    found = ctypes.c_int()
    _prctl(_PR_GET_CHILD_SUBREAPER, ctypes.addressof(found))
    return found.value


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl failed")
