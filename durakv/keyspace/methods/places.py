"""Methods on places: sorted sets whose scores are longitudes and latitudes in degrees, to less than a metre."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias, TypeVar, cast, overload

from durakv.durability import Durability
from durakv.keyspace.answer import Answer
from durakv.keyspace.methods.method import Awaited, Collected, Immediate, method, run_by_facade
from durakv.keyspace.requests import Request, as_it_is, chosen, elements, given, keyword, number, request

Place: TypeAlias = tuple[float, float]
"""A longitude and a latitude."""

Unit: TypeAlias = Literal["m", "km", "mi", "ft"]
"""Of distances."""

Order: TypeAlias = Literal["asc", "desc"]
"""The nearest first, or the farthest."""


class FoundPlace(NamedTuple):
    """A member that a search found, how far it is from the centre, and where it is."""

    member: bytes
    distance: float
    place: Place


Members: TypeAlias = list[bytes]
Found: TypeAlias = list[FoundPlace]

M_co = TypeVar("M_co", covariant=True)
F_co = TypeVar("F_co", covariant=True)


class Searching(Protocol[M_co, F_co]):
    """GEOSEARCH: the members that were found, or what is known of them."""

    @overload
    def __call__(
        self,
        key: bytes,
        *,
        member: bytes | None = None,
        longitude: float | None = None,
        latitude: float | None = None,
        radius: float | None = None,
        width: float | None = None,
        height: float | None = None,
        unit: Unit = "m",
        sort: Order | None = None,
        count: int | None = None,
        any: bool = False,
        with_details: Literal[False] = False,
        durability: Durability | None = None,
    ) -> M_co: ...
    @overload
    def __call__(
        self,
        key: bytes,
        *,
        member: bytes | None = None,
        longitude: float | None = None,
        latitude: float | None = None,
        radius: float | None = None,
        width: float | None = None,
        height: float | None = None,
        unit: Unit = "m",
        sort: Order | None = None,
        count: int | None = None,
        any: bool = False,
        with_details: Literal[True],
        durability: Durability | None = None,
    ) -> F_co: ...


class SearchingMethod(Protocol):
    """``Searching`` as the method of a facade."""

    @overload
    def __get__(self, facade: None, owner: Any, /) -> Callable[..., Any]: ...
    @overload
    def __get__(self, facade: Immediate, owner: Any, /) -> Searching[Members, Found]: ...
    @overload
    def __get__(
        self, facade: Awaited, owner: Any, /
    ) -> Searching[Coroutine[Any, Any, Members], Coroutine[Any, Any, Found]]: ...
    @overload
    def __get__(self, facade: Collected, owner: Any, /) -> Searching[Answer[Members], Answer[Found]]: ...


def searching(function: Callable[..., Request[Members] | Request[Found]]) -> SearchingMethod:
    """A method from a function with the parameters of ``Searching``."""
    return cast("SearchingMethod", run_by_facade(function))


class PlaceMethods:
    """Commands on places; those on sorted sets work on them too."""

    @method
    def geoadd(
        self,
        key: bytes,
        places: Mapping[bytes, Place],
        *,
        nx: bool = False,
        xx: bool = False,
        ch: bool = False,
        durability: Durability | None = None,
    ) -> Request[int]:
        """Set the places of members; return how many are new, with ``ch`` how many are new or changed.

        ``nx``: only add; ``xx``: only change.
        """
        words = chosen(nx=nx, xx=xx, ch=ch)
        for member, (longitude, latitude) in places.items():
            words += number(longitude), number(latitude), member
        return request(as_it_is, b"GEOADD", key, *words, durability=durability)

    @method
    def geopos(self, key: bytes, *members: bytes, durability: Durability | None = None) -> Request[list[Place | None]]:
        """The longitude and latitude of each member, or None."""
        return request(_places, b"GEOPOS", key, *members, durability=durability)

    @method
    def geodist(
        self, key: bytes, one: bytes, other: bytes, *, unit: Unit = "m", durability: Durability | None = None
    ) -> Request[float | None]:
        """The distance between two members, to four decimals, or None if one is absent."""
        return request(_distance, b"GEODIST", key, one, other, keyword(unit), durability=durability)

    @searching
    def geosearch(
        self,
        key: bytes,
        *,
        member: bytes | None = None,
        longitude: float | None = None,
        latitude: float | None = None,
        radius: float | None = None,
        width: float | None = None,
        height: float | None = None,
        unit: Unit = "m",
        sort: Order | None = None,
        count: int | None = None,
        any: bool = False,
        with_details: bool = False,
        durability: Durability | None = None,
    ) -> Request[Members] | Request[Found]:
        """The members around one of them, or around a longitude and latitude; with ``with_details`` as ``FoundPlace``.

        They are within a ``radius``, or in a box of this ``width`` and ``height``.  ``count``: so many at most, the
        nearest ones unless ``any`` will do.
        """
        words: list[bytes] = []
        if member is not None:
            words += b"FROMMEMBER", member
        if longitude is not None or latitude is not None:
            words += b"FROMLONLAT", number(longitude), number(latitude)
        if radius is not None:
            words += b"BYRADIUS", number(radius), keyword(unit)
        if width is not None or height is not None:
            words += b"BYBOX", number(width), number(height), keyword(unit)
        if sort is not None:
            words.append(keyword(sort))
        words += given(count=count) + chosen(any=any)
        if with_details:
            return request(_found, b"GEOSEARCH", key, *words, b"WITHDIST", b"WITHCOORD", durability=durability)
        return request(elements, b"GEOSEARCH", key, *words, durability=durability)


def _place(reply: Any) -> Place:
    longitude, latitude = reply
    return float(longitude), float(latitude)


def _places(reply: Any) -> list[Place | None]:
    return [None if place is None else _place(place) for place in reply]


def _distance(reply: Any) -> float | None:
    return None if reply is None else float(reply)


def _found(reply: Any) -> Found:
    return [FoundPlace(member, float(distance), _place(place)) for member, distance, place in reply]
