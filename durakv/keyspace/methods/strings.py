"""Methods on strings; GET and SET are requests here and methods in the facades, which have short ways for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durakv.durability import Durability
from durakv.keyspace.methods.method import method
from durakv.keyspace.requests import Request, as_it_is, chosen, given, nothing, number, request, yes


def get_request(key: bytes, *, durability: Durability | None = None) -> Request[bytes | None]:
    """GET"""
    return request(as_it_is, b"GET", key, durability=durability)


def set_request(
    key: bytes,
    value: bytes,
    *,
    nx: bool = False,
    xx: bool = False,
    get: bool = False,
    keepttl: bool = False,
    ex: int | None = None,
    px: int | None = None,
    exat: int | None = None,
    pxat: int | None = None,
    durability: Durability | None = None,
) -> Request[Any]:
    """SET: True if it was set; with ``get``, what the key held before."""
    options = chosen(nx=nx, xx=xx, get=get, keepttl=keepttl) + given(ex=ex, px=px, exat=exat, pxat=pxat)
    return request(as_it_is if get else yes, b"SET", key, value, *options, durability=durability)


class StringMethods:
    """Commands on strings."""

    @method
    def mget(self, *keys: bytes, durability: Durability | None = None) -> Request[list[bytes | None]]:
        """What each key holds, all read at the same moment."""
        return request(as_it_is, b"MGET", *keys, durability=durability)

    @method
    def mset(self, values: Mapping[bytes, bytes], *, durability: Durability | None = None) -> Request[None]:
        """Set several keys, all or nothing."""
        return request(nothing, b"MSET", *_pairs(values), durability=durability)

    @method
    def msetnx(self, values: Mapping[bytes, bytes], *, durability: Durability | None = None) -> Request[bool]:
        """Set several keys if none of them is there."""
        return request(yes, b"MSETNX", *_pairs(values), durability=durability)

    @method
    def getdel(self, key: bytes, *, durability: Durability | None = None) -> Request[bytes | None]:
        """Delete the key and return what it held."""
        return request(as_it_is, b"GETDEL", key, durability=durability)

    @method
    def getex(
        self,
        key: bytes,
        *,
        persist: bool = False,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
        durability: Durability | None = None,
    ) -> Request[bytes | None]:
        """Return what the key holds, and change when it expires."""
        options = chosen(persist=persist) + given(ex=ex, px=px, exat=exat, pxat=pxat)
        return request(as_it_is, b"GETEX", key, *options, durability=durability)

    @method
    def append(self, key: bytes, tail: bytes, *, durability: Durability | None = None) -> Request[int]:
        """Append to a string; return its new length."""
        return request(as_it_is, b"APPEND", key, tail, durability=durability)

    @method
    def strlen(self, key: bytes, *, durability: Durability | None = None) -> Request[int]:
        """The length of a string; 0 if the key is absent."""
        return request(as_it_is, b"STRLEN", key, durability=durability)

    @method
    def getrange(self, key: bytes, start: int, end: int, *, durability: Durability | None = None) -> Request[bytes]:
        """A part of a string; both ends belong to it, negative ones count from the back."""
        return request(as_it_is, b"GETRANGE", key, number(start), number(end), durability=durability)

    @method
    def setrange(self, key: bytes, offset: int, part: bytes, *, durability: Durability | None = None) -> Request[int]:
        """Overwrite a part of a string, padding it with zeros; return its new length."""
        return request(as_it_is, b"SETRANGE", key, number(offset), part, durability=durability)

    @method
    def incr(self, key: bytes, by: int = 1, *, durability: Durability | None = None) -> Request[int]:
        """Add to an integer of 64 bits; return the sum."""
        return request(as_it_is, b"INCRBY", key, number(by), durability=durability)

    @method
    def incrby(self, key: bytes, increment: int, *, durability: Durability | None = None) -> Request[int]:
        """Add to an integer of 64 bits; return the sum."""
        return request(as_it_is, b"INCRBY", key, number(increment), durability=durability)

    @method
    def decr(self, key: bytes, by: int = 1, *, durability: Durability | None = None) -> Request[int]:
        """Subtract from an integer of 64 bits; return the difference."""
        return request(as_it_is, b"DECRBY", key, number(by), durability=durability)

    @method
    def incrbyfloat(self, key: bytes, increment: float, *, durability: Durability | None = None) -> Request[float]:
        """Add to a decimal number; return the sum (``execute`` returns all its digits)."""
        return request(float, b"INCRBYFLOAT", key, number(increment), durability=durability)


def _pairs(values: Mapping[bytes, bytes]) -> list[bytes]:
    return [part for pair in values.items() for part in pair]
