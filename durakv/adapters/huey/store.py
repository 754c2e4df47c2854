"""One directory, one lock, one way to change something: what the queue, the schedule and the data have in common."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager

from huey.exceptions import ConfigurationError

import durakv

ONE_PROCESS = (
    "one process owns a directory: run huey's consumer as threads of the process that enqueues, "
    "in `with huey.consuming(): ...` or by huey.create_consumer(worker_type='thread')"
)


_Names = weakref.WeakValueDictionary[tuple[int, str], "Store"]

_used: weakref.WeakKeyDictionary[durakv.Engine, _Names] = weakref.WeakKeyDictionary()
"""Who has which name in which database; two of one name would hand out the same tasks and free each other's locks."""
_using = threading.Lock()


class Store:
    """An open database, and changes of it that wait for their level without the lock."""

    def __init__(
        self,
        name: str,
        path: str | os.PathLike[str] | None,
        database: durakv.Database | None,
        fsync: durakv.FsyncPolicy | str | None,
        options: durakv.Options | None,
        durability: durakv.Durability | None,
    ) -> None:
        if (path is None) == (database is None):
            raise ConfigurationError("give either path=, the directory of the tasks, or database=, an open durakv")
        if database is not None and not (fsync is None and options is None):
            raise ConfigurationError("fsync= and options= are for a path=: the database= has been opened with its own")
        if not (durability is None or isinstance(durability, durakv.Durability)):
            # At the first call it would be too late: its change is made, and only the wait for it refused.
            raise TypeError(f"durability= is a durakv.Durability, such as durakv.Durability.SYNCED, not {durability!r}")
        self.durability = durability
        self.lock = threading.RLock()
        self._conditions: list[threading.Condition] = []
        self._owned = database is None
        self._database = _open(path, fsync, options) if database is None else database
        self._closed = False
        self._process = os.getpid()
        self.is_refused = False
        """Whether the last change found a disk that is full or broken."""
        self._claim(name)

    @property
    def database(self) -> durakv.Database:
        """The database; raises Closed, or Locked in a forked process."""
        if os.getpid() != self._process:
            raise durakv.Locked(f"this process is a fork of the one that opened the storage; {ONE_PROCESS}")
        if self._closed:
            raise durakv.Closed(f"the storage is closed, as a consumer of processes closes it to fork; {ONE_PROCESS}")
        return self._database

    @property
    def is_open(self) -> bool:
        """Whether it was not closed."""
        return not self._closed

    def close(self) -> bool:
        """Write, sync and give up the directory; a database that was given stays open.  Whether it was open."""
        if self._closed or os.getpid() != self._process:
            return False
        with self.lock:
            self._closed = True
            for condition in self._conditions:
                condition.notify_all()
        if self._owned:
            self._database.close()
        return True

    def condition(self) -> threading.Condition:
        """Something to wait for with the lock; closing wakes everybody."""
        condition = threading.Condition(self.lock)
        self._conditions.append(condition)
        return condition

    @contextmanager
    def change(self, then: Callable[[], object] | None = None) -> Generator[durakv.Batch, None, None]:
        """A batch that is decided with no other change of this store in between; then what it changes in memory.

        Its level is waited for without the lock, so that threads share one sync.
        """
        engine = self.database.engine
        try:
            with self.lock:
                before = engine.applied_seq
                with self.database.batch(durability=durakv.Durability.APPLIED) as batch:
                    yield batch
                if then is not None:
                    then()
                seq = engine.applied_seq
            if seq != before:
                engine.wait(seq, engine.fsync.default_durability if self.durability is None else self.durability)
                self.is_refused = False
        except (durakv.DiskFull, durakv.Poisoned):
            self.is_refused = True
            raise

    def _claim(self, name: str) -> None:
        with _using:
            names = _used.setdefault(self._database.engine, weakref.WeakValueDictionary())
            other = names.get((self._database.number, name))
            if other is not None and other.is_open:
                raise ConfigurationError(
                    f"another huey named {name!r} has this database: use that one, close it first, or give another name"
                )
            names[self._database.number, name] = self


def _open(
    path: str | os.PathLike[str] | None, fsync: durakv.FsyncPolicy | str | None, options: durakv.Options | None
) -> durakv.Database:
    try:
        return durakv.open(path, fsync=fsync, options=options)
    except durakv.Locked as locked:
        raise durakv.Locked(f"{locked}; {ONE_PROCESS}") from locked
