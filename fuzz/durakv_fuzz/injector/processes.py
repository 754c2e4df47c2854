"""What the kernel says of other processes, and the few things done to them."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
import warnings
from pathlib import Path

PATH_BYTES_MAX = 4096
_PAGE = 4096
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36

GONE = (ProcessLookupError, FileNotFoundError)
"""What is raised when a thread ends while it is looked at."""


def fork() -> int:
    """Fork; both sides go on with the calling thread alone.

    Python warns of it where other threads run, because a lock that one of them held stays locked in the child.  The
    children here run what they were given and end by ``os._exit``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def die_with_parent() -> None:
    """Be killed when the thread that forked this process ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), f"prctl({option})")


def kill_children() -> None:
    """Kill and reap all descendants of this process, which adopts orphans."""
    me = str(os.getpid())
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return
        children = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if status_of(pid, "PPid") == me]
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        time.sleep(0.001)


def status_of(thread: int, name: str) -> str:
    """A line of ``/proc/THREAD/status``; empty if the thread is gone or there is no such line."""
    try:
        status = Path(f"/proc/{thread}/status").read_text(errors="replace")
    except GONE:
        return ""
    _, found, rest = status.partition(f"\n{name}:")
    return rest.partition("\n")[0].strip() if found else ""


def state_of(thread: int) -> str:
    """One letter, as ``R`` or ``T``; empty if the thread is gone."""
    return status_of(thread, "State")[:1]


def path_of(thread: int, what: str) -> str:
    """Where ``cwd`` or ``fd/3`` of it leads; a file without a name has the last it had.  Empty if it is no path."""
    try:
        target = os.readlink(f"/proc/{thread}/{what}")
    except GONE:
        return ""
    return target.removesuffix(" (deleted)") if target.startswith("/") else ""


def read_memory(thread: int, address: int, size: int) -> bytes:
    """So many bytes of its memory, fewer if less is mapped there, none if it is gone."""
    try:
        descriptor = os.open(f"/proc/{thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
    except GONE:
        return b""
    try:
        data = b""
        while len(data) < size:
            try:
                more = os.pread(descriptor, size - len(data), address + len(data))
            except (OSError, OverflowError):  # not mapped, or no address at all
                break
            if not more:
                break
            data += more
        return data
    finally:
        os.close(descriptor)


def read_string(thread: int, address: int) -> str:
    """The string that ends with a zero byte there; what is longer than any path is cut."""
    data = b""
    while len(data) < PATH_BYTES_MAX:
        # Up to the end of a page: the next need not be mapped.
        more = read_memory(thread, address + len(data), min(256, _PAGE - (address + len(data)) % _PAGE))
        head, end, _ = more.partition(b"\0")
        data += head
        if end or not more:
            break
    return os.fsdecode(data)
