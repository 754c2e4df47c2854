"""The promise: the compiled twin says the same as the way written in Python, or nothing; and the latter is there alone.

Method: both ways on what Hypothesis draws; every byte of good frames changed; sizes around every bound.
"""

from __future__ import annotations

import contextlib
import os
import random
from array import array
from binascii import crc_hqx
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats import (
    HEADER_BYTES,
    FormatError,
    FrameDecoder,
    compiled,
    decode_batch,
    encode_batch,
    encode_frame,
    frame,
    resp,
)

REQUIRED = "DURAKV_REQUIRE_COMPILED"
IDENTITY = 0xFEDCBA9876543210
SEGMENT = 7

pytestmark = pytest.mark.skipif(
    not compiled.COMPILED and not os.environ.get(REQUIRED), reason="the compiled twin was not built here"
)

commands = st.lists(st.binary(max_size=40), min_size=1, max_size=5)
batches = st.lists(commands, min_size=1, max_size=4)


def test_it_was_built_where_it_has_to_be() -> None:
    assert compiled.COMPILED


def in_python(batch: Sequence[Sequence[bytes]], seq: int, synced: int) -> tuple[bytes, bytes]:
    """The payload and the frame, encoded without the twin."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resp, "plain_batch", None)
        patch.setattr(frame, "plain_frame", None)
        payload = encode_batch(batch)
        return payload, encode_frame(
            payload, seq=seq, count=len(batch), synced_seq=synced, identity=IDENTITY, segment=SEGMENT
        )


@given(batch=batches, seq=st.integers(4, (1 << 63) - 1), data=st.data())
def test_both_ways_encode_the_same(batch: list[list[bytes]], seq: int, data: st.DataObject) -> None:
    assert compiled.plain_batch is not None
    assert compiled.plain_frame is not None
    synced = data.draw(st.integers(0, seq))
    payload, whole = in_python(batch, seq, synced)
    assert compiled.plain_batch(batch) == payload
    assert compiled.plain_batch(tuple(map(tuple, batch))) == payload
    assert compiled.plain_frame(payload, seq, len(batch), synced, IDENTITY, SEGMENT) == whole


@given(written=st.lists(st.tuples(batches, st.integers(0, 3)), min_size=1, max_size=5), cut=st.integers(0, 300))
def test_both_ways_read_the_same(written: list[tuple[list[list[bytes]], int]], cut: int) -> None:
    assert compiled.plain_frames is not None
    log, seq = b"lead", 3
    for batch, synced in written:
        seq += len(batch)
        log += in_python(batch, seq, synced)[1]
    log = log[: len(log) - cut]
    decoder = FrameDecoder(IDENTITY, SEGMENT, 4)
    decoder.feed(log[4:])
    expected = []
    while (found := decoder.next_frame()) is not None:
        commands = decode_batch(found.payload, found.count)
        expected.append((found.seq, found.count, found.synced_seq, decoder.offset, commands))
    assert compiled.plain_frames(log, 4, IDENTITY, SEGMENT, 100) == expected
    assert compiled.plain_frames(log, 4, IDENTITY, SEGMENT, 1) == expected[:1]
    assert compiled.plain_frames(log, 4, IDENTITY + 1, SEGMENT, 100) == []
    assert compiled.plain_frames(log, 4, IDENTITY, SEGMENT + 1, 100) == []


def test_no_changed_byte_is_read() -> None:
    assert compiled.plain_frames is not None
    good = in_python([[b"SET", b"key", b"value\r\n$3\r\n"], [b"DEL", b"other"]], 9, 3)[1]
    for at in range(len(good)):
        for change in (1, 2, 16, 32, 128, 255):
            bad = bytearray(good)
            bad[at] ^= change
            assert compiled.plain_frames(bytes(bad), 0, IDENTITY, SEGMENT, 9) == [], at


def test_what_has_a_good_checksum_and_is_no_frame_is_not_read() -> None:
    """The checksum is no proof: a length, a count or a payload that cannot be is left to the other way to name."""
    assert compiled.plain_frames is not None
    payload = encode_batch([[b"SET", b"k", b"v"]])
    for bad in (
        payload[:-1],
        payload + b"x",
        b"*1\r\n$10\r\nshort\r\n    ",
        b"*0\r\n      ",
        b"*-1\r\n     ",
        b"*9999999\r\n" * 2,
    ):
        whole = frame_of(bad, seq=5, count=1)
        assert compiled.plain_frames(whole, 0, IDENTITY, SEGMENT, 9) == []
    for digits in (b"*01\r\n$1\r\nk\r\n", b"*1\r\n$01\r\nk\r\n", b"*1\r\n$+1\r\nk\r\n", b"*1\r\n$1\nk\r\n   "):
        assert compiled.plain_frames(frame_of(digits, seq=5, count=1), 0, IDENTITY, SEGMENT, 9) == []
    two = encode_batch([[b"A"], [b"B"]])
    assert len(compiled.plain_frames(frame_of(two, seq=5, count=2), 0, IDENTITY, SEGMENT, 9)) == 1
    assert compiled.plain_frames(frame_of(two, seq=5, count=3), 0, IDENTITY, SEGMENT, 9) == []
    assert compiled.plain_frames(frame_of(two, seq=5, count=1), 0, IDENTITY, SEGMENT, 9) == []


def frame_of(payload: bytes, *, seq: int, count: int) -> bytes:
    """A frame with a right checksum around anything; the opening of a segment is the only one without a payload."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frame, "plain_frame", None)
        return encode_frame(payload, seq=seq, count=count, synced_seq=0, identity=IDENTITY, segment=SEGMENT)


