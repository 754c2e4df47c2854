"""A filter by which the kernel stops a process at its system calls, and asks somebody else what to do.

    in the process     install()    from now on each chosen call of it, its threads and its children waits for a word
    in the supervisor  Listener     receive() says who is about to make which call; proceed(), answer()

It is seccomp's user notification (Linux 5.5 and later): no privileges, no tracer, nothing to install.  What it costs is
``no_new_privs``: a setuid program in there runs without its privileges.  A filter cannot be taken back.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import functools
import os
import platform
import struct
import sys
from dataclasses import dataclass

from durakv_fuzz.injector.numbers import ARCHITECTURES, FLAGS, SECCOMP, numbers_of
from durakv_fuzz.injector.processes import fork

_PR_SET_NO_NEW_PRIVS = 38
_SET_MODE_FILTER = 1
_NEW_LISTENER = 8
_WAIT_KILLABLE = 32
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
"""Where they stand in the data that a filter sees."""

_OPENS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_MAP_SHARED = 1

_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_RECEIVE, _SEND, _IS_VALID, _SET_FLAGS = 0xC0502100, 0xC0182101, 0x80082102, 0x40082104
"""``IS_VALID`` by its first number, which every kernel takes; it was given another later."""
_CONTINUE = 1
_SYNCHRONOUS_WAKE_UP = 1


class CannotInject(RuntimeError):
    """Calls cannot be stopped here, or no longer; the message says why."""


def install(calls: frozenset[str]) -> int:
    """Stop this process, and what it will start, at these calls from now on; return the listener's descriptor.

    A process has one at most: it and what it starts can install no second one.  It is closed by ``exec``.  When its
    last copy is closed, every call that would be stopped fails with ``ENOSYS``.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    program = program_of(calls)
    code = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    # Killable: a call that was received is not broken off by a signal and received a second time (Linux 5.19).
    for flags in (_NEW_LISTENER | _WAIT_KILLABLE, _NEW_LISTENER):
        descriptor: int = libc.syscall(
            ctypes.c_long(SECCOMP[platform.machine()]),
            ctypes.c_uint(_SET_MODE_FILTER),
            ctypes.c_uint(flags),
            ctypes.c_char_p(header),
        )
        if descriptor >= 0:
            return descriptor
        if ctypes.get_errno() != errno.EINVAL:
            break
    raise OSError(ctypes.get_errno(), f"seccomp: {os.strerror(ctypes.get_errno())}")


def program_of(calls: frozenset[str]) -> bytes:
    """The filter: another architecture's calls are let through, and so is what its flags show to change nothing."""
    lines = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, ARCHITECTURES[platform.machine()]),
        (_RETURN, 0, 0, _ALLOW),
        (_LOAD, 0, 0, _NUMBER),
    ]
    for name, number in numbers_of(calls).items():
        if name in FLAGS:
            lines += [
                (_IF_EQUAL, 0, 4, number),
                (_LOAD, 0, 0, _ARGUMENTS + 8 * FLAGS[name]),  # the lower half stands first on these machines
                (_IF_ANY_BIT, 0, 1, _MAP_SHARED if name == "mmap" else _OPENS),
                (_RETURN, 0, 0, _NOTIFY),
                (_RETURN, 0, 0, _ALLOW),
            ]
        else:
            lines += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _NOTIFY)]
    lines.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *line) for line in lines)


@dataclass(frozen=True, slots=True)
class Notification:
    """A thread that waits for a word."""

    key: int
    thread: int
    number: int
    arguments: tuple[int, int, int, int, int, int]


class Listener:
    """The supervisor's end.  Not thread-safe."""

    def __init__(self, descriptor: int) -> None:
        """Take the descriptor over."""
        self.descriptor = descriptor
        # A kernel before 6.6 does not know it; the answer is then only slower.
        with contextlib.suppress(OSError):
            fcntl.ioctl(descriptor, _SET_FLAGS, _SYNCHRONOUS_WAKE_UP)

    def receive(self) -> Notification | None:
        """The next one; None if whoever wanted to call is dead by now.  Waits: poll the descriptor first."""
        data = bytearray(_NOTIFICATION.size)
        try:
            fcntl.ioctl(self.descriptor, _RECEIVE, data)
        except OSError as failure:
            if failure.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        key, thread, _, number, _, _, a, b, c, d, e, f = _NOTIFICATION.unpack(data)
        return Notification(key, thread, number, (a, b, c, d, e, f))

    def waits(self, key: int) -> bool:
        """Whether that thread still waits, so that what was read of it was its own."""
        try:
            fcntl.ioctl(self.descriptor, _IS_VALID, struct.pack("=Q", key))
        except OSError as failure:
            if failure.errno == errno.ENOENT:
                return False
            raise
        return True

    def proceed(self, key: int) -> bool:
        """Let the call happen; False if the caller is dead."""
        return self._send(_ANSWER.pack(key, 0, 0, _CONTINUE))

    def answer(self, key: int, value: int, error: int = 0) -> bool:
        """The call does not happen: it returns this value, or fails with this error.  False if the caller is dead."""
        return self._send(_ANSWER.pack(key, value, -error, 0))

    def _send(self, answer: bytes) -> bool:
        try:
            fcntl.ioctl(self.descriptor, _SEND, bytearray(answer))
        except OSError as failure:
            if failure.errno == errno.ENOENT:
                return False
            raise
        return True

    def close(self) -> None:
        """From now on every call that would be stopped fails with ``ENOSYS``."""
        os.close(self.descriptor)


@functools.cache
def missing() -> str:
    """Why calls cannot be stopped here, in one line; empty if they can."""
    if sys.platform != "linux":
        return "it needs Linux"
    machine = platform.machine()
    if machine not in ARCHITECTURES or struct.calcsize("P") != 8:
        return f"the numbers of the system calls of {machine} ({8 * struct.calcsize('P')} bits) are not known here"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except OSError as failure:
        return f"pidfd_open: {failure.strerror}; it needs Linux 5.6"
    reason = _try()
    hints = {
        0: "",
        errno.ENOSYS: "the kernel has no seccomp",
        errno.EINVAL: "the kernel's seccomp has no user notification; it needs Linux 5.5",
        errno.EBUSY: "somebody listens to this process already, and the kernel allows one",
        errno.EPERM: "forbidden here, as containers' seccomp policies do",
        errno.EACCES: "forbidden here, as containers' seccomp policies do",
    }
    return hints.get(reason, f"seccomp: {os.strerror(reason)}")


def _try() -> int:
    """Install a filter in a child, for what was installed cannot be taken back; 0, or the error's number."""
    child = fork()
    if child == 0:
        reason = errno.EPERM
        try:
            install(frozenset({"sync"}))
            reason = 0
        except OSError as failure:
            reason = failure.errno or errno.EPERM
        finally:
            os._exit(reason)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
