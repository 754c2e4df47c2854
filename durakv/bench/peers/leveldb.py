"""LevelDB by plyvel: a log and sorted tables; threads that write at the same time share a sync."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from durakv.bench.peers.embedded import EmbeddedStore
from durakv.bench.results import Promise
from durakv.bench.store import Pair, Setting

NAME = "LevelDB"

plyvel: Any = import_module("plyvel")  # it has no types

# WriteOptions::sync, in the words of its header: "if this flag is true, writes will be slower"; "if this flag is false,
# and the machine crashes, some recent writes may be lost. Note that if it is just the process that crashes, no writes
# will be lost even if sync==false": the log's writer flushes its buffer to the system with each record.
_SETTINGS = (("sync=True", True, Promise.POWER), ("sync=False", False, Promise.PROCESS))


def settings() -> list[Setting]:
    """The log synced with each write, and not (the default)."""
    version = f"{plyvel.__leveldb_version__} (plyvel {plyvel.__version__})"
    return [
        Setting(NAME, setting, promise, partial(_open, setting, sync, promise), version)
        for setting, sync, promise in _SETTINGS
    ]


def _open(setting: str, sync: bool, promise: Promise, directory: Path) -> EmbeddedStore:
    db = plyvel.DB(str(directory), create_if_missing=True)
    return EmbeddedStore(NAME, setting, promise, directory, lambda: _Session(db, sync), db.close)


class _Session:
    """The database, which any thread may use, and how it is written to."""

    def __init__(self, db: Any, sync: bool) -> None:
        self._db = db
        self._sync = sync

    def put(self, key: bytes, value: bytes, /) -> None:
        self._db.put(key, value, sync=self._sync)

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        with self._db.write_batch(transaction=True, sync=self._sync) as batch:
            for key, value in pairs:
                batch.put(key, value)

    def close(self) -> None:
        """Nothing is its own."""
