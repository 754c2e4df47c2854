"""Mounting, with errors that say what was to be mounted where."""

from __future__ import annotations

import ctypes
import os
import time
from errno import EBUSY
from pathlib import Path

from durakv_fuzz.recorder.connection import unmount as detach

_MS_NOSUID = 2
_MS_NODEV = 4

_libc = ctypes.CDLL(None, use_errno=True)


class MountError(OSError):
    """The kernel did not mount this."""


def mount(device: Path, directory: Path, filesystem: str, options: str) -> None:
    """Mount for reading and writing, which repeats the file system's journal; raises ``MountError``."""
    result = _libc.mount(
        os.fsencode(device),
        os.fsencode(directory),
        filesystem.encode(),
        ctypes.c_ulong(_MS_NOSUID | _MS_NODEV),
        options.encode(),
    )
    if result != 0:
        error = ctypes.get_errno()
        raise MountError(error, f"cannot mount {filesystem}: {os.strerror(error)}; see dmesg", str(device))


def unmount(directory: Path, *, patience_seconds: float) -> bool:
    """Unmount, waiting so long for those who use it; then detach it from the tree and return False."""
    deadline = time.monotonic() + patience_seconds
    while _libc.umount2(os.fsencode(directory), 0) != 0:
        if ctypes.get_errno() != EBUSY or time.monotonic() >= deadline:
            detach(directory)
            return False
        time.sleep(0.005)
    return True


def sync_filesystem(directory: Path) -> None:
    """Wait until everything in the file system of this directory is durable (``syncfs``)."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(fd) != 0:
            error = ctypes.get_errno()
            raise OSError(error, f"syncfs: {os.strerror(error)}", str(directory))
    finally:
        os.close(fd)
