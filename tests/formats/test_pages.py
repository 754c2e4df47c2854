"""The promise: what the pages show is what the code writes and reads.

Method: the hex examples are taken out of the pages and compared; so are the limits that the pages state.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from durakv_formats import (
    HEADER_BYTES,
    Column,
    CommandDecoder,
    Frame,
    FrameDecoder,
    Manifest,
    ManifestFile,
    SnapshotDecoder,
    SnapshotEncoder,
    SnapshotHeader,
    decode_batch,
    decode_columns,
    decode_manifest,
    encode_batch,
    encode_columns,
    encode_command,
    encode_frame,
    encode_manifest,
    limits,
)
from durakv_formats.checksum import crc32c

PAGES = Path(__file__).parents[2] / "formats"
IDENTITY = bytes.fromhex("00112233445566778899aabbccddeeff")


def examples(name: str) -> list[bytes]:
    text = (PAGES / name).read_text("utf-8")
    return [
        bytes.fromhex("".join(line.split(";")[0] for line in block.splitlines()))
        for block in re.findall(r"```hex\n(.*?)```", text, re.DOTALL)
    ]


def test_commands() -> None:
    [data] = examples("resp.md")
    assert encode_command([b"SET", b"k", b"v"]) == data
    decoder = CommandDecoder()
    decoder.feed(data)
    assert decoder.next_command() == [b"SET", b"k", b"v"]


def test_log_frames() -> None:
    opening, frame = examples("log-v1.md")
    identity = int.from_bytes(IDENTITY[:8], "big")
    commands = [[b"SET", b"a", b"1"], [b"DEL", b"b"]]
    payload = encode_batch(commands)
    assert encode_frame(b"", seq=15, count=4, synced_seq=11, identity=identity, segment=3) == opening
    assert encode_frame(payload, seq=17, count=2, synced_seq=15, identity=identity, segment=3) == frame
    decoder = FrameDecoder(identity, 3)
    decoder.feed(opening + frame)
    assert decoder.next_frame() == Frame(15, 4, 11, identity, 3, b"")
    assert decoder.next_frame() == Frame(17, 2, 15, identity, 3, payload)
    assert decode_batch(payload, 2) == commands
    assert HEADER_BYTES == len(opening) == 94


def test_the_manifest() -> None:
    [data] = examples("manifest.md")
    manifest = Manifest(
        IDENTITY,
        7,
        9,
        (
            ManifestFile("appendonly.aof.1.base.dkv", 1, "b", last=5),
            ManifestFile("appendonly.aof.2.incr.aof", 2, "i", first=6, last=11, bytes=933),
            ManifestFile("appendonly.aof.3.incr.aof", 3, "i", first=16),
        ),
    )
    assert encode_manifest(manifest) == data
    assert decode_manifest(data) == manifest
    assert data.decode() in (PAGES / "manifest.md").read_text("utf-8")


def test_the_snapshot_and_its_columns() -> None:
    data, payload = examples("snapshot-v1.md")
    header = SnapshotHeader(IDENTITY, 5, 1, 16, "keyspace", 1_700_000_000_123)
    columns = [Column(0, 0, [b"k"], [b"v"]), Column(0, 255, [b"k"], [1_800_000_000_000])]
    assert encode_columns(columns) == payload
    assert decode_columns(payload) == columns
    encoder = SnapshotEncoder(header)
    assert encoder.header_bytes() + encoder.block(9, payload, 1) + encoder.footer() == data
    decoder = SnapshotDecoder()
    decoder.feed(data)
    assert [(block.slot, block.payload()) for block in iter(decoder.next_block, None)] == [(9, payload)]
    assert decoder.header == header
    assert decoder.done


def test_the_checksum() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"6789", crc32c(b"12345")) == 0xE3069283
    assert "0xe3069283" in (PAGES / "README.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("number", "page", "text"),
    [
        (limits.COMMAND_ARGUMENTS_MAX, "resp.md", "1 048 576"),
        (limits.BULK_BYTES_MAX, "resp.md", "536 870 912"),
        (limits.COMMAND_BYTES_MAX, "resp.md", "1 GiB"),
        (limits.COMMAND_BYTES_MIN, "resp.md", "10 bytes"),
        (limits.BATCH_COMMANDS_MAX, "resp.md", "16 777 216"),
        (limits.BATCH_COMMANDS_MAX, "log-v1.md", "2^24"),
        (limits.BATCH_BYTES_MAX, "log-v1.md", "2^30"),
        (limits.STOCK_ANNOTATION_BYTES_MAX, "log-v1.md", "1023 bytes"),
        (limits.ANNOTATION_BYTES_MAX, "log-v1.md", "128"),
        (limits.SEQ_MAX, "log-v1.md", "2^63 - 1"),
        (limits.SEQ_MAX, "manifest.md", "2^63 - 1"),
        (limits.SEGMENT_NUMBER_MAX, "manifest.md", "2^32 - 1"),
        (limits.MANIFEST_LINE_BYTES_MAX, "manifest.md", "1024 bytes"),
        (limits.MANIFEST_BYTES_MAX, "manifest.md", "4 MiB"),
        (limits.MANIFEST_NAME_BYTES_MAX, "manifest.md", "255 bytes"),
        (limits.SLOT_COUNT_MAX, "snapshot-v1.md", "16 384"),
        (limits.BLOCK_RAW_BYTES_MAX, "snapshot-v1.md", "2^30"),
        (limits.CONTENT_BYTES_MAX, "snapshot-v1.md", "1 to 32 printable"),
    ],
)
def test_the_limits_of_the_pages_are_those_of_the_code(number: int, page: str, text: str) -> None:
    units = {"MiB": 1 << 20, "GiB": 1 << 30}
    if power := re.fullmatch(r"2\^(\d+)( - 1)?", text):
        stated = (1 << int(power[1])) - bool(power[2])
    else:
        digits, unit = re.findall(r"\d[\d ]*\d|\d+", text)[-1], text.split()[-1]
        stated = int(digits.replace(" ", "")) * units.get(unit, 1)
    assert stated == number
    assert text in (PAGES / page).read_text("utf-8")
