"""The promise: a snapshot that is read to its end is the one that was written, all of it and in order.

Method: snapshots drawn by Hypothesis, read whole and byte by byte; every single flipped bit, every cut; blocks that
are lost, doubled, swapped, or taken from another file.
"""

from __future__ import annotations

import os
import tracemalloc
from contextlib import suppress
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from durakv_formats import (
    FormatError,
    LimitError,
    SnapshotDecoder,
    SnapshotEncoder,
    SnapshotHeader,
    StoredBlock,
    UnsupportedVersionError,
)
from durakv_formats.checksum import crc32c
from durakv_formats.limits import BLOCK_RAW_BYTES_MAX, SEQ_MAX, SLOT_COUNT_MAX
from durakv_formats.snapshot import Codec

Block: TypeAlias = tuple[int, bytes, int]

HEADER = SnapshotHeader(bytes(range(16)), 1000, 3, 16, "keyspace", 1_700_000_000_123)
HEADER_BYTES = 84
FOOTER_BYTES = 44
BLOCKS: list[Block] = [(0, b"a" * 200, 2), (0, b"short", 1), (5, b"", 0), (15, b"0123456789" * 20, 7)]

payloads = st.one_of(st.binary(max_size=100), st.binary(min_size=1, max_size=5).map(lambda piece: piece * 50))


@st.composite
def snapshots(draw: st.DrawFn) -> tuple[SnapshotHeader, list[Block]]:
    slot_count = draw(st.integers(1, SLOT_COUNT_MAX))
    header = SnapshotHeader(
        identity=draw(st.binary(min_size=16, max_size=16)),
        seq=draw(st.integers(0, SEQ_MAX)),
        number=draw(st.integers(0, 2**32 - 1)),
        slot_count=slot_count,
        content=draw(st.text("abcXYZ019-_.", min_size=1, max_size=32)),
        created_ms=draw(st.integers(0, SEQ_MAX)),
    )
    slots = sorted(draw(st.lists(st.integers(0, slot_count - 1), max_size=6)))
    return header, [(slot, draw(payloads), draw(st.integers(0, 2**32 - 1))) for slot in slots]


def write(header: SnapshotHeader, blocks: list[Block]) -> list[bytes]:
    encoder = SnapshotEncoder(header)
    return [encoder.header_bytes(), *(encoder.block(*block) for block in blocks), encoder.footer()]


def read(data: bytes, step: int | None = None) -> tuple[SnapshotDecoder, list[StoredBlock]]:
    decoder = SnapshotDecoder()
    found: list[StoredBlock] = []
    for start in range(0, len(data), step or len(data) or 1):
        decoder.feed(data[start : start + (step or len(data))])
        while (block := decoder.next_block()) is not None:
            found.append(block)
    return decoder, found


def opened(blocks: list[StoredBlock]) -> list[Block]:
    return [(block.slot, block.payload(), block.count) for block in blocks]


def refused(data: bytes) -> FormatError:
    """The error of reading; it is raised before ``done``, stays, and does not move the offset."""
    decoder = SnapshotDecoder()
    decoder.feed(data)
    with pytest.raises(FormatError) as first:
        list(iter(decoder.next_block, None))
    with pytest.raises(FormatError) as again:
        decoder.next_block()
    assert first.value.args == again.value.args
    assert first.value.offset == decoder.offset
    return first.value


@given(snapshots(), st.integers(1, 300))
def test_every_snapshot_survives(snapshot: tuple[SnapshotHeader, list[Block]], step: int) -> None:
    header, blocks = snapshot
    data = b"".join(write(header, blocks))
    assert len(write(header, blocks)[0]) == HEADER_BYTES
    for size in (None, 1, step):
        decoder, found = read(data, size)
        assert decoder.header == header
        assert opened(found) == blocks
        assert decoder.done
        assert decoder.offset == len(data)
        assert decoder.next_block() is None


def test_no_single_flipped_bit_is_ever_accepted() -> None:
    data = b"".join(write(HEADER, BLOCKS))
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        decoder = SnapshotDecoder()
        decoder.feed(bytes(damaged))
        found: list[StoredBlock] = []
        with suppress(FormatError):
            found.extend(iter(decoder.next_block, None))
        assert not decoder.done, f"bit {bit}"
        assert opened(found) == BLOCKS[: len(found)], f"bit {bit}"


