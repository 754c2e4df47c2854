"""The promise: whatever the bytes are, they are described to their end, and nothing is raised.

Method: a file with one of everything, compared line by line; noise.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from durakv_formats import (
    Column,
    Manifest,
    ManifestFile,
    SnapshotEncoder,
    SnapshotHeader,
    encode_batch,
    encode_columns,
    encode_command,
    encode_frame,
    encode_manifest,
)
from durakv_formats.describe import describe_log, describe_manifest, describe_snapshot

OPENING = encode_frame(b"", seq=10, count=3, synced_seq=7, identity=9, segment=3)
SINGLE = encode_frame(encode_command([b"SET", b"k", b"v" * 50]), seq=11, count=1, synced_seq=10, identity=9, segment=3)
DOUBLE = encode_frame(encode_batch([[b"A"], [b"B", b"\r\n"]]), seq=13, count=2, synced_seq=11, identity=9, segment=3)
UNFRAMED = encode_command([b"SELECT", b"0"])


def test_a_log_with_one_of_everything() -> None:
    broken = encode_frame(b"x" * 20, seq=14, count=1, synced_seq=13, identity=9, segment=3)
    data = b"".join(
        (OPENING, SINGLE, b"#TS:1\r\n", UNFRAMED, UNFRAMED, DOUBLE, bytes(6), b"rubble", DOUBLE, broken, SINGLE[:-1])
    )
    assert list(describe_log(data)) == [
        "0: opening of segment 3 of directory 0000000000000009 after seq 10, 3 numbers retired, synced 7",
        "94: seq 11..11, 1 commands, 77 bytes, synced 10",
        f"    'SET' 'k' '{'v' * 40}'... (50 bytes)",
        "272: unframed 'SELECT' '0'",
        "295: unframed 'SELECT' '0'",
        "318: seq 12..13, 2 commands, 59 bytes, synced 11",
        "    'A'",
        r"    'B' '\r\n'",
        "471: 6 zero bytes",
        "477: 6 bytes up to the next whole frame",
        "483: seq 12..13, 2 commands, 59 bytes, synced 11",
        "    'A'",
        r"    'B' '\r\n'",
        "636: seq 14..14, 1 commands, 20 bytes, synced 13",
        "    the payload at 0: b'x' where b'*' was expected",
        "750: 170 bytes that are no whole frame",
    ]
    assert list(describe_log(data, 750)) == ["750: 170 bytes that are no whole frame"]


def test_ends_of_a_log() -> None:
    assert list(describe_log(b"")) == []
    assert list(describe_log(OPENING + UNFRAMED))[1:] == ["94: unframed 'SELECT' '0'"]
    assert list(describe_log(OPENING + bytes(50)))[1:] == ["94: 50 zero bytes"]
    assert list(describe_log(OPENING + UNFRAMED[:5]))[1:] == [
        "94: a command that is not whole",
        "94: 5 bytes in which no frame was found",
    ]
    assert list(describe_log(b"#DKV9 x\r\n")) == [
        "0: version log frame 9 is newer than this reader, or unknown to it",
        "0: 9 bytes in which no frame was found",
    ]
    many = encode_command([b"DEL", *([b"k"] * 20)])
    assert list(describe_log(many)) == ["0: unframed 'DEL'" + " 'k'" * 15 + " and 5 more"]


def test_a_snapshot() -> None:
    encoder = SnapshotEncoder(SnapshotHeader(bytes(16), 7, 3, 16, "keyspace", 123))
    columns = encode_columns([Column(0, 0, [b"a"], [b"x" * 500]), Column(2, 255, [b"a"], [99])])
    data = b"".join((encoder.header_bytes(), encoder.block(1, columns, 1), encoder.block(2, b"x", 1), encoder.footer()))
    lines = list(describe_snapshot(data))
    assert lines[0] == (f"0: snapshot 3 of directory {'0' * 32}: keyspace up to seq 7, 16 slots, made at 123 ms")
    assert lines[1].startswith(f"84: slot 1, count 1, {len(columns)} bytes stored in ")
    assert lines[1].endswith(" (lz4)")
    assert lines[2:4] == ["    database 0: 1 strings", "    database 2: 1 deadlines"]
    assert lines[4].endswith(": slot 2, count 1, 1 bytes stored in 1 (none)")
    assert lines[5].startswith("    the payload: not a payload of columns")
    assert lines[6:] == [f"{len(data)}: end, whole and verified"]
    assert list(describe_snapshot(data[:100]))[-1] == "84: the file ends before its footer"
    assert list(describe_snapshot(b"x" * 100)) == ["0: not a snapshot: the first bytes are others"]
    assert list(describe_snapshot(data + b"x"))[-1].endswith("bytes after the end of the snapshot")


def test_a_manifest() -> None:
    files = (ManifestFile("a", 3, "b", last=10), ManifestFile("h", 1, "h"), ManifestFile("i", 4, "i", 11, 20, 300))
    assert list(describe_manifest(encode_manifest(Manifest(bytes(16), 9, 15, files)))) == [
        f"manifest 9 of directory {'0' * 32}, synced up to seq 15",
        "base 3: a up to seq 10",
        "history 1: h",
        "log 4: i from seq 11 up to seq 20, 300 bytes",
    ]
    assert list(describe_manifest(b"file a seq 1 type i\n")) == ["manifest of a stock server", "log 1: a"]
    assert list(describe_manifest(b"")) == ["0: a manifest that names no file"]


@given(
    st.one_of(
        st.binary(),
        st.lists(st.sampled_from([OPENING, DOUBLE, UNFRAMED, UNFRAMED[:9], b"#x\n", b"#", b"\0", b"x", b"#DKV1 "])).map(
            b"".join
        ),
    )
)
def test_nothing_is_raised(data: bytes) -> None:
    for describe in (describe_log, describe_snapshot, describe_manifest):
        for line in describe(data):
            assert "\n" not in line
