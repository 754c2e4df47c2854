"""Registers, a byte each: what an element asks of them, their union, and the estimate they give.

The estimator is Ertl's ("New cardinality estimation algorithms for HyperLogLog sketches", 2017), in the same steps and
the same floating point as Redis, so that the numbers are equal to the last digit.
"""

from __future__ import annotations

from math import inf, sqrt
from struct import iter_unpack
from typing import TypeAlias

Place: TypeAlias = tuple[int, int]
"""A register, and how large it must be at least."""

REGISTER_COUNT = 1 << 14
_INDEX_BITS = 14
_RANK_MAX = 64 - _INDEX_BITS
_ALPHA = 0.721347520444481703680
_BITS = (1 << 64) - 1
_FACTOR = 0xC6A4A7935BD1E995
_SEED = 0xADC83B19
_SIGNS = int.from_bytes(b"\x80" * REGISTER_COUNT, "little")

OVERFLOWN = 1 << 63
"""The estimate where there is none: registers that no elements could have made."""


def place(element: bytes) -> Place:
    """The register of an element, and how large it must be at least."""
    number = _hash(element)
    rest = number >> _INDEX_BITS | 1 << _RANK_MAX
    return number & (REGISTER_COUNT - 1), (rest & -rest).bit_length()


def _hash(element: bytes) -> int:
    """MurmurHash64A, with the seed that Redis gives it."""
    size = len(element)
    state = _SEED ^ (size * _FACTOR & _BITS)
    whole = size & ~7
    for (word,) in iter_unpack("<Q", element[:whole]):
        word = word * _FACTOR & _BITS
        word = (word ^ word >> 47) * _FACTOR & _BITS
        state = (state ^ word) * _FACTOR & _BITS
    if size > whole:
        state = (state ^ int.from_bytes(element[whole:], "little")) * _FACTOR & _BITS
    state = (state ^ state >> 47) * _FACTOR & _BITS
    return state ^ state >> 47


def union(one: bytes, other: bytes) -> bytes:
    """Register by register, the larger of the two; none is above 127."""
    first, second = int.from_bytes(one, "little"), int.from_bytes(other, "little")
    # A sign bit lent to each byte comes back where the first is not smaller; seven ones are made of it.
    returned = ((first | _SIGNS) - second) & _SIGNS
    mask = returned - (returned >> 7)
    return (second ^ ((first ^ second) & mask)).to_bytes(REGISTER_COUNT, "little")


def estimate(registers: bytes) -> int:
    """How many different elements there were, roughly (0.8 %); OVERFLOWN for nonsense."""
    count = float(REGISTER_COUNT)
    total = count * _tau((count - registers.count(_RANK_MAX + 1)) / count)
    for rank in range(_RANK_MAX, 0, -1):
        total = (total + registers.count(rank)) * 0.5
    total += count * _sigma(registers.count(0) / count)
    cardinality = _ALPHA * count * count / total if total else inf
    if cardinality >= OVERFLOWN:
        return OVERFLOWN
    whole = int(cardinality)
    return whole + (cardinality - whole >= 0.5)


def _sigma(x: float) -> float:
    if x == 1:
        return inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) * (1 - x) * y
    return z / 3
