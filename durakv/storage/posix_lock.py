"""The lock of the real disk: ``flock``, which the kernel gives back when its owner dies (C10).

A forked child shares its parent's lock: it would go on holding it after the parent's death, and the directory would
stay locked although its owner is gone.  So a child closes its copy of every lock it was born with.
"""

from __future__ import annotations

import fcntl
import os
import weakref


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
    """Lock an open file, or raise ``BlockingIOError`` at once."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


_held: weakref.WeakSet[PosixLock] = weakref.WeakSet()


def _forget_in_child() -> None:
    # Closing is enough and is all we may do: LOCK_UN would take the lock from the parent.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_forget_in_child)