def test_no_part_of_a_snapshot_is_whole() -> None:
    data = b"".join(write(HEADER, BLOCKS))
    for cut in range(len(data)):
        decoder, found = read(data[:cut])
        assert not decoder.done
        assert opened(found) == BLOCKS[: len(found)]
        assert decoder.offset <= cut


@given(
    st.one_of(
        st.binary(),
        st.binary().map(lambda tail: b"DKVSNAP1" + tail),
        st.binary().map(lambda tail: write(HEADER, [])[0] + tail),
    )
)
def test_noise_is_never_a_snapshot(data: bytes) -> None:
    try:
        decoder, found = read(data)
    except FormatError as failure:
        offset = failure.offset
    else:
        assert not decoder.done
        assert found == []
        return
    assert offset <= len(data)


@given(st.integers(0, 500), st.binary(max_size=30))
def test_noise_inside_is_found(place: int, junk: bytes) -> None:
    data = b"".join(write(HEADER, BLOCKS))
    damaged = data[:place] + junk + data[place + len(junk) :]
    try:
        decoder, found = read(damaged)
    except FormatError:
        return
    assert not decoder.done or damaged == data
    assert opened(found) == BLOCKS[: len(found)]


def test_blocks_are_not_lost_doubled_or_swapped() -> None:
    for payload in (b"", b"x", bytes(1000)):
        blocks: list[Block] = [(1, payload, 1), (1, payload, 2), (1, payload, 3)]
        header, *parts, footer = write(HEADER, blocks)
        for order in ((0, 1), (1, 2), (0, 1, 1, 2), (0, 2, 1), (), (0, 1, 2, 2), (1, 0, 2), (1, 1, 1)):
            error = refused(b"".join((header, *(parts[index] for index in order), footer)))
            assert "footer" in error.reason
        assert read(b"".join((header, *parts, footer)))[0].done


@pytest.mark.parametrize(
    "other",
    [replace(HEADER, number=4), replace(HEADER, identity=bytes(16))],
)
def test_a_block_or_a_footer_of_another_file_is_refused(other: SnapshotHeader) -> None:
    ours, theirs = write(HEADER, BLOCKS), write(other, BLOCKS)
    for index in range(1, len(ours)):
        refused(b"".join((*ours[:index], theirs[index], *ours[index + 1 :])))
    refused(theirs[0] + b"".join(ours[1:]))


def test_a_header_of_the_same_file_at_another_seq_is_refused() -> None:
    # A checksum over a header *with* its own checksum does not see this: the two cancel out.
    other = write(replace(HEADER, seq=1001), BLOCKS)[0]
    assert "footer" in refused(other + b"".join(write(HEADER, BLOCKS)[1:])).reason


def test_a_file_that_goes_on_after_its_footer_is_refused() -> None:
    data = b"".join(write(HEADER, BLOCKS))
    assert refused(data + b"\0").offset == len(data)
    decoder, _ = read(data)
    decoder.feed(b"E")
    with pytest.raises(FormatError):
        decoder.next_block()


@given(snapshots(), snapshots())
def test_blocks_are_copied_as_they_are(
    old: tuple[SnapshotHeader, list[Block]], new: tuple[SnapshotHeader, list[Block]]
) -> None:
    _, stored = read(b"".join(write(*old)))
    header = replace(new[0], slot_count=old[0].slot_count)
    encoder = SnapshotEncoder(header)
    data = encoder.header_bytes() + b"".join(map(encoder.copy_block, stored)) + encoder.footer()
    decoder, copied = read(data)
    assert decoder.done
    assert copied == stored
    assert data == b"".join(write(header, old[1])), "compressing is repeatable, so copying makes no difference"


def test_only_what_shrinks_by_a_tenth_is_compressed() -> None:
    random = os.urandom(500)
    encoder = SnapshotEncoder(HEADER)
    data = [encoder.header_bytes()]
    data += [
        encoder.block(0, payload, 1)
        for payload in (random, b"x" * 500, b"x" * 63, random + b"x" * 50, random + b"x" * 100)
    ]
    _, found = read(b"".join(data))
    assert [block.codec for block in found] == [Codec.NONE, Codec.LZ4, Codec.NONE, Codec.NONE, Codec.LZ4]
    assert all(len(block.stored) < 0.9 * block.raw_bytes for block in found if block.codec is Codec.LZ4)


