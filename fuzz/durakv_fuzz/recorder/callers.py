"""Where in its code a program made a call: read from outside, while it is held in that call.

    redis-server flushAppendOnlyFile+0x1b8        libsqlite3.so.0.8.6+0x3a1c4 (no symbol covers it)

The kernel tells where the stack of a thread in a system call is, and what is mapped where.  The first word on the
stack that is an address right after a call instruction, in code that is no C library's or allocator's, is taken for
the place.  That is a guess, for a word that an earlier call left may lie before it; but the same call mostly gives the
same guess, whatever addresses a run got.  So it tells places apart, and names most of them rightly.
"""

from __future__ import annotations

import mmap
import os
import re
from bisect import bisect_right
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from struct import Struct, error, iter_unpack

STACK_BYTES = 4096
"""How far up the stack a place is looked for."""

_CALL_BYTES = 7
"""The longest call instruction, and so how far before an address one may begin."""

_TABLE_BYTES_MAX = 8 << 20
"""The largest table of symbols that is read: the whole file system waits for it, once for each program."""

_PROGRAMS_MAX = 64
_PLACES_MAX = 1 << 16

_PLUMBING = re.compile(r"(libc|libpthread|ld|ld-linux[\w-]*|libjemalloc|libtcmalloc\w*|libstdc\+\+)[-.]|\[")
_MAPPED = re.compile(r"([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) ([0-9a-f]+):([0-9a-f]+) \d+ +(/.*|\[.*\])")

_ELF_HEADER = Struct("<16xHHIQQQIHHHHHH")
_SECTION = Struct("<IIQQQQIIQQ")
_SEGMENT = Struct("<IIQQQQQQ")
_SYMBOL = "<IBBHQQ"
_SYMBOL_TABLES = (2, 11)
_FUNCTION = 2
_LOADED = 1


@dataclass(frozen=True, slots=True)
class _Mapping:
    begin: int
    end: int
    offset: int
    device: tuple[int, int]
    path: str


@dataclass(frozen=True, slots=True)
class _Program:
    """What is known of a thread's addresses: where code is, and for words seen which place they stand for, or ''."""

    mapped: list[_Mapping]
    places: dict[int, str]


_Functions = tuple[list[tuple[int, int]], list[str]]
"""Where in a file each function begins and ends, rising, and their names."""


class Callers:
    """Looks at threads that wait for this process.  x86-64 only; of others, and of whom it may not see, it says ''.

    A program whose other threads wait in page faults for the same file system, while one maps memory, could hold up
    the look at its mappings, and with it everything; so this is asked for only by who wants it.
    """

    def __init__(self, directory: Path) -> None:
        self._own = _device(directory)
        """What is served here must not be opened here, though a program may run from it."""
        self._functions: dict[tuple[int, int], _Functions] = {}
        self._programs: dict[int, _Program] = {}

    def site(self, thread: int) -> str:
        """The place that a thread's present system call was made from; empty if it cannot be told."""
        try:
            return self._look(thread)
        except (OSError, ValueError):  # it ended, it is another user's, or it is in no system call
            return ""

    def _look(self, thread: int) -> str:
        if not thread or os.uname().machine != "x86_64":
            return ""
        words = Path(f"/proc/{thread}/syscall").read_text().split()
        if len(words) < 9:
            return ""
        stack, here = int(words[7], 16), int(words[8], 16)
        program = self._programs.get(thread)
        if program is None or _at(program.mapped, here) is None or len(program.places) > _PLACES_MAX:
            if len(self._programs) >= _PROGRAMS_MAX:
                self._programs.clear()
            program = self._programs[thread] = _Program(_mappings(thread), {})
        with open(f"/proc/{thread}/mem", "rb", buffering=0) as file:
            memory = file.fileno()
            words_above = iter_unpack("<Q", _read(memory, stack))
            for address in chain((here,), chain.from_iterable(words_above)):
                place = program.places.get(address)
                if place is None:
                    place = program.places[address] = self._place(thread, program, memory, address, address == here)
                if place:
                    return place
        return ""

    def _place(self, thread: int, program: _Program, memory: int, address: int, certain: bool) -> str:
        mapping = _at(program.mapped, address)
        if mapping is None or _PLUMBING.match(os.path.basename(mapping.path)):
            return ""
        if not certain and not _is_call(os.pread(memory, _CALL_BYTES, address - _CALL_BYTES)):
            return ""
        return self._name(thread, mapping, address)

    def _name(self, thread: int, mapping: _Mapping, address: int) -> str:
        short, offset = os.path.basename(mapping.path), address - mapping.begin + mapping.offset
        begins, names = self._functions_of(thread, mapping)
        index = bisect_right(begins, offset, key=lambda span: span[0]) - 1
        if index >= 0 and offset <= begins[index][1]:  # the address behind a last call is the end
            return f"{short} {names[index]}+{offset - begins[index][0]:#x}"
        return f"{short}+{offset:#x}"

    def _functions_of(self, thread: int, mapping: _Mapping) -> _Functions:
        if mapping.device == self._own:
            return [], []
        try:
            # The file itself, wherever the program sees it, removed or not; only root may.
            with open(f"/proc/{thread}/map_files/{mapping.begin:x}-{mapping.end:x}", "rb") as file:
                status = os.fstat(file.fileno())
                known = self._functions.get((status.st_dev, status.st_ino))
                if known is None:
                    with mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
                        known = self._functions[status.st_dev, status.st_ino] = _read_functions(data)
                return known
        except (OSError, ValueError, error, IndexError):  # not ours to see, or no ELF file of this kind: no names
            return [], []


