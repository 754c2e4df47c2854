"""LMDB: a mapped B+ tree; a put is a write transaction, of which there is one at a time, and so is a batch."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import lmdb

from durakv.bench.peers.embedded import EmbeddedStore
from durakv.bench.results import Promise
from durakv.bench.store import Pair, Setting

NAME = "LMDB"
_MAP_BYTES = 64 << 30
"""The most that it can hold; the file is as large as what it does hold, or has holes."""

# In the words of py-lmdb's documentation:
#   sync=True       "flush system buffers to disk when committing a transaction"
#   sync=False      "a system crash can corrupt the database or lose the last transactions if buffers are not yet
#                   flushed to disk"
#   map_async=True  "when writemap=True, use asynchronous flushes to disk. As with sync=False, a system crash can then
#                   corrupt the database or lose the last transactions"
# In each of them a commit ends in the page cache at least, by write(2) or through a shared mapping.
_SETTINGS = (
    ("sync=True", {"sync": True}, Promise.POWER),
    ("sync=False", {"sync": False}, Promise.PROCESS),
    ("writemap=True, map_async=True", {"writemap": True, "map_async": True}, Promise.PROCESS),
)


def settings() -> list[Setting]:
    """Synced, not synced, and written through the mapping."""
    version = ".".join(map(str, lmdb.version()))
    return [
        Setting(NAME, setting, promise, partial(_open, setting, flags, promise), version)
        for setting, flags, promise in _SETTINGS
    ]


def _open(setting: str, flags: dict[str, bool], promise: Promise, directory: Path) -> EmbeddedStore:
    environment = lmdb.open(str(directory), map_size=_MAP_BYTES, **flags)
    return EmbeddedStore(NAME, setting, promise, directory, lambda: _Session(environment), environment.close)


class _Session:
    """The environment; a transaction belongs to the thread that began it."""

    def __init__(self, environment: lmdb.Environment) -> None:
        self._environment = environment

    def put(self, key: bytes, value: bytes, /) -> None:
        with self._environment.begin(write=True) as transaction:
            transaction.put(key, value)

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        with self._environment.begin(write=True) as transaction:
            with transaction.cursor() as cursor:
                cursor.putmulti(pairs)

    def close(self) -> None:
        """Nothing is its own."""
