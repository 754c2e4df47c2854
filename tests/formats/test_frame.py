"""The promise: a frame that is returned is a frame that was written, here, whole; the offset is always exact.

Method: frames drawn by Hypothesis, read whole, byte by byte and with bytes to spare; every single flipped bit; every
cut; every other thing that can stand where a frame should.
"""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats import (
    HEADER_BYTES,
    FormatError,
    Frame,
    FrameDecoder,
    FrameError,
    LimitError,
    UnsupportedVersionError,
    encode_batch,
    encode_command,
    encode_frame,
    find_frames,
)
from durakv_formats.checksum import crc32c
from durakv_formats.limits import ANNOTATION_BYTES_MAX, BATCH_BYTES_MAX, SEQ_MAX

IDENTITY = 0xFEDC_BA98_7654_3210
SEGMENT = 7
OPENING = encode_frame(b"", seq=10, count=3, synced_seq=7, identity=IDENTITY, segment=SEGMENT)
SINGLE = encode_frame(
    encode_command([b"SET", b"key", b"value"]), seq=11, count=1, synced_seq=10, identity=IDENTITY, segment=SEGMENT
)
DOUBLE = encode_frame(
    encode_batch([[b"A"], [b"B", b"#DKV1 "]]), seq=13, count=2, synced_seq=10, identity=IDENTITY, segment=SEGMENT
)
LOG = OPENING + SINGLE + DOUBLE


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    count = draw(st.integers(0, 5))
    payload = draw(st.binary(min_size=10 * count, max_size=10 * count + 90)) if count else b""
    seq = draw(st.integers(count, SEQ_MAX))
    synced_seq = draw(st.integers(0, seq))
    return Frame(seq, count, synced_seq, draw(st.integers(0, 2**64 - 1)), draw(st.integers(0, 2**32 - 1)), payload)


def encode(frame: Frame) -> bytes:
    return encode_frame(
        frame.payload,
        seq=frame.seq,
        count=frame.count,
        synced_seq=frame.synced_seq,
        identity=frame.identity,
        segment=frame.segment,
    )


def read_all(data: bytes, step: int, decoder: FrameDecoder | None = None) -> tuple[list[Frame], FormatError | None]:
    """All frames, and the error that ended the reading."""
    decoder = decoder or FrameDecoder(IDENTITY, SEGMENT)
    found: list[Frame] = []
    try:
        for start in range(0, len(data), step):
            decoder.feed(data[start : start + step])
            while (frame := decoder.next_frame()) is not None:
                found.append(frame)
    except FormatError as caught:
        failure = caught
    else:
        return found, None
    with pytest.raises(FormatError) as again:
        decoder.next_frame()
    assert again.value.args == failure.args, "an error stays"
    return found, failure


def raised(data: bytes, *, identity: int | None = IDENTITY, segment: int | None = SEGMENT) -> FrameError:
    """The error behind a good frame; it must be the same byte by byte, and leave the offset where the frame ended."""
    errors: list[FrameError] = []
    for step in (len(OPENING + data), 1):
        decoder = FrameDecoder(identity, segment, 1000)
        found, failure = read_all(OPENING + data, step, decoder)
        assert len(found) == 1
        assert decoder.offset == 1000 + len(OPENING)
        assert isinstance(failure, FrameError)
        errors.append(failure)
    assert errors[0].args == errors[1].args
    return errors[0]


def sealed(head: bytes, payload: bytes = b"") -> bytes:
    """A frame with a right checksum, whatever its header says."""
    assert len(head) == 84
    return head + b"%08x\r\n" % crc32c(payload, crc32c(head)) + payload


@given(st.lists(frames(), max_size=5), st.integers(1, 200))
def test_every_frame_survives(written: list[Frame], step: int) -> None:
    data = b"".join(map(encode, written))
    for size in (len(data) or 1, 1, step):
        decoder = FrameDecoder(None, None)
        assert read_all(data, size, decoder) == (written, None)
        assert decoder.offset == len(data)


@given(frames(), st.data())
def test_a_part_of_a_frame_is_no_frame(frame: Frame, data: st.DataObject) -> None:
    whole = encode(frame)
    cut = data.draw(st.integers(0, len(whole) - 1))
    decoder = FrameDecoder(frame.identity, frame.segment, 500)
    decoder.feed(whole + whole[:cut])
    assert decoder.next_frame() == frame
    assert decoder.next_frame() is None
    assert decoder.offset == 500 + len(whole)
    decoder.feed(whole[cut:])
    assert decoder.next_frame() == frame
    assert decoder.offset == 500 + 2 * len(whole)


def test_the_numbers_of_a_frame() -> None:
    found, _ = read_all(LOG, len(LOG))
    assert [(frame.first_seq, frame.seq, frame.is_opening) for frame in found] == [
        (8, 10, True),
        (11, 11, False),
        (12, 13, False),
    ]
    assert len(OPENING) == HEADER_BYTES <= ANNOTATION_BYTES_MAX


