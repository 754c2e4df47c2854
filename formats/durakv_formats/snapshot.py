"""Snapshot files, version 1.  The layout is specified in formats/snapshot-v1.md.

    snapshot := header block* footer                                                       numbers little-endian
    header   := "DKVSNAP1" identity[16] number:u32 slot_count:u32 seq:u64 created_ms:u64 content[32] crc:u32
    block    := "B" codec:u8 slot:u16 count:u32 raw_bytes:u32 stored_bytes:u32 crc:u32 stored[stored_bytes]
    footer   := "E" 0 0 0 chain:u32 block_count:u64 count:u64 raw_bytes:u64 file_bytes:u64 crc:u32

Every checksum after the header's begins with the identity and the number of the file, so that a block of another file
does not fit.  ``chain`` is the checksum of all checksums before it, so that no block can be lost, doubled or swapped
either.  (It covers them alone: a checksum over bytes that end with their own checksum says nothing about those bytes.)
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Any, cast

import lz4.block

from durakv_formats.checksum import crc32c
from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError
from durakv_formats.intake import Intake
from durakv_formats.limits import (
    BLOCK_COUNT_MAX,
    BLOCK_RAW_BYTES_MAX,
    CONTENT_BYTES_MAX,
    SEGMENT_NUMBER_MAX,
    SEQ_MAX,
    SLOT_COUNT_MAX,
)

MAGIC = b"DKVSNAP1"

_HEADER = Struct("<8s16sIIQQ32sI")
_BLOCK = Struct("<BBHIIII")
_FOOTER = Struct("<B3xIQQQQI")
_CRC_BYTES = 4
_BLOCK_TAG = ord("B")
_FOOTER_TAG = ord("E")
_CONTENT = re.compile(f"[!-~]{{1,{CONTENT_BYTES_MAX}}}")

_COMPRESSED_BYTES_MIN = 64
"""Shorter payloads are not worth a try."""

_LZ4_RATIO_MAX = 255
"""One stored byte never stands for more; a block that claims it is refused before memory is set aside."""

# The package carries no types.
_compress = cast("Callable[..., bytes]", getattr(lz4.block, "compress"))  # noqa: B009
_decompress = cast("Callable[..., bytes]", getattr(lz4.block, "decompress"))  # noqa: B009
_Lz4Error = cast("type[Exception]", getattr(lz4.block, "LZ4BlockError"))  # noqa: B009


class Codec(IntEnum):
    """How the bytes of a block are stored."""

    NONE = 0
    LZ4 = 1


@dataclass(frozen=True, slots=True)
class SnapshotHeader:
    """What a snapshot says of itself: whose it is, up to which command it goes, and what its blocks hold."""

    identity: bytes
    seq: int
    number: int
    slot_count: int
    content: str
    created_ms: int


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """One block as it stands in the file; ``count`` is how many things its payload holds."""

    slot: int
    count: int
    codec: Codec
    stored: bytes
    raw_bytes: int
    offset: int = field(default=0, compare=False)

    def payload(self) -> bytes:
        """The bytes that were given to the encoder.  Raises FormatError if they cannot be had back."""
        if self.codec is Codec.NONE:
            return self.stored
        try:
            payload = _decompress(self.stored, uncompressed_size=self.raw_bytes)
        except _Lz4Error as failure:
            raise FormatError(self.offset, f"a block that does not decompress ({failure})") from failure
        if len(payload) != self.raw_bytes:
            raise FormatError(self.offset, f"a block of {len(payload)} bytes that says {self.raw_bytes}")
        return payload


class SnapshotEncoder:
    """Makes the bytes of one snapshot, to be written in the order of the calls: header, blocks, footer."""

    def __init__(self, header: SnapshotHeader) -> None:
        _check_header(0, header)
        self._slot_count = header.slot_count
        self._header_bytes = _encode_header(header)
        self._totals = _Totals(header, self._header_bytes)

    def header_bytes(self) -> bytes:
        """The header; first in the file."""
        return self._header_bytes

    def block(self, slot: int, payload: bytes, count: int) -> bytes:
        """A block.  Slots must not decrease; several blocks may hold one slot.  Compressed if that pays."""
        if len(payload) >= _COMPRESSED_BYTES_MIN:
            compressed = _compress(payload, store_size=False)
            if 10 * len(compressed) < 9 * len(payload):
                return self._seal(slot, count, Codec.LZ4, compressed, len(payload))
        return self._seal(slot, count, Codec.NONE, payload, len(payload))

    def copy_block(self, block: StoredBlock) -> bytes:
        """A block of another snapshot, as it is stored there: it is neither decompressed nor looked into."""
        return self._seal(block.slot, block.count, block.codec, block.stored, block.raw_bytes)

    def footer(self) -> bytes:
        """The footer; last in the file."""
        return self._totals.footer()

    def _seal(self, slot: int, count: int, codec: Codec, stored: bytes, raw_bytes: int) -> bytes:
        _check_block(0, self._slot_count, self._totals.slot, slot, codec, raw_bytes, len(stored))
        if not 0 <= count <= BLOCK_COUNT_MAX:
            raise LimitError(0, f"a block of {count} things; {BLOCK_COUNT_MAX} are allowed")
        head = _BLOCK.pack(_BLOCK_TAG, codec, slot, count, raw_bytes, len(stored), 0)[:-_CRC_BYTES]
        crc = crc32c(stored, crc32c(head, self._totals.seed))
        head += crc.to_bytes(_CRC_BYTES, "little")
        self._totals.add(head, slot, count, raw_bytes, len(stored))
        return head + stored


class SnapshotDecoder:
    """Reads and verifies one snapshot from bytes that are fed in pieces of any size.

    ``next_block()`` returns the next block, or None when more bytes are needed or the footer was read: then ``done``
    is True, and only then was the file whole.  It raises FormatError, again and again, at the first thing that is
    wrong.
    """

    def __init__(self) -> None:
        self._intake = Intake(0)
        self._totals: _Totals | None = None
        self.header: SnapshotHeader | None = None
        """The header, once it was read."""
        self.done = False
        """Whether the footer was read and agreed with all that came before it."""

    @property
    def offset(self) -> int:
        """The end of the last good part: header, block or footer."""
        return self._intake.position

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take more bytes."""
        self._intake.feed(data)

    def next_block(self) -> StoredBlock | None:
        """The next block, or None: more bytes, please, or that was all (``done``)."""
        intake = self._intake
        if self._totals is None or self.header is None:
            self._totals = self._read_header()
            if self._totals is None or self.header is None:
                return None
        if not intake.need(1):
            return None
        tag = intake.data[intake.at]
        if self.done:
            raise FormatError(intake.position, "bytes after the end of the snapshot")
        if tag == _BLOCK_TAG:
            return self._read_block(self.header, self._totals)
        if tag != _FOOTER_TAG:
            raise FormatError(intake.position, f"{tag:#04x} where a block was expected")
        if intake.need(_FOOTER.size):
            if intake.data[intake.at : intake.at + _FOOTER.size] != self._totals.footer():
                raise FormatError(intake.position, "the footer does not agree with what came before it")
            intake.at += _FOOTER.size
            self.done = True
            return self.next_block()
        return None

    def _read_header(self) -> _Totals | None:
        intake = self._intake
        if intake.need(len(MAGIC)) and not intake.data.startswith(MAGIC):
            if intake.data.startswith(MAGIC[:-1]):
                raise UnsupportedVersionError(0, f"snapshot {intake.data[7:8].decode('latin-1')}")
            raise FormatError(0, "not a snapshot: the first bytes are others")
        if not intake.need(_HEADER.size):
            return None
        data = intake.data[: _HEADER.size]
        _, identity, number, slot_count, seq, created_ms, content, crc = _HEADER.unpack(data)
        if crc32c(data[:-_CRC_BYTES]) != crc:
            raise FormatError(0, "the header's checksum does not match")
        word = content.rstrip(b"\0").decode("latin-1")
        header = SnapshotHeader(identity, seq, number, slot_count, word, created_ms)
        _check_header(0, header)
        intake.at = _HEADER.size
        self.header = header
        return _Totals(header, data)

    def _read_block(self, header: SnapshotHeader, totals: _Totals) -> StoredBlock | None:
        intake = self._intake
        if not intake.need(_BLOCK.size):
            return None
        start = intake.position
        _, codec, slot, count, raw_bytes, stored_bytes, crc = _BLOCK.unpack_from(intake.data, intake.at)
        _check_block(start, header.slot_count, totals.slot, slot, codec, raw_bytes, stored_bytes)
        if not intake.need(_BLOCK.size + stored_bytes):
            return None
        data, at = intake.data, intake.at
        head = data[at : at + _BLOCK.size]
        stored = data[at + _BLOCK.size : at + _BLOCK.size + stored_bytes]
        if crc32c(stored, crc32c(head[:-_CRC_BYTES], totals.seed)) != crc:
            raise FormatError(start, "a block whose checksum does not match, or a block of another file")
        intake.at += _BLOCK.size + stored_bytes
        totals.add(head, slot, count, raw_bytes, stored_bytes)
        return StoredBlock(slot, count, Codec(codec), stored, raw_bytes, start)


