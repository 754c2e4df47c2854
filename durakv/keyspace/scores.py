"""Scores of sorted sets: floats of 64 bits, as Redis reads and prints them."""

from __future__ import annotations

import math
import re
import sys
from decimal import Decimal

from durakv.errors import CommandError

_DECIMAL = re.compile(rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.DOTALL)
_HEXADECIMAL = re.compile(rb"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+)?", re.DOTALL)
_INFINITY = re.compile(rb"[+-]?(?:inf|infinity)", re.IGNORECASE)
_NONZERO = re.compile(rb"[+-]?(?:0[xX])?[0.]*[1-9a-fA-F]")
_SPACES = b" \t\n\v\f\r"
_INT64 = 1 << 63
_SMALL_EXPONENT = -7
_ZEROS_MAX = 7
_SHORT = 4


def parse_score(text: bytes, refusal: str = "value is not a valid float") -> float:
    """The number; raises CommandError, with Redis's words for it, for what is none or does not fit."""
    number = _number(text)
    if number is None or (math.isinf(number) and not _INFINITY.fullmatch(text)) or _vanished(number, text):
        raise CommandError(f"ERR {refusal}")
    return number


def parse_bound(text: bytes) -> float:
    """An end of a range, read as C's ``strtod`` does: nothing is 0, and what does not fit is infinite."""
    number = _number(_digits(text))
    if number is None:
        raise CommandError("ERR min or max is not a float")
    return number


def parse_weight(text: bytes) -> float:
    """A number that SORT compares, read as C's ``strtod`` does: nothing is 0, and what does not fit is refused."""
    digits = _digits(text)
    number = _number(digits)
    if number is None or (math.isinf(number) and not _INFINITY.fullmatch(digits)) or _underflows(number, digits):
        raise CommandError("ERR One or more scores can't be converted into double")
    return number


def _digits(text: bytes) -> bytes:
    """What ``strtod`` reads of a text that is to be a number as a whole."""
    line = text.partition(b"\0")[0]
    return line.lstrip(_SPACES) or line or b"0"


def _underflows(number: float, text: bytes) -> bool:
    return _vanished(number, text) or 0 < abs(number) < sys.float_info.min


def _number(text: bytes) -> float | None:
    if _DECIMAL.fullmatch(text) or _INFINITY.fullmatch(text):
        return float(text)
    if _HEXADECIMAL.fullmatch(text):
        try:
            return float.fromhex(text.decode())
        except OverflowError:
            return -math.inf if text.startswith(b"-") else math.inf
    return None


def _vanished(number: float, text: bytes) -> bool:
    return number == 0 and _NONZERO.match(text) is not None


def format_score(score: float) -> bytes:
    """The shortest text that means this number, in the form of Redis 7.2 and later."""
    if -_INT64 <= score < _INT64 and score == int(score):
        return b"%d" % int(score)
    if math.isinf(score):
        return b"inf" if score > 0 else b"-inf"
    sign, numbers, power = Decimal(repr(score)).normalize().as_tuple()
    assert isinstance(power, int)
    digits = "".join(map(str, numbers))
    count = len(digits)
    exponent = power + count - 1
    if power >= 0 and exponent < count + _ZEROS_MAX:
        text = digits + "0" * power
    elif power < 0 and (power > _SMALL_EXPONENT or abs(exponent) < _SHORT):
        padded = digits.rjust(1 - power, "0")
        text = f"{padded[:power]}.{padded[power:]}"
    else:
        tail = f".{digits[1:]}" if count > 1 else ""
        text = f"{digits[0]}{tail}e{exponent:+d}"
    return f"{'-' if sign else ''}{text}".encode()
