"""What the kernel counted: bytes written by a process and to a device, memory held, processors used by others.

Every reader returns None where the kernel does not tell.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

_PROC = Path("/proc")
_DEVICES = Path("/sys/dev/block")
_SECTOR_BYTES = 512
"""The unit of the kernel's block statistics, whatever the disk's own."""
_SECTORS_WRITTEN = 6
_PARENT, _USER, _SYSTEM = 1, 11, 12
"""Fields of /proc/PID/stat, counted from the one behind the name."""


def process_write_bytes(pid: int | None = None) -> int | None:
    """Bytes that a process, by default this one, made dirty in the page cache or wrote past it.

    The kernel counts whole folios: after a write of one byte into a file that was filled by the megabyte it may say a
    megabyte, though the device gets a page.
    """
    return _labelled(_process(pid) / "io", "write_bytes:", 1)


def rss_bytes(pid: int | None = None) -> int | None:
    """Memory that a process, by default this one, holds now."""
    return _labelled(_process(pid) / "status", "VmRSS:", 1024)


def device_write_bytes(device: str) -> int | None:
    """Bytes written to the block device ``major:minor`` by anybody."""
    if not device or device.startswith("0:"):
        return None
    try:
        return int((_DEVICES / device / "stat").read_text().split()[_SECTORS_WRITTEN]) * _SECTOR_BYTES
    except (OSError, IndexError, ValueError):
        return None


def children(pid: int | None = None) -> set[int]:
    """The processes that a process, by default this one, started, and those that they started."""
    parents: dict[int, int] = {}
    for entry in _PROC.iterdir() if _PROC.is_dir() else ():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))) is not None:
            parents[int(entry.name)] = int(fields[_PARENT])
    found = {os.getpid() if pid is None else pid}
    size = 0
    while size != len(found):
        size = len(found)
        found.update(child for child, parent in parents.items() if parent in found)
    return found - {os.getpid() if pid is None else pid}


class Foreign:
    """The share of one processor that other programs have used since this was made."""

    def __init__(self) -> None:
        self._since = time.perf_counter()
        self._busy, self._own = _busy_seconds(), _own_seconds()

    def share(self) -> float | None:
        """From 0 to the number of processors, on average."""
        busy = _busy_seconds()
        if busy is None or self._busy is None:
            return None
        used = (busy - self._busy) - (_own_seconds() - self._own)
        return max(0.0, used / (time.perf_counter() - self._since))


def _process(pid: int | None) -> Path:
    return _PROC / ("self" if pid is None else str(pid))


def _labelled(path: Path, label: str, unit: int) -> int | None:
    try:
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith(label):
                return int(line.split()[1]) * unit
    except (OSError, IndexError, ValueError):
        return None
    return None


def _stat(pid: int) -> list[str] | None:
    try:
        # A name may hold anything, also parentheses and blanks.
        return (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None


def _busy_seconds() -> float | None:
    try:
        line = (_PROC / "stat").read_text().partition("\n")[0]
        user, nice, system, _idle, _wait, interrupt, soft = map(int, line.split()[1:8])
    except (OSError, ValueError):
        return None
    return (user + nice + system + interrupt + soft) / os.sysconf("SC_CLK_TCK")


def _own_seconds() -> float:
    """Of this process, those it waited for, and those that it started and that still run."""
    ticks = 0
    for pid in children():
        if (fields := _stat(pid)) is not None:
            ticks += int(fields[_USER]) + int(fields[_SYSTEM])
    return sum(os.times()[:4]) + ticks / os.sysconf("SC_CLK_TCK")
