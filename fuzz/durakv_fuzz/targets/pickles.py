"""Python libraries that keep objects on disk: diskcache, persist-queue, and ZODB with its FileStorage."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module, metadata
from pathlib import Path
from typing import Any, cast

from durakv_fuzz.program.subject import Promise
from durakv_fuzz.targets.target import BENCH, SURVEY, Embedded, Store, key_of

_CHUNK_ITEMS = 20
"""After so many items persist-queue goes on in another file."""

_DISKCACHE = (
    "in other words: the default settings are SQLite's WAL with synchronous=NORMAL, which rolls back and does not "
    "corrupt (https://grantjenks.com/docs/diskcache/tutorial.html#settings)"
)
_QUEUE = '"Disk-based: Each queued item is stored on disk to survive crashes" (https://pypi.org/project/persist-queue/)'
_ZODB = '"ZODB is an ACID Transactional database." (https://pypi.org/project/ZODB/)'


def targets() -> list[Embedded]:
    """Each with its default settings."""
    return [
        _target("diskcache", "default", Promise.PREFIX, _DISKCACHE, _Cache, ("diskcache", "diskcache", BENCH)),
        _target("persist-queue", "file", Promise.ALWAYS, _QUEUE, _Queue, ("persist-queue", "persistqueue", SURVEY)),
        _target("zodb", "filestorage", Promise.ALWAYS, _ZODB, _Root, ("ZODB", "ZODB", SURVEY)),
    ]


def _target(
    name: str,
    setting: str,
    promise: Promise,
    documented: str,
    open_store: Callable[[Path], Store],
    package: tuple[str, str, str],
) -> Embedded:
    distribution, module, remedy = package
    return Embedded(
        name=name,
        setting=setting,
        promise=promise,
        documented=documented,
        open=open_store,
        release=partial(_release, distribution),
        module=module,
        remedy=remedy,
    )


def _release(distribution: str) -> Mapping[str, str]:
    return {distribution: metadata.version(distribution)}


def _pair(key: object, value: object) -> tuple[bytes, bytes]:
    """Objects that a library handed back: anything but bytes is shown as what it is, and so is wrong."""
    return (
        key if isinstance(key, bytes) else repr(key).encode(),
        value if isinstance(value, bytes) else repr(value).encode(),
    )


class _Cache:
    def __init__(self, directory: Path) -> None:
        diskcache: Any = import_module("diskcache")
        self._cache: Any = diskcache.Cache(str(directory))

    def put(self, number: int, value: bytes, /) -> bool:
        self._cache.set(key_of(number), value)
        return False

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        for key in self._cache:
            yield _pair(key, self._cache[key])

    def close(self) -> None:
        self._cache.close()


class _Queue:
    def __init__(self, directory: Path) -> None:
        persistqueue: Any = import_module("persistqueue")
        self._empty: type[Exception] = persistqueue.Empty
        # Its temporary files are to be where the queue is, for it renames them over its own.
        self._queue: Any = persistqueue.Queue(str(directory), chunksize=_CHUNK_ITEMS, tempdir=str(directory))

    def put(self, number: int, value: bytes, /) -> bool:
        self._queue.put((key_of(number), value))
        return False

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        for _ in range(self._queue.qsize()):
            try:
                item = self._queue.get_nowait()
            except self._empty:
                return
            match item:
                case (key, value):
                    yield _pair(cast("object", key), cast("object", value))
                case _:
                    yield _pair(item, b"")

    def close(self) -> None:
        for file in (self._queue.headf, self._queue.tailf):
            file.close()


class _Root:
    def __init__(self, directory: Path) -> None:
        zodb: Any = import_module("ZODB")
        self._transactions: Any = import_module("transaction").manager
        self._db: Any = zodb.DB(str(directory / "Data.fs"))
        self._connection: Any = self._db.open()
        self._root: Any = self._connection.root()

    def put(self, number: int, value: bytes, /) -> bool:
        self._root[key_of(number)] = value
        self._transactions.commit()
        return False

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        for key, value in self._root.items():
            yield _pair(key, value)

    def close(self) -> None:
        self._transactions.abort()
        self._connection.close()
        self._db.close()
