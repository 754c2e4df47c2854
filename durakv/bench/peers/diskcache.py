"""diskcache: a cache in SQLite that many use as a store; a batch is its ``transact``."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import diskcache

from durakv.bench.peers.embedded import EmbeddedStore
from durakv.bench.results import Promise
from durakv.bench.store import Pair, Setting

NAME = "diskcache"

# Its own settings are SQLite's: journal_mode=wal and synchronous=1, which is NORMAL: "a transaction committed in WAL
# mode with synchronous=NORMAL might roll back following a power loss".  A value of 32 KiB or more becomes a file of its
# own that is never synced, whatever SQLite does; to be durable, all have to be in the database.
_FULL: dict[str, Any] = {"sqlite_synchronous": 2, "disk_min_file_size": 1 << 30}
_SETTINGS: tuple[tuple[str, dict[str, Any], Promise, str], ...] = (
    ("default", {}, Promise.PROCESS, "its default is WAL with synchronous=NORMAL: not durable against a power loss"),
    ("sqlite_synchronous=FULL", _FULL, Promise.POWER, "with large values in the database, where they are synced"),
)


def settings() -> list[Setting]:
    """As it comes, and with every commit synced."""
    return [
        Setting(NAME, setting, promise, partial(_open, setting, flags, promise), diskcache.__version__, note)
        for setting, flags, promise, note in _SETTINGS
    ]


def _open(setting: str, flags: dict[str, Any], promise: Promise, directory: Path) -> EmbeddedStore:
    cache: Any = diskcache.Cache(str(directory), **flags)
    return EmbeddedStore(NAME, setting, promise, directory, lambda: _Session(cache), cache.close)


class _Session:
    """The cache, which has a connection for each thread; it belongs to the thread that made it."""

    def __init__(self, cache: Any) -> None:
        self._cache = cache

    def put(self, key: bytes, value: bytes, /) -> None:
        self._cache.set(key, value, retry=True)

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        with self._cache.transact(retry=True):
            for key, value in pairs:
                self._cache.set(key, value)

    def close(self) -> None:
        self._cache.close()  # the connection of this thread
