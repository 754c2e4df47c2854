"""The storage of a huey: queue, schedule, results and counters in one keyspace, each change of them one batch.

huey:NAME:queue      sorted set: the task's number and bytes, by priority (the highest first), then by number
huey:NAME:schedule   sorted set: the same, by the microsecond at which the task is due
huey:NAME:data:KEY   string: a result, a lock, a revocation; some with a deadline
huey:NAME:counters   hash: integers
"""

# huey carries no types.
# pyright: reportUnknownMemberType=false, reportIncompatibleMethodOverride=false

from __future__ import annotations

import os
import re
from datetime import datetime, timedelta
from typing import Any

from huey.constants import EmptyData
from huey.exceptions import ConfigurationError
from huey.storage import BaseStorage

import durakv
from durakv.adapters.huey.places import HeldBytes, Place
from durakv.adapters.huey.store import Store

EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)


class DurakvStorage(BaseStorage):  # type: ignore[misc]
    """What huey keeps, in a durakv directory, or in a database that is open already.

    Each method that changes something is one batch, there after a crash wholly or not at all (C1).  It returns when
    that batch has reached ``durability``, by default the policy's level: SYNCED under ``fsync="always"`` (C3), WRITTEN
    under ``everysec`` (C2, C4) and ``no`` (C5).

    ``hold_next`` and ``hold_due`` hand tasks out without taking them away; ``DurakvHuey`` uses them.  ``dequeue`` and
    ``read_schedule``, as huey defines them, take away what they return: under a plain ``Huey`` a task that is between
    two calls when the process dies is lost, as with every other storage.

    Threads of one process may use it; a fork of it is refused with Locked.
    """

    priority = True

    def __init__(
        self,
        name: str = "huey",
        path: str | os.PathLike[str] | None = None,
        *,
        database: durakv.Database | None = None,
        fsync: durakv.FsyncPolicy | str | None = None,
        options: durakv.Options | None = None,
        durability: durakv.Durability | None = None,
        blocking: bool = True,
        read_timeout: float = 1.0,
        expire_time: float | None = None,
    ) -> None:
        """Open ``path``, or use ``database``, which stays open when this is closed.

        ``read_timeout``: how many seconds a blocking dequeue waits for a task; ``expire_time``: after how many seconds
        the result of a task is deleted, if nobody has read it.  Locks that a dead process left are released: nobody
        else can hold one.

        Raises what ``durakv.open`` raises; Locked if another process, or another huey of this one, has the directory;
        ConfigurationError if another huey of this name has the ``database``.
        """
        super().__init__(name)
        if expire_time is not None and not expire_time > 0:
            raise ConfigurationError(f"expire_time={expire_time!r}: give more than 0 seconds, or None for ever")
        self.blocking = blocking
        self.read_timeout = read_timeout
        self.expire_time = expire_time
        self.store = store = Store(name, path, database, fsync, options, durability)
        prefix = b"huey:" + name.encode() + b":"
        self._data, self._counters = prefix + b"data:", prefix + b"counters"
        self._stored = store.condition()
        try:
            self.queue, self.schedule = Place(store, prefix + b"queue"), Place(store, prefix + b"schedule")
            self._release_locks()
        except BaseException:
            store.close()
            raise

    @property
    def database(self) -> durakv.Database:
        """The database; raises Closed, or Locked in a forked process."""
        return self.store.database

    def close(self) -> bool:
        """Write, sync and give up the directory; a database that was given stays open.  Whether it was open."""
        return self.store.close()

    # --- the queue and the schedule, for DurakvHuey ---------------------------------------------------------------

    def hold_next(self) -> HeldBytes | None:
        """Hand out the next task, and keep it until it is settled or added elsewhere; None if there is none in time."""
        return self.queue.hold(self._patience)

    def hold_due(self, ts: datetime) -> list[HeldBytes]:
        """Hand out the tasks that are due, and keep each until it is added to the queue.

        What an earlier call handed out and nobody has added is handed out again: it was not enqueued.
        """
        return self.schedule.hold_until(_score(ts))

    # --- the queue ------------------------------------------------------------------------------------------------

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        """Add a task; one that is held moves, in the same batch."""
        self.queue.add(data, -(priority or 0))

    def dequeue(self) -> bytes | None:
        """Take the next task away and return it; None if there is none, or none in time."""
        return self.queue.take(self._patience)

    def queue_size(self) -> int:
        """How many tasks wait."""
        return self.queue.size()

    def enqueued_items(self, limit: int | None = None) -> list[bytes]:
        """The tasks that wait, in the order in which they will be dequeued."""
        return self.queue.items(limit)

    def flush_queue(self) -> None:
        """Delete all tasks of the queue, those that are being executed too."""
        with self.store.change(self.queue.forget_all) as batch:
            self.queue.flush(batch)

    # --- the schedule ---------------------------------------------------------------------------------------------

    def add_to_schedule(self, data: bytes, ts: datetime) -> None:
        """Add a task that is due later; one that is held moves, in the same batch."""
        self.schedule.add(data, _score(ts))

    def read_schedule(self, ts: datetime) -> list[bytes]:
        """Take the tasks that are due away, in one batch, and return them, the first first."""
        return self.schedule.take_until(_score(ts))

    def schedule_size(self) -> int:
        """How many tasks are scheduled."""
        return self.schedule.size()

    def scheduled_items(self, limit: int | None = None) -> list[bytes]:
        """The tasks that are scheduled, the first first."""
        return self.schedule.items(limit)

    def flush_schedule(self) -> None:
        """Delete all scheduled tasks."""
        with self.store.change(self.schedule.forget_all) as batch:
            self.schedule.flush(batch)

    # --- results, and other data ----------------------------------------------------------------------------------

    def put_data(self, key: str | bytes, value: bytes, is_result: bool = False) -> None:
        """Store a value; a result for ``expire_time`` only."""
        with self.store.change(self._stored.notify_all) as batch:
            batch.set(self._key(key), value, px=_milliseconds(self.expire_time if is_result else None))

    def peek_data(self, key: str | bytes) -> Any:
        """The value, or ``EmptyData``."""
        value = self.database.get(self._key(key))
        return EmptyData if value is None else value

    def peek_many(self, keys: list[Any]) -> dict[Any, bytes]:
        """The values of those that are there, all as of one moment."""
        values = self.database.mget(*map(self._key, keys)) if keys else []
        return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

    def pop_data(self, key: str | bytes) -> Any:
        """Take the value away and return it, or ``EmptyData``."""
        if not self.has_data_for_key(key):
            return EmptyData  # huey asks of every task whether it was revoked: no batch for that
        with self.store.change() as batch:
            found = batch.getdel(self._key(key))
        return EmptyData if found.value is None else found.value

    def has_data_for_key(self, key: str | bytes) -> bool:
        """Whether there is a value."""
        return self.database.get(self._key(key)) is not None

    def wait_result(
        self, key: str | bytes, timeout: float | None = None, backoff: float = 1.15, max_delay: float = 1.0
    ) -> bool:
        """Wait until there is a value; whether there is one in time.  It wakes at once: nothing is polled."""
        with self.store.lock:
            return self._stored.wait_for(lambda: self.has_data_for_key(key), timeout)

    def put_if_empty(self, key: str | bytes, value: bytes, ttl: float | None = None) -> bool:
        """Store a value unless there is one, for ``ttl`` seconds if given; whether it was stored."""
        with self.store.change(self._stored.notify_all) as batch:
            done = batch.set(self._key(key), value, nx=True, px=_milliseconds(ttl))
        return done.value

    def put_once(self, key: str | bytes, value: bytes, counter: str) -> int:
        """Store a result and count it, in one batch, unless it is there already; return the count."""
        with self.store.change(self._stored.notify_all) as batch:
            new = not self.has_data_for_key(key)
            if new:
                batch.set(self._key(key), value, px=_milliseconds(self.expire_time))
            count = batch.hincrby(self._counters, _encoded(counter), int(new))
        return count.value

    def forget(self, keys: list[str], counter: str) -> None:
        """Delete values and a counter, in one batch."""
        with self.store.change() as batch:
            batch.delete(*map(self._key, keys))
            batch.hdel(self._counters, _encoded(counter))

    def result_store_size(self) -> int:
        """How many values there are.  It goes over the keys of the database, as the next two do."""
        return len(self._keys())

    def result_items(self) -> dict[str, bytes]:
        """All values by their keys."""
        keys = [key[len(self._data) :] for key in self._keys()]
        return {key.decode(): value for key, value in self.peek_many(keys).items()}

    def flush_results(self) -> None:
        """Delete all values."""
        with self.store.change() as batch:
            self._delete_data(batch)

    # --- counters -------------------------------------------------------------------------------------------------

    def incr(self, key: str | bytes, amount: int = 1) -> int:
        """Add to a counter; return the sum."""
        with self.store.change() as batch:
            count = batch.hincrby(self._counters, _encoded(key), amount)
        return count.value

    def delete_counter(self, key: str | bytes) -> None:
        """Forget a counter."""
        with self.store.change() as batch:
            batch.hdel(self._counters, _encoded(key))

    def flush_counters(self) -> None:
        """Forget all counters."""
        with self.store.change() as batch:
            batch.delete(self._counters)

    def flush_all(self) -> None:
        """Delete everything of this huey, in one batch."""

        def then() -> None:
            self.queue.forget_all()
            self.schedule.forget_all()

        with self.store.change(then) as batch:
            self.queue.flush(batch)
            self.schedule.flush(batch)
            batch.delete(self._counters)
            self._delete_data(batch)

    # --- parts ----------------------------------------------------------------------------------------------------

    @property
    def _patience(self) -> float:
        return self.read_timeout if self.blocking else 0.0

    def _key(self, key: str | bytes) -> bytes:
        return self._data + _encoded(key)

    def _keys(self, more: bytes = b"") -> list[bytes]:
        prefix = re.sub(rb"([\\*?\[\]^-])", rb"\\\1", self._data + more)  # a name may be no pattern
        return list(self.database.scan_iter(prefix + b"*"))

    def _delete_data(self, batch: durakv.Batch) -> None:
        keys = self._keys()
        if keys:
            batch.delete(*keys)

    def _release_locks(self) -> None:
        stale = self._keys(f"{self.name}.lock.".encode())
        if stale:
            self.database.delete(*stale)


def _score(ts: datetime) -> float:
    return (ts - EPOCH) // MICROSECOND


def _milliseconds(seconds: float | None) -> int | None:
    return None if seconds is None else max(1, round(seconds * 1000))


def _encoded(key: str | bytes) -> bytes:
    return key.encode() if isinstance(key, str) else key
