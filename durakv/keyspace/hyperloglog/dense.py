"""Dense registers: six bits each, the low bits first, so that four of them fill three bytes.

byte 0    byte 1    byte 2
11000000  22221111  33333322
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from durakv.keyspace.hyperloglog.registers import REGISTER_COUNT, Place

_REGISTER_MAX = 63
_QUARTER = REGISTER_COUNT // 4


def _table(function: Callable[[int], int]) -> bytes:
    return bytes(function(byte) & 0xFF for byte in range(256))


_LOW = _table(lambda byte: byte & _REGISTER_MAX)
_DOWN_2 = _table(lambda byte: byte >> 2)
_DOWN_4 = _table(lambda byte: byte >> 4)
_DOWN_6 = _table(lambda byte: byte >> 6)
_UP_2 = _table(lambda byte: byte << 2)
_UP_4 = _table(lambda byte: byte << 4)
_UP_6 = _table(lambda byte: byte << 6)
_UP_2_LOW = _table(lambda byte: byte << 2 & _REGISTER_MAX)
_UP_4_LOW = _table(lambda byte: byte << 4 & _REGISTER_MAX)


def unpack(data: bytes) -> bytes:
    """The registers, a byte each."""
    first, second, third = data[0::3], data[1::3], data[2::3]
    registers = bytearray(REGISTER_COUNT)
    registers[0::4] = first.translate(_LOW)
    registers[1::4] = _both(first.translate(_DOWN_6), second.translate(_UP_2_LOW))
    registers[2::4] = _both(second.translate(_DOWN_4), third.translate(_UP_4_LOW))
    registers[3::4] = third.translate(_DOWN_2)
    return bytes(registers)


def pack(registers: bytes) -> bytes:
    """The dense form of registers, none of which is above 63."""
    one, two, three, four = (registers[index::4] for index in range(4))
    data = bytearray(_QUARTER * 3)
    data[0::3] = _both(one, two.translate(_UP_6))
    data[1::3] = _both(two.translate(_DOWN_2), three.translate(_UP_4))
    data[2::3] = _both(three.translate(_DOWN_4), four.translate(_UP_2))
    return bytes(data)


def _both(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "little") | int.from_bytes(other, "little")).to_bytes(_QUARTER, "little")


def raise_all(data: bytearray, places: Iterable[Place]) -> bool:
    """Make each register as large as it must be at least; whether any was smaller."""
    changed = False
    for index, rank in places:
        start, shift = index * 6 >> 3, index * 6 & 7
        pair = int.from_bytes(data[start : start + 2], "little")
        if pair >> shift & _REGISTER_MAX < rank:
            pair = pair & ~(_REGISTER_MAX << shift) | rank << shift
            # The last register has no byte after its own, and needs none.
            data[start : start + 2] = pair.to_bytes(len(data[start : start + 2]), "little")
            changed = True
    return changed
