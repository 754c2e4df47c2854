"""For those who are not root: a user and mount namespace of one's own, in which they are."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

_CLONE_NEWNS = 0x20000
_CLONE_NEWUSER = 0x10000000

_libc = ctypes.CDLL(None, use_errno=True)


def enter() -> None:
    """Become root of a new user and mount namespace, with all processes started from now on.

    What is mounted then is seen by them alone.  Only a process of one thread can do it.  Raises ``OSError``.
    """
    owner, group = os.geteuid(), os.getegid()
    if threading.active_count() > 1:
        raise OSError("a process with several threads cannot enter a user namespace; do it first, or run unshare -Urm")
    if _libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"cannot enter a user namespace: {os.strerror(error)}; be root")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {owner} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")


def may_enter() -> bool:
    """Whether this process could."""
    if threading.active_count() > 1:
        return False
    child = os.fork()
    if child == 0:
        os._exit(_libc.unshare(_CLONE_NEWUSER | _CLONE_NEWNS) != 0)
    return os.waitpid(child, 0)[1] == 0
