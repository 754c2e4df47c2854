"""The promise: a segment read in runs is the segment read batch by batch: the same commands, numbers and offsets, and
the same end, whatever stands in the file; and a keyspace that takes runs ends as one that takes commands.

Method: segments of plain and other batches, drawn at random and then damaged; ``read_segment`` is the judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.clock import ManualClock
from durakv.directory import MANIFEST_NAME, add_segment, empty_manifest
from durakv.errors import UnsupportedVersion
from durakv.keyspace import Keyspace
from durakv.log.reader import read_runs, read_segment
from durakv.recovery import recover
from durakv.storage.filesystem import Filesystem
from durakv_formats.checksum import crc32c
from durakv_formats.frame import FrameDecoder, encode_frame
from durakv_formats.manifest import encode_manifest
from durakv_formats.resp import encode_batch
from durakv_formats.runs import RUN_COMMANDS_MIN, Run, decode_frames, decode_plain_batch
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from tests.keyspace.world import dump
from tests.log.told import told
from tests.support import Journal, drain

NAME = "appendonly.aof.3.incr.aof"
IDENTITY = 0x0123456789ABCDEF
NUMBER = 3

Command = list[bytes]

short = st.binary(max_size=24)
word = st.one_of(short, st.just(b"\r\n"), st.just(b"a\r\n$1\r\nb"), st.integers(2040, 2056).map(bytes))
plain = st.tuples(st.sampled_from([b"SET", b"SET", b"SET", b"APPEND", b""]), short, short).map(list)
other = st.one_of(st.lists(word, min_size=1, max_size=5), st.tuples(st.just(b"SET"), word, word).map(list))
batch = st.one_of(
    *[plain.map(lambda command: [command])] * 6,
    other.map(lambda command: [command]),
    st.lists(plain, min_size=1, max_size=20),
    st.lists(st.one_of(plain, other), min_size=1, max_size=12),
)
stretch = st.lists(plain.map(lambda command: [command]), min_size=12, max_size=60)
parts = st.lists(st.one_of(st.lists(batch, max_size=4), stretch), max_size=3)
batches = st.tuples(stretch, parts).map(lambda drawn: [*drawn[0], *(one for part in drawn[1] for one in part)])


def segment(given_batches: list[list[Command]], choose: Callable[[int], int]) -> bytes:
    """A segment of these batches, with promises chosen by number."""
    data = encode_frame(b"", seq=0, count=0, synced_seq=0, identity=IDENTITY, segment=NUMBER)
    seq = 0
    for commands in given_batches:
        seq += len(commands)
        data += encode_frame(
            encode_batch(commands),
            seq=seq,
            count=len(commands),
            synced_seq=choose(seq),
            identity=IDENTITY,
            segment=NUMBER,
        )
    return data


@settings(max_examples=300, deadline=None)
@given(batches, st.data())
def test_runs_are_the_batches_one_by_one_and_the_end_is_the_same(
    given_batches: list[list[Command]], data: st.DataObject
) -> None:
    promised = data.draw(st.sampled_from([0, 1, 5]))
    whole = bytearray(segment(given_batches, lambda seq: max(0, seq - promised) if promised else 0))
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, len(whole) - 1))
        damage = data.draw(st.sampled_from(["flip", "cut", "zeros", "comment", "repeat"]))
        if damage == "flip":
            whole[at] ^= 1 << data.draw(st.integers(0, 7))
        elif damage == "cut":
            del whole[max(1, at) :]
        elif damage == "zeros":
            whole[at:] = bytes(len(whole) - at)
        elif damage == "comment":
            start = max(0, whole.rfind(b"#DKV1", 0, at))
            whole[start:start] = b"#TS:1700000000\r\n"
        else:
            whole[at:at] = whole[at : at + 300]
    identity = data.draw(st.sampled_from([IDENTITY, IDENTITY, None, IDENTITY ^ 1]))
    assert told(read_runs, bytes(whole), NUMBER, identity) == told(read_segment, bytes(whole), NUMBER, identity)


def sets(count: int) -> list[list[Command]]:
    return [[[b"SET", b"key:%d" % number, b"value %d" % number]] for number in range(count)]


def test_a_log_of_plain_commands_does_come_in_runs() -> None:
    data = segment([*sets(3000), [command for [command] in sets(50)]], lambda seq: seq - 1)
    file = SimulatedDisk(Image({NAME: data})).open(NAME)
    records, end = drain(read_runs(file, identity=IDENTITY, number=NUMBER, prior=0))
    in_runs = sum(len(record.keys) for record in records if isinstance(record, Run))
    assert in_runs > 2900, f"of 3050 commands {in_runs} came in runs"
    assert (end.kind, end.last, end.batches, end.commands) == ("clean", 3050, 3001, 3050)
    assert end == told(read_segment, data, NUMBER, IDENTITY)[1]


def test_a_frame_that_is_good_but_not_allowed_ends_the_run_before_it() -> None:
    frames = [sealed(encode_batch(batch), seq) for seq, batch in enumerate(sets(30), 1)]
    payload = encode_batch(sets(20)[19])
    wrong = {
        "number": sealed(payload, 19),
        "directory": sealed(payload, identity=5),
        "segment": sealed(payload, segment=4),
        "count": sealed(payload, count=2),
        "two in one": sealed(payload + frames[20] + payload),
        "words": sealed(payload.replace(b"*3", b"*4")),
        "length": sealed(payload.replace(b"$3", b"$4")),
        "version": resealed(frames[19].replace(b"#DKV1", b"#DKV2")),
        "promise": resealed(frames[19][:41] + b"%016x" % 99 + frames[19][57:]),
        "capitals": resealed(frames[19][:41] + b"%016X" % 10 + frames[19][57:]),
        "checksum": frames[19].replace(b"value", b"valve"),
    }
    for what, frame in wrong.items():
        data = b"".join([*frames[:19], frame, *frames[20:]])
        assert frame != frames[19], what
        run = decode_frames(data, 0, identity=IDENTITY, segment=NUMBER, seq=1)
        assert run is not None, what
        assert (run.seq, run.end) == (19, sum(map(len, frames[:19]))), what


def sealed(payload: bytes, seq: int = 20, *, count: int = 1, identity: int = IDENTITY, segment: int = NUMBER) -> bytes:
    return encode_frame(payload, seq=seq, count=count, synced_seq=0, identity=identity, segment=segment)


def resealed(frame: bytes) -> bytes:
    """The frame with a checksum that is right."""
    return frame[:84] + b"%08x\r\n" % crc32c(frame[94:], crc32c(frame[:84])) + frame[94:]


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.lists(plain, min_size=2, max_size=30), st.lists(st.one_of(plain, other), min_size=2, max_size=12)))
def test_a_plain_batch_is_decoded_as_any_other_or_not_at_all(commands: list[Command]) -> None:
    payload = encode_batch(commands)
    columns = decode_plain_batch(payload, len(commands))
    if columns is not None:
        assert [list(command) for command in zip(*columns, strict=True)] == commands
    else:
        assert len(commands) < RUN_COMMANDS_MIN or not all(
            len(command) == 3 and all(len(one) < 2048 and b"\r\n" not in one for one in command) for command in commands
        )
    assert decode_plain_batch(payload, len(commands) + 1) is None
    assert decode_plain_batch(payload + b"x", len(commands)) is None
    assert decode_plain_batch(payload.replace(b"EXEC", b"EXIT"), len(commands)) is None


def directory(commands: list[Command]) -> Filesystem:
    """A directory of one open segment that holds these, a frame each."""
    identity = IDENTITY.to_bytes(8, "big") + bytes(8)
    data = segment([[command] for command in commands], lambda _seq: 0)
    manifest = add_segment(empty_manifest(identity), NUMBER, first=1, capacity=len(data))
    return SimulatedDisk(Image({NAME: data, MANIFEST_NAME: encode_manifest(manifest)}))


keys = st.sampled_from([b"a", b"b", b"c", b"d"])
traffic = st.one_of(
    *[st.tuples(st.just(b"SET"), keys, short).map(list)] * 4,
    st.tuples(st.just(b"PEXPIREAT"), keys, st.just(b"99999999999999")).map(list),
    st.tuples(st.just(b"SELECT"), st.sampled_from([b"0", b"1"])).map(list),
    st.tuples(st.just(b"DEL"), keys).map(list),
    st.tuples(st.just(b"FLUSHDB")).map(list),
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(traffic.map(lambda one: [one]), st.lists(traffic, min_size=9, max_size=30)), max_size=8))
def test_a_recovery_in_runs_comes_to_the_same_state(parts: list[list[Command]]) -> None:
    commands = [command for part in parts for command in part]
    commands += [[b"SET", b"key:%d" % number, b"value"] for number in range(20)]
    filesystem = directory(commands)
    recovered, applied, journal = Keyspace(), Keyspace(), Journal()
    recover(filesystem, recovered, clock=ManualClock(), entropy=bytes)
    recover(filesystem, journal, clock=ManualClock(), entropy=bytes)
    for command in commands:
        applied.apply(command)
    assert dump(recovered) == dump(applied)
    assert journal.commands == [tuple(command) for command in commands], "a machine that takes no runs"


def test_a_command_that_is_refused_in_a_run_is_named_by_the_end_of_its_frame() -> None:
    class Refusing(Journal):
        def apply(self, command: Any) -> int:
            if command[1] == b"key:30":
                raise ValueError("no")
            return super().apply(command)

    commands = [command for [command] in sets(60)]
    end = len(segment([[command] for command in commands[:31]], lambda _seq: 0))
    with pytest.raises(UnsupportedVersion, match=rf"command before byte {end}\b"):
        recover(directory(commands), Refusing(), clock=ManualClock(), entropy=bytes)


def test_decoders_agree_on_where_a_run_ends() -> None:
    data = segment(sets(100), lambda _seq: 0)
    decoder = FrameDecoder(IDENTITY, NUMBER)
    decoder.feed(data)
    ends: list[int] = []
    while decoder.next_frame() is not None:
        ends.append(decoder.offset)
    run = decode_frames(data[ends[0] :], ends[0], identity=IDENTITY, segment=NUMBER, seq=1)
    assert run is not None
    assert [end for _, end in run.batches()] == ends[1:]
