"""A process between us and the program, so that nothing of the program outlives us.

    us  ──  guard  ──  the program's first process  ──  whatever it starts

The guard adopts orphans and knows when we are gone, in whatever way.  It ends by killing and reaping all that is below
it.  If the guard itself is killed, the first process dies with it; what that one had started lives on, and finds
``ENOSYS`` at every stopped call once we are gone too.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import signal
import socket
import struct
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from durakv_fuzz.injector.processes import adopt_orphans, die_with_parent, fork, kill_children
from durakv_fuzz.injector.seccomp import CannotInject, install

_WORD = struct.Struct("=i")
_FAILED_TO_START = 127
_HANDSHAKE_BYTES_MAX = 4096

Program = Callable[[socket.socket], object]
"""What the first process does.  It closes the socket when it has begun (so does ``exec``), or says why it cannot:
the number of an error, a space, words.
"""


@dataclass(frozen=True, slots=True)
class Started:
    """The program's first process, about to begin."""

    pid: int
    """It stays a zombie until ``end``, so that the number is no other's."""

    listener: int
    """The descriptor of the listener, or -1 if no calls are stopped."""

    guard: int
    control: socket.socket
    handshake: socket.socket

    def begin(self) -> None:
        """Let it run.  Raises ``OSError`` if the program cannot be executed."""
        with self.handshake:
            self.handshake.send(b"go")
            complaint = self.handshake.recv(_HANDSHAKE_BYTES_MAX)
        if complaint:
            number, _, words = complaint.decode(errors="replace").partition(" ")
            raise OSError(int(number), words)

    def wait(self, seconds: float | None) -> int:
        """The first process's exit code, negative for a signal.  Raises ``TimeoutError``."""
        self.control.settimeout(seconds)
        word = self.control.recv(_WORD.size)
        if not word:
            raise CannotInject("the process that guards the program was killed")
        code: int = _WORD.unpack(word)[0]
        return code

    def end(self) -> None:
        """Kill whatever is left of it; return when it is gone."""
        self.handshake.close()
        self.control.close()
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.guard, 0)


def launch(program: Program, calls: frozenset[str]) -> Started:
    """Fork a guard and the program's first process, which installs the filter and waits to ``begin``.

    Raises ``CannotInject`` if the filter could not be installed.
    """
    control, guards = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    handshake, programs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    us = os.pidfd_open(os.getpid())
    sys.stdout.flush()
    sys.stderr.flush()
    guard = fork()
    if guard == 0:
        control.close()
        handshake.close()
        _guard(guards, programs, us, program, calls)
    guards.close()
    programs.close()
    os.close(us)
    word = control.recv(_WORD.size)
    message, descriptors, _, _ = socket.recv_fds(handshake, _HANDSHAKE_BYTES_MAX, 1)
    listener = descriptors[0] if descriptors else -1
    started = Started(_WORD.unpack(word)[0] if word else 0, listener, guard, control, handshake)
    if not word or message != b"ready":
        started.end()
        raise CannotInject(message.decode(errors="replace") or "the process that guards the program died")
    return started


def _guard(control: socket.socket, handshake: socket.socket, us: int, program: Program, calls: frozenset[str]) -> None:
    try:
        os.setsid()
        adopt_orphans()
        me = os.getpid()
        first = fork()
        if first == 0:
            control.close()
            os.close(us)
            _become(handshake, me, program, calls)
        gc.disable()  # no object of ours may close a descriptor whose number has become another's
        _close_all_but({2, control.fileno(), us})
        control.send(_WORD.pack(first))
        _watch(control, us, first)
    except BaseException:  # noqa: BLE001  nobody above: this process is a copy of ours
        traceback.print_exc()
    finally:
        kill_children()
        os._exit(0)


def _watch(control: socket.socket, us: int, first: int) -> None:
    """Tell how the first process ended; return when it is time to clear away."""
    ended = os.pidfd_open(first)
    poll = select.poll()
    for descriptor in (control.fileno(), us, ended):
        poll.register(descriptor, select.POLLIN)
    while True:
        ready = {descriptor for descriptor, _ in poll.poll()}
        if ready - {ended}:
            return
        # It is left as a zombie: reaped only when we no longer use its number.
        how = os.waitid(os.P_PID, first, os.WEXITED | os.WNOWAIT)
        assert how is not None, "it was waited for without WNOHANG"
        code = how.si_status if how.si_code == os.CLD_EXITED else -how.si_status
        poll.unregister(ended)
        with contextlib.suppress(BrokenPipeError):
            control.send(_WORD.pack(code))


def _become(handshake: socket.socket, guard: int, program: Program, calls: frozenset[str]) -> None:
    code = _FAILED_TO_START
    try:
        die_with_parent()
        if os.getppid() != guard:
            return
        os.setpgid(0, 0)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        if not _ready(handshake, calls):
            return
        program(handshake)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001  nobody above: this process is a copy of ours
        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _ready(handshake: socket.socket, calls: frozenset[str]) -> bool:
    try:
        listeners = [install(calls)] if calls else []
    except OSError as failure:
        handshake.send(f"the filter could not be installed: {failure}".encode())
        return False
    socket.send_fds(handshake, [b"ready"], listeners)
    if not handshake.recv(2):
        return False
    for listener in listeners:
        os.close(listener)
    return True


def _close_all_but(kept: set[int]) -> None:
    """What stays open here is not closed by us: pipes, listeners of others."""
    for descriptor in {int(name) for name in os.listdir("/proc/self/fd")} - kept:
        with contextlib.suppress(OSError):
            os.close(descriptor)
