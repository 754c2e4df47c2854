"""RocksDB by rocksdict: a log and sorted tables; a batch is a ``WriteBatch``."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from rocksdict import Options, Rdict, WriteBatch, WriteOptions

from durakv.bench.peers.embedded import EmbeddedStore
from durakv.bench.results import Promise
from durakv.bench.store import Pair, Setting

NAME = "RocksDB"
_NOTE = "rocksdict holds the interpreter's lock while it writes, so threads do not share a sync as they would from C++"

# WriteOptions::sync, in the words of its header: "if true, the write will be flushed from the operating system buffer
# cache before the write is considered complete"; "if it is just the process that crashes (i.e., the machine does not
# reboot), no writes will be lost even if sync==false".
_SETTINGS = (("WAL, sync=true", True, Promise.POWER), ("WAL, sync=false", False, Promise.PROCESS))


def settings() -> list[Setting]:
    """The log synced with each write, and not (the default)."""
    version = f"rocksdict {importlib.metadata.version('rocksdict')}"
    return [
        Setting(NAME, setting, promise, partial(_open, setting, sync, promise), version, _NOTE)
        for setting, sync, promise in _SETTINGS
    ]


def _open(setting: str, sync: bool, promise: Promise, directory: Path) -> EmbeddedStore:
    db = Rdict(str(directory), Options(raw_mode=True))
    return EmbeddedStore(NAME, setting, promise, directory, lambda: _Session(db, sync), db.close)


class _Session:
    """The database, which any thread may use, and how it is written to."""

    def __init__(self, db: Rdict, sync: bool) -> None:
        self._db = db
        self._options = WriteOptions()
        self._options.sync = sync

    def put(self, key: bytes, value: bytes, /) -> None:
        self._db.put(key, value, self._options)

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        batch = WriteBatch(raw_mode=True)
        for key, value in pairs:
            batch.put(key, value)
        self._db.write(batch, self._options)

    def close(self) -> None:
        """Nothing is its own."""
