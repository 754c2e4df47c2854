"""Ranges of a sorted set as methods: with scores their value has another form, so they have two signatures each."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast, overload

from durakv.durability import Durability
from durakv.keyspace.answer import Answer
from durakv.keyspace.methods.method import Awaited, Collected, Immediate, run_by_facade
from durakv.keyspace.requests import Argument, Request

By: TypeAlias = Literal["rank", "score", "lex"]
"""What the ends of a range are."""

Members: TypeAlias = list[bytes]
Pairs: TypeAlias = list[tuple[bytes, float]]

M_co = TypeVar("M_co", covariant=True)
P_co = TypeVar("P_co", covariant=True)

_Function: TypeAlias = Callable[..., Request[Members] | Request[Pairs]]


def scored_pairs(reply: Any) -> Pairs:
    """Members and their scores, which follow each other in the reply."""
    return [(member, float(score)) for member, score in zip(reply[::2], reply[1::2], strict=True)]


class Ranging(Protocol[M_co, P_co]):
    """ZRANGE: the members of a range, or pairs of a member and its score."""

    @overload
    def __call__(
        self,
        key: bytes,
        start: Argument,
        stop: Argument,
        *,
        by: By = "rank",
        reverse: bool = False,
        limit: tuple[int, int] | None = None,
        with_scores: Literal[False] = False,
        durability: Durability | None = None,
    ) -> M_co: ...
    @overload
    def __call__(
        self,
        key: bytes,
        start: Argument,
        stop: Argument,
        *,
        by: By = "rank",
        reverse: bool = False,
        limit: tuple[int, int] | None = None,
        with_scores: Literal[True],
        durability: Durability | None = None,
    ) -> P_co: ...


class RangingMethod(Protocol):
    """``Ranging`` as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[..., Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> Ranging[Members, Pairs]: ...
    @overload
    def __get__(
        self, facade: Awaited, owner: Any, /
    ) -> Ranging[Coroutine[Any, Any, Members], Coroutine[Any, Any, Pairs]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> Ranging[Answer[Members], Answer[Pairs]]: ...


def ranging(function: _Function) -> RangingMethod:
    """A method from a function with the parameters of ``Ranging``."""
    return cast("RangingMethod", run_by_facade(function))


class ScoreRanging(Protocol[M_co, P_co]):
    """ZRANGEBYSCORE: the members of a range, or pairs of a member and its score."""

    @overload
    def __call__(
        self,
        key: bytes,
        lowest: Argument,
        highest: Argument,
        *,
        limit: tuple[int, int] | None = None,
        with_scores: Literal[False] = False,
        durability: Durability | None = None,
    ) -> M_co: ...
    @overload
    def __call__(
        self,
        key: bytes,
        lowest: Argument,
        highest: Argument,
        *,
        limit: tuple[int, int] | None = None,
        with_scores: Literal[True],
        durability: Durability | None = None,
    ) -> P_co: ...


class ScoreRangingMethod(Protocol):
    """``ScoreRanging`` as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[..., Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> ScoreRanging[Members, Pairs]: ...
    @overload
    def __get__(
        self, facade: Awaited, owner: Any, /
    ) -> ScoreRanging[Coroutine[Any, Any, Members], Coroutine[Any, Any, Pairs]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> ScoreRanging[Answer[Members], Answer[Pairs]]: ...


def ranging_by_score(function: _Function) -> ScoreRangingMethod:
    """A method from a function with the parameters of ``ScoreRanging``."""
    return cast("ScoreRangingMethod", run_by_facade(function))
