"""What somebody can do about a failure of the system, where there is something to do."""

from __future__ import annotations

import errno

_OWNER = "run as the owner of the directory, or change its permissions"
_ROOM = "free some space and repeat it"

REMEDIES = {
    errno.EACCES: _OWNER,
    errno.EPERM: _OWNER,
    errno.EROFS: "the file system is mounted read-only; use a copy on a writable one",
    errno.EMFILE: "close files, or raise the limit (ulimit -n)",
    errno.ENFILE: "close files, or raise the system's limit",
    errno.ENOTDIR: "a file stands where the directory should; move it away",
    errno.ELOOP: "a symbolic link stands where a file or directory should; replace it by what it leads to",
    errno.EISDIR: "a directory stands where a file should; move it away",
    errno.ENOSPC: _ROOM,
    errno.EDQUOT: _ROOM,
}


def describe_failure(failure: OSError) -> str:
    """The failure with its file and, if there is one, the remedy."""
    text = failure.strerror or str(failure)
    if failure.filename is not None:
        name = failure.filename
        text = f"{name.decode(errors='replace') if isinstance(name, bytes) else name}: {text}"
    remedy = REMEDIES.get(failure.errno or 0)
    return text if remedy is None else f"{text}; {remedy}"
