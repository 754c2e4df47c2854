"""Geohashes: a place on the earth as a score of a sorted set; what is near is often near in it, too.

    score := column and row of a cell, a bit of each in turn, the column's first       a grid of 2^26 by 2^26 cells

The grid ends with the maps of the web, at 85 degrees north and south.  Its eastern and northern edges are a column and
a row of their own, one beyond the grid, as in Redis.  A place that is read back is the middle of its cell, 0.3 m away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

Place: TypeAlias = tuple[float, float]
"""Longitude and latitude, in degrees."""

LONGITUDE_MAX = 180.0
LATITUDE_MAX = 85.05112878
_POLE = 90.0
_BITS = 26
_CELLS_MAX = 12
"""No more cells than this cover an area: the fewer, the larger they are, and the more is looked at in vain."""
_ALPHABET = b"0123456789bcdefghjkmnpqrstuvwxyz"
_LETTERS = 10
_INT64 = 1 << 63


def encode(place: Place) -> int:
    """The score of the cell that a place is in."""
    return _cell(place, LATITUDE_MAX)


def decode(score: float) -> Place:
    """The middle of a cell.  Every score is taken for one: a sorted set may hold others."""
    cell = _as_unsigned(score)
    return _middle(_gathered(cell >> 1), LONGITUDE_MAX), _middle(_gathered(cell), LATITUDE_MAX)


def letters(place: Place) -> bytes:
    """The place in the form of geohash.org, whose grid reaches to the poles; the last of 11 letters says nothing."""
    cell = _cell(place, _POLE)
    return bytes(_ALPHABET[cell >> 2 * _BITS - 5 * index & 31] for index in range(1, _LETTERS + 1)) + _ALPHABET[:1]


def covering(spans: Sequence[tuple[float, float]], south: float, north: float) -> list[tuple[int, int]]:
    """A few ranges of scores that hold all cells between these pairs of longitudes and these latitudes.

    A range ends before its second number; the ranges are in order and do not overlap.
    """
    for bits in range(_BITS, 0, -1):
        columns = [_indices(west, east, LONGITUDE_MAX, bits) for west, east in spans]
        rows = _indices(south, north, LATITUDE_MAX, bits)
        if sum(map(len, columns)) * len(rows) <= _CELLS_MAX:
            shift = 2 * (_BITS - bits)
            cells = {_interleaved(column, row) for some in columns for column in some for row in rows}
            return list(_joined((cell << shift, cell + 1 << shift) for cell in sorted(cells)))
    return [(0, 4 << 2 * _BITS)]


def _joined(ranges: Iterator[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    start, stop = next(ranges)
    for low, high in ranges:
        if low > stop:
            yield start, stop
            start = low
        stop = high
    yield start, stop


# --- cells ------------------------------------------------------------------------------------------------------------


def _cell(place: Place, latitude_max: float) -> int:
    longitude, latitude = place
    return _interleaved(_index(longitude, LONGITUDE_MAX, _BITS), _index(latitude, latitude_max, _BITS))


def _index(degrees: float, degrees_max: float, bits: int) -> int:
    """The column or row of a degree, if there are 2^bits of them."""
    return int((degrees + degrees_max) / (degrees_max + degrees_max) * (1 << bits))


def _indices(low: float, high: float, degrees_max: float, bits: int) -> range:
    first = _index(max(low, -degrees_max), degrees_max, bits)
    return range(first, _index(min(high, degrees_max), degrees_max, bits) + 1)


def _middle(index: int, degrees_max: float) -> float:
    """The degree in the middle of a column or row; one beyond the grid is its edge."""
    size = degrees_max + degrees_max
    low, high = (-degrees_max + bound / (1 << _BITS) * size for bound in (index, index + 1))
    return min((low + high) / 2, degrees_max)


def _interleaved(column: int, row: int) -> int:
    return _scattered(column) << 1 | _scattered(row)


_STEPS = (
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)


def _scattered(number: int) -> int:
    """The bits of a number at every other place."""
    for shift, mask in _STEPS:
        number = (number | number << shift) & mask
    return number


def _gathered(number: int) -> int:
    """Every other bit of 64: ``_scattered`` undone."""
    number &= _STEPS[-1][1]
    for (shift, _), (_, mask) in zip(reversed(_STEPS), [*reversed(_STEPS[:-1]), (0, 0xFFFFFFFF)], strict=True):
        number = (number | number >> shift) & mask
    return number


def _as_unsigned(score: float) -> int:
    """The score as C on x86 makes a 64-bit number of it."""
    if -_INT64 <= score < 2 * _INT64:
        return int(score) % (2 * _INT64)
    return 0 if score > 0 else _INT64
