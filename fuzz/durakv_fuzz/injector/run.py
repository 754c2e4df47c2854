"""Runs a program whose system calls are counted, and fail as planned.

watch = Watch(directory, faults=(Fail(errno.EIO, at=3, calls=SYNCS),))
with start(["redis-server", "redis.conf"], watch, cwd=directory) as run:
    ...
    ended = run.wait(seconds=10)
assert not ended.unfired
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from durakv_fuzz.injector.calls import Call, Scope
from durakv_fuzz.injector.faults import Fault
from durakv_fuzz.injector.guard import Program, Started, launch
from durakv_fuzz.injector.seccomp import CannotInject, missing
from durakv_fuzz.injector.supervisor import Supervisor, Watch


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended, and what was seen until then."""

    code: int
    """The exit code of the program's first process; negative: the signal that ended it."""

    killed: bool
    """Whether a ``Kill`` came."""

    calls: tuple[Call, ...]
    """The counted ones, in the order in which they began; the one at which it was killed is the last."""

    faults: tuple[Fault, ...]

    fired: tuple[int, ...]
    """How often each fault came."""

    @property
    def unfired(self) -> tuple[Fault, ...]:
        """Faults that never came.  A run that was to have them proves nothing about them."""
        return tuple(fault for fault, times in zip(self.faults, self.fired, strict=True) if not times)


class Run:
    """A program under supervision.  Close it: what is left of it is killed then."""

    def __init__(self, started: Started, supervisor: Supervisor) -> None:
        """Made by ``start`` and ``start_function``."""
        self.pid = started.pid
        self._started = started
        self._supervisor = supervisor
        self._code: int | None = None
        self._closed = False

    @property
    def calls(self) -> tuple[Call, ...]:
        """Those counted so far."""
        return tuple(self._supervisor.calls)

    @property
    def stopped(self) -> int:
        """How many calls were stopped so far, those that do not count with them."""
        return self._supervisor.stopped

    @property
    def fired(self) -> tuple[int, ...]:
        """How often each fault came so far."""
        return tuple(self._supervisor.plan.fired)

    def wait(self, seconds: float | None = None) -> Ended:
        """Wait until the first process ends; others of the program may go on until ``close``.

        Raises ``TimeoutError`` if it has not ended by then (it goes on), ``CannotInject`` if the supervisor gave up.
        """
        if self._code is None:
            self._code = self._started.wait(seconds)
        if self._supervisor.failure is not None:
            raise CannotInject(f"the supervisor gave up: {self._supervisor.failure}") from self._supervisor.failure
        plan = self._supervisor.plan
        return Ended(self._code, self._supervisor.killed, self.calls, plan.faults, tuple(plan.fired))

    def kill(self) -> None:
        """SIGKILL to the first process and its group."""
        _kill(self.pid)

    def close(self) -> None:
        """Kill whatever is left, and return when it is gone."""
        if self._closed:
            return
        self._closed = True
        self._started.end()
        self._supervisor.end()

    def __enter__(self) -> Run:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start(
    command: Sequence[str],
    watch: Watch,
    *,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    pass_fds: Sequence[int] = (),
) -> Run:
    """Start a program.  The first word is looked for in PATH; descriptors that are not given are ours.

    Raises ``CannotInject`` where calls cannot be stopped, ``OSError`` if the program cannot be executed, and
    ``ValueError`` for a call or a fault that makes no sense.
    """

    def program(handshake: socket.socket) -> None:
        try:
            if cwd is not None:
                os.chdir(cwd)
            _redirect(stdin, stdout, stderr)
            for descriptor in pass_fds:
                os.set_inheritable(descriptor, True)
            os.execvpe(command[0], list(command), os.environ if environment is None else dict(environment))
        except OSError as failure:
            handshake.send(f"{failure.errno or 0} {failure.strerror}: {command[0]}".encode())
            os._exit(127)

    return _start(program, watch)


def start_function(body: Callable[[], object], watch: Watch, *, stderr: int | None = None) -> Run:
    """Run a function in a forked process: what it returns is lost; what it raises is written to its standard error.

    The process has the calling thread only.  It ends without any clearing away of ours (``os._exit``): code 0, 1 after
    an exception, or that of ``SystemExit``.
    """

    def program(handshake: socket.socket) -> None:
        handshake.close()
        _redirect(None, None, stderr)
        body()

    return _start(program, watch)


def _start(program: Program, watch: Watch) -> Run:
    if reason := missing():
        raise CannotInject(f"system calls cannot be stopped here: {reason}")
    scope = Scope(watch.directory)
    started = launch(program, watch.stopped)
    supervisor = Supervisor(started.listener, scope, watch, lambda: _kill(started.pid))
    supervisor.start()
    run = Run(started, supervisor)
    try:
        started.begin()
    except BaseException:
        run.close()
        raise
    return run


def _kill(pid: int) -> None:
    # The process itself too: it may have gone into another group.
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _redirect(stdin: int | None, stdout: int | None, stderr: int | None) -> None:
    sys.stdout.flush()
    for ours, descriptor in ((stdin, 0), (stdout, 1), (stderr, 2)):
        if ours is not None:
            os.dup2(ours, descriptor)