def test_no_single_flipped_bit_is_ever_accepted() -> None:
    ends = (0, len(OPENING), len(OPENING + SINGLE), len(LOG))
    for bit in range(8 * len(LOG)):
        damaged = bytearray(LOG)
        damaged[bit // 8] ^= 1 << bit % 8
        decoder = FrameDecoder(IDENTITY, SEGMENT)
        found, _ = read_all(bytes(damaged), len(damaged), decoder)
        # Either an error, or (a length that grew) waiting for bytes that never come; but never a frame.
        assert len(found) == sum(bit // 8 >= end for end in ends[1:]), f"bit {bit}"
        assert decoder.offset == ends[len(found)], f"bit {bit}"


@given(st.one_of(st.binary(), st.binary().map(lambda tail: b"#DKV1 0" + tail)), st.integers(1, 50))
def test_noise_is_never_a_frame(data: bytes, step: int) -> None:
    for size in (len(data) or 1, step):
        decoder = FrameDecoder(None, None)
        assert read_all(data, size, decoder)[0] == []
        assert decoder.offset == 0


@given(st.integers(0, len(LOG) - 1), st.binary(max_size=100))
def test_a_damaged_log_is_read_up_to_the_damage(place: int, junk: bytes) -> None:
    damaged = LOG[:place] + junk + LOG[place + len(junk) :]
    whole, _ = read_all(LOG, len(LOG))
    decoder = FrameDecoder(IDENTITY, SEGMENT)
    found, _ = read_all(damaged, len(damaged), decoder)
    assert found == whole[: len(found)]
    assert decoder.offset == (0, 94, 94 + len(SINGLE), len(LOG))[len(found)]


def test_what_stands_instead_of_a_frame_is_named() -> None:
    assert raised(bytes(5)).kind == "zeros"
    assert raised(bytes(5000)).kind == "zeros"
    assert raised(encode_command([b"SET", b"a", b"b"])).kind == "foreign"
    assert raised(b"x").kind == "bad"
    assert raised(b"\r\n").kind == "bad"
    assert raised(b"#" * 1023).kind == "bad"
    for data in (bytes(5), b"*", b"x"):
        assert raised(data).offset == 1000 + len(OPENING)


def test_a_frame_of_another_place_is_refused() -> None:
    assert raised(SINGLE.replace(b"fedcba", b"fedcbb")).kind == "bad"
    other = encode_frame(b"", seq=1, count=0, synced_seq=0, identity=IDENTITY + 1, segment=SEGMENT)
    assert "another directory" in raised(other).reason
    other = encode_frame(b"", seq=1, count=0, synced_seq=0, identity=IDENTITY, segment=SEGMENT + 1)
    assert "another segment" in raised(other).reason
    found, failure = read_all(OPENING + other, 10_000, FrameDecoder(IDENTITY, None))
    assert len(found) == 2
    assert failure is None


@pytest.mark.parametrize(
    "line", [b"#\n", b"#TS:1700000000\r\n", b"#HDR:v1\r\n", b"#" + bytes(1021) + b"\n", b"#DKVM\r\n"]
)
def test_comments_of_other_programs_are_passed_over(line: bytes) -> None:
    for step in (10_000, 1):
        decoder = FrameDecoder(IDENTITY, SEGMENT)
        found, failure = read_all(line + OPENING + line + line + SINGLE + line, step, decoder)
        assert [frame.seq for frame in found] == [10, 11]
        assert failure is None
        assert decoder.offset == len(line + OPENING + line + line + SINGLE)
    assert raised(line + bytes(100)).offset == 1000 + len(OPENING + line)


def test_a_comment_of_a_headers_size_is_taken_for_a_damaged_header() -> None:
    assert raised(b"#" + b" " * 91 + b"\r\n").kind == "bad"
    assert raised(b"#" + b" " * 1022 + b"\n").kind == "bad", "longer than a stock server passes over"


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (b"#DKV2 x\r\n", "2"),
        (b"#DKV0 ", "0"),
        (b"#DKV10 0000\r\n", "10"),
        (OPENING.replace(b"#DKV1", b"#DKV3"), "3"),
    ],
)
def test_a_newer_frame_is_refused_by_its_version(line: bytes, version: str) -> None:
    for step in (10_000, 1):
        decoder = FrameDecoder(IDENTITY, SEGMENT)
        found, failure = read_all(OPENING + line, step, decoder)
        assert len(found) == 1
        assert isinstance(failure, UnsupportedVersionError)
        assert failure.version == f"log frame {version}"
        assert failure.offset == decoder.offset == len(OPENING)


