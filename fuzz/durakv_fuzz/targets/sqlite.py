"""SQLite of the standard library: one table, a commit for each number, with each journal and each way of syncing."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from durakv_fuzz.program.subject import Promise
from durakv_fuzz.targets.target import Embedded, key_of

FILE = "numbers.sqlite"
JOURNALS = ("delete", "truncate", "persist", "wal", "off")
SYNCHRONOUS = ("off", "normal", "full", "extra")

_PRAGMA = "https://sqlite.org/pragma.html#pragma_synchronous"
_OFF = (
    '"With synchronous OFF (0), SQLite continues without syncing as soon as it has handed data off to the operating '
    "system. If the application running SQLite crashes, the data will be safe, but the database might become corrupted "
    f'if the operating system crashes" ({_PRAGMA})'
)
_NORMAL = (
    '"There is a very small (though non-zero) chance that a power failure at just the wrong time could corrupt the '
    f'database in journal_mode=DELETE on an older filesystem." ({_PRAGMA})'
)
_FULL = (
    '"FULL is not necessarily durable across a power loss in rollback mode"; "it is possible that a single transaction '
    f'that commits right before a power loss might get rolled back upon reboot" ({_PRAGMA})'
)
_EXTRA = (
    '"EXTRA synchronous is like FULL with the addition that the directory containing a rollback journal is synced '
    f'after that journal is unlinked to commit a transaction in DELETE mode." ({_PRAGMA})'
)
_WAL_NORMAL = (
    '"A transaction committed in WAL mode with synchronous=NORMAL might roll back following a power loss or system '
    f'crash."; "WAL mode is always consistent with synchronous=NORMAL" ({_PRAGMA})'
)
_WAL_FULL = (
    '"Writers sync the WAL on every transaction commit if PRAGMA synchronous is set to FULL" '
    "(https://sqlite.org/wal.html)"
)
_NO_JOURNAL = (
    '"If the application crashes in the middle of a transaction when the OFF journaling mode is set, then the database '
    'file will very likely go corrupt." (https://sqlite.org/pragma.html#pragma_journal_mode)'
)


def targets() -> list[Embedded]:
    """Twenty settings."""
    return [_target(journal, synchronous) for journal in JOURNALS for synchronous in SYNCHRONOUS]


def _target(journal: str, synchronous: str) -> Embedded:
    promise, documented = _promised(journal, synchronous)
    return Embedded(
        name="sqlite",
        setting=f"{journal}+{synchronous}",
        promise=promise,
        documented=documented,
        open=partial(_Table, journal, synchronous),
        release=lambda: {"SQLite": sqlite3.sqlite_version},
        module="sqlite3",
        undone_max=1 if promise is Promise.PREFIX and journal != "wal" else None,
    )


def _promised(journal: str, synchronous: str) -> tuple[Promise, str]:
    if journal == "off":
        return Promise.NONE, _NO_JOURNAL
    if synchronous == "off":
        return Promise.NONE, _OFF
    if journal == "wal":
        return (Promise.PREFIX, _WAL_NORMAL) if synchronous == "normal" else (Promise.ALWAYS, _WAL_FULL)
    if synchronous == "normal":
        return Promise.NONE, _NORMAL
    return (Promise.PREFIX, _FULL) if synchronous == "full" else (Promise.ALWAYS, _EXTRA)


class _Table:
    def __init__(self, journal: str, synchronous: str, directory: Path) -> None:
        self._connection = sqlite3.connect(directory / FILE, isolation_level=None)
        try:
            (used,) = self._connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()
            if used != journal:
                raise OSError(f"SQLite cannot keep a journal of the kind {journal} here and would use {used}")
            self._connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._connection.execute("CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY, value BLOB)")
        except BaseException:
            self._connection.close()
            raise

    def put(self, number: int, value: bytes, /) -> bool:
        self._connection.execute("INSERT INTO numbers VALUES (?, ?)", (number, value))
        return False

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        (verdict,) = self._connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(f"integrity_check says: {verdict}")
        for number, value in self._connection.execute("SELECT number, value FROM numbers"):
            yield key_of(number), value if isinstance(value, bytes) else repr(value).encode()

    def close(self) -> None:
        self._connection.close()
