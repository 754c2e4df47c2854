"""Integers as Redis reads them: 64 bits, decimal, in the one way it would write them itself."""

from __future__ import annotations

from durakv.errors import CommandError

INTEGER_MIN = -(1 << 63)
INTEGER_MAX = (1 << 63) - 1
_DIGITS_MAX = 20
_SMALL_MIN = -(1 << 31)
_SMALL_MAX = (1 << 31) - 1


def parse_integer(text: bytes) -> int:
    """The number; ``+1``, ``01``, ``-0``, ``1_0`` and spaces are refused, because they would be written otherwise."""
    if len(text) <= _DIGITS_MAX:
        try:
            number = int(text)
        except ValueError:
            pass
        else:
            if INTEGER_MIN <= number <= INTEGER_MAX and b"%d" % number == text:
                return number
    raise CommandError("ERR value is not an integer or out of range")


def parse_positive(text: bytes, refusal: str = "value is out of range, must be positive", *, least: int = 0) -> int:
    """A count of at least 0 or 1; ``refusal`` is what Redis says to anything else."""
    try:
        number = parse_integer(text)
    except CommandError as error:
        raise CommandError(f"ERR {refusal}") from error
    if number < least:
        raise CommandError(f"ERR {refusal}")
    return number


def add_integers(value: bytes, increment: int) -> bytes:
    """The sum as it is stored; raises CommandError outside 64 bits."""
    total = parse_integer(value) + increment
    if not INTEGER_MIN <= total <= INTEGER_MAX:
        raise CommandError("ERR increment or decrement would overflow")
    return b"%d" % total


def parse_small_integer(text: bytes) -> int:
    """The number, which must fit into 32 bits (a database index)."""
    number = parse_integer(text)
    if not _SMALL_MIN <= number <= _SMALL_MAX:
        raise CommandError(f"ERR value is out of range, value must between {_SMALL_MIN} and {_SMALL_MAX}")
    return number