def sealed(codec: int, slot: int, raw_bytes: int, stored: bytes, stored_bytes: int | None = None) -> bytes:
    """A block whose checksum is right, whatever it says."""
    size = len(stored) if stored_bytes is None else stored_bytes
    head = b"B" + bytes([codec]) + slot.to_bytes(2, "little")
    head += b"".join(number.to_bytes(4, "little") for number in (1, raw_bytes, size))
    seed = crc32c(HEADER.identity + HEADER.number.to_bytes(4, "little"))
    return head + crc32c(stored, crc32c(head, seed)).to_bytes(4, "little") + stored


@pytest.mark.parametrize(
    "block",
    [
        sealed(0, 16, 1, b"x"),  # a slot that does not exist
        sealed(0, 4, 1, b"x"),  # a slot before the one before
        sealed(2, 6, 1, b"x"),  # a codec that does not exist
        sealed(0, 6, 2, b"x"),
        sealed(0, 6, 0, b"x"),
        sealed(1, 6, 10, b"x" * 10),  # compressed to more
        sealed(1, 6, 2551, b"x" * 10),  # compressed to less than can be
        sealed(0, 6, BLOCK_RAW_BYTES_MAX + 1, b"x", BLOCK_RAW_BYTES_MAX + 1),
        sealed(1, 6, BLOCK_RAW_BYTES_MAX + 1, b"x", BLOCK_RAW_BYTES_MAX // 2),
        b"Z",
        b"\0",
    ],
)
def test_a_block_that_cannot_be_is_refused(block: bytes) -> None:
    header, good, _ = write(HEADER, [(5, b"good", 1)])
    assert refused(header + good + block).offset == len(header + good)


@given(st.binary(min_size=1, max_size=200), st.integers(1, 20_000))
def test_a_block_that_does_not_decompress_is_refused(stored: bytes, raw_bytes: int) -> None:
    block = StoredBlock(0, 1, Codec.LZ4, stored, raw_bytes, 77)
    try:
        payload = block.payload()
    except FormatError as failure:
        offset = failure.offset
    else:
        assert len(payload) == raw_bytes
        return
    assert offset == 77


def test_a_size_that_is_only_claimed_costs_no_memory() -> None:
    header = write(HEADER, [])[0]
    tracemalloc.start()
    try:
        decoder, _ = read(header + sealed(0, 0, BLOCK_RAW_BYTES_MAX, b"x", BLOCK_RAW_BYTES_MAX))
        refused(header + sealed(1, 0, BLOCK_RAW_BYTES_MAX, b"x" * 100))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert decoder.offset == len(header)
    assert peak < 1 << 20


@pytest.mark.parametrize(
    ("start", "version"), [(b"DKVSNAP2", "snapshot 2"), (b"DKVSNAP0", "snapshot 0"), (b"DKVSNAP\xff", "snapshot \xff")]
)
def test_a_newer_snapshot_is_refused_by_its_version(start: bytes, version: str) -> None:
    error = refused(start)
    assert isinstance(error, UnsupportedVersionError)
    assert error.version == version


def test_other_files_are_refused_by_their_first_bytes() -> None:
    for start in (b"REDIS0011", b"*2\r\n$6\r\nSELECT", b"#DKV1 00", bytes(8)):
        assert not isinstance(refused(start), UnsupportedVersionError)


def test_what_could_not_be_read_again_is_not_written() -> None:
    for header in (
        replace(HEADER, identity=b"short"),
        replace(HEADER, seq=-1),
        replace(HEADER, seq=SEQ_MAX + 1),
        replace(HEADER, number=1 << 32),
        replace(HEADER, slot_count=0),
        replace(HEADER, slot_count=SLOT_COUNT_MAX + 1),
        replace(HEADER, created_ms=-1),
        replace(HEADER, content=""),
        replace(HEADER, content="x" * 33),
        replace(HEADER, content="zwölf"),
        replace(HEADER, content="a\0b"),
    ):
        with pytest.raises(FormatError):
            SnapshotEncoder(header)
    encoder = SnapshotEncoder(HEADER)
    encoder.block(5, b"", 0)
    for slot, count in ((4, 0), (16, 0), (-1, 0), (5, -1), (5, 1 << 32)):
        with pytest.raises(FormatError):
            encoder.block(slot, b"", count)
    with pytest.raises(LimitError):
        encoder.copy_block(StoredBlock(5, 0, Codec.LZ4, b"", BLOCK_RAW_BYTES_MAX + 1))
    with pytest.raises(FormatError):
        encoder.copy_block(StoredBlock(5, 0, Codec.LZ4, b"x", 1000))
    assert len(encoder.footer()) == FOOTER_BYTES
