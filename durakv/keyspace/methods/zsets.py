"""Methods on sorted sets, one at a time: members with scores, in the order of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durakv.durability import Durability
from durakv.keyspace.methods.method import method, taking
from durakv.keyspace.methods.ranges import By, Members, Pairs, ranging, ranging_by_score, scored_pairs
from durakv.keyspace.requests import (
    Argument,
    Request,
    as_it_is,
    chosen,
    elements,
    keyword,
    maybe,
    number,
    request,
)


class SortedSetMethods:
    """Commands on sorted sets.  A sorted set whose last member goes is gone.

    Bounds of scores are numbers; a ``b"("`` before one, as in ``b"(1.5"``, leaves it out of the range.
    """

    @method
    def zadd(
        self,
        key: bytes,
        scores: Mapping[bytes, float],
        *,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
        ch: bool = False,
        durability: Durability | None = None,
    ) -> Request[int]:
        """Set the scores of members; return how many are new, with ``ch`` how many are new or changed.

        ``nx``: only add; ``xx``: only change; ``gt``, ``lt``: change a score only if the new one is greater, less.
        """
        words = chosen(nx=nx, xx=xx, gt=gt, lt=lt, ch=ch)
        for member, score in scores.items():
            words += number(score), member
        return request(as_it_is, b"ZADD", key, *words, durability=durability)

    @method
    def zincrby(
        self, key: bytes, increment: float, member: bytes, *, durability: Durability | None = None
    ) -> Request[float]:
        """Add to the score of a member, 0 if it is absent; return the sum."""
        return request(float, b"ZINCRBY", key, number(increment), member, durability=durability)

    @method
    def zrem(self, key: bytes, *members: bytes, durability: Durability | None = None) -> Request[int]:
        """Remove members; return how many were there."""
        return request(as_it_is, b"ZREM", key, *members, durability=durability)

    @method
    def zscore(self, key: bytes, member: bytes, *, durability: Durability | None = None) -> Request[float | None]:
        """The score of a member, or None."""
        return request(_score, b"ZSCORE", key, member, durability=durability)

    @method
    def zmscore(self, key: bytes, *members: bytes, durability: Durability | None = None) -> Request[list[float | None]]:
        """The score of each member, all read at the same moment."""
        return request(_scores, b"ZMSCORE", key, *members, durability=durability)

    @method
    def zcard(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """How many members there are."""
        return request(as_it_is, b"ZCARD", key, durability=durability)

    @method
    def zrank(self, key: bytes, member: bytes, *, durability: Durability | None = None) -> Request[int | None]:
        """How many members are before this one, or None if it is absent."""
        return request(as_it_is, b"ZRANK", key, member, durability=durability)

    @method
    def zrevrank(self, key: bytes, member: bytes, *, durability: Durability | None = None) -> Request[int | None]:
        """How many members are behind this one, or None if it is absent."""
        return request(as_it_is, b"ZREVRANK", key, member, durability=durability)

    zrandmember = taking(
        b"ZRANDMEMBER",
        maybe,
        elements,
        "Some member, or None; with a ``count`` a list of different ones, repeated if it is negative.",
    )

    # --- ranges ---------------------------------------------------------------------------------------------------

    @ranging
    def zrange(
        self,
        key: bytes,
        start: Argument,
        stop: Argument,
        *,
        by: By = "rank",
        reverse: bool = False,
        limit: tuple[int, int] | None = None,
        with_scores: bool = False,
        durability: Durability | None = None,
    ) -> Request[Members] | Request[Pairs]:
        """The members of a range, to which both ends belong; with ``with_scores`` pairs of a member and its score.

        By rank negative ends count from the back; by score the ends are scores; by ``"lex"``, for members of equal
        scores, they are ``b"[member"``, ``b"(member"``, ``b"-"`` or ``b"+"``.  With ``reverse`` it goes from the last
        to the first, and ``start`` is the upper end.  ``limit``, not by rank: an offset, and how many at most.
        """
        words = [number(start), number(stop), *_range_options(by, reverse, limit)]
        if with_scores:
            return request(scored_pairs, b"ZRANGE", key, *words, b"WITHSCORES", durability=durability)
        return request(elements, b"ZRANGE", key, *words, durability=durability)

    @ranging_by_score
    def zrangebyscore(
        self,
        key: bytes,
        lowest: Argument,
        highest: Argument,
        *,
        limit: tuple[int, int] | None = None,
        with_scores: bool = False,
        durability: Durability | None = None,
    ) -> Request[Members] | Request[Pairs]:
        """The members with scores in a range, lowest first; with ``with_scores`` pairs of a member and its score."""
        words = [number(lowest), number(highest), *_limit(limit)]
        if with_scores:
            return request(scored_pairs, b"ZRANGEBYSCORE", key, *words, b"WITHSCORES", durability=durability)
        return request(elements, b"ZRANGEBYSCORE", key, *words, durability=durability)

    @method
    def zrangestore(
        self,
        destination: bytes,
        source: bytes,
        start: Argument,
        stop: Argument,
        *,
        by: By = "rank",
        reverse: bool = False,
        limit: tuple[int, int] | None = None,
        durability: Durability | None = None,
    ) -> Request[int]:
        """Store a range under a key, whatever it held; return how many members it has.  See ``zrange``."""
        words = number(start), number(stop), *_range_options(by, reverse, limit)
        return request(as_it_is, b"ZRANGESTORE", destination, source, *words, durability=durability)

    @method
    def zcount(
        self, key: bytes, lowest: Argument, highest: Argument, *, durability: Durability | None = None
    ) -> Request[int]:
        """How many members have scores in a range."""
        return request(as_it_is, b"ZCOUNT", key, number(lowest), number(highest), durability=durability)

    @method
    def zlexcount(self, key: bytes, first: bytes, last: bytes, *, durability: Durability | None = None) -> Request[int]:
        """How many members of equal scores are in a range of members; see ``zrange`` for its ends."""
        return request(as_it_is, b"ZLEXCOUNT", key, first, last, durability=durability)

    @method
    def zremrangebyrank(
        self, key: bytes, start: int, stop: int, *, durability: Durability | None = None
    ) -> Request[int]:
        """Remove the members of a range of ranks; return how many there were."""
        return request(as_it_is, b"ZREMRANGEBYRANK", key, number(start), number(stop), durability=durability)

    @method
    def zremrangebyscore(
        self, key: bytes, lowest: Argument, highest: Argument, *, durability: Durability | None = None
    ) -> Request[int]:
        """Remove the members with scores in a range; return how many there were."""
        return request(as_it_is, b"ZREMRANGEBYSCORE", key, number(lowest), number(highest), durability=durability)

    @method
    def zremrangebylex(
        self, key: bytes, first: bytes, last: bytes, *, durability: Durability | None = None
    ) -> Request[int]:
        """Remove members of equal scores in a range of members; return how many there were."""
        return request(as_it_is, b"ZREMRANGEBYLEX", key, first, last, durability=durability)

    @method
    def zpopmin(self, key: bytes, count: int = 1, *, durability: Durability | None = None) -> Request[Pairs]:
        """Remove the members with the lowest scores, so many at most; return them with these."""
        return request(scored_pairs, b"ZPOPMIN", key, number(count), durability=durability)

    @method
    def zpopmax(self, key: bytes, count: int = 1, *, durability: Durability | None = None) -> Request[Pairs]:
        """Remove the members with the highest scores, so many at most; return them with these, highest first."""
        return request(scored_pairs, b"ZPOPMAX", key, number(count), durability=durability)


# --- arguments --------------------------------------------------------------------------------------------------------


def _range_options(by: By, reverse: bool, limit: tuple[int, int] | None) -> list[bytes]:
    kind = [] if by == "rank" else [b"BY" + keyword(by)]
    return kind + chosen(rev=reverse) + _limit(limit)


def _limit(limit: tuple[int, int] | None) -> list[bytes]:
    if limit is None:
        return []
    offset, count = limit
    return [b"LIMIT", number(offset), number(count)]


# --- replies ----------------------------------------------------------------------------------------------------------


def _score(reply: Any) -> float | None:
    return None if reply is None else float(reply)


def _scores(reply: Any) -> list[float | None]:
    return [_score(item) for item in reply]
