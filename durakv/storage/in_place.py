"""Whether a file system writes over a file's blocks where they are.

A store into a mapped page cannot fail as a call can: where the file system has to find room for the page first (copy on
write, compression, a hole), a full disk ends the process with SIGBUS.  So a file is written through a mapping only on
file systems that are known to keep written blocks in their place; on any other, writes are calls.
"""

from __future__ import annotations

import os
import sys
from functools import lru_cache

_IN_PLACE = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs"})
"""XFS moves only blocks that two files share, and the files here are shared with none."""


def writes_in_place(descriptor: int) -> bool:
    """Whether blocks of this file that were written once are never moved; False where that is not known."""
    return sys.platform == "linux" and _file_system(os.fstat(descriptor).st_dev) in _IN_PLACE


@lru_cache(maxsize=64)
def _file_system(device: int) -> str:
    """The name of the file system on a device, or an empty one: btrfs, for one, is not found by its number."""
    wanted = f"{os.major(device)}:{os.minor(device)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                # 36 35 98:0 /root /mnt options - ext4 /dev/vda rw
                fields, _, rest = line.partition(" - ")
                if fields.split()[2] == wanted:
                    return rest.split()[0]
    except (OSError, IndexError):
        return ""
    return ""