def test_hostile_bytes_are_read_as_nothing_or_as_the_other_way_reads_them() -> None:
    assert compiled.plain_frames is not None
    source = random.Random(5)
    log = b"".join(
        in_python([[b"SET", source.randbytes(source.randrange(9)), source.randbytes(30)]], seq, 0)[1]
        for seq in range(1, 6)
    )
    for _ in range(20_000):
        data = bytearray(log)
        for _ in range(source.randrange(1, 4)):
            at = source.randrange(len(data))
            kind = source.randrange(4)
            if kind == 0:
                data[at] = source.randrange(256)
            elif kind == 1:
                del data[at : at + source.randrange(1, 40)]
            elif kind == 2:
                data[at:at] = source.choice((b"\r\n", b"$9", b"*", b"#DKV1 ", b"0", b"\0" * 9))
            else:
                data[at : at + 8] = source.choice((b"ffffffff", b"00000000", b"7fffffff"))
            if not data:
                break
        found = compiled.plain_frames(bytes(data), 0, IDENTITY, SEGMENT, 99)
        decoder = FrameDecoder(IDENTITY, SEGMENT, 0)
        decoder.feed(bytes(data))
        for seq, count, synced, end, commands in found:
            other = decoder.next_frame()
            assert other is not None
            assert (other.seq, other.count, other.synced_seq, decoder.offset) == (seq, count, synced, end)
            assert decode_batch(other.payload, other.count) == commands
        if not found:
            with contextlib.suppress(FormatError):
                other = decoder.next_frame()
                if other is not None and other.payload and decoder.offset - len(other.payload) == HEADER_BYTES:
                    decode_batch(other.payload, other.count)
                    pytest.fail(f"only one of the ways reads {bytes(data)!r}")


