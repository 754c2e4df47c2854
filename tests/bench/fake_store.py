"""A store in memory that stalls when it is told to, for tests of what measures stores."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from durakv.bench.results import Counters, Promise
from durakv.bench.store import Pair


class FakeStore:
    """Counts what it is given; every write takes ``write_seconds``, one of them ``stall_seconds`` more."""

    name = "fake"
    setting = "as it is"
    promise = Promise.NOTHING
    many = "batch"

    def __init__(self, *, write_seconds: float = 0.0, stall_at: int = -1, stall_seconds: float = 0.0) -> None:
        self.written: list[Pair] = []
        self.batches: list[int] = []
        self.threads: set[int] = set()
        self.sessions_open = 0
        self.settled = 0
        self.closed = False
        self.fail_at = -1
        self._write_seconds = write_seconds
        self._stall_at = stall_at
        self._stall_seconds = stall_seconds
        self._lock = threading.Lock()

    def session(self) -> FakeSession:
        with self._lock:
            self.sessions_open += 1
        return FakeSession(self)

    def write(self, pairs: Sequence[Pair]) -> None:
        with self._lock:
            self.threads.add(threading.get_ident())
            number = len(self.written)
            self.written += pairs
            if number == self.fail_at:
                raise OSError("the disk is gone")
            if number == self._stall_at:
                time.sleep(self._stall_seconds)
        if self._write_seconds:
            time.sleep(self._write_seconds)

    def settle(self) -> None:
        self.settled += 1

    def counters(self) -> Counters:
        return Counters(user_bytes=0, syncs=2 * len(self.written), rss_bytes=77)

    def close(self) -> None:
        self.closed = True


class FakeSession:
    """A session of the fake store."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store

    def put(self, key: bytes, value: bytes, /) -> None:
        self._store.write([(key, value)])

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        self._store.batches.append(len(pairs))
        self._store.write(pairs)

    def close(self) -> None:
        self._store.sessions_open -= 1
