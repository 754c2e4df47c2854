"""The promise: what is out of bounds is refused by the definitions as by our reader, at the same place.

Method: frames, snapshots and manifests whose checksums are right, each with one thing that no writer writes, behind
something good.
"""

from __future__ import annotations

import struct

import pytest
from kaitaistruct import KaitaiStructError

from durakv_formats import FormatError, encode_batch
from tests.kaitai import generated_reader, own_reader
from tests.kaitai.checksum import checksum
from tests.kaitai.generated_reader import GeneratedReader
from tests.kaitai.own_reader import OwnReader

OWN, GENERATED = OwnReader(), GeneratedReader()
IDENTITY, SEGMENT = 0xFF112233AABBCCDD, 0xFFFFFFF7
PLACE = f"{IDENTITY:016x} {SEGMENT:08x}"
SET = encode_batch([[b"SET", b"k", b"v"]])
TWO = encode_batch([[b"a"], [b"b"]])


def frame(numbers: str, payload: bytes, place: str = PLACE) -> bytes:
    """A frame of these words (seq, count, and behind the length synced_seq) with a right checksum."""
    seq, count, synced_seq = numbers.split()
    head = f"#DKV1 {seq:0>16} {count:0>8} {len(payload):08x} {synced_seq:0>16} {place} ".encode()
    return head + b"%08x\r\n" % checksum(payload, checksum(head)) + payload


@pytest.mark.parametrize(
    "bad",
    [
        frame("5 0 5", SET),
        frame("5 2 5", SET),
        frame("1 2 1", TWO),
        frame("5 1 6", SET),
        frame("5 1 5", TWO),
        frame("5 3 5", TWO),
        frame("9 5 5", SET),
        frame("5 6 5", b""),
        frame("8000000000000000 1 5", SET),
        frame("8000000000000000 1 8000000000000000", b""),
        frame("A 1 5", SET),
        frame("+a 1 5", SET),
        frame("5 1 5", SET, PLACE.upper()),
        frame("5 1 5", SET, f"{IDENTITY + 1:016x} {SEGMENT:08x}"),
        frame("5 1 5", SET, f"{IDENTITY:016x} {SEGMENT - 1:08x}"),
        frame("5 1 5", SET + b"*"),
        frame("5 1 5", SET[:-1]),
        frame("5 1 5", SET.replace(b"$3", b"$03")),
        frame("5 1 5", SET.replace(b"*3", b"*03")),
        frame("5 1 5", SET.replace(b"*3", b"*4")),
        frame("5 1 5", SET.replace(b"*3", b"*-")),
        frame("5 1 5", SET.replace(b"$3", b"$9999999999")),
        frame("5 1 5", SET.replace(b"\r\n", b"\n")),
        frame("5 1 5", b"*0\r\n" + SET),
        frame("5 1 5", b"$7\r\nnothing\r\n"),
        frame("5 2 5", TWO.replace(b"EXEC", b"exec")),
        frame("5 2 5", TWO.replace(b"MULTI", b"multi")),
        frame("5 1 5", SET).replace(b"#DKV1", b"#DKV2"),
        frame("5 1 5", SET).replace(b"#DKV1", b"#dkv1"),
        b"#" + b"x" * 92 + b"\n",
        b"#" + b"x" * 1023 + b"\n",
    ],
)
def test_both_refuse_a_frame_that_no_writer_writes(bad: bytes) -> None:
    good = frame("4 4 4", b"") + frame("5 1 4", SET) + frame("7 2 5", TWO)
    for data in (good, good + b"#TS:1\r\n", good + b"#" + b"x" * 91 + b"\n"):
        for tail in (b"", frame("6 1 5", SET)):
            found = OWN.log(data + bad + tail, IDENTITY, SEGMENT)
            assert found.ending == "bad"
            assert found.ending_offset == len(data)
            assert len(found.frames) == 3
            assert GENERATED.log(data + bad + tail, IDENTITY, SEGMENT) == found


SEED = checksum(bytes(range(16)) + (3).to_bytes(4, "little"))


