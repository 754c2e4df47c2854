"""The databases of Python's standard library besides SQLite: ``dbm.dumb``, ``dbm.gnu``, and ``shelve`` upon them."""

from __future__ import annotations

import shelve
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from durakv_fuzz.program.subject import Promise
from durakv_fuzz.targets.target import Embedded, key_of

_SYNC_EVERY = 10
_DUMB = (
    '"The dbm.dumb module is intended as a last resort fallback for the dbm module when a more robust module is not '
    'available."; nothing is said of crashes (https://docs.python.org/3/library/dbm.html#module-dbm.dumb)'
)
_GNU = (
    '"When the database has been opened in fast mode, this method forces any unwritten data to be written to the '
    'disk." (https://docs.python.org/3/library/dbm.html#dbm.gnu.gdbm.sync)'
)
_SHELVE = (
    '"synchronize the persistent dictionary on disk, if feasible" '
    "(https://docs.python.org/3/library/shelve.html#shelve.Shelf.sync)"
)


def targets() -> list[Embedded]:
    """Each synced by its own method after every tenth number."""
    return [
        _target("dbm", "dumb", Promise.NONE, _DUMB, partial(_Database, "dbm.dumb", "c"), "dbm.dumb"),
        _target("dbm", "gnu+fast", Promise.SYNCED, _GNU, partial(_Database, "dbm.gnu", "cf"), "_gdbm"),
        _target("shelve", "dumb", Promise.NONE, _SHELVE, _Shelf, "dbm.dumb"),
    ]


def _target(
    name: str,
    setting: str,
    promise: Promise,
    documented: str,
    open_store: Callable[[Path], _Database | _Shelf],
    module: str,
) -> Embedded:
    return Embedded(
        name=name,
        setting=setting,
        promise=promise,
        documented=documented,
        open=open_store,
        release=_release,
        module=module,
    )


def _release() -> Mapping[str, str]:
    return {"Python": ".".join(map(str, sys.version_info[:3]))}


class _Database:
    def __init__(self, module: str, flags: str, directory: Path) -> None:
        self._db: Any = import_module(module).open(str(directory / "numbers"), flags)

    def put(self, number: int, value: bytes, /) -> bool:
        self._db[key_of(number)] = value
        if number % _SYNC_EVERY != _SYNC_EVERY - 1:
            return False
        self._db.sync()
        return True

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        for key in self._db.keys():  # noqa: SIM118 - dbm.gnu iterates in no other way
            yield key, self._db[key]

    def close(self) -> None:
        self._db.close()


class _Shelf:
    def __init__(self, directory: Path) -> None:
        dumb: Any = import_module("dbm.dumb")
        self._shelf: shelve.Shelf[Any] = shelve.Shelf(dumb.open(str(directory / "numbers"), "c"))

    def put(self, number: int, value: bytes, /) -> bool:
        self._shelf[key_of(number).decode()] = value
        if number % _SYNC_EVERY != _SYNC_EVERY - 1:
            return False
        self._shelf.sync()
        return True

    def pairs(self) -> Iterator[tuple[bytes, bytes]]:
        for key in self._shelf:
            value = self._shelf[key]
            yield key.encode(), value if isinstance(value, bytes) else repr(value).encode()

    def close(self) -> None:
        self._shelf.close()
