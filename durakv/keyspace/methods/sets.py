"""Methods on sets.  An absent key is the empty set."""

from __future__ import annotations

from typing import Any

from durakv.durability import Durability
from durakv.keyspace.methods.method import method, taking
from durakv.keyspace.requests import Request, as_it_is, elements, given, maybe, members, number, request, yes


class SetMethods:
    """Commands on sets.  A set whose last member goes is gone."""

    @method
    def sadd(self, key: bytes, *members: bytes, durability: Durability | None = None) -> Request[int]:
        """Add members; return how many are new."""
        return request(as_it_is, b"SADD", key, *members, durability=durability)

    @method
    def srem(self, key: bytes, *members: bytes, durability: Durability | None = None) -> Request[int]:
        """Remove members; return how many were there."""
        return request(as_it_is, b"SREM", key, *members, durability=durability)

    @method
    def smembers(self, key: bytes, *, durability: Durability | None = None) -> Request[set[bytes]]:
        """All members."""
        return request(members, b"SMEMBERS", key, durability=durability)

    @method
    def sismember(self, key: bytes, member: bytes, *, durability: Durability | None = None) -> Request[bool]:
        """Whether it is a member."""
        return request(yes, b"SISMEMBER", key, member, durability=durability)

    @method
    def smismember(self, key: bytes, *members: bytes, durability: Durability | None = None) -> Request[list[bool]]:
        """Of each whether it is a member."""
        return request(_each_yes, b"SMISMEMBER", key, *members, durability=durability)

    @method
    def scard(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """How many members there are."""
        return request(as_it_is, b"SCARD", key, durability=durability)

    @method
    def smove(
        self, source: bytes, destination: bytes, member: bytes, *, durability: Durability | None = None
    ) -> Request[bool]:
        """Move a member from one set to another; return whether it was there."""
        return request(yes, b"SMOVE", source, destination, member, durability=durability)

    spop = taking(
        b"SPOP",
        maybe,
        members,
        "Remove some member and return it, or None; with a ``count`` so many at most, as a set.",
    )
    srandmember = taking(
        b"SRANDMEMBER",
        maybe,
        elements,
        "Some member, or None; with a ``count`` a list of different ones, repeated if it is negative.",
    )

    # --- several sets ---------------------------------------------------------------------------------------------

    @method
    def sunion(self, *keys: bytes, durability: Durability | None = None) -> Request[set[bytes]]:
        """The members of any of the sets."""
        return request(members, b"SUNION", *keys, durability=durability)

    @method
    def sinter(self, *keys: bytes, durability: Durability | None = None) -> Request[set[bytes]]:
        """The members of all the sets."""
        return request(members, b"SINTER", *keys, durability=durability)

    @method
    def sdiff(self, *keys: bytes, durability: Durability | None = None) -> Request[set[bytes]]:
        """The members of the first set that are in no other."""
        return request(members, b"SDIFF", *keys, durability=durability)

    @method
    def sintercard(self, *keys: bytes, limit: int | None = None, durability: Durability | None = None) -> Request[int]:
        """How many members all the sets have in common; a ``limit`` ends the count."""
        words = number(len(keys)), *keys, *given(limit=limit)
        return request(as_it_is, b"SINTERCARD", *words, durability=durability)

    @method
    def sunionstore(self, destination: bytes, *keys: bytes, durability: Durability | None = None) -> Request[int]:
        """Store the union under a key, whatever it held; return how many members it has."""
        return request(as_it_is, b"SUNIONSTORE", destination, *keys, durability=durability)

    @method
    def sinterstore(self, destination: bytes, *keys: bytes, durability: Durability | None = None) -> Request[int]:
        """Store the intersection under a key, whatever it held; return how many members it has."""
        return request(as_it_is, b"SINTERSTORE", destination, *keys, durability=durability)

    @method
    def sdiffstore(self, destination: bytes, *keys: bytes, durability: Durability | None = None) -> Request[int]:
        """Store the difference under a key, whatever it held; return how many members it has."""
        return request(as_it_is, b"SDIFFSTORE", destination, *keys, durability=durability)


def _each_yes(reply: Any) -> list[bool]:
    return [yes(item) for item in reply]
