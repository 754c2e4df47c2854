"""A database as a mutable mapping of its strings."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durakv.keyspace.database import Database


class DatabaseMapping(MutableMapping[bytes, bytes]):
    """Reads and writes go straight to the database, and wait for what its policy says.

    Iteration is a scan: it may run beside writes, and sees every key that is there all along exactly once.
    ``mapping[key] = value`` drops the key's deadline, as SET does.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def __getitem__(self, key: bytes) -> bytes:
        value = self._database.get(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._database.set(key, value)

    def __delitem__(self, key: bytes) -> None:
        if not self._database.delete(key):
            raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and bool(self._database.exists(key))

    def __iter__(self) -> Iterator[bytes]:
        return self._database.scan_iter()

    def __len__(self) -> int:
        """As DBSIZE: keys that have expired but are not deleted yet count."""
        return self._database.dbsize()

    def clear(self) -> None:
        """Delete every key, in one step."""
        self._database.flushdb()
