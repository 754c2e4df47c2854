"""The outline of a snapshot: where its blocks are, from their heads alone, and how to trust one of them later.

    outline = SnapshotOutline(first bytes)            the header, verified
    while not outline.done:
        outline.take(bytes at outline.offset)         a head or the footer; what a block stores is passed over
    block = outline.verify(index, its bytes)

The footer's chain covers the checksums in all heads, and its totals the sizes, so an outline that is ``done`` has
every block, each with the checksum that its writer gave it.  But a head is covered by its block's checksum only: until
the block was verified, the head may name another slot than the writer did.  Hence, for a reader of one slot:

    a slot's blocks are those whose heads name it, *if* these, the block before them and the one behind them verify.

Verified blocks are true, each says where the next one begins, and slots never decrease: so nothing of the slot can
stand elsewhere.  (The header before the first block is verified, and the footer behind the last one.)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from durakv_formats.checksum import crc32c
from durakv_formats.errors import FormatError
from durakv_formats.snapshot import SnapshotDecoder, SnapshotHeader, StoredBlock
from durakv_formats.snapshot_v1 import (
    BLOCK,
    BLOCK_TAG,
    CRC_BYTES,
    FOOTER,
    FOOTER_TAG,
    HEADER,
    Codec,
    Totals,
    check_block,
)

HEADER_BYTES = HEADER.size
_BLOCK = bytes([BLOCK_TAG])
_FOOTER = bytes([FOOTER_TAG])
_STORED_BYTES = slice(12, 16)
TAKE_BYTES = max(BLOCK.size, FOOTER.size)
"""How many bytes ``take`` wants; fewer only at the end of the file."""


class SnapshotOutline:
    """See the module.  Every method raises FormatError for damage, ``UnsupportedVersionError`` for another version."""

    def __init__(self, start: bytes) -> None:
        decoder = SnapshotDecoder()
        decoder.feed(start[:HEADER_BYTES])
        decoder.next_block()
        if decoder.header is None:
            raise FormatError(0, "the file ends inside its header")
        self.header: SnapshotHeader = decoder.header
        """Whose it is, up to which command it goes, and what its blocks hold."""
        self.offset = HEADER_BYTES
        """Where the next head stands, or the footer; at the end of the file, once ``done``."""
        self.count = 0
        """How many things all blocks hold together."""
        self.done = False
        """Whether the footer was read and agreed."""
        self._totals = Totals(self.header, start[:HEADER_BYTES])
        self._slots: list[int] = []
        self._heads: list[bytes] = []
        self._offsets: list[int] = []
        self._verified = bytearray()

    def __len__(self) -> int:
        """The number of blocks."""
        return len(self._heads)

    def take(self, data: bytes) -> None:
        """Take the head at ``offset`` out of the bytes that begin there, or the footer."""
        if data[:1] == _BLOCK and len(data) >= BLOCK.size:
            # The head is looked at when all are there: until the footer agrees, its size is only a place to look next.
            self._heads.append(data[: BLOCK.size])
            self._offsets.append(self.offset)
            self.offset += BLOCK.size + int.from_bytes(data[_STORED_BYTES], "little")
        elif data[:1] == _FOOTER:
            self._take_footer(data)
        elif len(data) < BLOCK.size:
            raise FormatError(self.offset, "the file ends before the snapshot does")
        else:
            raise FormatError(self.offset, f"{data[0]:#04x} where a block was expected")

    def _take_footer(self, data: bytes) -> None:
        slot_count, before = self.header.slot_count, 0
        for offset, fields in zip(self._offsets, BLOCK.iter_unpack(b"".join(self._heads)), strict=True):
            _tag, codec, slot, _count, raw_bytes, stored_bytes, _crc = fields
            check_block(offset, slot_count, before, slot, codec, raw_bytes, stored_bytes)
            self._slots.append(slot)
            before = slot
        if len(data) < FOOTER.size:
            raise FormatError(self.offset, "the file ends inside its footer")
        self._totals.add_all(self._heads)
        self.count = self._totals.count
        if data[: FOOTER.size] != self._totals.footer():
            raise FormatError(self.offset, "the footer does not agree with what came before it")
        self.offset += FOOTER.size
        self._offsets.append(self.offset - FOOTER.size)
        self._verified = bytearray(len(self._heads))
        self.done = True

    # --- one slot -------------------------------------------------------------------------------------------------

    def blocks_of(self, slot: int) -> range:
        """The blocks whose heads name the slot."""
        return range(bisect_left(self._slots, slot), bisect_right(self._slots, slot))

    def unproven(self, blocks: range) -> list[int]:
        """The neighbours that have to be verified before ``blocks`` are known to be all of their slot."""
        neighbours = (blocks.start - 1, blocks.stop)
        return [index for index in neighbours if 0 <= index < len(self._heads) and not self._verified[index]]

    def place(self, index: int) -> tuple[int, int]:
        """Where a block stands: its offset, and its size with the head."""
        offset = self._offsets[index]
        return offset, self._offsets[index + 1] - offset

    def verify(self, index: int, data: bytes) -> StoredBlock:
        """The block, from the bytes of its place; raises FormatError unless it is what its writer sealed."""
        (offset, size), head = self.place(index), self._heads[index]
        if len(data) != size:
            raise FormatError(offset, "the file ends inside a block that was there before")
        stored = data[BLOCK.size :]
        crc = int.from_bytes(head[-CRC_BYTES:], "little")
        if data[: BLOCK.size] != head or crc32c(stored, crc32c(head[:-CRC_BYTES], self._totals.seed)) != crc:
            raise FormatError(offset, "a block whose checksum does not match, or a block of another file")
        self._verified[index] = True
        _tag, codec, slot, count, raw_bytes, _stored_bytes, _crc = BLOCK.unpack(head)
        return StoredBlock(slot, count, Codec(codec), stored, raw_bytes, offset)
