"""Snapshot files, version 2, as a DRAFT: nothing here is released, and it may change or go on any day.

It exists to try out what a new version takes, on one that would be worth having: an index in front of the footer, so
that a lazy open reads three pieces of the file instead of a head for each block, and a slot is proven without its
neighbours.

    snapshot := header block* index footer                                                   numbers little-endian
    header   := that of version 1, beginning with "DKVSNAP2"
    block    := that of version 1
    index    := "I" 0 0 0 crc:u32 place[block_count] block_crc:u32[block_count]
    place    := the first 16 bytes of a block's head: "B" codec slot count raw_bytes stored_bytes
    footer   := that of version 1; file_bytes covers the index, too

``crc`` covers all places, and the footer's chain all checksums of blocks.  (The two apart: over bytes that are followed
by their own checksum a checksum says nothing, and a place and the checksum of an empty block are just that.)
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from struct import Struct

from durakv.snapshot.codec import BlockDecoder, BlockEncoder, Outline
from durakv_formats.checksum import crc32c
from durakv_formats.errors import FormatError
from durakv_formats.intake import Intake
from durakv_formats.snapshot import SnapshotDecoder, SnapshotEncoder, SnapshotHeader, StoredBlock
from durakv_formats.snapshot_outline import SnapshotOutline
from durakv_formats.snapshot_v1 import (
    BLOCK,
    BLOCK_TAG,
    CRC_BYTES,
    FOOTER,
    FOOTER_TAG,
    HEADER,
    Codec,
    check_block,
    decode_header,
    encode_header,
)

MAGIC = b"DKVSNAP2"
INDEX = Struct("<B3xI")
INDEX_TAG = ord("I")
PLACE_BYTES = BLOCK.size - CRC_BYTES


class DraftCodec:
    """Reads versions 1 and 2, writes version 2."""

    def decoder(self) -> BlockDecoder:
        return _EitherDecoder()

    def encoder(self, header: SnapshotHeader, /) -> BlockEncoder:
        return Encoder(header)

    def outline(self, read_at: Callable[[int, int], bytes], size: int, /) -> Outline:
        if read_at(len(MAGIC), 0) == MAGIC:
            return IndexedOutline(read_at, size)
        return SnapshotOutline(read_at)


class Ending:
    """What stands behind the blocks, from their heads; writer and readers make it alike."""

    def __init__(self, header: SnapshotHeader, header_bytes: bytes) -> None:
        self.seed = crc32c(header.identity + header.number.to_bytes(4, "little"))
        self._header_crc = header_bytes[-CRC_BYTES:]

    def encode(self, heads: Sequence[bytes]) -> bytes:
        """Index and footer."""
        places = b"".join([head[:PLACE_BYTES] for head in heads])
        checksums = b"".join([head[PLACE_BYTES:] for head in heads])
        index = INDEX.pack(INDEX_TAG, crc32c(places, self.seed)) + places + checksums
        fields = list(BLOCK.iter_unpack(b"".join(heads)))
        stored_bytes = sum(field[5] for field in fields)
        file_bytes = HEADER.size + BLOCK.size * len(heads) + stored_bytes + len(index) + FOOTER.size
        count, raw_bytes = sum(field[3] for field in fields), sum(field[4] for field in fields)
        chain = crc32c(checksums, crc32c(self._header_crc, self.seed))
        data = FOOTER.pack(FOOTER_TAG, chain, len(heads), count, raw_bytes, file_bytes, 0)[:-CRC_BYTES]
        return index + data + crc32c(data, self.seed).to_bytes(CRC_BYTES, "little")


def _header_bytes(header: SnapshotHeader) -> bytes:
    data = MAGIC + encode_header(header)[len(MAGIC) : -CRC_BYTES]
    return data + crc32c(data).to_bytes(CRC_BYTES, "little")


class Encoder:
    """Writes version 2; its blocks are those of version 1."""

    def __init__(self, header: SnapshotHeader) -> None:
        self._blocks = SnapshotEncoder(header)
        self._header_bytes = _header_bytes(header)
        self._ending = Ending(header, self._header_bytes)
        self._heads: list[bytes] = []

    def header_bytes(self) -> bytes:
        return self._header_bytes

    def block(self, slot: int, payload: bytes, count: int, /) -> bytes:
        return self._keep(self._blocks.block(slot, payload, count))

    def copy_block(self, block: StoredBlock, /) -> bytes:
        return self._keep(self._blocks.copy_block(block))

    def footer(self) -> bytes:
        return self._ending.encode(self._heads)

    def _keep(self, data: bytes) -> bytes:
        self._heads.append(data[: BLOCK.size])
        return data


class Decoder:
    """Reads version 2 from its first byte to its last."""

    def __init__(self) -> None:
        self._intake = Intake(0)
        self._ending: Ending | None = None
        self._heads: list[bytes] = []
        self._slot = 0
        self.header: SnapshotHeader | None = None
        self.done = False

    @property
    def offset(self) -> int:
        return self._intake.position

    def feed(self, data: bytes, /) -> None:
        self._intake.feed(data)

    def next_block(self) -> StoredBlock | None:
        intake = self._intake
        if self._ending is None:
            if not intake.need(HEADER.size):
                return None
            data = intake.data[: HEADER.size]
            self.header = decode_header(data)
            self._ending = Ending(self.header, data)
            intake.at = HEADER.size
        if not intake.need(1):
            return None
        tag = intake.data[intake.at]
        if self.done:
            raise FormatError(intake.position, "bytes after the end of the snapshot")
        if tag == BLOCK_TAG:
            return self._read_block(self._ending)
        if tag != INDEX_TAG:
            raise FormatError(intake.position, f"{tag:#04x} where a block was expected")
        ending = self._ending.encode(self._heads)
        if not intake.need(len(ending)):
            return None
        if intake.data[intake.at : intake.at + len(ending)] != ending:
            raise FormatError(intake.position, "index and footer do not agree with what came before them")
        intake.at += len(ending)
        self.done = True
        return self.next_block()

    def _read_block(self, ending: Ending) -> StoredBlock | None:
        intake, header = self._intake, self.header
        assert header is not None, "it was read first"
        if not intake.need(BLOCK.size):
            return None
        start = intake.position
        _, codec, slot, _count, raw_bytes, stored_bytes, _ = BLOCK.unpack_from(intake.data, intake.at)
        check_block(start, header.slot_count, self._slot, slot, codec, raw_bytes, stored_bytes)
        if not intake.need(BLOCK.size + stored_bytes):
            return None
        data = intake.data[intake.at : intake.at + BLOCK.size + stored_bytes]
        block = _verified(data, start, ending.seed)
        intake.at += len(data)
        self._heads.append(data[: BLOCK.size])
        self._slot = slot
        return block


class _EitherDecoder:
    """Reads version 1 or 2, whichever the first bytes are of; what is neither is refused as version 1 refuses it."""

    def __init__(self) -> None:
        self._intake = Intake(0)
        self._decoder: SnapshotDecoder | Decoder | None = None

    @property
    def header(self) -> SnapshotHeader | None:
        return None if self._decoder is None else self._decoder.header

    @property
    def done(self) -> bool:
        return self._decoder is not None and self._decoder.done

    @property
    def offset(self) -> int:
        return 0 if self._decoder is None else self._decoder.offset

    def feed(self, data: bytes, /) -> None:
        (self._intake if self._decoder is None else self._decoder).feed(data)

    def next_block(self) -> StoredBlock | None:
        if self._decoder is None:
            if not self._intake.need(len(MAGIC)):
                return None
            self._intake.need_any(self._intake.available)
            self._decoder = Decoder() if self._intake.data.startswith(MAGIC) else SnapshotDecoder()
            self._decoder.feed(self._intake.data)
        return self._decoder.next_block()


class IndexedOutline:
    """The outline of version 2: header, footer and index, whatever number of blocks there are between them."""

    def __init__(self, read_at: Callable[[int, int], bytes], size: int) -> None:
        start = read_at(HEADER.size, 0)
        if size < HEADER.size + INDEX.size + FOOTER.size or len(start) < HEADER.size:
            raise FormatError(size, "the file ends before the snapshot does")
        self.header = decode_header(start)
        self.size = size
        ending = Ending(self.header, start)
        self._seed = ending.seed
        footer = read_at(FOOTER.size, size - FOOTER.size)
        _tag, _chain, block_count, self.count, _raw, _file, _crc = FOOTER.unpack(footer)
        # Not believed yet, but it cannot make us read more than the file has.
        if block_count > (size - HEADER.size - INDEX.size - FOOTER.size) // BLOCK.size:
            raise FormatError(size - FOOTER.size, "the footer counts more blocks than the file can hold")
        end = size - FOOTER.size - INDEX.size - BLOCK.size * block_count
        index = read_at(INDEX.size + BLOCK.size * block_count, end)
        self._heads = _heads(index, block_count)
        # Every part of the ending follows from the heads, so this proves them all.
        if ending.encode(self._heads) != index + footer:
            raise FormatError(end, "index and footer do not agree")
        self._offsets, self._slots = _places(self.header, self._heads)
        if self._offsets[-1] != end:
            raise FormatError(end, "the index does not stand where its blocks end")

    def blocks_of(self, slot: int, /) -> range:
        return range(bisect_left(self._slots, slot), bisect_right(self._slots, slot))

    def unproven(self, _blocks: range, /) -> list[int]:
        """None: the index has its own checksum."""
        return []

    def place(self, index: int, /) -> tuple[int, int]:
        return self._offsets[index], self._offsets[index + 1] - self._offsets[index]

    def verify(self, index: int, data: bytes, /) -> StoredBlock:
        offset, size = self.place(index)
        if len(data) != size:
            raise FormatError(offset, "the file ends inside a block that was there before")
        if data[: BLOCK.size] != self._heads[index]:
            raise FormatError(offset, "a block that is not the one in the index")
        return _verified(data, offset, self._seed)


def _heads(index: bytes, block_count: int) -> list[bytes]:
    places, checksums = INDEX.size, INDEX.size + PLACE_BYTES * block_count
    return [
        index[places + PLACE_BYTES * number : places + PLACE_BYTES * (number + 1)]
        + index[checksums + CRC_BYTES * number : checksums + CRC_BYTES * (number + 1)]
        for number in range(block_count)
    ]


def _places(header: SnapshotHeader, heads: Sequence[bytes]) -> tuple[list[int], list[int]]:
    """Where the blocks begin, and the index behind them; and their slots."""
    offsets, slots, before = [HEADER.size], list[int](), 0
    for _tag, codec, slot, _count, raw_bytes, stored_bytes, _crc in BLOCK.iter_unpack(b"".join(heads)):
        check_block(offsets[-1], header.slot_count, before, slot, codec, raw_bytes, stored_bytes)
        offsets.append(offsets[-1] + BLOCK.size + stored_bytes)
        slots.append(slot)
        before = slot
    return offsets, slots


def _verified(data: bytes, offset: int, seed: int) -> StoredBlock:
    _, codec, slot, count, raw_bytes, _, crc = BLOCK.unpack_from(data)
    stored = data[BLOCK.size :]
    if crc32c(stored, crc32c(data[:PLACE_BYTES], seed)) != crc:
        raise FormatError(offset, "a block whose checksum does not match, or a block of another file")
    return StoredBlock(slot, count, Codec(codec), stored, raw_bytes, offset)
