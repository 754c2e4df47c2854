"""Methods on strings as arrays of bits.  Bit 0 is the highest of the first byte; behind the end all are 0."""

from __future__ import annotations

from typing import Literal

from durakv.durability import Durability
from durakv.keyspace.methods.method import method
from durakv.keyspace.requests import Request, as_it_is, keyword, number, request


class BitMethods:
    """Commands on bits."""

    @method
    def setbit(self, key: bytes, offset: int, bit: int, *, durability: Durability | None = None) -> Request[int]:
        """Make a bit 0 or 1; return what it was."""
        return request(as_it_is, b"SETBIT", key, number(offset), number(bit), durability=durability)

    @method
    def getbit(self, key: bytes, offset: int, *, durability: Durability | None = None) -> Request[int]:
        """What a bit is, 0 or 1."""
        return request(as_it_is, b"GETBIT", key, number(offset), durability=durability)

    @method
    def bitcount(
        self,
        key: bytes,
        start: int = 0,
        end: int = -1,
        *,
        unit: Literal["byte", "bit"] = "byte",
        durability: Durability | None = None,
    ) -> Request[int]:
        """How many bits are 1 in a range of bytes, or of bits; both ends belong to it, negative ones count back."""
        words = number(start), number(end), keyword(unit)
        return request(as_it_is, b"BITCOUNT", key, *words, durability=durability)

    @method
    def bitpos(
        self,
        key: bytes,
        bit: int,
        start: int = 0,
        end: int | None = None,
        *,
        unit: Literal["byte", "bit"] = "byte",
        durability: Durability | None = None,
    ) -> Request[int]:
        """Where the first such bit is in a range, or -1; without an ``end``, 0 may be found behind the string.

        ``unit`` says what an ``end`` and its ``start`` count; a ``start`` alone counts bytes.
        """
        words = [number(bit), number(start)]
        if end is not None:
            words += number(end), keyword(unit)
        return request(as_it_is, b"BITPOS", key, *words, durability=durability)

    @method
    def bitop(
        self,
        operation: Literal["and", "or", "xor", "not"],
        destination: bytes,
        *sources: bytes,
        durability: Durability | None = None,
    ) -> Request[int]:
        """Combine strings bit by bit, shorter ones padded with zeros; return how long the result is, in bytes."""
        return request(as_it_is, b"BITOP", keyword(operation), destination, *sources, durability=durability)
