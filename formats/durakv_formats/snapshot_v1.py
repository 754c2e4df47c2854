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
from collections.abc import Callable, Sequence
from enum import IntEnum
from struct import Struct
from typing import cast

import lz4.block
import msgspec

from durakv_formats.checksum import crc32c
from durakv_formats.errors import FormatError, LimitError
from durakv_formats.limits import (
    BLOCK_RAW_BYTES_MAX,
    CONTENT_BYTES_MAX,
    SEGMENT_NUMBER_MAX,
    SEQ_MAX,
    SLOT_COUNT_MAX,
)

MAGIC = b"DKVSNAP1"

HEADER = Struct("<8s16sIIQQ32sI")
BLOCK = Struct("<BBHIIII")
FOOTER = Struct("<B3xIQQQQI")
CRC_BYTES = 4
BLOCK_TAG = ord("B")
FOOTER_TAG = ord("E")

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


class SnapshotHeader(msgspec.Struct, frozen=True):
    """What a snapshot says of itself: whose it is, up to which command it goes, and what its blocks hold."""

    identity: bytes
    seq: int
    number: int
    slot_count: int
    content: str
    created_ms: int


class StoredBlock(msgspec.Struct, frozen=True):
    """One block as it stands in the file; ``count`` is how many things its payload holds."""

    slot: int
    count: int
    codec: Codec
    stored: bytes
    raw_bytes: int
    offset: int = 0

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


class Totals:
    """What the footer says, kept up to date block by block by both sides."""

    __slots__ = ("_block_count", "_chain", "_file_bytes", "_raw_bytes", "count", "seed", "slot")

    def __init__(self, header: SnapshotHeader, header_bytes: bytes) -> None:
        self.seed = crc32c(header.identity + header.number.to_bytes(4, "little"))
        self.slot = 0
        self._chain = crc32c(header_bytes[-CRC_BYTES:], self.seed)
        self._block_count = 0
        self.count = 0
        self._raw_bytes = 0
        self._file_bytes = len(header_bytes)

    def add(self, head: bytes, slot: int, count: int, raw_bytes: int, stored_bytes: int) -> None:
        self._chain = crc32c(head[-CRC_BYTES:], self._chain)
        self.slot = slot
        self._block_count += 1
        self.count += count
        self._raw_bytes += raw_bytes
        self._file_bytes += len(head) + stored_bytes

    def add_all(self, heads: Sequence[bytes]) -> None:
        """The same for all blocks at once, from their heads; slots are the caller's to look after."""
        fields = list(BLOCK.iter_unpack(b"".join(heads)))
        self._chain = crc32c(b"".join([head[-CRC_BYTES:] for head in heads]), self._chain)
        self._block_count += len(heads)
        self.count += sum([field[3] for field in fields])
        self._raw_bytes += sum([field[4] for field in fields])
        self._file_bytes += sum([BLOCK.size + field[5] for field in fields])

    def footer(self) -> bytes:
        file_bytes = self._file_bytes + FOOTER.size
        totals = (self._block_count, self.count, self._raw_bytes, file_bytes)
        data = FOOTER.pack(FOOTER_TAG, self._chain, *totals, 0)[:-CRC_BYTES]
        return data + crc32c(data, self.seed).to_bytes(CRC_BYTES, "little")


def compress(payload: bytes) -> tuple[Codec, bytes]:
    """How a payload is stored: compressed if that saves a tenth of it."""
    if len(payload) >= _COMPRESSED_BYTES_MIN:
        compressed = _compress(payload, store_size=False)
        if 10 * len(compressed) < 9 * len(payload):
            return Codec.LZ4, compressed
    return Codec.NONE, payload


def encode_header(header: SnapshotHeader) -> bytes:
    data = HEADER.pack(
        MAGIC,
        header.identity,
        header.number,
        header.slot_count,
        header.seq,
        header.created_ms,
        header.content.encode("ascii"),
        0,
    )[:-CRC_BYTES]
    return data + crc32c(data).to_bytes(CRC_BYTES, "little")


def decode_header(data: bytes) -> SnapshotHeader:
    """The header in these bytes, whatever the version in their magic; FormatError if it is damaged or cannot be."""
    _, identity, number, slot_count, seq, created_ms, content, crc = HEADER.unpack(data)
    if crc32c(data[:-CRC_BYTES]) != crc:
        raise FormatError(0, "the header's checksum does not match")
    word = content.rstrip(b"\0").decode("latin-1")
    header = SnapshotHeader(identity, seq, number, slot_count, word, created_ms)
    check_header(0, header)
    return header


def check_header(offset: int, header: SnapshotHeader) -> None:
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


def check_block(
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