def header(slot_count: int = 4, seq: int = 5, created_ms: int = 6, content: bytes = b"x") -> bytes:
    """The header of a snapshot with a right checksum."""
    data = struct.pack("<8s16sIIQQ32s", b"DKVSNAP1", bytes(range(16)), 3, slot_count, seq, created_ms, content)
    return data + checksum(data).to_bytes(4, "little")


def block(codec: int, slot: int, raw_bytes: int, stored: bytes, tag: bytes = b"B") -> bytes:
    """A block with a right checksum."""
    head = struct.pack("<cBHIII", tag, codec, slot, 1, raw_bytes, len(stored))
    return head + checksum(stored, checksum(head, SEED)).to_bytes(4, "little") + stored


def footer(parts: list[bytes], zeros: bytes = b"\0\0\0", add: tuple[int, ...] = (0, 0, 0, 0, 0)) -> bytes:
    """The footer of a header and blocks without compression, with something added to its numbers."""
    crcs = [parts[0][-4:], *(part[16:20] for part in parts[1:])]
    size = sum(map(len, parts))
    raw_bytes = sum(len(part) - 20 for part in parts[1:])
    numbers = (checksum(b"".join(crcs), SEED), len(parts) - 1, len(parts) - 1, raw_bytes, size + 44)
    data = struct.pack("<c3sIQQQQ", b"E", zeros, *(number + more for number, more in zip(numbers, add, strict=True)))
    return data + checksum(data, SEED).to_bytes(4, "little")


GOOD = [header(), block(0, 1, 4, b"good")]


def test_the_good_ones_are_good() -> None:
    data = b"".join(GOOD) + footer(GOOD)
    assert OWN.snapshot(data).ending == "end"
    assert GENERATED.snapshot(data) == OWN.snapshot(data)


@pytest.mark.parametrize(
    "bad",
    [
        header(slot_count=0),
        header(slot_count=16385),
        header(seq=2**63),
        header(created_ms=2**63),
        header(content=b""),
        header(content=b"a b"),
        header(content=b"a\0b"),
        header(content=b"\xe9"),
        header(content=b"\0a"),
        header(content=b"a\n"),
        b"DKVSNAP2" + header()[8:],
        b"DKVSNAPS" + header()[8:],
    ],
)
def test_both_refuse_a_header_that_no_writer_writes(bad: bytes) -> None:
    found = OWN.snapshot(bad + GOOD[1])
    assert (found.header, found.ending, found.ending_offset) == (None, "bad", 0)
    assert GENERATED.snapshot(bad + GOOD[1]) == found


@pytest.mark.parametrize(
    "bad",
    [
        block(0, 4, 1, b"x"),
        block(0, 0, 1, b"x"),
        block(2, 1, 1, b"x"),
        block(0, 1, 2, b"x"),
        block(1, 1, 10, b"x" * 10),
        block(1, 1, 2551, b"x" * 10),
        block(0, 1, 1, b"x", tag=b"C"),
        footer(GOOD, zeros=b"\0\1\0"),
        footer(GOOD, add=(1, 0, 0, 0, 0)),
        footer(GOOD, add=(0, 1, 0, 0, 0)),
        footer(GOOD, add=(0, 0, 1, 0, 0)),
        footer(GOOD, add=(0, 0, 0, 1, 0)),
        footer(GOOD, add=(0, 0, 0, 0, 1)),
        footer([GOOD[0]]),
    ],
)
def test_both_refuse_a_block_or_a_footer_that_no_writer_writes(bad: bytes) -> None:
    good = b"".join(GOOD)
    found = OWN.snapshot(good + bad)
    assert (len(found.blocks), found.ending, found.ending_offset) == (1, "bad", len(good))
    assert GENERATED.snapshot(good + bad) == found


def test_both_refuse_bytes_behind_a_footer() -> None:
    data = b"".join(GOOD) + footer(GOOD)
    found = OWN.snapshot(data + b"\0")
    assert (found.ending, found.ending_offset) == ("bad", len(data))
    assert GENERATED.snapshot(data + b"\0") == found


