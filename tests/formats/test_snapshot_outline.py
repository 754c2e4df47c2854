"""The promise: whoever reads one slot by the outline of a snapshot gets exactly what was written for it, or an error.

Method: small snapshots with empty, single and several blocks a slot; every bit of them is flipped, and then each slot
is read as a lazy open reads it.  The proof needs the neighbours: without them some flip has to go through.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.snapshot import SnapshotEncoder, SnapshotHeader
from durakv_formats.snapshot_outline import SnapshotOutline

SLOTS = 8
HEADER = SnapshotHeader(bytes(range(16)), 1000, 3, SLOTS, "slots", 1_700_000_000_000)
BLOCKS = [(1, b"one", 1), (1, b"more of one", 2), (3, b"three" * 40, 5), (6, b"", 0), (6, b"six", 1)]

Block = tuple[int, bytes, int]


def encode(blocks: list[Block]) -> bytes:
    encoder = SnapshotEncoder(HEADER)
    return b"".join([encoder.header_bytes(), *(encoder.block(*block) for block in blocks), encoder.footer()])


def outline_of(data: bytes) -> SnapshotOutline:
    outline = SnapshotOutline(lambda size, offset: data[offset : offset + size])
    if outline.size != len(data):
        raise FormatError(outline.size, "bytes after the end")
    return outline


def read_slot(outline: SnapshotOutline, data: bytes, slot: int, *, neighbours: bool = True) -> list[bytes]:
    blocks = outline.blocks_of(slot)
    payloads: list[bytes] = []
    for index in (*(outline.unproven(blocks) if neighbours else ()), *blocks):
        offset, size = outline.place(index)
        block = outline.verify(index, data[offset : offset + size])
        if index in blocks:
            assert block.slot == slot
            payloads.append(block.payload())
    return payloads


def written(blocks: list[Block], slot: int) -> list[bytes]:
    return [payload for of_slot, payload, _count in blocks if of_slot == slot]


blocks_strategy = st.lists(
    st.tuples(st.integers(0, SLOTS - 1), st.binary(max_size=300), st.integers(0, 1000)), max_size=12
).map(lambda blocks: sorted(blocks, key=lambda block: block[0]))


@given(blocks_strategy, st.permutations(range(SLOTS)))
def test_every_slot_reads_as_it_was_written_in_any_order(blocks: list[Block], order: list[int]) -> None:
    data = encode(blocks)
    outline = outline_of(data)
    assert outline.header == HEADER
    assert len(outline) == len(blocks)
    assert outline.count == sum(count for _slot, _payload, count in blocks)
    for slot in order:
        assert read_slot(outline, data, slot) == written(blocks, slot)


def wrong_after_a_flip(*, neighbours: bool) -> tuple[int, int]:
    """How many flips led to a slot with other contents, and how many were met when it was read."""
    data = encode(BLOCKS)
    wrong = late = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        for slot in range(SLOTS):
            try:
                outline = outline_of(bytes(damaged))
            except (FormatError, UnsupportedVersionError):
                continue
            try:
                wrong += read_slot(outline, bytes(damaged), slot, neighbours=neighbours) != written(BLOCKS, slot)
            except FormatError:
                late += 1
    return wrong, late


def test_no_flipped_bit_ever_gives_a_slot_other_contents() -> None:
    wrong, late = wrong_after_a_flip(neighbours=True)
    assert wrong == 0
    assert late > 1000, "what blocks store is verified when it is needed"


def test_without_the_neighbours_some_flipped_bit_would() -> None:
    wrong, _late = wrong_after_a_flip(neighbours=False)
    assert wrong > 0


@given(st.data())
def test_no_cut_is_taken_for_the_whole(data: st.DataObject) -> None:
    whole = encode(BLOCKS)
    with pytest.raises(FormatError):
        outline_of(whole[: data.draw(st.integers(0, len(whole) - 1))])


def test_a_block_that_changes_after_it_was_proven_is_refused() -> None:
    data = encode(BLOCKS)
    outline = outline_of(data)
    assert read_slot(outline, data, 3) == written(BLOCKS, 3)
    offset, size = outline.place(2)
    with pytest.raises(FormatError, match="checksum"):
        outline.verify(2, data[offset : offset + size - 1] + b"!")
    with pytest.raises(FormatError, match="ends inside"):
        outline.verify(2, data[offset : offset + size - 1])
    other = outline.place(0)
    with pytest.raises(FormatError, match="another file"):
        outline.verify(1, data[other[0] : other[0] + outline.place(1)[1]])
