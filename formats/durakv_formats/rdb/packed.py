"""The compact encodings in which RDB files keep small collections: each is one string with a structure of its own.

All of them return byte strings in the order they stand there; numbers become their decimal text, as commands see them.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from struct import Struct
from typing import NoReturn

from durakv_formats.errors import FormatError

_ZIPLIST_HEAD = Struct("<IIH")
_LISTPACK_HEAD = Struct("<IH")
_INTSET_HEAD = Struct("<II")
_MANY = 0xFFFF
"""A count of so many or more is not kept."""
_END = 0xFF
_SMALL_NUMBERS = [b"%d" % number for number in range(0x80)]


class _Reader:
    """A blob and a position in it.  Reading past its end raises."""

    def __init__(self, data: bytes, offset: int, what: str) -> None:
        self.data = data
        self.at = 0
        self._offset = offset
        self._what = what

    def refuse(self, reason: str) -> NoReturn:
        """Raise, with the place in the file where the blob begins and the place in the blob."""
        raise FormatError(self._offset, f"a {self._what} that is damaged at its byte {self.at}: {reason}")

    def byte(self) -> int:
        """The next byte."""
        if self.at >= len(self.data):
            self.refuse("it ends too early")
        self.at += 1
        return self.data[self.at - 1]

    def take(self, size: int) -> bytes:
        """The next bytes."""
        if self.at + size > len(self.data):
            self.refuse("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int, *, signed: bool = True) -> int:
        """A little-endian number."""
        return int.from_bytes(self.take(size), "little", signed=signed)

    def finish(self, count: int, said: int) -> None:
        """Nothing may follow, and what was counted is what the head said."""
        if self.at != len(self.data):
            self.refuse(f"{len(self.data) - self.at} bytes follow its end")
        if said != _MANY and count != said:
            self.refuse(f"it has {count} entries, and says {said}")


def decode_ziplist(data: bytes, offset: int = 0) -> list[bytes]:
    """The entries of a ziplist."""
    reader = _Reader(data, offset, "ziplist")
    size, tail, said = _ZIPLIST_HEAD.unpack(reader.take(_ZIPLIST_HEAD.size))
    if size != len(data):
        reader.refuse(f"it says it has {size} bytes, and has {len(data)}")
    entries: list[bytes] = []
    last = reader.at
    before = 0
    while (first := reader.byte()) != _END:
        start = reader.at - 1
        previous = reader.number(4, signed=False) if first == 0xFE else first
        if previous != before:
            reader.refuse(f"an entry says that the one before it has {previous} bytes, but it has {before}")
        entries.append(_ziplist_entry(reader))
        before, last = reader.at - start, start
    if tail != last:
        reader.refuse(f"its last entry is at {last}, and it says {tail}")
    reader.finish(len(entries), said)
    return entries


def _ziplist_entry(reader: _Reader) -> bytes:
    code = reader.byte()
    sort = code >> 6
    if sort == 0:
        return reader.take(code)
    if sort == 1:
        return reader.take((code & 63) << 8 | reader.byte())
    if code == 0x80:
        return reader.take(int.from_bytes(reader.take(4), "big"))
    size = {0xC0: 2, 0xD0: 4, 0xE0: 8, 0xF0: 3, 0xFE: 1}.get(code)
    if size is not None:
        return b"%d" % reader.number(size)
    if 0xF1 <= code <= 0xFD:
        return b"%d" % (code - 0xF1)
    return reader.refuse(f"no entry has the encoding {code:#04x}")


def decode_listpack(data: bytes, offset: int = 0) -> list[bytes]:
    """The entries of a listpack."""
    reader = _Reader(data, offset, "listpack")
    size, said = _LISTPACK_HEAD.unpack(reader.take(_LISTPACK_HEAD.size))
    if size != len(data):
        reader.refuse(f"it says it has {size} bytes, and has {len(data)}")
    entries: list[bytes] = []
    at = reader.at
    while at < size:
        code = data[at]
        # Most entries are short strings and small numbers, whose length back is one byte: they cost no call.
        if 0x80 <= code < 0xC0:
            end = at + code - 0x7F
            if end < size and data[end] == code - 0x7F:
                entries.append(data[at + 1 : end])
                at = end + 1
                continue
        elif code < 0x80:
            if at + 1 < size and data[at + 1] == 1:
                entries.append(_SMALL_NUMBERS[code])
                at += 2
                continue
        elif code == _END:
            break
        reader.at = at + 1
        entries.append(_listpack_entry(reader, code))
        _check_back_length(reader, reader.at - at)
        at = reader.at
    reader.at = at
    if reader.byte() != _END:
        reader.refuse("it does not end")
    reader.finish(len(entries), said)
    return entries


def _listpack_entry(reader: _Reader, code: int) -> bytes:
    if code < 0x80:
        return b"%d" % code
    if code < 0xC0:
        return reader.take(code & 63)
    if code < 0xE0:
        number = (code & 31) << 8 | reader.byte()
        return b"%d" % (number - (1 << 13) if number >= 1 << 12 else number)
    if code < 0xF0:
        return reader.take((code & 15) << 8 | reader.byte())
    if code == 0xF0:
        return reader.take(reader.number(4, signed=False))
    size = {0xF1: 2, 0xF2: 3, 0xF3: 4, 0xF4: 8}.get(code)
    if size is None:
        reader.refuse(f"no entry has the encoding {code:#04x}")
    return b"%d" % reader.number(size)


def encode_listpack(entries: Sequence[bytes | int]) -> bytes:
    """A listpack of these strings and numbers."""
    parts: list[bytes] = []
    for entry in entries:
        data = _encode_number(entry) if isinstance(entry, int) else _encode_text(entry)
        parts += (data, _back_length(len(data)))
    body = b"".join(parts)
    size = _LISTPACK_HEAD.size + len(body) + 1
    return b"%b%b\xff" % (_LISTPACK_HEAD.pack(size, min(len(entries), _MANY)), body)


def _encode_number(number: int) -> bytes:
    if 0 <= number < 128:
        return bytes((number,))
    if -(1 << 12) <= number < 1 << 12:
        return (0xC000 | number & 0x1FFF).to_bytes(2, "big")
    for code, size in ((0xF1, 2), (0xF2, 3), (0xF3, 4)):
        if -(1 << 8 * size - 1) <= number < 1 << 8 * size - 1:
            return bytes((code,)) + number.to_bytes(size, "little", signed=True)
    return b"\xf4" + number.to_bytes(8, "little", signed=True)


def _encode_text(text: bytes) -> bytes:
    if len(text) < 64:
        return bytes((0x80 | len(text),)) + text
    if len(text) < 1 << 12:
        return (0xE000 | len(text)).to_bytes(2, "big") + text
    return b"\xf0" + len(text).to_bytes(4, "little") + text


def _back_length(size: int) -> bytes:
    """What stands behind an entry of that size, for those who go backwards: the high bits first, seven to a byte."""
    groups = [size & 127]
    while size := size >> 7:
        groups.append(size & 127)
    groups.reverse()
    return bytes((groups[0], *(group | 128 for group in groups[1:])))


def _check_back_length(reader: _Reader, size: int) -> None:
    expected = _back_length(size)
    if reader.take(len(expected)) != expected:
        reader.refuse("the size behind an entry is not that of the entry")


def decode_intset(data: bytes, offset: int = 0) -> list[bytes]:
    """The members of an intset, rising."""
    reader = _Reader(data, offset, "intset")
    size, count = _INTSET_HEAD.unpack(reader.take(_INTSET_HEAD.size))
    if size not in (2, 4, 8):
        reader.refuse(f"its numbers have {size} bytes")
    if len(data) != _INTSET_HEAD.size + size * count:
        reader.refuse(f"it says it has {count} numbers of {size} bytes, and has {len(data)} bytes")
    numbers = [reader.number(size) for _ in range(count)]
    if any(second <= first for first, second in pairwise(numbers)):
        reader.refuse("its numbers do not rise")
    return [b"%d" % number for number in numbers]


def decode_zipmap(data: bytes, offset: int = 0) -> list[bytes]:
    """Fields and values of a zipmap in turn."""
    reader = _Reader(data, offset, "zipmap")
    said = reader.byte()
    entries: list[bytes] = []
    while (size := _zipmap_length(reader)) is not None:
        entries.append(reader.take(size))
        size = _zipmap_length(reader)
        if size is None:
            reader.refuse("it ends between a field and its value")
        free = reader.byte()
        entries.append(reader.take(size))
        reader.take(free)
    count = len(entries) // 2
    reader.finish(count, said if said < 254 else _MANY)
    return entries


def _zipmap_length(reader: _Reader) -> int | None:
    first = reader.byte()
    if first == _END:
        return None
    return reader.number(4, signed=False) if first == 254 else first
