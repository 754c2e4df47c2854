"""Private directories whose names say whose they are, so that a killed run's can be told and cleaned by the next.

durakv-recorder-PIDNAMESPACE-PID-STARTTIME-random/     tree/ (mounted), server.log
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from pathlib import Path

from durakv_fuzz.recorder import owner
from durakv_fuzz.recorder.connection import unmount
from durakv_fuzz.recorder.process import LOG

PREFIX = "durakv-recorder"
TREE = "tree"
_NAME = re.compile(rf"{PREFIX}-{owner.PATTERN}-\w+")
_MOUNTS_MAX = 64
"""How many mounts on one directory are taken off; there is never more than one."""


def make_private(within: Path | None = None) -> Path:
    """A new directory of this process, with an empty ``tree`` in it; ``within`` is the usual place for such things."""
    private = Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{owner.own()}-", dir=within))
    private.chmod(0o711)  # programs of other users pass through; what is inside has its own bits
    (private / TREE).mkdir()
    return private


def remove_private(private: Path) -> None:
    """Unmount what is there and take the directory away; only what was put there is ever deleted."""
    for _ in range(_MOUNTS_MAX):
        if not unmount(private / TREE):
            break
    for remove, path in ((os.rmdir, private / TREE), (os.unlink, private / LOG), (os.rmdir, private)):
        with contextlib.suppress(FileNotFoundError):
            remove(path)


def clean(within: Path | None = None) -> list[Path]:
    """Remove what processes left that are no more, and return it; what may not be removed stays."""
    removed: list[Path] = []
    for path in (within or Path(tempfile.gettempdir())).glob(f"{PREFIX}-*"):
        match = _NAME.fullmatch(path.name)
        if match is None or not owner.is_gone(*match.groups()):
            continue
        with contextlib.suppress(OSError):
            remove_private(path)
            removed.append(path)
    return removed
