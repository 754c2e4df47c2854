"""Loop devices: a file as a disk.

Each is detached by the kernel once nobody has it open and nothing on it is mounted, so that none outlives its users.
"""

from __future__ import annotations

import fcntl
import os
import struct
from errno import EACCES, EBUSY, EINVAL, ENOENT, ENOTTY, ENXIO, EPERM
from pathlib import Path

from durakv_fuzz.trace import SECTOR_BYTES

CONTROL = Path("/dev/loop-control")

_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LO_FLAGS_AUTOCLEAR = 4
_CONFIG = struct.Struct("=II52xI64s176x")
"""struct loop_config: file, block size; of its loop_info64 the flags and the name."""

_ATTEMPTS = 64


class LoopError(OSError):
    """No loop device could be had; the message says what would help."""


class LoopDevice:
    """The open file ``fd`` as a block device at ``path``, until ``close`` and the end of what is mounted on it."""

    def __init__(self, fd: int) -> None:
        self._fd = -1
        for _ in range(_ATTEMPTS):
            number = _free_number()
            path = Path(f"/dev/loop{number}")
            try:
                loop = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            except OSError as failure:
                raise _explained(failure, path) from failure
            try:
                fcntl.ioctl(loop, _LOOP_CONFIGURE, _CONFIG.pack(fd, SECTOR_BYTES, _LO_FLAGS_AUTOCLEAR, b"durakv"))
            except OSError as failure:
                os.close(loop)
                if failure.errno == EBUSY:  # somebody else was quicker
                    continue
                raise _explained(failure, path) from failure
            self.path = path
            self._fd = loop
            return
        raise LoopError(EBUSY, f"others took {_ATTEMPTS} free loop devices before this process could", str(CONTROL))

    def close(self) -> None:
        """Let go of it.  A second time it does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def unusable() -> str:
    """Why no loop device can be had; empty if one seems to be free."""
    try:
        number = _free_number()
        os.close(os.open(f"/dev/loop{number}", os.O_RDWR | os.O_CLOEXEC))
    except OSError as failure:
        return str(failure if isinstance(failure, LoopError) else _explained(failure, CONTROL))
    return ""


def _free_number() -> int:
    try:
        control = os.open(CONTROL, os.O_RDWR | os.O_CLOEXEC)
        try:
            return fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
        finally:
            os.close(control)
    except OSError as failure:
        raise _explained(failure, CONTROL) from failure


def _explained(failure: OSError, path: Path) -> LoopError:
    remedy = {
        EACCES: "be root",
        EPERM: "be root",
        ENOENT: "give this machine or container loop devices (modprobe loop; mknod)",
        ENXIO: "give this machine or container loop devices (modprobe loop; mknod)",
        EINVAL: "Linux 5.8 or later is needed",
        ENOTTY: "Linux 5.8 or later is needed",
    }.get(failure.errno or 0, "see what holds the loop devices (losetup -a)")
    return LoopError(failure.errno, f"no loop device: {failure.strerror}; {remedy}", str(path))
