"""SQLite of the standard library: one table, a put is a transaction, and so is a batch.

Threads share one connection behind a lock.  With a connection for each, SQLite lets them sleep and try for the write
lock again: with 64 threads that was measured to be slower, and some starve for seconds.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from durakv.bench.peers.embedded import EmbeddedStore
from durakv.bench.results import Promise
from durakv.bench.store import Pair, Setting

NAME = "SQLite"
TABLE = "CREATE TABLE IF NOT EXISTS pairs (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
FILE = "pairs.sqlite"

_PUT = "INSERT INTO pairs VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
_SHARED = "threads share one connection, which is faster than one each"
_UNLINKED = (
    "its commit is the removal of the journal, and the directory is not synced: "
    "the last transaction may come back undone after a power loss"
)

# PRAGMA synchronous, in the words of its documentation:
#   FULL    "an operating system crash or power failure will not corrupt the database"; in WAL mode, it "syncs the WAL
#           after each transaction"
#   EXTRA   "is like FULL with the addition that the directory containing a rollback journal is synced after that
#           journal is unlinked to commit a transaction in DELETE mode"; without it "it is possible that a single
#           transaction that commits right before a power loss might get rolled back upon reboot"
#   NORMAL  "a transaction committed in WAL mode with synchronous=NORMAL might roll back following a power loss";
#           "transactions are durable across application crashes regardless of the synchronous setting or journal mode"
#   OFF     "if the application running SQLite crashes, the data will be safe, but the database might become corrupted
#           if the operating system crashes"
_SETTINGS = (
    ("WAL", "FULL", Promise.POWER, ""),
    ("WAL", "NORMAL", Promise.PROCESS, ""),
    ("WAL", "OFF", Promise.PROCESS, ""),
    ("DELETE", "EXTRA", Promise.POWER, ""),
    ("DELETE", "FULL", Promise.PROCESS, f"SQLite's default; {_UNLINKED}"),
)


def settings() -> list[Setting]:
    """Both journals, durable and relaxed."""
    return [
        Setting(
            NAME,
            f"{journal}, synchronous={synchronous}",
            promise,
            partial(_open, journal, synchronous, promise),
            sqlite3.sqlite_version,
            "; ".join(filter(None, (note, _SHARED))),
        )
        for journal, synchronous, promise, note in _SETTINGS
    ]


def _open(journal: str, synchronous: str, promise: Promise, directory: Path) -> EmbeddedStore:
    connection = sqlite3.connect(directory / FILE, isolation_level=None, check_same_thread=False)
    (used,) = connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    if used.upper() != journal:
        connection.close()
        raise OSError(f"{directory}: SQLite cannot keep a journal of the kind {journal} there and would use {used}")
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(TABLE)
    session = _SharedSession(connection)
    return EmbeddedStore(
        NAME, f"{journal}, synchronous={synchronous}", promise, directory, lambda: session, connection.close
    )


class _SharedSession:
    """The one connection, for every thread."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def put(self, key: bytes, value: bytes, /) -> None:
        with self._lock:
            self._connection.execute(_PUT, (key, value))

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany(_PUT, pairs)
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.rollback()
                raise

    def close(self) -> None:
        """Nothing is its own."""