@pytest.mark.parametrize(
    "fields",
    [
        "00112233445566778899AABBCCDDEEFF 0000000000000007 0000000000000009",
        "00112233445566778899aabbccddeeff 8000000000000000 0000000000000009",
        "00112233445566778899aabbccddeeff 0000000000000007 8000000000000000",
        "00112233445566778899aabbccddeeff 000000000000000A 0000000000000009",
        "00112233445566778899aabbccddeeff 0000000000000007  000000000000009",
        "00112233445566778899aabbccddee 0000000000000007 0000000000000009",
    ],
)
def test_both_refuse_a_manifest_that_no_writer_writes(fields: str) -> None:
    def sealed(words: str) -> bytes:
        head, lines = f"#DKVM1 {words} ".encode(), b"file a seq 1 type b dkv-last 5\n"
        return head + b"%08x\n" % checksum(lines, checksum(head)) + lines

    good = sealed("00112233445566778899aabbccddeeff 0000000000000007 0000000000000009")
    assert OWN.manifest(good) == GENERATED.manifest(good) != None  # noqa: E711 - one line for both
    assert OWN.manifest(sealed(fields)) is None
    assert GENERATED.manifest(sealed(fields)) is None


K, V = b"\xc4\x01k", b"\xc4\x01v"


@pytest.mark.parametrize(
    "payload",
    [
        b"\x91\x94\xcc\x00\x00\x91" + K + b"\x91" + V,
        b"\x91\x94\x00\xd3\0\0\0\0\0\0\0\x05\x91" + K + b"\x91" + V,
        b"\xdc\x00\x01\xdc\x00\x04\x00\x00\xdd\0\0\0\x01" + K + b"\x91" + V,
        b"\x91\x94\x00\x00\x91\xc5\x00\x01k\x91\xc6\x00\x00\x00\x01v",
        b"\x91\x94\x04\x00\x91" + K + b"\x91\xde\x00\x01" + V + b"\xca\x3f\xc0\0\0",
        b"\x91\x94\x01\x00\x91" + K + b"\x91\x92\xdf\0\0\0\x01" + K + V + b"\xc0",
        b"\x91\x94\xcc\xff\x00\x91" + K + b"\x91\xff",
    ],
)
def test_both_take_longer_forms_of_messagepack(payload: bytes) -> None:
    assert own_reader.columns_of(payload) == generated_reader.columns_of(payload)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc0",
        b"\x80",
        b"\x90\xc0",
        b"\x91\x93\x00\x00\x90",
        b"\x91\x95\x00\x00\x90\x90\x90",
        b"\x91\x94\x00\xff\x90\x90",
        b"\x91\x94\x00\xce\x80\0\0\0\x90\x90",
        b"\x91\x94\x00\xc0\x90\x90",
        b"\x91\x94" + V + b"\x00\x90\x90",
        b"\x91\x94\x00\x00\x91" + K + b"\x90",
        b"\x91\x94\x00\x00\x90\x91" + V,
        b"\x91\x94\x00\x00\x91\xa1k\x91" + V,
        b"\x91\x94\x00\x00\x91\x05\x91" + V,
        b"\x91\x94\x00\x00\x91" + K + b"\x91\xa1v",
        b"\x91\x94\x00\x00\x91" + K + b"\x91\xd4\x01\x01",
        b"\x91\x94\x00\x00\x91" + K + b"\x91\xc3",
        b"\x91\x94\x00\x00\x91" + K + b"\x91\xc1",
    ],
)
def test_both_refuse_a_payload_that_is_none(payload: bytes) -> None:
    with pytest.raises(FormatError):
        own_reader.columns_of(payload)
    with pytest.raises(KaitaiStructError):
        generated_reader.columns_of(payload)


def test_no_part_of_a_payload_is_one() -> None:
    payload = b"\x92\x94\x00\x05\x91" + K + b"\x91" + V + b"\x94\x02\x05\x91" + K + b"\x91\x92" + K + V
    assert own_reader.columns_of(payload) == generated_reader.columns_of(payload)
    for cut in range(len(payload)):
        test_both_refuse_a_payload_that_is_none(payload[:cut])
