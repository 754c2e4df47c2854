"""Stops a process at each of its system calls that touch a disk, with the kernel's own means.

    in the process    listen()      from now on every such call of it, its threads and its children waits for a word
    in the driver     Listener      next() says which process is about to make which call, proceed() lets it

It is seccomp's user notification (Linux 5.5 and later; no privileges, nothing to install).  A tracer such as strace
counts for each thread and each kind of call; here there is one order over all threads and children, for microseconds.

Which calls: those that can change a file or a directory.  An ``openat`` that only reads cannot, and is let through, so
that imports cost nothing.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import select
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

# machine -> (audit architecture, call -> number)
_MACHINES: dict[str, dict[str, int]] = {
    "x86_64": {
        "write": 1,
        "pwrite64": 18,
        "writev": 20,
        "flock": 73,
        "fsync": 74,
        "fdatasync": 75,
        "truncate": 76,
        "ftruncate": 77,
        "rename": 82,
        "mkdir": 83,
        "rmdir": 84,
        "creat": 85,
        "link": 86,
        "unlink": 87,
        "sync": 162,
        "openat": 257,
        "mkdirat": 258,
        "unlinkat": 263,
        "renameat": 264,
        "linkat": 265,
        "sync_file_range": 277,
        "fallocate": 285,
        "pwritev": 296,
        "syncfs": 306,
        "renameat2": 316,
        "copy_file_range": 326,
        "pwritev2": 328,
    },
    "aarch64": {
        "flock": 32,
        "mkdirat": 34,
        "unlinkat": 35,
        "linkat": 37,
        "renameat": 38,
        "truncate": 45,
        "ftruncate": 46,
        "fallocate": 47,
        "openat": 56,
        "write": 64,
        "writev": 66,
        "pwrite64": 68,
        "pwritev": 70,
        "sync": 81,
        "fsync": 82,
        "fdatasync": 83,
        "sync_file_range": 84,
        "syncfs": 267,
        "renameat2": 276,
        "copy_file_range": 285,
        "pwritev2": 287,
    },
}
_SECCOMP = {"x86_64": 317, "aarch64": 277}

_STREAMS = frozenset({"write", "writev"})
"""Calls that count only when they go to a regular file, and not to the pipe of the acknowledgements."""

_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP_FILTER_FLAG_NEW_LISTENER = 8
_ALLOW, _NOTIFY = 0x7FFF0000, 0x7FC00000
_LOAD, _IF_EQUAL, _IF_ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_ANSWER = struct.Struct("=QqiI")
_RECEIVE, _SEND = 0xC0502100, 0xC0182101
_CONTINUE = 1


def unavailable() -> str:
    """Why processes cannot be stopped here; empty if they can."""
    if sys.platform != "linux":
        return "it needs Linux"
    if platform.machine() not in _MACHINES:
        return f"the numbers of the system calls of {platform.machine()} are not known here"
    # In a process of its own: what was installed cannot be taken back.
    trial = subprocess.run([sys.executable, "-m", __name__], cwd=ROOT, capture_output=True, check=False, timeout=60)
    return "" if trial.returncode == 0 else f"seccomp user notification: {trial.stderr.decode()[-300:]}"


def listen() -> int:
    """Stop this process, and what it will start, at every call from now on; return the listener's descriptor."""
    numbers = _MACHINES[platform.machine()]
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(numbers)
    code = ctypes.create_string_buffer(program)
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_NO_NEW_PRIVS)")
    descriptor = libc.syscall(
        ctypes.c_long(_SECCOMP[platform.machine()]),
        ctypes.c_uint(_SECCOMP_SET_MODE_FILTER),
        ctypes.c_uint(_SECCOMP_FILTER_FLAG_NEW_LISTENER),
        ctypes.c_char_p(header),
    )
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    assert isinstance(descriptor, int)
    return descriptor


def _program(numbers: dict[str, int]) -> bytes:
    """Load the number; notify if it is one of ours, an ``openat`` only if it may write."""
    others = [number for name, number in numbers.items() if name != "openat"]
    lines = [(_LOAD, 0, 0, 0)]
    for index, number in enumerate(others):
        lines.append((_IF_EQUAL, len(others) - index + 3, 0, number))
    lines += [
        (_IF_EQUAL, 0, 2, numbers["openat"]),
        (_LOAD, 0, 0, 16 + 2 * 8),  # the flags; the lower half stands first on these machines
        (_IF_ANY_BIT, 1, 0, os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _NOTIFY),
    ]
    return b"".join(struct.pack("HBBI", *line) for line in lines)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that somebody is about to make."""

    key: int
    pid: int
    """The thread that makes it."""
    name: str
    counts: bool
    """Whether it touches a disk."""


class Listener:
    """The driver's end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._names = {number: name for name, number in _MACHINES[platform.machine()].items()}
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)

    def next(self, timeout: float) -> Call | None:
        """The next call; None when the last process that could make one is gone, TimeoutError when none came."""
        while True:
            events = self._poll.poll(timeout * 1000)
            if not events:
                raise TimeoutError(f"no system call and no end in {timeout} seconds")
            if not events[0][1] & select.POLLIN:
                return None
            notification = bytearray(_NOTIFICATION.size)
            try:
                fcntl.ioctl(self._descriptor, _RECEIVE, notification)
            except OSError as failure:
                if failure.errno in (errno.ENOENT, errno.EINTR):
                    continue  # whoever wanted to call is dead
                raise
            key, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(notification)
            name = self._names[number]
            return Call(key, pid, name, name not in _STREAMS or _is_regular_file(pid, arguments[0]))

    def proceed(self, call: Call) -> None:
        """Let it happen."""
        try:
            fcntl.ioctl(self._descriptor, _SEND, bytearray(_ANSWER.pack(call.key, 0, 0, _CONTINUE)))
        except OSError as failure:
            if failure.errno != errno.ENOENT:
                raise

    def close(self) -> None:
        """Whoever makes a call from now on gets ``ENOSYS``."""
        os.close(self._descriptor)


def _is_regular_file(pid: int, descriptor: int) -> bool:
    try:
        return os.readlink(f"/proc/{pid}/fd/{descriptor}").startswith("/")
    except OSError:
        return False


if __name__ == "__main__":
    listen()
    os._exit(0)
