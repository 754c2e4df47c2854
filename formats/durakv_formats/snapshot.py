"""Writing and reading snapshot files, a block at a time.  What a file consists of stands in ``snapshot_v1``."""

from __future__ import annotations

from durakv_formats.checksum import crc32c
from durakv_formats.errors import FormatError, LimitError, UnsupportedVersionError
from durakv_formats.intake import Intake
from durakv_formats.limits import BLOCK_COUNT_MAX
from durakv_formats.snapshot_v1 import (
    BLOCK,
    BLOCK_TAG,
    CRC_BYTES,
    FOOTER,
    FOOTER_TAG,
    HEADER,
    MAGIC,
    Codec,
    SnapshotHeader,
    StoredBlock,
    Totals,
    check_block,
    check_header,
    compress,
    decode_header,
    encode_header,
)

__all__ = ["MAGIC", "Codec", "SnapshotDecoder", "SnapshotEncoder", "SnapshotHeader", "StoredBlock", "newer_header"]


def newer_header(data: bytes) -> SnapshotHeader | None:
    """What a snapshot of a newer version says of itself, from its first bytes; None if it is no such thing.

    Every version begins with the header of version 1 under a magic of its own, so a reader that must leave a file alone
    still knows whose it is and how far it goes.
    """
    data = data[: HEADER.size]
    if len(data) < HEADER.size or data[: len(MAGIC) - 1] != MAGIC[:-1] or data.startswith(MAGIC):
        return None
    return decode_header(data)


class SnapshotEncoder:
    """Makes the bytes of one snapshot, to be written in the order of the calls: header, blocks, footer."""

    def __init__(self, header: SnapshotHeader) -> None:
        check_header(0, header)
        self._slot_count = header.slot_count
        self._header_bytes = encode_header(header)
        self._totals = Totals(header, self._header_bytes)

    def header_bytes(self) -> bytes:
        """The header; first in the file."""
        return self._header_bytes

    def block(self, slot: int, payload: bytes, count: int) -> bytes:
        """A block.  Slots must not decrease; several blocks may hold one slot.  Compressed if that pays."""
        codec, stored = compress(payload)
        return self._seal(slot, count, codec, stored, len(payload))

    def copy_block(self, block: StoredBlock) -> bytes:
        """A block of another snapshot, as it is stored there: it is neither decompressed nor looked into."""
        return self._seal(block.slot, block.count, block.codec, block.stored, block.raw_bytes)

    def footer(self) -> bytes:
        """The footer; last in the file."""
        return self._totals.footer()

    def _seal(self, slot: int, count: int, codec: Codec, stored: bytes, raw_bytes: int) -> bytes:
        check_block(0, self._slot_count, self._totals.slot, slot, codec, raw_bytes, len(stored))
        if not 0 <= count <= BLOCK_COUNT_MAX:
            raise LimitError(0, f"a block of {count} things; {BLOCK_COUNT_MAX} are allowed")
        head = BLOCK.pack(BLOCK_TAG, codec, slot, count, raw_bytes, len(stored), 0)[:-CRC_BYTES]
        crc = crc32c(stored, crc32c(head, self._totals.seed))
        head += crc.to_bytes(CRC_BYTES, "little")
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
        self._totals: Totals | None = None
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
        if tag == BLOCK_TAG:
            return self._read_block(self.header, self._totals)
        if tag != FOOTER_TAG:
            raise FormatError(intake.position, f"{tag:#04x} where a block was expected")
        if intake.need(FOOTER.size):
            if intake.data[intake.at : intake.at + FOOTER.size] != self._totals.footer():
                raise FormatError(intake.position, "the footer does not agree with what came before it")
            intake.at += FOOTER.size
            self.done = True
            return self.next_block()
        return None

    def _read_header(self) -> Totals | None:
        intake = self._intake
        if intake.need(len(MAGIC)) and not intake.data.startswith(MAGIC):
            if intake.data.startswith(MAGIC[:-1]):
                raise UnsupportedVersionError(0, f"snapshot {intake.data[7:8].decode('latin-1')}")
            raise FormatError(0, "not a snapshot: the first bytes are others")
        if not intake.need(HEADER.size):
            return None
        data = intake.data[: HEADER.size]
        header = decode_header(data)
        intake.at = HEADER.size
        self.header = header
        return Totals(header, data)

    def _read_block(self, header: SnapshotHeader, totals: Totals) -> StoredBlock | None:
        intake = self._intake
        if not intake.need(BLOCK.size):
            return None
        start = intake.position
        _, codec, slot, count, raw_bytes, stored_bytes, crc = BLOCK.unpack_from(intake.data, intake.at)
        check_block(start, header.slot_count, totals.slot, slot, codec, raw_bytes, stored_bytes)
        if not intake.need(BLOCK.size + stored_bytes):
            return None
        data, at = intake.data, intake.at
        head = data[at : at + BLOCK.size]
        stored = data[at + BLOCK.size : at + BLOCK.size + stored_bytes]
        if crc32c(stored, crc32c(head[:-CRC_BYTES], totals.seed)) != crc:
            raise FormatError(start, "a block whose checksum does not match, or a block of another file")
        intake.at += BLOCK.size + stored_bytes
        totals.add(head, slot, count, raw_bytes, stored_bytes)
        return StoredBlock(slot, count, Codec(codec), stored, raw_bytes, start)
