"""For tests of programs that embed durakv: short-lived databases, restarts, kills, and disks that fail on demand.

    with temporary_database() as db:            an ordinary database in a directory that goes away afterwards
        db = reopen(db)                         as a program that ends and is started again
        db = killed(db)                         as one that SIGKILL ended and that is started again

    disk = FailingFilesystem(tmp_path / "data")
    db = durakv.open(None, filesystem=disk)
    disk.fail("sync", errno.EIO)                the next sync fails, and the engine is poisoned

What a loss of power leaves cannot be seen on a real disk: that takes the simulated one of the extra ``fuzz``
(docs/crash-testing.md).  Nothing here needs pytest, or any other package.
"""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from durakv.clock import ManualClock
from durakv.conformance import check_state_machine
from durakv.directory import APPEND_DIRECTORY
from durakv.engine import Engine
from durakv.keyspace.database import Database
from durakv.keyspace.database import open as open_database
from durakv.storage.conformance import check_filesystem
from durakv.storage.filesystem import File, Filesystem, Lock, Window
from durakv.storage.posix import PosixFilesystem

__all__ = [
    "FailingFilesystem",
    "ManualClock",
    "check_filesystem",
    "check_state_machine",
    "killed",
    "reopen",
    "temporary_database",
]

CALLS = frozenset(
    [
        "create",
        "free_bytes",
        "list",
        "lock",
        "open",
        "read_at",
        "remove",
        "rename",
        "sync",
        "sync_directory",
        "truncate",
        "write_at",
        "write_through",
    ]
)
"""The calls of a ``FailingFilesystem`` that can be made to fail: methods of ``Filesystem`` and ``File``."""

PATIENCE_SECONDS = 60.0


@contextmanager
def temporary_database(**settings: Any) -> Generator[Database, None, None]:
    """A database in a directory of its own, which is removed at the end; the settings are those of ``durakv.open``.

    It syncs nothing by itself unless ``fsync=`` says so.  What ``reopen`` and ``killed`` return is closed with it.
    """
    settings.setdefault("fsync", "no")
    with tempfile.TemporaryDirectory(prefix="durakv-") as directory:
        db = open_database(Path(directory) / "data", **settings)
        try:
            yield db
        finally:
            last: Database | None = db
            while last is not None:
                last.close()
                last = _successors.pop(last.engine, None)


def reopen(db: Database, **settings: Any) -> Database:
    """Close the database and open it again, with the options it had; ``settings`` are those of ``durakv.open``."""
    db.close()
    return _open_again(db, settings)


def killed(db: Database, **settings: Any) -> Database:
    """What the program finds that is started after this one was killed: nothing is completed, sealed or synced.

    Everything acknowledged at WRITTEN or SYNCED is there (C2).  Raises TimeoutError if a call into the disk hangs.
    """
    if not db.abort(timeout=PATIENCE_SECONDS):
        raise TimeoutError(f"a call into the disk has not returned in {PATIENCE_SECONDS} seconds")
    return _open_again(db, settings)


def _open_again(db: Database, settings: dict[str, Any]) -> Database:
    engine = db.engine
    again: dict[str, Any] = {
        "options": engine.options,
        "clock": db.decider.clock,
        "background": engine._runner.has_thread,
        **settings,
    }
    path: str | None = None
    if engine._own is not None:
        path = os.path.dirname(engine._own.path)  # its descriptor went with the engine
    else:
        again.setdefault("filesystem", engine.filesystem)
    successor = open_database(path, **again)
    _successors[engine] = successor
    return successor


_successors: weakref.WeakKeyDictionary[Engine, Database] = weakref.WeakKeyDictionary()


