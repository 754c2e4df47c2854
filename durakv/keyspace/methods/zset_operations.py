"""Methods on several sorted sets, or sets, whose members have the score 1."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias, cast

from durakv.durability import Durability
from durakv.keyspace.methods.method import method
from durakv.keyspace.methods.ranges import scored_pairs
from durakv.keyspace.requests import Request, as_it_is, given, keyword, number, request

Keys: TypeAlias = Iterable[bytes] | Mapping[bytes, float]
"""Some keys, or some keys and their weights."""

Aggregate: TypeAlias = Literal["sum", "min", "max"]
"""What several scores become."""


class SortedSetOperationMethods:
    """Commands that combine sorted sets."""

    @method
    def zunion(
        self, keys: Keys, *, aggregate: Aggregate = "sum", durability: Durability | None = None
    ) -> Request[dict[bytes, float]]:
        """The members of any of the sets and their scores, lowest first.

        A mapping of keys gives weights, by which scores are multiplied; ``aggregate`` says what a member gets that
        has several scores.
        """
        return request(_ranking, b"ZUNION", *_sources(keys, aggregate), b"WITHSCORES", durability=durability)

    @method
    def zinter(
        self, keys: Keys, *, aggregate: Aggregate = "sum", durability: Durability | None = None
    ) -> Request[dict[bytes, float]]:
        """The members of all the sets and their scores, lowest first; see ``zunion``."""
        return request(_ranking, b"ZINTER", *_sources(keys, aggregate), b"WITHSCORES", durability=durability)

    @method
    def zdiff(self, keys: Iterable[bytes], *, durability: Durability | None = None) -> Request[dict[bytes, float]]:
        """The members of the first set that are in no other, and their scores, lowest first."""
        return request(_ranking, b"ZDIFF", *_counted(keys), b"WITHSCORES", durability=durability)

    @method
    def zintercard(
        self, keys: Iterable[bytes], *, limit: int | None = None, durability: Durability | None = None
    ) -> Request[int]:
        """How many members all the sets have in common; a ``limit`` ends the count."""
        return request(as_it_is, b"ZINTERCARD", *_counted(keys), *given(limit=limit), durability=durability)

    @method
    def zunionstore(
        self, destination: bytes, keys: Keys, *, aggregate: Aggregate = "sum", durability: Durability | None = None
    ) -> Request[int]:
        """Store the union under a key, whatever it held; return how many members it has.  See ``zunion``."""
        return request(as_it_is, b"ZUNIONSTORE", destination, *_sources(keys, aggregate), durability=durability)

    @method
    def zinterstore(
        self, destination: bytes, keys: Keys, *, aggregate: Aggregate = "sum", durability: Durability | None = None
    ) -> Request[int]:
        """Store the intersection under a key, whatever it held; return how many members it has.  See ``zunion``."""
        return request(as_it_is, b"ZINTERSTORE", destination, *_sources(keys, aggregate), durability=durability)

    @method
    def zdiffstore(
        self, destination: bytes, keys: Iterable[bytes], *, durability: Durability | None = None
    ) -> Request[int]:
        """Store the difference under a key, whatever it held; return how many members it has."""
        return request(as_it_is, b"ZDIFFSTORE", destination, *_counted(keys), durability=durability)


def _counted(keys: Iterable[bytes]) -> list[bytes]:
    """The keys behind their number."""
    words = list(keys)
    return [number(len(words)), *words]


def _sources(keys: Keys, aggregate: Aggregate) -> list[bytes]:
    words = _counted(keys)
    if isinstance(keys, Mapping):
        words += b"WEIGHTS", *map(number, cast("Mapping[bytes, float]", keys).values())
    return [*words, b"AGGREGATE", keyword(aggregate)]


def _ranking(reply: Any) -> dict[bytes, float]:
    return dict(scored_pairs(reply))