class _Totals:
    """What the footer says, kept up to date block by block by both sides."""

    __slots__ = ("_block_count", "_chain", "_count", "_file_bytes", "_raw_bytes", "seed", "slot")

    def __init__(self, header: SnapshotHeader, header_bytes: bytes) -> None:
        self.seed = crc32c(header.identity + header.number.to_bytes(4, "little"))
        self.slot = 0
        self._chain = crc32c(header_bytes[-_CRC_BYTES:], self.seed)
        self._block_count = 0
        self._count = 0
        self._raw_bytes = 0
        self._file_bytes = len(header_bytes)

    def add(self, head: bytes, slot: int, count: int, raw_bytes: int, stored_bytes: int) -> None:
        self._chain = crc32c(head[-_CRC_BYTES:], self._chain)
        self.slot = slot
        self._block_count += 1
        self._count += count
        self._raw_bytes += raw_bytes
        self._file_bytes += len(head) + stored_bytes

    def footer(self) -> bytes:
        totals: tuple[Any, ...] = (self._block_count, self._count, self._raw_bytes, self._file_bytes + _FOOTER.size)
        data = _FOOTER.pack(_FOOTER_TAG, self._chain, *totals, 0)[:-_CRC_BYTES]
        return data + crc32c(data, self.seed).to_bytes(_CRC_BYTES, "little")


