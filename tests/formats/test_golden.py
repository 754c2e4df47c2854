"""The promise: a file of every released version is read for ever, and means what it meant.

Method: ``formats/golden/v1`` is a small data directory, frozen.  Its files are read and compared with the values
below, and the values written again must be the same bytes.  If this test fails, the code is wrong and not the file.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from durakv_formats import (
    Column,
    FrameDecoder,
    FrameError,
    Manifest,
    ManifestFile,
    SnapshotDecoder,
    SnapshotEncoder,
    SnapshotHeader,
    StoredBlock,
    decode_batch,
    decode_columns,
    decode_manifest,
    encode_batch,
    encode_columns,
    encode_frame,
    encode_manifest,
)
from durakv_formats.snapshot import Codec

GOLDEN = Path(__file__).parents[2] / "formats" / "golden" / "v1"
IDENTITY = bytes.fromhex("00112233445566778899aabbccddeeff")
FRAME_IDENTITY = 0x0011223344556677

MANIFEST = Manifest(
    identity=IDENTITY,
    generation=7,
    synced_seq=9,
    files=(
        ManifestFile("appendonly.aof.1.base.dkv", 1, "b", last=5),
        ManifestFile("appendonly.aof.2.incr.aof", 2, "i", first=6, last=11, bytes=933),
        ManifestFile("appendonly.aof.3.incr.aof", 3, "i", first=16),
    ),
)

# (seq, count, synced_seq, commands)
SEALED = [
    (5, 0, 5, []),
    (6, 1, 5, [[b"SET", b"greeting", b"hello"]]),
    (9, 3, 6, [[b"SELECT", b"3"], [b"SET", b"bytes", bytes(range(256))], [b"SELECT", b"0"]]),
    (10, 1, 6, [[b"DEL", b"greeting", b"gone"]]),
    (11, 1, 9, [[b"SET", b"", b""]]),
]
OPEN = [
    (15, 4, 11, []),
    (16, 1, 15, [[b"SET", b"after", b"a crash"]]),
]
ZEROS = 64

SNAPSHOT = SnapshotHeader(IDENTITY, 5, 1, 16, "columns", 1_700_000_000_123)
BLOCKS = [
    (0, Codec.LZ4, [Column(0, 0, [b"long"], [b"na" * 200])]),
    (0, Codec.NONE, [Column(0, 0, [b"short"], [b"value"]), Column(0, 255, [b"short"], [1_800_000_000_000])]),
    (9, Codec.NONE, [Column(3, 0, [b"a", b"b"], [b"\r\n", b""])]),
]


def encode_segment(segment: int, frames: list[tuple[int, int, int, list[list[bytes]]]]) -> bytes:
    return b"".join(
        encode_frame(
            encode_batch(commands) if commands else b"",
            seq=seq,
            count=count,
            synced_seq=synced_seq,
            identity=FRAME_IDENTITY,
            segment=segment,
        )
        for seq, count, synced_seq, commands in frames
    )


def test_the_manifest() -> None:
    data = (GOLDEN / "appendonly.aof.manifest").read_bytes()
    assert decode_manifest(data) == MANIFEST
    assert encode_manifest(MANIFEST) == data


@pytest.mark.parametrize(("segment", "frames", "zeros"), [(2, SEALED, 0), (3, OPEN, ZEROS)])
def test_the_log(segment: int, frames: list[tuple[int, int, int, list[list[bytes]]]], zeros: int) -> None:
    data = (GOLDEN / f"appendonly.aof.{segment}.incr.aof").read_bytes()
    decoder = FrameDecoder(FRAME_IDENTITY, segment)
    decoder.feed(data)
    for seq, count, synced_seq, commands in frames:
        frame = decoder.next_frame()
        assert frame is not None
        assert (frame.seq, frame.count, frame.synced_seq) == (seq, count, synced_seq)
        assert frame.is_opening == (not commands)
        assert frame.is_opening or decode_batch(frame.payload, frame.count) == commands
    if zeros:
        with pytest.raises(FrameError) as end:
            decoder.next_frame()
        assert end.value.kind == "zeros"
    else:
        assert decoder.next_frame() is None
    assert decoder.offset == len(data) - zeros
    assert encode_segment(segment, frames) + bytes(zeros) == data


def test_the_snapshot() -> None:
    data = (GOLDEN / "appendonly.aof.1.base.dkv").read_bytes()
    decoder = SnapshotDecoder()
    decoder.feed(data)
    blocks: list[StoredBlock] = list(iter(decoder.next_block, None))
    assert decoder.header == SNAPSHOT
    assert decoder.done
    assert [(block.slot, block.codec, decode_columns(block.payload())) for block in blocks] == BLOCKS
    assert [block.count for block in blocks] == [1, 1, 2]
    assert [encode_columns(columns) for _, _, columns in BLOCKS] == [block.payload() for block in blocks]
    # Blocks are copied as they are stored: what lz4 makes of a payload is not promised to stay the same.
    encoder = SnapshotEncoder(SNAPSHOT)
    again = encoder.header_bytes() + b"".join(map(encoder.copy_block, blocks)) + encoder.footer()
    assert again == data


def test_the_manifest_and_the_files_agree() -> None:
    sizes = {path.name: path.stat().st_size for path in GOLDEN.iterdir()}
    assert sizes.keys() == {"appendonly.aof.manifest", *(file.name for file in MANIFEST.files)}
    assert sizes["appendonly.aof.2.incr.aof"] == MANIFEST.files[1].bytes
