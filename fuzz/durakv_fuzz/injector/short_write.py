"""A write that is really cut short: somebody else writes the first bytes through the same open file.

The descriptor is fetched out of the process (``pidfd_getfd``, Linux 5.6), so that offset, ``O_APPEND`` and locks are
those of the program's own open file.
"""

from __future__ import annotations

import ctypes
import errno
import os

from durakv_fuzz.injector.calls import vectors
from durakv_fuzz.injector.processes import read_memory, status_of
from durakv_fuzz.injector.seccomp import Notification

_PIDFD_GETFD = 438  # on all machines


def write_short(name: str, notification: Notification, size: int) -> int:
    """Do what the call would do for its first ``size`` bytes; return how many were written, at least one.

    Raises ``OSError`` with what the write itself met, or if the descriptor cannot be had.
    """
    parts = [(notification.arguments[1], notification.arguments[2])]
    if name not in ("write", "pwrite64"):
        parts = vectors(notification)
    data = b""
    for address, length in parts:
        data += read_memory(notification.thread, address, min(length, size - len(data)))
    if not data:
        raise OSError(errno.EFAULT, "the data is at no address of the program")
    descriptor = _fetch(notification.thread, notification.arguments[0] & 0xFFFFFFFF)
    try:
        offset = notification.arguments[3] - (1 << 64 if notification.arguments[3] >> 63 else 0)
        if name in ("write", "writev"):
            return os.write(descriptor, data)
        if name == "pwritev2":
            return os.pwritev(descriptor, [data], offset, notification.arguments[5])
        return os.pwrite(descriptor, data, offset)
    finally:
        os.close(descriptor)


def _fetch(thread: int, descriptor: int) -> int:
    process = status_of(thread, "Tgid")
    if not process:
        raise ProcessLookupError(f"thread {thread} is gone")
    pidfd = os.pidfd_open(int(process))
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        fetched: int = libc.syscall(
            ctypes.c_long(_PIDFD_GETFD), ctypes.c_int(pidfd), ctypes.c_int(descriptor), ctypes.c_uint(0)
        )
        if fetched < 0:
            raise OSError(ctypes.get_errno(), f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        return fetched
    finally:
        os.close(pidfd)