def _encode_header(header: SnapshotHeader) -> bytes:
    data = _HEADER.pack(
        MAGIC,
        header.identity,
        header.number,
        header.slot_count,
        header.seq,
        header.created_ms,
        header.content.encode("ascii"),
        0,
    )[:-_CRC_BYTES]
    return data + crc32c(data).to_bytes(_CRC_BYTES, "little")


def _check_header(offset: int, header: SnapshotHeader) -> None:
    if len(header.identity) != 16:
        raise FormatError(offset, "an identity has 16 bytes")
    if not _CONTENT.fullmatch(header.content):
        raise FormatError(offset, f"{header.content!r} is not a word of 1 to {CONTENT_BYTES_MAX} ASCII characters")
    for name, number, least, most in (
        ("number", header.number, 0, SEGMENT_NUMBER_MAX),
        ("slot_count", header.slot_count, 1, SLOT_COUNT_MAX),
        ("seq", header.seq, 0, SEQ_MAX),
        ("created_ms", header.created_ms, 0, SEQ_MAX),
    ):
        if not least <= number <= most:
            raise LimitError(offset, f"{name} is {number}; {least} to {most} are allowed")


def _check_block(
    offset: int, slot_count: int, slot_before: int, slot: int, codec: int, raw_bytes: int, stored_bytes: int
) -> None:
    if not slot_before <= slot < slot_count:
        raise FormatError(offset, f"a block of slot {slot} after slot {slot_before} of {slot_count}")
    if raw_bytes > BLOCK_RAW_BYTES_MAX:
        raise LimitError(offset, f"a block of {raw_bytes} bytes; {BLOCK_RAW_BYTES_MAX} are allowed")
    if codec == Codec.NONE:
        fits = stored_bytes == raw_bytes
    elif codec == Codec.LZ4:
        fits = stored_bytes < raw_bytes <= _LZ4_RATIO_MAX * stored_bytes
    else:
        raise FormatError(offset, f"unknown codec {codec}")
    if not fits:
        raise FormatError(offset, f"a block of {raw_bytes} bytes cannot be stored in {stored_bytes} bytes")