@pytest.mark.parametrize(
    "batch",
    [
        [],
        [[]],
        b"SET",
        [b"SET"],
        [[b"SET", "k"]],
        [[b"SET", bytearray(b"k")]],
        [(word for word in (b"SET", b"k"))],
        ([b"SET"] for _ in range(1)),
        [[b"x" * (1 << 20)]],
        [[b""] * 4097],
        [[b"A"]] * 4097,
        None,
        7,
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_is_left_to_the_other_way(batch: object) -> None:
    assert compiled.plain_batch is not None
    assert compiled.plain_batch(batch) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "arguments",
    [
        (b"", 0, 0, 0, IDENTITY, SEGMENT),
        (b"*1\r\n$0\r\n\r\n", 0, 1, 0, IDENTITY, SEGMENT),
        (b"*1\r\n$0\r\n\r\n", 1, 2, 0, IDENTITY, SEGMENT),
        (b"*1\r\n$0\r\n\r\n", 1, 1, 2, IDENTITY, SEGMENT),
        (b"*1\r\n$0\r\n\r\n", 1 << 63, 1, 0, IDENTITY, SEGMENT),
        (b"*1\r\n$0\r\n\r\n", 1, 1, -1, IDENTITY, SEGMENT),
        (b"*1\r\n$0\r\n\r\n", 1, 1, 0, 1 << 64, SEGMENT),
        (b"*1\r\n$0\r\n\r\n", 1, 1, 0, IDENTITY, 1 << 32),
        (b"x" * ((64 << 10) + 1), 1, 1, 0, IDENTITY, SEGMENT),
        (bytearray(b"*1\r\n$0\r\n\r\n"), 1, 1, 0, IDENTITY, SEGMENT),
    ],
)
def test_no_frame_is_made_that_the_other_way_would_refuse(arguments: tuple[bytes, int, int, int, int, int]) -> None:
    assert compiled.plain_frame is not None
    assert compiled.plain_frame(*arguments) is None


def test_arguments_of_a_wrong_kind_are_refused() -> None:
    assert compiled.plain_frames is not None
    with pytest.raises(TypeError):
        compiled.plain_frames("text", 0, IDENTITY, SEGMENT, 9)  # type: ignore[arg-type]
    with pytest.raises(OverflowError):
        compiled.plain_frames(b"", 1 << 70, IDENTITY, SEGMENT, 9)
    assert compiled.plain_frames(b"abc", 17, IDENTITY, SEGMENT, 9) == []
    assert compiled.plain_frames(b"abc", -1, IDENTITY, SEGMENT, 9) == []


words = st.binary(max_size=20)


@given(
    written=st.lists(st.tuples(st.sampled_from([b"SET", b"GET"]), words, words), min_size=1, max_size=20),
    odd=st.lists(st.tuples(st.integers(0, 19), st.lists(words, min_size=1, max_size=4)), max_size=2),
    cut=st.integers(0, 200),
)
def test_a_run_ends_where_the_first_frame_stands_that_is_not_of_it(
    written: list[tuple[bytes, bytes, bytes]], odd: list[tuple[int, list[bytes]]], cut: int
) -> None:
    assert compiled.plain_run is not None
    assert compiled.plain_frames is not None
    commands: list[list[bytes]] = [list(command) for command in written]
    for at, command in odd:
        commands.insert(min(at, len(commands)), command)
    log = b"".join(in_python([command], seq, seq // 2)[1] for seq, command in enumerate(commands, 5))
    log = log[: len(log) - cut]
    frames = compiled.plain_frames(log, 0, IDENTITY, SEGMENT, 99)
    expected = []
    for frame_of_one in frames:
        if len(frame_of_one[4][0]) != 3:
            break
        expected.append(frame_of_one)
    names, keys, values, places, promise = compiled.plain_run(log, IDENTITY, SEGMENT, 5)
    assert list(zip(names, keys, values, strict=True)) == [tuple(found[4][0]) for found in expected]
    assert array("I", places).tolist() == [found[3] for found in expected]
    assert promise == max((found[2] for found in expected), default=0)
    assert compiled.plain_run(log, IDENTITY, SEGMENT, 6)[0] == []


def test_values_are_put_where_the_function_of_slots_says() -> None:
    assert compiled.put_all is not None
    source = random.Random(3)
    keys = [source.randbytes(source.randrange(0, 30)) for _ in range(500)]
    values = [b"%d" % number for number in range(500)]
    slots: list[dict[bytes, bytes]] = [{} for _ in range(64)]
    assert compiled.put_all(slots, 63, keys, values) == 500
    for key, value in dict(zip(keys, values, strict=True)).items():
        assert slots[crc_hqx(key, 0) & 63][key] == value
    assert sum(map(len, slots)) == len(set(keys))


def test_values_are_put_up_to_what_is_no_dictionary() -> None:
    assert compiled.put_all is not None

    class Own(dict[bytes, bytes]):
        pass

    slots: list[object] = [{} for _ in range(4)]
    keys = [b"a", b"b", b"c", b"d", b"e", b"f"]
    third = crc_hqx(keys[2], 0) & 3
    slots[third] = Own()
    first = next(at for at, key in enumerate(keys) if crc_hqx(key, 0) & 3 == third)
    assert compiled.put_all(slots, 3, keys, [b""] * 6) == first
    assert compiled.put_all([{}], 0, [b"a", "b", b"c"], [1, 2, 3]) == 1  # type: ignore[list-item]
    assert compiled.put_all([], 3, [b"a"], [1]) == 0
    with pytest.raises(TypeError):
        compiled.put_all((), 3, [b"a"], [1])  # type: ignore[arg-type]


@given(batch=st.lists(st.lists(words, min_size=3, max_size=3), min_size=2, max_size=9), change=st.integers(0, 400))
def test_a_batch_comes_column_by_column_or_not_at_all(batch: list[list[bytes]], change: int) -> None:
    assert compiled.plain_columns is not None
    payload = encode_batch(batch)
    columns = compiled.plain_columns(payload, len(batch))
    assert columns is not None
    assert list(map(list, zip(*columns, strict=True))) == batch
    assert compiled.plain_columns(payload, len(batch) + 1) is None
    assert compiled.plain_columns(payload, len(batch) - 1) is None
    assert compiled.plain_columns(encode_batch([*batch, [b"DEL", b"k"]]), len(batch) + 1) is None
    damaged = bytearray(payload)
    damaged[change % len(damaged)] ^= 1 + change % 7
    columns = compiled.plain_columns(bytes(damaged), len(batch))
    with contextlib.suppress(FormatError):
        assert columns is None or list(map(list, zip(*columns, strict=True))) == decode_batch(
            bytes(damaged), len(batch)
        )
        return
    assert columns is None


def test_what_is_no_batch_has_no_columns() -> None:
    assert compiled.plain_columns is not None
    for payload in (b"", b"*1\r\n$5\r\nMULTI\r\n", b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n", b"x" * 50):
        assert compiled.plain_columns(payload, 1) is None
    with pytest.raises(TypeError):
        compiled.plain_columns("text", 1)  # type: ignore[arg-type]


def test_a_batch_is_put_whole_or_not_at_all() -> None:
    assert compiled.put_batch is not None
    source = random.Random(7)
    batch = [(b"SET", source.randbytes(source.randrange(0, 9)), b"%d" % number) for number in range(300)]
    slots: list[object] = [{} for _ in range(16)]
    assert compiled.put_batch(slots, 15, batch)
    expected: list[object] = [{} for _ in range(16)]
    for _, key, value in batch:
        expected[crc_hqx(key, 0) & 15][key] = value  # type: ignore[index]
    assert slots == expected
    for odd in (
        (b"DEL", b"k"),
        (b"set", b"k", b"v"),
        (b"SET", b"k", b"v", b"NX"),
        (b"SET", "k", b"v"),
        (b"SET", b"k"),
        7,
    ):
        for wrong in ([*batch, odd], [odd, *batch], iter(batch)):
            slots = [{} for _ in range(16)]
            assert compiled.put_batch(slots, 15, wrong) is False  # type: ignore[arg-type]
            assert not any(slots)
    slots = [{} for _ in range(15)] + [object()]
    assert compiled.put_batch(slots, 15, batch) is False, "one slot holds no dictionary"
    assert not any(slots[:15])
    assert compiled.put_batch([{}], 15, batch) is False
    with pytest.raises(TypeError):
        compiled.put_batch((), 15, batch)  # type: ignore[arg-type]