def _read(memory: int, stack: int) -> bytes:
    data = os.pread(memory, STACK_BYTES, stack)
    return data[: len(data) - len(data) % 8]


def _mappings(thread: int) -> list[_Mapping]:
    lines = Path(f"/proc/{thread}/maps").read_text(errors="surrogateescape").splitlines()
    found = filter(None, map(_MAPPED.match, lines))
    return [_Mapping(int(m[1], 16), int(m[2], 16), int(m[3], 16), (int(m[4], 16), int(m[5], 16)), m[6]) for m in found]


def _device(directory: Path) -> tuple[int, int] | None:
    """That of the file system mounted there last, without touching it; None if there is none."""
    found = None
    for line in Path("/proc/self/mountinfo").read_text(errors="surrogateescape").splitlines():
        words = line.split()
        if words[4] == str(directory):
            major, _, minor = words[2].partition(":")
            found = int(major), int(minor)
    return found


def _at(mapped: list[_Mapping], address: int) -> _Mapping | None:
    index = bisect_right(mapped, address, key=lambda mapping: mapping.begin) - 1
    return mapped[index] if index >= 0 and address < mapped[index].end else None


def _is_call(before: bytes) -> bool:
    """Whether these bytes end with a call: ``e8`` and four bytes, or ``ff /2`` and up to five."""
    if len(before) < _CALL_BYTES:
        return False
    return before[-5] == 0xE8 or any(
        before[-size] == 0xFF and before[-size + 1] >> 3 & 7 == 2 for size in (2, 3, 4, 6, 7)
    )


def _read_functions(data: mmap.mmap) -> _Functions:
    if data[:6] != b"\x7fELF\x02\x01":
        return [], []
    header = _ELF_HEADER.unpack_from(data)
    segments_at, sections_at, segment_count, section_count = header[4], header[5], header[9], header[11]
    segments = [_SEGMENT.unpack_from(data, segments_at + index * _SEGMENT.size) for index in range(segment_count)]
    sections: list[tuple[int, ...]] = [
        _SECTION.unpack_from(data, sections_at + index * _SECTION.size) for index in range(section_count)
    ]
    found: dict[int, tuple[int, str]] = {}
    for section in sections:
        if section[1] not in _SYMBOL_TABLES or section[5] > _TABLE_BYTES_MAX:
            continue
        table = data[section[4] : section[4] + section[5]]
        text = sections[section[6]]
        for name_at, info, _, _, value, size in iter_unpack(_SYMBOL, table[: len(table) - len(table) % 24]):
            offset = _file_offset(segments, value)
            if info & 15 == _FUNCTION and size and offset is not None:
                begin = text[4] + name_at
                name = data[begin : data.find(b"\0", begin)].decode(errors="replace")
                found.setdefault(offset, (offset + size, name))
    begins = sorted(found)
    return [(begin, found[begin][0]) for begin in begins], [found[begin][1] for begin in begins]


def _file_offset(segments: list[tuple[int, ...]], address: int) -> int | None:
    for kind, _, offset, virtual, _, in_file, _, _ in segments:
        if kind == _LOADED and virtual <= address < virtual + in_file:
            return address - virtual + offset
    return None
