"""CRC-32C by the words of formats/README.md, a byte at a time: slow, and nobody else's code."""

from __future__ import annotations

_POLYNOMIAL = 0x82F63B78


def _entry(byte: int) -> int:
    for _ in range(8):
        byte = byte >> 1 ^ _POLYNOMIAL * (byte & 1)
    return byte


_TABLE = tuple(map(_entry, range(256)))


def checksum(data: bytes, seed: int = 0) -> int:
    """The checksum of ``data``, seeded."""
    crc = seed ^ 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