class FailingFilesystem:
    """A directory whose calls fail when they are told to: a ``Filesystem`` for ``open(None, filesystem=...)``.

    Every write is a call on it, none goes through a window, so that each can fail.  It is for programs that want to see
    what they do about DiskFull and Poisoned, and no model of a disk: a call that fails has done nothing.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None, *, filesystem: Filesystem | None = None) -> None:
        """The data directory ``path`` as ``durakv.open`` would take it, or another filesystem to stand before."""
        if filesystem is None:
            if path is None:
                raise TypeError("give it a path, or a filesystem")
            filesystem = PosixFilesystem(os.path.join(os.fspath(path), APPEND_DIRECTORY))
        self._inner = filesystem
        self._plans: dict[str, tuple[int, int, int]] = {}

    def fail(self, call: str, error: int, *, after: int = 0, times: int = 1) -> None:
        """Let ``after`` calls of that name pass, and the next ``times`` fail with ``error``, an ``errno``.

        ``sync`` and ``write_through`` make a write durable, ``write_at`` only writes; ``CALLS`` has all names.
        """
        if call not in CALLS:
            raise ValueError(f"there is no call {call!r}; choose one of {', '.join(sorted(CALLS))}")
        self._plans[call] = after, times, error

    def meet(self, call: str, name: str) -> None:
        """For its files: raise what the plan says about this call."""
        after, times, error = self._plans.get(call, (0, 0, 0))
        if after:
            self._plans[call] = after - 1, times, error
        elif times:
            self._plans[call] = 0, times - 1, error
            raise OSError(error, os.strerror(error), name)

    def describe(self) -> str:
        """See :class:`Filesystem`."""
        return self._inner.describe()

    def make_root(self) -> None:
        """See :class:`Filesystem`."""
        self._inner.make_root()

    def exists_root(self) -> bool:
        """See :class:`Filesystem`."""
        return self._inner.exists_root()

    def list(self) -> list[str]:
        """See :class:`Filesystem`."""
        self.meet("list", self.describe())
        return self._inner.list()

    def create(self, name: str, /) -> File:
        """See :class:`Filesystem`."""
        self.meet("create", name)
        return _FailingFile(self, self._inner.create(name))

    def open(self, name: str, /, *, writable: bool = False) -> File:
        """See :class:`Filesystem`."""
        self.meet("open", name)
        return _FailingFile(self, self._inner.open(name, writable=writable))

    def rename(self, old: str, new: str, /) -> None:
        """See :class:`Filesystem`."""
        self.meet("rename", old)
        self._inner.rename(old, new)

    def remove(self, name: str, /) -> None:
        """See :class:`Filesystem`."""
        self.meet("remove", name)
        self._inner.remove(name)

    def sync_directory(self) -> None:
        """See :class:`Filesystem`."""
        self.meet("sync_directory", self.describe())
        self._inner.sync_directory()

    def free_bytes(self) -> int:
        """See :class:`Filesystem`."""
        self.meet("free_bytes", self.describe())
        return self._inner.free_bytes()

    def lock(self, name: str, /) -> Lock:
        """See :class:`Filesystem`."""
        self.meet("lock", name)
        return self._inner.lock(name)


class _FailingFile:
    """See :class:`File`."""

    def __init__(self, filesystem: FailingFilesystem, inner: File) -> None:
        self._filesystem = filesystem
        self._inner = inner

    @property
    def name(self) -> str:
        return self._inner.name

    def read_at(self, size: int, offset: int, /) -> bytes:
        self._filesystem.meet("read_at", self.name)
        return self._inner.read_at(size, offset)

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        self._filesystem.meet("write_at", self.name)
        self._inner.write_at(data, offset)

    def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        self._filesystem.meet("write_through", self.name)
        self._inner.write_through(data, offset)

    def sync(self) -> None:
        self._filesystem.meet("sync", self.name)
        self._inner.sync()

    def window(self, _size: int, /) -> Window | None:
        return None

    def truncate(self, size: int, /) -> None:
        self._filesystem.meet("truncate", self.name)
        self._inner.truncate(size)

    def size(self) -> int:
        return self._inner.size()

    def close(self) -> None:
        self._inner.close()
