"""What may name a file in a data directory: one path component, and nothing that leads elsewhere.

Names come from manifests too, so they are checked where they meet the disk and not only where they are parsed.
"""

from __future__ import annotations


def check_name(name: str, /) -> str:
    """Return the name; ``ValueError`` if it is empty, ``.``, ``..``, or holds a separator or a NUL."""
    if not name or name in (".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"{name!r} cannot name a file here: use one path component, not '.' or '..'")
    return name
