"""How one function becomes a method of three facades, with the type that each of them gives it.

    @method
    def hlen(self, key: bytes, *, durability: Durability | None = None) -> Request[int]: ...

    Database.hlen       -> int
    AsyncDatabase.hlen  -> Coroutine[..., int]
    Batch.hlen          -> Answer[int]

At run time it is a plain function that makes the request and hands it to its facade.  Type checkers see a descriptor,
and choose the signature by the base class of the facade.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast, overload

from durakv.durability import Durability
from durakv.keyspace.answer import Answer
from durakv.keyspace.requests import Request, number, request

P = ParamSpec("P")
T = TypeVar("T")
One = TypeVar("One")
Many = TypeVar("Many")
One_co = TypeVar("One_co", covariant=True)
Many_co = TypeVar("Many_co", covariant=True)


class Immediate(ABC):
    """A facade whose methods return the value."""

    @abstractmethod
    def _run(self, request: Request[T]) -> T: ...


class Awaited(ABC):
    """A facade whose methods are awaited for the value."""

    @abstractmethod
    async def _run(self, request: Request[T]) -> T: ...


class Collected(ABC):
    """A facade whose methods return an answer that has the value later."""

    @abstractmethod
    def _run(self, request: Request[T]) -> Answer[T]: ...


class Method(Protocol[P, T]):
    """A function as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[Concatenate[Any, P], Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> Callable[P, T]: ...
    @overload
    def __get__(self, facade: Awaited, owner: Any, /) -> Callable[P, Coroutine[Any, Any, T]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> Callable[P, Answer[T]]: ...


def method(function: Callable[Concatenate[Any, P], Request[T]]) -> Method[P, T]:
    """A method from a function that makes the request."""
    return cast("Method[P, T]", run_by_facade(function))


def run_by_facade(function: Callable[..., Request[Any]]) -> Callable[..., Any]:
    """The function followed by the facade's own way to run what it asks for."""

    @wraps(function)
    def call(facade: Any, *args: Any, **kwargs: Any) -> Any:
        return facade._run(function(facade, *args, **kwargs))

    return call


# --- one or several ---------------------------------------------------------------------------------------------------


class Taking(Protocol[One_co, Many_co]):
    """What takes one element, or with a count several."""

    @overload
    def __call__(self, key: bytes, count: None = None, *, durability: Durability | None = None) -> One_co: ...
    @overload
    def __call__(self, key: bytes, count: int, *, durability: Durability | None = None) -> Many_co: ...


class TakingMethod(Protocol[One, Many]):
    """``Taking`` as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[..., Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> Taking[One, Many]: ...
    @overload
    def __get__(
        self, facade: Awaited, owner: Any, /
    ) -> Taking[Coroutine[Any, Any, One], Coroutine[Any, Any, Many]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> Taking[Answer[One], Answer[Many]]: ...


def taking(
    name: bytes, one: Callable[[Any], One], many: Callable[[Any], Many], documentation: str
) -> TakingMethod[One, Many]:
    """A method from a command whose reply has another form if it is given a count."""

    def take(
        self: Any, key: bytes, count: int | None = None, *, durability: Durability | None = None
    ) -> Request[One] | Request[Many]:
        if count is None:
            return request(one, name, key, durability=durability)
        return request(many, name, key, number(count), durability=durability)

    take.__name__ = take.__qualname__ = name.decode().lower()
    take.__doc__ = documentation
    return cast("TakingMethod[One, Many]", run_by_facade(take))
