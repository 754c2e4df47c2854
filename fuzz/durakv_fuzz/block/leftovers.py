"""Directories of runs: what is in them, how one is cleared, and how those of killed runs are found.

    durakv-block-<PID namespace>-<PID>-<start time>-<random>/
        device        where a server shows its device, if there is one
        mount/        where the real file system is
        server.log

The name says whose it is (``recorder.owner``).
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

from durakv_fuzz.recorder import owner
from durakv_fuzz.recorder.connection import unmount as detach
from durakv_fuzz.recorder.process import LOG

DEVICE = "device"
MOUNT = "mount"

_PREFIX = "durakv-block"
_NAME = re.compile(rf"{_PREFIX}-{owner.PATTERN}-\w+")


def private_directory() -> Path:
    """A new directory of this process, with an empty ``device`` and an empty ``mount``."""
    private = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}-{owner.own()}-"))
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
    for private in Path(tempfile.gettempdir()).glob(f"{_PREFIX}-*"):
        match = _NAME.fullmatch(private.name)
        if match is None or not owner.is_gone(*match.groups()):
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
