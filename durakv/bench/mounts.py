"""Which file system and device hold a directory, by /proc/self/mountinfo and /sys.

36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
      |          |     |                     |    |         |
      device     where options               kind source    options of the file system
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

_MOUNTINFO = Path("/proc/self/mountinfo")
_DEVICES = Path("/sys/dev/block")
_OCTAL = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mounted file system."""

    point: str
    kind: str
    source: str
    options: str
    """Of the mount and of the file system, each once."""
    device: str
    """``major:minor``; the major number is 0 where no block device is behind it."""


UNKNOWN = Mount(point="", kind="unknown", source="unknown", options="", device="")


def parse(text: str) -> list[Mount]:
    """Every mount that the text names."""
    mounts: list[Mount] = []
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        left, right = before.split(), after.split(" ")
        if len(left) < 6 or len(right) < 2:
            continue
        options = dict.fromkeys((left[5] + "," + (right[2] if len(right) > 2 else "")).split(","))
        mounts.append(
            Mount(
                point=_unescaped(left[4]),
                kind=right[0],
                source=_unescaped(right[1]),
                options=",".join(option for option in options if option),
                device=left[2],
            )
        )
    return mounts


def mount_of(directory: Path, text: str | None = None) -> Mount:
    """The mount that holds a directory: the one with the longest path, and of those the last."""
    if text is None:
        try:
            text = _MOUNTINFO.read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return UNKNOWN
    whole = directory.resolve()
    best = UNKNOWN
    for mount in parse(text):
        if whole.is_relative_to(mount.point) and len(mount.point) >= len(best.point):
            best = mount
    return best


def write_cache(mount: Mount, devices: Path = _DEVICES) -> str:
    """``write back`` or ``write through``, as the kernel knows it; else why it is not known."""
    if not mount.device or mount.device.startswith("0:"):
        return f"not known: {mount.kind} has no block device of its own"
    # A partition has no queue; that of the whole disk is one folder up.
    place = (devices / mount.device).resolve()
    for queue in (place / "queue", place.parent / "queue"):
        try:
            return (queue / "write_cache").read_text(encoding="ascii").strip()
        except OSError:
            continue
    return f"not known: the kernel says nothing of device {mount.device}"


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
