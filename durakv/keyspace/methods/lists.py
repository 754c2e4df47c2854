"""Methods on lists.  Indices count from 0, negative ones from the back; both ends of a range belong to it."""

from __future__ import annotations

from typing import Literal, TypeAlias

from durakv.durability import Durability
from durakv.keyspace.methods.method import method, taking
from durakv.keyspace.requests import Request, as_it_is, elements, keyword, maybe, nothing, number, request

End: TypeAlias = Literal["left", "right"]
"""The beginning of a list, or its end."""


class ListMethods:
    """Commands on lists.  A list whose last element goes is gone."""

    @method
    def lpush(self, key: bytes, *elements: bytes, durability: Durability | None = None) -> Request[int]:
        """Put elements before the first, one after the other; return how long the list is then."""
        return request(as_it_is, b"LPUSH", key, *elements, durability=durability)

    @method
    def rpush(self, key: bytes, *elements: bytes, durability: Durability | None = None) -> Request[int]:
        """Put elements behind the last; return how long the list is then."""
        return request(as_it_is, b"RPUSH", key, *elements, durability=durability)

    @method
    def lpushx(self, key: bytes, *elements: bytes, durability: Durability | None = None) -> Request[int]:
        """As ``lpush``, only if the list is there; 0 if it is not."""
        return request(as_it_is, b"LPUSHX", key, *elements, durability=durability)

    @method
    def rpushx(self, key: bytes, *elements: bytes, durability: Durability | None = None) -> Request[int]:
        """As ``rpush``, only if the list is there; 0 if it is not."""
        return request(as_it_is, b"RPUSHX", key, *elements, durability=durability)

    lpop = taking(
        b"LPOP",
        maybe,
        elements,
        "Remove the first element and return it, or None; with a ``count`` so many at most, as a list.",
    )
    rpop = taking(
        b"RPOP",
        maybe,
        elements,
        "Remove the last element and return it, or None; with a ``count`` so many at most, the last one first.",
    )

    @method
    def lmove(
        self,
        source: bytes,
        destination: bytes,
        *,
        take: End = "left",
        put: End = "right",
        durability: Durability | None = None,
    ) -> Request[bytes | None]:
        """Move an element from one end of a list to one of another, or of the same; return it, or None."""
        words = keyword(take), keyword(put)
        return request(as_it_is, b"LMOVE", source, destination, *words, durability=durability)

    @method
    def llen(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """How many elements there are."""
        return request(as_it_is, b"LLEN", key, durability=durability)

    @method
    def lindex(self, key: bytes, index: int, *, durability: Durability | None = None) -> Request[bytes | None]:
        """The element at an index, or None."""
        return request(as_it_is, b"LINDEX", key, number(index), durability=durability)

    @method
    def lrange(
        self, key: bytes, start: int = 0, stop: int = -1, *, durability: Durability | None = None
    ) -> Request[list[bytes]]:
        """The elements of a range, by default all."""
        return request(as_it_is, b"LRANGE", key, number(start), number(stop), durability=durability)

    @method
    def lpos(
        self, key: bytes, element: bytes, *, rank: int = 1, maxlen: int = 0, durability: Durability | None = None
    ) -> Request[int | None]:
        """The index of an element, or None.

        ``rank`` 2 is the second one that is equal, -1 the last; ``maxlen``: look at so many elements at most.
        """
        words = b"RANK", number(rank), b"MAXLEN", number(maxlen)
        return request(as_it_is, b"LPOS", key, element, *words, durability=durability)

    @method
    def lset(self, key: bytes, index: int, element: bytes, *, durability: Durability | None = None) -> Request[None]:
        """Replace the element at an index; CommandError if there is none."""
        return request(nothing, b"LSET", key, number(index), element, durability=durability)

    @method
    def linsert(
        self,
        key: bytes,
        where: Literal["before", "after"],
        pivot: bytes,
        element: bytes,
        *,
        durability: Durability | None = None,
    ) -> Request[int]:
        """Insert beside the first element that equals the pivot; return how long the list is then.

        -1 if there is no such element, 0 if there is no list.
        """
        return request(as_it_is, b"LINSERT", key, keyword(where), pivot, element, durability=durability)

    @method
    def lrem(self, key: bytes, count: int, element: bytes, *, durability: Durability | None = None) -> Request[int]:
        """Remove so many elements that are equal, from the back if ``count`` is negative, all if it is 0; how many."""
        return request(as_it_is, b"LREM", key, number(count), element, durability=durability)

    @method
    def ltrim(self, key: bytes, start: int, stop: int, *, durability: Durability | None = None) -> Request[None]:
        """Remove all elements but those of a range."""
        return request(nothing, b"LTRIM", key, number(start), number(stop), durability=durability)
