"""Directories of runs: what is in them, how one is cleared, and how those of killed runs are found.

    durakv-block-<PID namespace>-<PID>-<start time>-<random>/
        device        where a server shows its device, if there is one
        mount/        where the real file system is
        server.log

The name says whose it is: the number of a process is used again, the number and the time of its start are not.
Everything else goes with the directory: loop devices are let go of by the kernel once nothing on them is mounted.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from errno import EBUSY, ENOTEMPTY
from pathlib import Path

from durakv_fuzz.recorder.connection import unmount as detach
from durakv_fuzz.recorder.process import LOG

DEVICE = "device"
MOUNT = "mount"

_NAME = re.compile(r"durakv-block-(\d+)-(\d+)-(\d+)-\w+")


def private_directory() -> Path:
    """A new directory of this process, with an empty ``device`` and an empty ``mount``."""
    prefix = f"durakv-block-{_namespace()}-{os.getpid()}-{_started(os.getpid())}-"
    private = Path(tempfile.mkdtemp(prefix=prefix))
    private.chmod(0o711)  # programs of other users pass through; what is inside has its own bits
    (private / DEVICE).touch(0o600)
    (private / MOUNT).mkdir()
    return private


def clear(private: Path) -> None:
    """Detach what is mounted in such a directory, and remove it; whatever is gone already is no matter.

    It never waits for programs that are still in there, and never removes anything in the file system they are in.
    """
    while detach(private / MOUNT):
        pass
    while detach(private / DEVICE):
        pass
    for name in (DEVICE, LOG):
        (private / name).unlink(missing_ok=True)
    for directory in (private / MOUNT, private):
        with suppress(FileNotFoundError):
            directory.rmdir()


def clear_leftovers() -> list[Path]:
    """Clear after those runs of this machine whose process is gone; returns their directories.

    Only what is empty or ours is removed; what somebody else put there stays, and the directory with it.
    """
    found: list[Path] = []
    for private in Path(tempfile.gettempdir()).glob("durakv-block-*"):
        match = _NAME.fullmatch(private.name)
        if match is None or int(match[1]) != _namespace() or _started(int(match[2])) == int(match[3]):
            continue
        found.append(private)
        # Its server would have cleared it by now.  Without one the kernel fails what waited for it, so nothing hangs.
        for server in _servers(private):
            with suppress(ProcessLookupError):
                os.kill(server, signal.SIGKILL)
        try:
            clear(private)
        except OSError as failure:
            if failure.errno not in (EBUSY, ENOTEMPTY):
                raise
    return found


def _servers(private: Path) -> Iterator[int]:
    """Processes that were started to serve this directory."""
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                if os.fsencode(private) in (process / "cmdline").read_bytes().split(b"\0"):
                    yield int(process.name)


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _started(pid: int) -> int:
    """When a process started, in the kernel's ticks since the boot; -1 if there is none of this number."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return -1
    # The name may hold blanks and brackets; the fields after it do not.
    return int(text.rpartition(")")[2].split()[19])
