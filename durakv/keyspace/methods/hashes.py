"""Methods on hashes: fields and their values under one key."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durakv.durability import Durability
from durakv.keyspace.methods.method import method, taking
from durakv.keyspace.requests import Request, as_it_is, elements, maybe, number, request, yes


class HashMethods:
    """Commands on hashes.  A hash whose last field goes is gone."""

    @method
    def hset(self, key: bytes, fields: Mapping[bytes, bytes], *, durability: Durability | None = None) -> Request[int]:
        """Set fields; return how many are new."""
        words = [part for pair in fields.items() for part in pair]
        return request(as_it_is, b"HSET", key, *words, durability=durability)

    @method
    def hsetnx(self, key: bytes, field: bytes, value: bytes, *, durability: Durability | None = None) -> Request[bool]:
        """Set a field unless it is there; return whether it was set."""
        return request(yes, b"HSETNX", key, field, value, durability=durability)

    @method
    def hget(self, key: bytes, field: bytes, *, durability: Durability | None = None) -> Request[bytes | None]:
        """What a field holds, or None."""
        return request(as_it_is, b"HGET", key, field, durability=durability)

    @method
    def hmget(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[list[bytes | None]]:
        """What each field holds, all read at the same moment."""
        return request(as_it_is, b"HMGET", key, *fields, durability=durability)

    @method
    def hgetall(self, key: bytes, *, durability: Durability | None = None) -> Request[dict[bytes, bytes]]:
        """All fields and their values; none if the key is absent."""
        return request(_fields, b"HGETALL", key, durability=durability)

    @method
    def hkeys(self, key: bytes, *, durability: Durability | None = None) -> Request[list[bytes]]:
        """The names of all fields."""
        return request(as_it_is, b"HKEYS", key, durability=durability)

    @method
    def hvals(self, key: bytes, *, durability: Durability | None = None) -> Request[list[bytes]]:
        """The values of all fields."""
        return request(as_it_is, b"HVALS", key, durability=durability)

    @method
    def hlen(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """How many fields there are."""
        return request(as_it_is, b"HLEN", key, durability=durability)

    @method
    def hstrlen(self, key: bytes, field: bytes, *, durability: Durability | None = None) -> Request[int]:
        """The length of a field's value; 0 if the field is absent."""
        return request(as_it_is, b"HSTRLEN", key, field, durability=durability)

    @method
    def hexists(self, key: bytes, field: bytes, *, durability: Durability | None = None) -> Request[bool]:
        """Whether a field is there."""
        return request(yes, b"HEXISTS", key, field, durability=durability)

    hrandfield = taking(
        b"HRANDFIELD",
        maybe,
        elements,
        "The name of some field, or None; with a ``count`` a list of different ones, repeated if it is negative.",
    )

    @method
    def hdel(self, key: bytes, *fields: bytes, durability: Durability | None = None) -> Request[int]:
        """Delete fields; return how many were there."""
        return request(as_it_is, b"HDEL", key, *fields, durability=durability)

    @method
    def hincrby(
        self, key: bytes, field: bytes, increment: int, *, durability: Durability | None = None
    ) -> Request[int]:
        """Add to an integer of 64 bits in a field; return the sum."""
        return request(as_it_is, b"HINCRBY", key, field, number(increment), durability=durability)

    @method
    def hincrbyfloat(
        self, key: bytes, field: bytes, increment: float, *, durability: Durability | None = None
    ) -> Request[float]:
        """Add to a decimal number in a field; return the sum (``execute`` returns all its digits)."""
        return request(float, b"HINCRBYFLOAT", key, field, number(increment), durability=durability)


def _fields(reply: Any) -> dict[bytes, bytes]:
    return dict(zip(reply[::2], reply[1::2], strict=True))
