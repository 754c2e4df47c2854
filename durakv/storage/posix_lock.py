"""The lock of the real disk: ``flock``, which the kernel gives back when its owner dies (C10).

A forked child shares its parent's lock: it would go on holding it after the parent's death, and the directory would
stay locked although its owner is gone.  So a child closes its copy of every lock it was born with.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref

PATIENCE_SECONDS = 0.1
"""How long a lock that is held is tried again.  A process that is killed while it starts the child of a rewrite leaves
it with a copy of the lock, until the child's own program begins: an owner that is gone would still be met."""

_AGAIN_SECONDS = 0.005


class PosixLock:
    """See :class:`durakv.storage.filesystem.Lock`."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        _held.add(self)

    def release(self) -> None:
        """See :class:`Lock`.  The file stays: removing it would let two owners lock two files of one name."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def lock_descriptor(descriptor: int) -> None:
    """Lock an open file, or raise ``BlockingIOError`` when it is still held after ``PATIENCE_SECONDS``."""
    until = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise
        time.sleep(_AGAIN_SECONDS)


_held: weakref.WeakSet[PosixLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # Closing is enough and is all we may do: LOCK_UN would take the lock from the parent.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)
