"""SORT as a method: with ``get`` some of its values may be missing, and with ``store`` it returns a number."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Protocol, TypeAlias, TypeVar, cast, overload

from durakv.durability import Durability
from durakv.keyspace.answer import Answer
from durakv.keyspace.methods.method import Awaited, Collected, Immediate, run_by_facade
from durakv.keyspace.requests import Request, as_it_is, chosen, given, number, request

Elements: TypeAlias = list[bytes]
Values: TypeAlias = list[bytes | None]

E_co = TypeVar("E_co", covariant=True)
V_co = TypeVar("V_co", covariant=True)
N_co = TypeVar("N_co", covariant=True)


class Sorting(Protocol[E_co, V_co, N_co]):
    """SORT: the elements, or what was looked up for them, or how many were stored."""

    @overload
    def __call__(
        self,
        key: bytes,
        *,
        by: bytes | None = None,
        get: None = None,
        limit: tuple[int, int] | None = None,
        desc: bool = False,
        alpha: bool = False,
        store: None = None,
        durability: Durability | None = None,
    ) -> E_co: ...
    @overload
    def __call__(
        self,
        key: bytes,
        *,
        by: bytes | None = None,
        get: Iterable[bytes],
        limit: tuple[int, int] | None = None,
        desc: bool = False,
        alpha: bool = False,
        store: None = None,
        durability: Durability | None = None,
    ) -> V_co: ...
    @overload
    def __call__(
        self,
        key: bytes,
        *,
        by: bytes | None = None,
        get: Iterable[bytes] | None = None,
        limit: tuple[int, int] | None = None,
        desc: bool = False,
        alpha: bool = False,
        store: bytes,
        durability: Durability | None = None,
    ) -> N_co: ...


class SortingMethod(Protocol):
    """``Sorting`` as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[..., Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> Sorting[Elements, Values, int]: ...
    @overload
    def __get__(
        self, facade: Awaited, owner: Any, /
    ) -> Sorting[Coroutine[Any, Any, Elements], Coroutine[Any, Any, Values], Coroutine[Any, Any, int]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> Sorting[Answer[Elements], Answer[Values], Answer[int]]: ...


def sorting(function: Callable[..., Request[Any]]) -> SortingMethod:
    """A method from a function with the parameters of ``Sorting``."""
    return cast("SortingMethod", run_by_facade(function))


class SortMethods:
    """The command on lists, sets and sorted sets that puts their elements in order."""

    @sorting
    def sort(
        self,
        key: bytes,
        *,
        by: bytes | None = None,
        get: Iterable[bytes] | None = None,
        limit: tuple[int, int] | None = None,
        desc: bool = False,
        alpha: bool = False,
        store: bytes | None = None,
        durability: Durability | None = None,
    ) -> Request[Any]:
        """The elements in the order of the numbers that they are, with ``alpha`` of their bytes.

        ``by``: in the order of what other keys hold, as ``b"weight_*"`` or ``b"object_*->field"``; ``get``: return for
        each element what such keys hold, or None, and itself for ``b"#"``, in one flat list.  ``limit``: an offset,
        and how many at most.  ``store``: put the list under a key, whatever it held, and return how long it is.
        """
        words = given(by=by)
        if limit is not None:
            words += b"LIMIT", *map(number, limit)
        for pattern in () if get is None else get:
            words += b"GET", pattern
        words += chosen(desc=desc, alpha=alpha) + given(store=store)
        return request(as_it_is, b"SORT", key, *words, durability=durability)
