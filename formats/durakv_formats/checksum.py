"""CRC-32C (Castagnoli), the one checksum of all our formats.

``crc32c(b, crc32c(a)) == crc32c(a + b)``; the check value is ``crc32c(b"123456789") == 0xE3069283``.
"""

from __future__ import annotations

from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Protocol


class Checksum(Protocol):
    """What the function is to its callers."""

    def __call__(self, data: bytes | bytearray | memoryview, value: int = 0, /) -> int:
        """The checksum of ``data``, going on from that of what came before it."""
        ...


def _load() -> Checksum:
    """The compiled function, without the package around it.

    What that imports to learn its own version costs as much as a quarter of all that ``durakv.open`` imports.
    """
    package = find_spec("crc32c")
    inner = package and PathFinder.find_spec("crc32c._crc32c", package.submodule_search_locations)
    if inner is None or inner.loader is None:
        from crc32c import crc32c as packaged  # another version of it, then, that is laid out in another way

        return packaged
    module = module_from_spec(inner)
    inner.loader.exec_module(module)
    loaded: Checksum = module.crc32c
    return loaded


# The function itself and not a wrapper: it is called twice per log frame, and a Python call would double its price.
crc32c = _load()

__all__ = ["crc32c"]
