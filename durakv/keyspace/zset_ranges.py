"""Ranges of a sorted set: by rank, by score, and by member among equal scores."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.integers import parse_integer
from durakv.keyspace.kinds.effect import span
from durakv.keyspace.kinds.zset import SortedSet
from durakv.keyspace.replies import syntax_error
from durakv.keyspace.scores import parse_bound
from durakv.machine import Command

Pair: TypeAlias = tuple[float, bytes]
Bounds: TypeAlias = Callable[[SortedSet], tuple[int, int]]
"""Where a range is in the order of a sorted set: the first rank, and the one behind the last."""


def rank_bounds(start: bytes, stop: bytes, *, reverse: bool = False) -> Bounds:
    """By rank, from the end if ``reverse``."""
    first, last = parse_integer(start), parse_integer(stop)

    def bounds(value: SortedSet) -> tuple[int, int]:
        low, high = span(first, last, len(value))
        return (len(value) - high, len(value) - low) if reverse else (low, high)

    return bounds


def score_bounds(low: bytes, high: bytes) -> Bounds:
    """By score; a ``(`` before an end leaves it out."""
    (least, is_open), (most, ends_open) = _score_end(low), _score_end(high)

    def bounds(value: SortedSet) -> tuple[int, int]:
        start = _behind(value, least) if is_open else _at(value, least)
        return start, max(start, _at(value, most) if ends_open else _behind(value, most))

    return bounds


def _score_end(text: bytes) -> tuple[float, bool]:
    is_open = text.startswith(b"(")
    return parse_bound(text[is_open:]), is_open


def _at(value: SortedSet, score: float) -> int:
    """The rank of the first member with at least this score."""
    return value.order.bisect_left((score, b""))


def _behind(value: SortedSet, score: float) -> int:
    """The rank of the first member with a higher score."""
    return len(value) if score == math.inf else _at(value, math.nextafter(score, math.inf))


def lex_bounds(low: bytes, high: bytes) -> Bounds:
    """By member, where all scores are the same; elsewhere the range means nothing, as in Redis."""
    start_of, stop_of = _lex_end(low, is_low=True), _lex_end(high, is_low=False)

    def bounds(value: SortedSet) -> tuple[int, int]:
        start = start_of(value)
        return start, max(start, stop_of(value))

    return bounds


def _lex_end(text: bytes, *, is_low: bool) -> Callable[[SortedSet], int]:
    if text == b"-":
        return lambda _value: 0
    if text == b"+":
        return len
    if text[:1] not in (b"(", b"["):
        raise CommandError("ERR min or max not valid string range item")
    member, is_open = text[1:], text[:1] == b"("
    if is_open == is_low:
        return lambda value: value.order.bisect_right((value.order[0][0], member))
    return lambda value: value.order.bisect_left((value.order[0][0], member))


class Selection(msgspec.Struct, frozen=True):
    """What a ZRANGE command asks for."""

    bounds: Bounds
    reverse: bool
    offset: int = 0
    count: int = -1
    with_scores: bool = False

    def pairs(self, value: SortedSet | None) -> list[Pair]:
        """The part of a sorted set that it is."""
        if value is None or self.offset < 0:
            return []
        start, stop = self.bounds(value)
        left = stop - start - self.offset
        count = left if self.count < 0 else min(self.count, left)
        if count <= 0:
            return []
        if self.reverse:
            stop -= self.offset
            return list(value.order.islice(stop - count, stop, reverse=True))
        start += self.offset
        return list(value.order.islice(start, start + count))


_MAKERS = {b"BYSCORE": score_bounds, b"BYLEX": lex_bounds}


def parse_selection(
    command: Command, place: int, *, by: bytes | None = None, reverse: bool | None = None, stores: bool = False
) -> Selection:
    """The two ends at a place in the command, and the options behind them.

    ``by`` (BYRANK, BYSCORE, BYLEX) and ``reverse`` are fixed by the older commands; elsewhere they are options.
    """
    kind, is_reverse = by, reverse
    with_scores, limit = False, None
    rest = iter(command[place + 2 :])
    for argument in rest:
        option = argument.upper()
        if option == b"WITHSCORES" and not stores:
            with_scores = True
        elif option == b"LIMIT":
            offset, count = next(rest, None), next(rest, None)
            if offset is None or count is None:
                raise syntax_error()
            limit = parse_integer(offset), parse_integer(count)
        elif reverse is None and option == b"REV":
            is_reverse = True
        elif by is None and option in _MAKERS:
            kind = option
        else:
            raise syntax_error()
    if limit is not None and limit[1] != -1 and kind not in _MAKERS:
        raise CommandError("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX")
    if with_scores and kind == b"BYLEX":
        raise CommandError("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
    low, high = command[place], command[place + 1]
    if kind not in _MAKERS:
        return Selection(rank_bounds(low, high, reverse=bool(is_reverse)), bool(is_reverse), 0, -1, with_scores)
    if is_reverse:
        low, high = high, low
    assert kind is not None
    return Selection(_MAKERS[kind](low, high), bool(is_reverse), *(limit or (0, -1)), with_scores)