@pytest.mark.parametrize(
    ("seq", "count", "payload", "synced_seq"),
    [
        (0, 1, b"x" * 50, 0),  # a number below 1
        (5, 6, b"x" * 600, 0),
        (5, 0, b"x" * 50, 0),  # a payload of nothing
        (5, 2, b"x" * 19, 0),  # more commands than fit
        (5, 1, b"x" * 50, 6),  # a promise about the future
        (3, 4, b"", 0),
        (SEQ_MAX + 1, 1, b"x" * 50, 0),
    ],
)
def test_numbers_that_cannot_be_are_neither_written_nor_read(
    seq: int, count: int, payload: bytes, synced_seq: int
) -> None:
    with pytest.raises(LimitError):
        encode_frame(payload, seq=seq, count=count, synced_seq=synced_seq, identity=IDENTITY, segment=SEGMENT)
    head = b"#DKV1 %016x %08x %08x %016x %016x %08x " % (seq, count, len(payload), synced_seq, IDENTITY, SEGMENT)
    assert raised(sealed(head, payload)).kind == "bad"


@pytest.mark.parametrize(
    "head",
    [
        OPENING[:84].upper(),
        OPENING[:84].replace(b"000000000000000a", b"00000000000000_a"),
        OPENING[:84].replace(b"000000000000000a", b"               a"),
        OPENING[:84].replace(b"000000000000000a", b"+00000000000000a"),
        OPENING[:84].replace(b"000000000000000a 00000003", b"000000000000000 a00000003"),
        OPENING[:84].replace(b"000000000000000a", b"000000000000000A"),
        OPENING[:84].replace(b" 00000000 ", b" ffffffff "),
    ],
)
def test_there_is_one_way_to_write_a_header(head: bytes) -> None:
    assert raised(sealed(head)).kind == "bad"
    assert raised(sealed(OPENING[:84])[:-2] + b"\n\n").kind == "bad"


def test_numbers_too_wide_for_their_field_are_not_written() -> None:
    good = {"seq": 5, "count": 1, "synced_seq": 4, "identity": 1, "segment": 1}
    payload = encode_command([b"PING"])
    encode_frame(payload, **good)
    for name, number in (
        ("identity", -1),
        ("identity", 1 << 64),
        ("segment", -1),
        ("segment", 1 << 32),
        ("seq", -1),
        ("count", -1),
        ("synced_seq", -1),
    ):
        with pytest.raises(LimitError):
            encode_frame(payload, **(good | {name: number}))
    with pytest.raises(LimitError):
        encode_frame(b"", seq=1 << 40, count=1 << 32, synced_seq=0, identity=1, segment=1)
    with pytest.raises(LimitError):
        encode_frame(bytes(BATCH_BYTES_MAX + 1), **good)


def test_a_large_log_passes_in_small_memory() -> None:
    payload = encode_command([b"SET", b"key", b"v" * 8000])
    frame = encode_frame(payload, seq=1, count=1, synced_seq=0, identity=IDENTITY, segment=SEGMENT)
    chunk = frame * 8
    decoder = FrameDecoder(IDENTITY, SEGMENT)
    count = 0
    tracemalloc.start()
    try:
        for index in range(100):
            decoder.feed(chunk[: 17 * index])
            decoder.feed(chunk[17 * index :])
            while decoder.next_frame() is not None:
                count += 1
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 800
    assert decoder.offset == 800 * len(frame)
    assert peak < 6 * len(chunk)


@given(st.lists(st.sampled_from([OPENING, SINGLE, DOUBLE, SINGLE[:100], DOUBLE[1:], b"#DKV1 ", b"x", bytes(50)])))
def test_whole_frames_are_found_among_rubble(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    expected: list[int] = []
    at = 0
    for piece in pieces:
        if piece in (OPENING, SINGLE, DOUBLE):
            expected.append(at)
        at += len(piece)
    found = list(find_frames(data, identity=IDENTITY, segment=SEGMENT))
    assert [at for at, _ in found] == expected
    assert all(encode(frame) == data[at : at + len(encode(frame))] for at, frame in found)
    if expected:
        later = find_frames(data, identity=IDENTITY, segment=SEGMENT, start=expected[0] + 1)
        assert [at for at, _ in later] == expected[1:]


def test_frames_of_other_places_are_no_evidence() -> None:
    assert list(find_frames(LOG, identity=IDENTITY + 1, segment=SEGMENT)) == []
    assert list(find_frames(LOG, identity=IDENTITY, segment=SEGMENT + 1)) == []


def test_a_frame_inside_a_value_is_found_only_if_the_outer_one_is_damaged() -> None:
    outer = encode_frame(
        encode_command([b"SET", b"k", SINGLE]), seq=12, count=1, synced_seq=0, identity=IDENTITY, segment=SEGMENT
    )
    assert [at for at, _ in find_frames(outer, identity=IDENTITY, segment=SEGMENT)] == [0]
    damaged = b"x" + outer[1:]
    assert len(list(find_frames(damaged, identity=IDENTITY, segment=SEGMENT))) == 1
