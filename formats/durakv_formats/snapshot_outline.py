"""The outline of a snapshot: where its blocks are, from their heads alone, and how to trust one of them later.

    outline = SnapshotOutline(read_at)                header, heads and footer; what the blocks store is passed over
    block = outline.verify(index, its bytes)

The footer's chain covers the checksums in all heads, and its totals the sizes, so an outline has
every block, each with the checksum that its writer gave it.  But a head is covered by its block's checksum only: until
the block was verified, the head may name another slot than the writer did.  Hence, for a reader of one slot:

    a slot's blocks are those whose heads name it, *if* these, the block before them and the one behind them verify.

Verified blocks are true, each says where the next one begins, and slots never decrease: so nothing of the slot can
stand elsewhere.  (The header before the first block is verified, and the footer behind the last one.)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable

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

_HEAD_BYTES = BLOCK.size
_TAKE_BYTES = max(BLOCK.size, FOOTER.size)
_BLOCK = bytes([BLOCK_TAG])
_FOOTER = bytes([FOOTER_TAG])


class SnapshotOutline:
    """See the module.  Every method raises FormatError for damage, ``UnsupportedVersionError`` for another version."""

    def __init__(self, read_at: Callable[[int, int], bytes]) -> None:
        """Read the outline; ``read_at`` takes a size and an offset, and returns less at the end of the file only."""
        start = read_at(HEADER.size, 0)
        decoder = SnapshotDecoder()
        decoder.feed(start)
        decoder.next_block()
        if decoder.header is None:
            raise FormatError(0, "the file ends inside its header")
        self.header: SnapshotHeader = decoder.header
        """Whose it is, up to which command it goes, and what its blocks hold."""
        self._totals = Totals(self.header, start)
        self._heads: list[bytes] = []
        self._offsets: list[int] = []
        """Where the blocks begin, and the footer."""
        footer = self._read_heads(read_at)
        self._slots = self._check_heads()
        self._totals.add_all(self._heads)
        self.count = self._totals.count
        """How many things all blocks hold together."""
        if footer != self._totals.footer():
            raise FormatError(self._offsets[-1], "the footer does not agree with what came before it")
        self._verified = bytearray(len(self._heads))

    @property
    def size(self) -> int:
        """Where the snapshot ends, and the file has to end as well."""
        return self._offsets[-1] + FOOTER.size

    def __len__(self) -> int:
        """The number of blocks."""
        return len(self._heads)

    def _read_heads(self, read_at: Callable[[int, int], bytes]) -> bytes:
        """Go from head to head, and return what has to be the footer."""
        heads, offsets, offset = self._heads, self._offsets, HEADER.size
        while True:
            offsets.append(offset)
            data = read_at(_TAKE_BYTES, offset)
            if len(data) < _TAKE_BYTES:
                raise FormatError(offset, "the file ends before the snapshot does")
            if not data.startswith(_BLOCK):
                break
            heads.append(data[:_HEAD_BYTES])
            # Not believed yet: until the footer agrees, it is only a place to look next.
            offset += _HEAD_BYTES + int.from_bytes(data[12:16], "little")
        if not data.startswith(_FOOTER):
            raise FormatError(offset, f"{data[0]:#04x} where a block was expected")
        return data[: FOOTER.size]

    def _check_heads(self) -> list[int]:
        """The slots that the heads name; raises FormatError for a head that no writer makes."""
        slots: list[int] = []
        before = 0
        for offset, fields in zip(self._offsets, BLOCK.iter_unpack(b"".join(self._heads)), strict=False):
            _tag, codec, slot, _count, raw_bytes, stored_bytes, _crc = fields
            check_block(offset, self.header.slot_count, before, slot, codec, raw_bytes, stored_bytes)
            slots.append(slot)
            before = slot
        return slots

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
