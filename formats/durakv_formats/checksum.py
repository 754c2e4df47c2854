"""CRC-32C (Castagnoli), the one checksum of all our formats.

``crc32c(b, crc32c(a)) == crc32c(a + b)``; the check value is ``crc32c(b"123456789") == 0xE3069283``.
"""

from __future__ import annotations

# The function itself and not a wrapper: it is called twice per log frame, and a Python call would double its price.
from crc32c import crc32c

__all__ = ["crc32c"]
