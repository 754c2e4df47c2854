"""Whose a private directory is: three numbers for its name, which tell it from those of processes that are no more.

PIDNAMESPACE-PID-STARTTIME: the number of a process is used again, the number and the time of its start are not.
"""

from __future__ import annotations

import os
from pathlib import Path

PATTERN = r"(\d+)-(\d+)-(\d+)"
"""For a regular expression: what ``own`` returns, and its three groups are what ``is_gone`` takes."""

_EXITING = 0x4
"""PF_EXITING among a process's flags: it has begun to end, and comes back from that no more."""


def own() -> str:
    """This process's part of a name."""
    process = _process(os.getpid())
    assert process is not None, "/proc is mounted wherever there is anything to record"
    return f"{_namespace()}-{os.getpid()}-{process[0]}"


def is_gone(namespace: str, pid: str, start_time: str) -> bool:
    """Whether that process has ended, or is about to.

    Of another namespace it is never said, for its numbers mean nothing here.  One that has ended and that nobody has
    waited for is gone, though its number is still taken.
    """
    if int(namespace) != _namespace():
        return False
    process = _process(int(pid))
    return process is None or process[0] != int(start_time) or process[1]


def _namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino


def _process(pid: int) -> tuple[int, bool] | None:
    """When it started, in the kernel's ticks since the boot, and whether it has ended; None if there is none."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name, in which there may be anything, but none after it.
    fields = status.rpartition(")")[2].split()
    return int(fields[19]), fields[0] in "ZX" or bool(int(fields[6]) & _EXITING)
