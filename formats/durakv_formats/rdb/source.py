"""The bytes of an RDB file, read once from front to back: numbers, lengths, strings, and the checksum over all of it.

Nothing is believed before it is there: a string that claims half a gigabyte is read in pieces, and is as large as the
file is honest.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct

import anycrc  # pyright: ignore[reportMissingTypeStubs]

from durakv_formats.checksum import crc32c
from durakv_formats.errors import FormatError, LimitError
from durakv_formats.limits import BULK_BYTES_MAX
from durakv_formats.rdb.lzf import decompress_lzf

CHUNK_BYTES = 1 << 20

_crc64: Callable[[bytes, int], int] = anycrc.Model("CRC64-REDIS").calc  # pyright: ignore
_INT16 = Struct("<h").unpack
_INT32 = Struct("<i").unpack
_UINT32_BIG = Struct(">I").unpack
_UINT64_BIG = Struct(">Q").unpack

_INT8_ENCODING, _INT16_ENCODING, _INT32_ENCODING, _LZF_ENCODING = range(4)


def crc64(data: bytes, value: int = 0) -> int:
    """The checksum of RDB files: ``crc64(b"123456789") == 0xE9C6D914C4B8D9CA``."""
    return _crc64(data, value)


class Source:
    """``read(size)`` returns up to so many bytes, and none at the end."""

    def __init__(self, read: Callable[[int], bytes], offset: int = 0) -> None:
        self._read = read
        self._data = b""
        self._at = 0
        self._origin = offset
        self._summed = 0
        self._crc = 0
        self._block_start = offset
        self._block_crc = 0

    @property
    def offset(self) -> int:
        """How many bytes were taken."""
        return self._origin + self._at

    @property
    def crc(self) -> int:
        """The checksum of the bytes that were taken."""
        self._sum_up()
        return self._crc

    def block(self) -> tuple[int, int]:
        """How many bytes were taken since the block began, and their CRC-32C."""
        self._sum_up()
        return self.offset - self._block_start, self._block_crc

    def begin_block(self) -> None:
        """Begin a block with the next byte."""
        self._sum_up()
        self._block_start, self._block_crc = self.offset, 0

    def rest(self) -> bytes:
        """What was read and not taken."""
        return self._data[self._at :]

    def exactly(self, size: int) -> bytes:
        """The next bytes, so many of them."""
        at = self._at
        stop = at + size
        if stop > len(self._data):
            self._fill(size)
            at = self._at
            stop = at + size
        self._at = stop
        return self._data[at:stop]

    def byte(self) -> int:
        """The next byte."""
        at = self._at
        if at == len(self._data):
            self._fill(1)
            at = self._at
        self._at = at + 1
        return self._data[at]

    def length(self) -> int:
        """A length, count or number; up to 2^64 - 1."""
        start = self.offset
        length, is_plain = self._length()
        if not is_plain:
            raise FormatError(start, "an encoded string where a length should be")
        return length

    def string(self) -> bytes:
        """A string in any of its encodings."""
        start = self.offset
        length, is_plain = self._length()
        if is_plain:
            if length > BULK_BYTES_MAX:
                raise LimitError(start, f"a string of {length} bytes; {BULK_BYTES_MAX} are allowed")
            return self.exactly(length)
        if length == _INT8_ENCODING:
            (number,) = self.exactly(1)
            return b"%d" % (number - 256 if number > 127 else number)
        if length == _INT16_ENCODING:
            return b"%d" % _INT16(self.exactly(2))[0]
        if length == _INT32_ENCODING:
            return b"%d" % _INT32(self.exactly(4))[0]
        if length == _LZF_ENCODING:
            packed, size = self.length(), self.length()
            if max(packed, size) > BULK_BYTES_MAX:
                raise LimitError(start, f"a string of {max(packed, size)} bytes; {BULK_BYTES_MAX} are allowed")
            inner = self.offset
            return decompress_lzf(self.exactly(packed), size, inner)
        raise FormatError(start, f"a string in the unknown encoding {length}")

    def strings(self, count: int) -> list[bytes]:
        """So many strings, one after the other; short ones, which most are, cost no call each."""
        found: list[bytes] = []
        add = found.append
        data, at = self._data, self._at
        safe = len(data) - 64  # as far as a short string is there whole
        for _ in range(count):
            if at < safe:
                first = data[at]
                if first < 64:
                    add(data[at + 1 : at + 1 + first])
                    at += 1 + first
                    continue
            self._at = at
            add(self.string())
            data, at = self._data, self._at
            safe = len(data) - 64
        self._at = at
        return found

    def _length(self) -> tuple[int, bool]:
        """A length, or the number of a string's encoding and False."""
        first = self.byte()
        sort = first >> 6
        if sort == 0:
            return first, True
        if sort == 1:
            return (first & 63) << 8 | self.byte(), True
        if sort == 3:
            return first & 63, False
        if first == 0x80:
            return _UINT32_BIG(self.exactly(4))[0], True
        if first == 0x81:
            return _UINT64_BIG(self.exactly(8))[0], True
        raise FormatError(self.offset - 1, f"no length begins with the byte {first:#04x}")

    def _fill(self, size: int) -> None:
        """Have so many bytes at hand, or raise."""
        self._sum_up()
        pieces = [self._data[self._at :]]
        held = len(pieces[0])
        self._origin += self._at
        self._at = self._summed = 0
        while held < size:
            piece = self._read(max(CHUNK_BYTES, min(size - held, 16 * CHUNK_BYTES)))
            if not piece:
                self._data = b"".join(pieces)
                raise FormatError(self._origin + held, f"the file ends, but {size - held} more bytes should follow")
            pieces.append(piece)
            held += len(piece)
        self._data = b"".join(pieces)

    def _sum_up(self) -> None:
        if self._at > self._summed:
            taken = self._data[self._summed : self._at]
            self._crc = crc64(taken, self._crc)
            self._block_crc = crc32c(taken, self._block_crc)
            self._summed = self._at
