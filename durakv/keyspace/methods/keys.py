"""Methods on keys, whatever they hold, and on whole databases."""

from __future__ import annotations

from typing import Any

from durakv.durability import Durability
from durakv.keyspace.methods.method import method
from durakv.keyspace.requests import Request, as_it_is, chosen, given, nothing, number, request, yes


class KeyMethods:
    """Commands on keys and databases."""

    @method
    def delete(self, *keys: bytes, durability: Durability | None = None) -> Request[int]:
        """Delete keys; return how many were there."""
        return request(as_it_is, b"DEL", *keys, durability=durability)

    @method
    def exists(self, *keys: bytes, durability: Durability | None = None) -> Request[int]:
        """How many of the keys are there; one that is named twice counts twice."""
        return request(as_it_is, b"EXISTS", *keys, durability=durability)

    @method
    def type(self, key: bytes, *, durability: Durability | None = None) -> Request[bytes]:
        """The name of the key's type, ``b"none"`` if it is absent."""
        return request(bytes, b"TYPE", key, durability=durability)

    @method
    def rename(self, key: bytes, newkey: bytes, *, durability: Durability | None = None) -> Request[None]:
        """Rename a key, deadline included, replacing what the new name held; CommandError if it is absent."""
        return request(nothing, b"RENAME", key, newkey, durability=durability)

    @method
    def renamenx(self, key: bytes, newkey: bytes, *, durability: Durability | None = None) -> Request[bool]:
        """Rename a key unless the new name is taken; return whether it was renamed."""
        return request(yes, b"RENAMENX", key, newkey, durability=durability)

    @method
    def copy(
        self,
        source: bytes,
        destination: bytes,
        *,
        database: int | None = None,
        replace: bool = False,
        durability: Durability | None = None,
    ) -> Request[bool]:
        """Copy a key, deadline included, perhaps into another database; return whether it was copied."""
        options = given(db=database) + chosen(replace=replace)
        return request(yes, b"COPY", source, destination, *options, durability=durability)

    @method
    def move(self, key: bytes, database: int, *, durability: Durability | None = None) -> Request[bool]:
        """Move a key into another database unless it holds one of that name; return whether it was moved."""
        return request(yes, b"MOVE", key, number(database), durability=durability)

    @method
    def randomkey(self, *, durability: Durability | None = None) -> Request[bytes | None]:
        """Some key, or None if there is none."""
        return request(as_it_is, b"RANDOMKEY", durability=durability)

    @method
    def keys(self, pattern: bytes = b"*", *, durability: Durability | None = None) -> Request[list[bytes]]:
        """All keys that match, read at one moment; writers wait meanwhile, so prefer ``scan_iter``."""
        return request(as_it_is, b"KEYS", pattern, durability=durability)

    @method
    def scan(
        self,
        cursor: int = 0,
        *,
        match: bytes | None = None,
        count: int | None = None,
        kind: bytes | None = None,
        durability: Durability | None = None,
    ) -> Request[tuple[int, list[bytes]]]:
        """One step over the keys: the cursor of the next step, 0 after the last, and the keys of this one."""
        options = given(match=match, count=count, type=kind)
        return request(_cursor, b"SCAN", number(cursor), *options, durability=durability)

    @method
    def dbsize(self, *, durability: Durability | None = None) -> Request[int]:
        """How many keys there are; expired ones that are not deleted yet count."""
        return request(as_it_is, b"DBSIZE", durability=durability)

    @method
    def flushdb(self, *, durability: Durability | None = None) -> Request[None]:
        """Delete every key of this database."""
        return request(nothing, b"FLUSHDB", durability=durability)

    @method
    def flushall(self, *, durability: Durability | None = None) -> Request[None]:
        """Delete every key of every database, all or nothing."""
        return request(nothing, b"FLUSHALL", durability=durability)


def _cursor(reply: Any) -> tuple[int, list[bytes]]:
    cursor, keys = reply
    return int(cursor), keys
