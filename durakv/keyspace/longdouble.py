"""The arithmetic of INCRBYFLOAT: x86's 80-bit floating point, bit for bit, from exact fractions.

Redis adds in ``long double`` (64 bits of mantissa) and prints with ``%.17Lf``.  Python's own floats have 53 bits and
would print 3.0000000000000004 where Redis prints 3; so each step is done exactly and then rounded as the processor
rounds: to nearest, ties to even.
"""

from __future__ import annotations

import re
from fractions import Fraction

from durakv.errors import CommandError

_TEXT_BYTES_MAX = 5 * 1024 - 1
_MANTISSA_BITS = 64
_LARGEST = Fraction((1 << 16384) - (1 << (16384 - _MANTISSA_BITS)))
_OVERFLOW = Fraction((1 << 16384) - (1 << (16384 - _MANTISSA_BITS - 1)))
_UNDERFLOW = Fraction(1, 1 << 16446)
_DECIMALS = 17
_EXPONENT_DIGITS_MAX = 5

_DECIMAL = re.compile(rb"([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?", re.DOTALL)
_HEXADECIMAL = re.compile(rb"([+-]?)0[xX]([0-9a-fA-F]*)(?:\.([0-9a-fA-F]*))?(?:[pP]([+-]?\d+))?", re.DOTALL)
_INFINITY = re.compile(rb"[+-]?(?:inf|infinity)", re.IGNORECASE)


def add_floats(text: bytes, increment: bytes) -> bytes:
    """The sum of two numbers as Redis prints it; raises CommandError when one is none, or the sum is not finite."""
    first, second = parse_float(text), parse_float(increment)
    if first is not None and second is not None:
        total = _round(first + second)
        if abs(total) <= _LARGEST:
            return format_float(total)
    raise CommandError("ERR increment would produce NaN or Infinity")


def parse_float(text: bytes) -> Fraction | None:
    """The number nearest to this text, None for an infinity; raises CommandError for anything else."""
    if 0 < len(text) <= _TEXT_BYTES_MAX:
        if _INFINITY.fullmatch(text):
            return None
        for pattern, radix, base in ((_DECIMAL, 10, 10), (_HEXADECIMAL, 16, 2)):
            match = pattern.fullmatch(text)
            if match is not None and (match[2] or match[3]):
                number = _number(match, radix, base)
                if number is not None:
                    return number
                break
    raise CommandError("ERR value is not a valid float")


def format_float(number: Fraction) -> bytes:
    """The number with up to 17 decimals and without trailing zeros."""
    scaled = round(abs(number) * 10**_DECIMALS)
    whole, decimals = divmod(scaled, 10**_DECIMALS)
    text = f"{_digits(whole)}.{decimals:017d}".rstrip("0").rstrip(".")
    sign = "-" if number < 0 and text != "0" else ""
    return f"{sign}{text}".encode()


def _digits(whole: int) -> str:
    """``str(whole)``, also beyond the 4300 digits to which the interpreter limits it."""
    if whole < 10**4000:
        return str(whole)
    high, low = divmod(whole, 10**4000)
    return f"{high}{low:04000d}"


def _integer(digits: bytes, radix: int) -> int:
    """``int(digits)``, also beyond the interpreter's limit; the text was bounded before."""
    if radix == 16 or len(digits) <= 4000:
        return int(digits, radix)
    return int(digits[:-4000], radix) * 10**4000 + int(digits[-4000:], radix)


def _number(match: re.Match[bytes], radix: int, base: int) -> Fraction | None:
    """The number that was matched, rounded; None when its size is beyond the type's range."""
    sign, whole, decimals, exponent = match.groups(b"")
    mantissa = _integer(whole + decimals or b"0", radix)
    if mantissa == 0:
        return Fraction(0)
    digits = exponent.lstrip(b"+-").lstrip(b"0") or b"0"
    if len(digits) > _EXPONENT_DIGITS_MAX:
        return None  # out of range whatever the mantissa, and too large to compute with
    power = int(digits) * (-1 if exponent[:1] == b"-" else 1) - len(decimals) * (4 if base == 2 else 1)
    exact = mantissa * Fraction(base) ** power
    if exact >= _OVERFLOW or exact <= _UNDERFLOW:
        return None
    return _round(-exact if sign == b"-" else exact)


def _round(exact: Fraction) -> Fraction:
    """The nearest number with a 64-bit mantissa.

    Numbers so small that the format would keep fewer bits of them are not treated apart: with 17 decimals they print
    as 0, and added to anything that does not they vanish.
    """
    if exact == 0:
        return exact
    shift = abs(exact.numerator).bit_length() - exact.denominator.bit_length() - _MANTISSA_BITS
    unit = Fraction(2) ** shift
    if abs(exact) >= unit * (1 << _MANTISSA_BITS):
        unit *= 2
    return round(exact / unit) * unit
