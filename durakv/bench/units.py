"""Figures as people read them: three digits, and the unit that fits."""

from __future__ import annotations

NONE = "–"
"""Where nothing was measured."""


def rate(per_second: float | None) -> str:
    """Writes per second, to the last digit."""
    return NONE if per_second is None else f"{per_second:,.0f}"


def count(number: float | None) -> str:
    """A number of writes or keys: whole up to ten thousand, then shortened."""
    if number is None:
        return NONE
    for limit, divisor, suffix in ((1e9, 1e9, "G"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if number >= limit:
            return f"{_digits(number / divisor)}{suffix}"
    return f"{number:,.0f}"


def duration(microseconds: float | None) -> str:
    """A latency."""
    if microseconds is None:
        return NONE
    for limit, divisor, unit in ((1e6, 1e6, "s"), (1e3, 1e3, "ms")):
        if microseconds >= limit:
            return f"{_digits(microseconds / divisor)} {unit}"
    return f"{_digits(microseconds)} us"


def seconds(number: float | None) -> str:
    """A time in seconds or a part of one; nothing is 0."""
    if number == 0:
        return "0"
    return NONE if number is None else duration(number * 1e6)


def size(number: float | None) -> str:
    """Bytes."""
    if number is None:
        return NONE
    for limit, divisor, unit in ((1e9, 1e9, "GB"), (1e6, 1e6, "MB"), (1e3, 1e3, "kB")):
        if number >= limit:
            return f"{_digits(number / divisor)} {unit}"
    return f"{number:,.0f} B"


def ratio(number: float | None) -> str:
    """A ratio, or a number of acknowledgements."""
    if number is None:
        return NONE
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.1f}" if abs(number) >= 10 else f"{number:.2f}"


def share(number: float) -> str:
    """A part of a whole; a small part is not called none, nor nearly all of it all."""
    if 0 < number < 0.001:
        return "<0.1%"
    if 0.999 < number < 1:
        return ">99.9%"
    return f"{number:.0%}" if number in (0, 1) else f"{number:.1%}"


def _digits(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.1f}" if number >= 10 else f"{number:.2f}"
