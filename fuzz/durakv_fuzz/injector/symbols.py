"""Functions of an ELF file, by where they are: enough of the format to name an address.

Only 64-bit little-endian files.  Each number of the file is checked against the file before it is believed; a file that
makes no sense has no symbols.  A stripped program still names the functions that it exports, and no others.
"""

from __future__ import annotations

import os
import struct
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_IDENTITY = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_LOADED = 1
_EXECUTABLE = 1
_SYMBOL_TABLES = (2, 11)  # SHT_SYMTAB, SHT_DYNSYM
_FUNCTIONS = (2, 10)  # STT_FUNC, STT_GNU_IFUNC

_TABLE_BYTES_MAX = 64 << 20
_COUNT_MAX = 1 << 16
_NAME_BYTES_MAX = 512
_FILES_REMEMBERED = 64


@dataclass(frozen=True, slots=True)
class Symbols:
    """The functions of one file."""

    segments: tuple[tuple[int, int, int], ...] = ()
    """For each executable segment its offset and size in the file, and its address."""

    starts: tuple[int, ...] = ()
    ends: tuple[int, ...] = ()
    names: tuple[str, ...] = ()

    def name(self, offset: int) -> str:
        """What is at this offset of the file, as ``function+0x1c``; just the offset where no function is known."""
        for first, size, address in self.segments:
            if first <= offset < first + size:
                where = offset - first + address
                index = bisect_right(self.starts, where) - 1
                if index >= 0 and where < self.ends[index]:
                    return f"{self.names[index]}+{where - self.starts[index]:#x}"
        return f"{offset:#x}"


def symbols_of(path: str) -> Symbols:
    """The functions of the file at this path; none if it cannot be read.  Read once for each state of the file."""
    try:
        state = os.stat(path)
    except OSError:
        return Symbols()
    return _parsed(path, state.st_mtime_ns, state.st_size)


@lru_cache(_FILES_REMEMBERED)
def _parsed(path: str, _mtime_ns: int, size: int) -> Symbols:
    try:
        with open(path, "rb", buffering=0) as file:
            return parse(file.fileno(), size)
    except (OSError, struct.error):
        return Symbols()


def parse(descriptor: int, size: int) -> Symbols:
    """Read the tables.  Raises ``struct.error`` for a file that ends too early, ``OSError`` if it cannot be read."""

    def read(offset: int, length: int) -> bytes:
        if length > _TABLE_BYTES_MAX or offset + length > size:
            raise struct.error(f"{length} bytes at {offset} of a file of {size}")
        return os.pread(descriptor, length, offset)

    header: tuple[Any, ...] = _HEADER.unpack(read(0, _HEADER.size))
    identity, segments_at, sections_at = header[0], header[5], header[6]
    segment_size, segment_count, section_size, section_count = header[9:13]
    if not identity.startswith(_IDENTITY) or (segment_size, section_size) != (_SEGMENT.size, _SECTION.size):
        return Symbols()
    if segment_count > _COUNT_MAX or section_count > _COUNT_MAX:
        return Symbols()
    segment_table = read(segments_at, segment_count * _SEGMENT.size)
    segments = [
        (offset, in_file, address)
        for kind, flags, offset, address, _, in_file, _, _ in _SEGMENT.iter_unpack(segment_table)
        if kind == _LOADED and flags & _EXECUTABLE
    ]
    sections: list[tuple[int, ...]] = list(_SECTION.iter_unpack(read(sections_at, section_count * _SECTION.size)))
    functions: dict[int, tuple[int, str]] = {}
    for _, kind, _, _, offset, length, link, _, _, entry in sections:
        if kind not in _SYMBOL_TABLES or entry != _SYMBOL.size or link >= len(sections):
            continue
        strings = read(sections[link][4], sections[link][5])
        for name, info, _, section, address, extent in _SYMBOL.iter_unpack(
            read(offset, length - length % _SYMBOL.size)
        ):
            if info & 15 in _FUNCTIONS and section and extent and name < len(strings):
                end = strings.find(b"\0", name, name + _NAME_BYTES_MAX)
                functions[address] = (
                    address + extent,
                    strings[name : end if end >= 0 else None].decode(errors="replace"),
                )
    starts = sorted(functions)
    return Symbols(
        tuple(segments),
        tuple(starts),
        tuple(functions[start][0] for start in starts),
        tuple(functions[start][1] for start in starts),
    )
