"""The promise: the draft of a second version is good enough to try an upgrade with: what it reads is what was written,
of both versions, and nothing that was damaged.

Method: snapshots of each version read by the draft's decoder and outlines, whole and byte by byte; every flipped bit,
every cut.
"""

from __future__ import annotations

import pytest

from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.snapshot import SnapshotDecoder, SnapshotEncoder, SnapshotHeader, newer_header
from durakv_formats.snapshot_outline import SnapshotOutline
from tests.upgrade.snapshot_v2_draft import DraftCodec, Encoder, IndexedOutline

Block = tuple[int, bytes, int]

HEADER = SnapshotHeader(bytes(range(16)), 1000, 3, 16, "keyspace", 1_700_000_000_123)
BLOCKS: list[Block] = [(0, b"a" * 200, 2), (0, b"short", 1), (5, b"", 0), (15, b"0123456789" * 20, 7)]
CODEC = DraftCodec()


def write(encoder: SnapshotEncoder | Encoder, blocks: list[Block]) -> bytes:
    return encoder.header_bytes() + b"".join(encoder.block(*block) for block in blocks) + encoder.footer()


VERSIONS = {1: write(SnapshotEncoder(HEADER), BLOCKS), 2: write(Encoder(HEADER), BLOCKS)}
SECOND = VERSIONS[2]


def read(data: bytes, step: int) -> list[Block]:
    """All blocks, of a file that must be whole."""
    decoder = CODEC.decoder()
    found: list[Block] = []
    for start in range(0, len(data), step):
        decoder.feed(data[start : start + step])
        while (block := decoder.next_block()) is not None:
            found.append((block.slot, block.payload(), block.count))
    if not decoder.done:
        raise FormatError(decoder.offset, "the file ends before the snapshot does")
    assert decoder.header == HEADER
    assert decoder.offset == len(data)
    return found


def read_by_outline(data: bytes) -> list[Block]:
    """All blocks, by the slots that the outline says they are of."""
    outline = CODEC.outline(lambda size, offset: data[offset : offset + size], len(data))
    if outline.size != len(data):
        raise FormatError(outline.size, "bytes after the end of the snapshot")
    found: list[Block] = []
    for slot in range(outline.header.slot_count):
        blocks = outline.blocks_of(slot)
        for index in (*outline.unproven(blocks), *blocks):
            offset, size = outline.place(index)
            block = outline.verify(index, data[offset : offset + size])
            if index in blocks:
                found.append((block.slot, block.payload(), block.count))
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_both_versions_are_read_whole_and_in_pieces_and_by_slots(version: int) -> None:
    data = VERSIONS[version]
    assert read(data, len(data)) == read(data, 1) == read_by_outline(data) == BLOCKS


def test_blocks_of_the_first_version_are_copied_as_they_are() -> None:
    decoder, encoder = SnapshotDecoder(), Encoder(HEADER)
    decoder.feed(VERSIONS[1])
    copied = [encoder.copy_block(block) for block in iter(decoder.next_block, None)]
    assert encoder.header_bytes() + b"".join(copied) + encoder.footer() == SECOND


@pytest.mark.parametrize("reading", [lambda data: read(data, len(data)), read_by_outline], ids=["decoder", "outline"])
def test_no_flipped_bit_and_no_cut_is_accepted(reading: object) -> None:
    assert callable(reading)
    for bit in range(8 * len(SECOND)):
        damaged = bytearray(SECOND)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(FormatError):
            reading(bytes(damaged))
    for size in range(1, len(SECOND)):
        with pytest.raises(FormatError):
            reading(SECOND[:size])
    with pytest.raises(FormatError):
        reading(SECOND + b"\0")


def test_an_outline_takes_three_reads_however_many_blocks_there_are() -> None:
    counts: dict[type, list[int]] = {}
    for encoder, outline in ((SnapshotEncoder, SnapshotOutline), (Encoder, IndexedOutline)):
        for block_count in (2, 16):
            data = write(encoder(HEADER), [(slot, b"payload", 1) for slot in range(block_count)])
            reads: list[int] = []

            def read_at(size: int, offset: int, data: bytes = data, reads: list[int] = reads) -> bytes:
                reads.append(offset)
                return data[offset : offset + size]

            if outline is IndexedOutline:
                IndexedOutline(read_at, len(data))
            else:
                SnapshotOutline(read_at)
            counts.setdefault(outline, []).append(len(reads))
    assert counts[IndexedOutline] == [3, 3]
    assert counts[SnapshotOutline] == [4, 18], "the first version goes from head to head"


def test_a_reader_of_the_first_version_refuses_the_second_and_knows_whose_it_is() -> None:
    decoder = SnapshotDecoder()
    decoder.feed(SECOND)
    with pytest.raises(UnsupportedVersionError, match="snapshot 2"):
        decoder.next_block()
    assert newer_header(SECOND) == HEADER
    assert newer_header(SECOND[:40]) is None
    assert newer_header(VERSIONS[1]) is None, "that is not newer"
    with pytest.raises(FormatError):
        newer_header(SECOND[:20] + b"\xff" + SECOND[21:])
