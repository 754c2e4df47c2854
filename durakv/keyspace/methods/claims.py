"""Claims of pending entries as methods: with ``justid`` their value has another form, so each has two signatures."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast, overload

from durakv.durability import Durability
from durakv.keyspace.answer import Answer
from durakv.keyspace.methods.method import Awaited, Collected, Immediate, run_by_facade
from durakv.keyspace.requests import Request

Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]
"""An entry of a stream: its id and its fields."""

Entries: TypeAlias = list[Entry]
Ids: TypeAlias = list[bytes]
Scan: TypeAlias = tuple[bytes, Entries, Ids]
"""Where the next scan starts, ``b"0-0"`` after the last; what was claimed; the ids of what is gone from the stream."""
IdScan: TypeAlias = tuple[bytes, Ids, Ids]

E_co = TypeVar("E_co", covariant=True)
I_co = TypeVar("I_co", covariant=True)


class Claiming(Protocol[E_co, I_co]):
    """XCLAIM: the entries that were claimed, or their ids."""

    @overload
    def __call__(
        self,
        key: bytes,
        group: bytes,
        consumer: bytes,
        min_idle_time: int,
        ids: Iterable[bytes],
        *,
        idle: int | None = None,
        time: int | None = None,
        retrycount: int | None = None,
        force: bool = False,
        justid: Literal[False] = False,
        durability: Durability | None = None,
    ) -> E_co: ...
    @overload
    def __call__(
        self,
        key: bytes,
        group: bytes,
        consumer: bytes,
        min_idle_time: int,
        ids: Iterable[bytes],
        *,
        idle: int | None = None,
        time: int | None = None,
        retrycount: int | None = None,
        force: bool = False,
        justid: Literal[True],
        durability: Durability | None = None,
    ) -> I_co: ...


class ClaimingMethod(Protocol):
    """``Claiming`` as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[..., Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> Claiming[Entries, Ids]: ...
    @overload
    def __get__(
        self, facade: Awaited, owner: Any, /
    ) -> Claiming[Coroutine[Any, Any, Entries], Coroutine[Any, Any, Ids]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> Claiming[Answer[Entries], Answer[Ids]]: ...


def claiming(function: Callable[..., Request[Entries] | Request[Ids]]) -> ClaimingMethod:
    """A method from a function with the parameters of ``Claiming``."""
    return cast("ClaimingMethod", run_by_facade(function))


class ScanClaiming(Protocol[E_co, I_co]):
    """XAUTOCLAIM: what was claimed, as entries or ids, with where to go on and what is gone."""

    @overload
    def __call__(
        self,
        key: bytes,
        group: bytes,
        consumer: bytes,
        min_idle_time: int,
        start_id: bytes = b"0-0",
        *,
        count: int | None = None,
        justid: Literal[False] = False,
        durability: Durability | None = None,
    ) -> E_co: ...
    @overload
    def __call__(
        self,
        key: bytes,
        group: bytes,
        consumer: bytes,
        min_idle_time: int,
        start_id: bytes = b"0-0",
        *,
        count: int | None = None,
        justid: Literal[True],
        durability: Durability | None = None,
    ) -> I_co: ...


class ScanClaimingMethod(Protocol):
    """``ScanClaiming`` as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[..., Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> ScanClaiming[Scan, IdScan]: ...
    @overload
    def __get__(
        self, facade: Awaited, owner: Any, /
    ) -> ScanClaiming[Coroutine[Any, Any, Scan], Coroutine[Any, Any, IdScan]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> ScanClaiming[Answer[Scan], Answer[IdScan]]: ...


def claiming_by_scan(function: Callable[..., Request[Scan] | Request[IdScan]]) -> ScanClaimingMethod:
    """A method from a function with the parameters of ``ScanClaiming``."""
    return cast("ScanClaimingMethod", run_by_facade(function))
