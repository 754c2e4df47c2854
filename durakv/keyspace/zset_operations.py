"""ZUNION, ZINTER, ZDIFF and their storing forms, over sorted sets and sets alike (a member of a set has score 1)."""

from __future__ import annotations

import math
from collections.abc import Callable

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.command import NO_KEYS, Call, CommandSpec
from durakv.keyspace.integers import parse_integer, parse_positive
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.replies import Reply, syntax_error, wrong_type
from durakv.keyspace.scores import parse_score
from durakv.keyspace.zsets import pairs_reply, store_scores
from durakv.machine import Command


def _sum(one: float, other: float) -> float:
    return _numeric(one + other)  # opposite infinities come to none


_AGGREGATES: dict[bytes, Callable[[float, float], float]] = {b"SUM": _sum, b"MIN": min, b"MAX": max}


class _Operation(msgspec.Struct):
    """One of these commands, its arguments read."""

    sources: list[dict[bytes, float]]
    weights: list[float]
    aggregate: Callable[[float, float], float] = _sum
    with_scores: bool = False
    limit: int = 0

    def weighted(self) -> list[dict[bytes, float]]:
        """The sources, smallest first, every score times its weight; an infinity times 0 is no number."""
        pairs = sorted(zip(self.sources, self.weights, strict=True), key=lambda pair: len(pair[0]))
        return [
            source if weight == 1 else {member: score * weight for member, score in source.items()}
            for source, weight in pairs
        ]

    def union(self) -> dict[bytes, float]:
        """Every member of any source."""
        result: dict[bytes, float] = {}
        for source in self.weighted():
            for member, product in source.items():
                score = _numeric(product)
                result[member] = self.aggregate(result[member], score) if member in result else score
        return result

    def inter(self) -> dict[bytes, float]:
        """The members of all sources."""
        first, *others = self.weighted()
        result: dict[bytes, float] = {}
        for member, product in first.items():
            score = _numeric(product)  # of the others it is not, in Redis: then the sum is 0, whatever it was
            for other in others:
                if member not in other:
                    break
                score = self.aggregate(score, other[member])
            else:
                result[member] = score
        return result

    def diff(self) -> dict[bytes, float]:
        """The members of the first source that are in no other."""
        first, *others = self.sources
        return {member: first[member] for member in first.keys() - set().union(*others)}


def _numeric(score: float) -> float:
    return 0.0 if math.isnan(score) else score


def _parse(call: Call, command: Command, place: int, *, stores: bool = False) -> _Operation:
    count = parse_integer(command[place])
    if count < 1:
        raise CommandError(f"ERR at least 1 input key is needed for '{call.name.decode()}' command")
    first = place + 1
    if count > len(command) - first:
        raise syntax_error()
    keys = command[first : first + count]
    operation = _Operation([_source(call, key) for key in keys], [1.0] * count)
    combines = not call.name.startswith(b"zdiff") and call.name != b"zintercard"
    rest = list(command[first + count :])
    while rest:
        option = rest.pop(0).upper()
        if option == b"WEIGHTS" and combines and len(rest) >= count:
            operation.weights = [parse_score(word, "weight value is not a float") for word in rest[:count]]
            del rest[:count]
        elif option == b"AGGREGATE" and combines and rest and rest[0].upper() in _AGGREGATES:
            operation.aggregate = _AGGREGATES[rest.pop(0).upper()]
        elif option == b"WITHSCORES" and not stores and call.name != b"zintercard":
            operation.with_scores = True
        elif option == b"LIMIT" and call.name == b"zintercard" and rest:
            operation.limit = parse_positive(rest.pop(0), "LIMIT can't be negative")
        else:
            raise syntax_error()
    return operation


def _source(call: Call, key: bytes) -> dict[bytes, float]:
    value = call.find(key)
    if value is None:
        return {}
    if type(value) is Set:
        return dict.fromkeys(value.members, 1.0)
    if type(value) is not SortedSet:
        raise wrong_type()
    return value.scores


_RESULTS: dict[bytes, Callable[[_Operation], dict[bytes, float]]] = {
    b"zunion": _Operation.union,
    b"zinter": _Operation.inter,
    b"zdiff": _Operation.diff,
}


def combine(call: Call, command: Command) -> Reply:
    """ZUNION numkeys key ... [WEIGHTS n ...] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]; ZINTER; ZDIFF without either"""
    operation = _parse(call, command, 1)
    scores = _RESULTS[call.name](operation)
    ordered = sorted((score, member) for member, score in scores.items())
    return pairs_reply(ordered, with_scores=operation.with_scores)


def combine_store(call: Call, command: Command) -> Reply:
    """ZUNIONSTORE destination numkeys key ..., ZINTERSTORE, ZDIFFSTORE: how many members there are then."""
    operation = _parse(call, command, 2, stores=True)
    return store_scores(call, command[1], _RESULTS[call.name.removesuffix(b"store")](operation))


def zintercard(call: Call, command: Command) -> Reply:
    """ZINTERCARD numkeys key ... [LIMIT n]"""
    operation = _parse(call, command, 1)
    count = len(operation.inter())
    return min(count, operation.limit) if operation.limit else count


COMMANDS = (
    CommandSpec(b"zunion", -3, combine, writes=False, keys=NO_KEYS),
    CommandSpec(b"zinter", -3, combine, writes=False, keys=NO_KEYS),
    CommandSpec(b"zdiff", -3, combine, writes=False, keys=NO_KEYS),
    CommandSpec(b"zintercard", -3, zintercard, writes=False, keys=NO_KEYS),
    CommandSpec(b"zunionstore", -4, combine_store, writes=True, keys=NO_KEYS),
    CommandSpec(b"zinterstore", -4, combine_store, writes=True, keys=NO_KEYS),
    CommandSpec(b"zdiffstore", -4, combine_store, writes=True, keys=NO_KEYS),
)
