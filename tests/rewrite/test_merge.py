"""The promise: a merged base holds what replaying the old base and the sealed log would hold, whatever the number of
passes; what the log did not touch is copied byte for byte; and whatever is wrong with an input is told by file and
offset, and nothing is left behind.

Method: random commands in random segments on a simulated disk, written by the real log code, merged by the real merge
with a small state machine, and compared with a plain dictionary.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from durakv.directory import base_name, base_temporary, segment_name
from durakv.errors import Corruption, DurakvError, UnsupportedVersion
from durakv.machine import Unmergeable
from durakv.merge import MergeResult, MergeTask, SealedFile, load_merger, merge_steps, pass_count
from durakv.snapshot.reader import read_base
from durakv_formats.frame import encode_frame
from durakv_formats.resp import encode_batch, encode_command
from durakv_formats.snapshot import StoredBlock
from durakv_fuzz.disk import SimulatedDisk
from tests.rewrite.machines import SLOTS, Slotted, State, change
from tests.support import FRAME_IDENTITY, IDENTITY

Words = list[bytes]

keys = st.sampled_from([b"a", b"b", b"c", b"d", b"e", b"f", b"g", b"h", b"aa", b"bb", b"cd", b"zz"])
commands = st.one_of(
    st.tuples(st.just(b"set"), keys, st.binary(max_size=20)),
    st.tuples(st.just(b"append"), keys, st.binary(max_size=5)),
    st.tuples(st.just(b"del"), keys),
    st.just((b"flush",)),
).map(list)
batches = st.lists(commands, min_size=1, max_size=3)
logs = st.lists(st.lists(batches, max_size=8), min_size=1, max_size=3)


class Room:
    """A directory with bases and sealed segments, written by hand."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.disk.make_root()
        self.log: list[SealedFile] = []
        self.seq = 0
        self.base: tuple[int, int] | None = None
        self.state: State = {}
        self.memory_bytes = 1 << 20
        self.merger = Slotted.merger

    def segment(self, script: Sequence[Sequence[Words]], *, retired: int = 0, stock: bytes = b"") -> None:
        """Seal a segment with these batches, and a stock server's bytes behind them."""
        number = len(self.log) + 1
        prior = self.seq
        self.seq += retired
        data = encode_frame(b"", seq=self.seq, count=retired, synced_seq=prior, identity=FRAME_IDENTITY, segment=number)
        for batch in script:
            self.seq += len(batch)
            data += encode_frame(
                encode_batch(batch),
                seq=self.seq,
                count=len(batch),
                synced_seq=prior,
                identity=FRAME_IDENTITY,
                segment=number,
            )
            for command in batch:
                change(self.state, command)
        self.add(number, prior, data + stock)

    def add(self, number: int, prior: int, data: bytes, *, name: str | None = None) -> None:
        name = segment_name(number) if name is None else name
        file = self.disk.create(name)
        file.write_at(data + bytes(100), 0)  # preallocated space that was never trimmed
        self.log.append(SealedFile(name, number, prior, self.seq, len(data)))

    def task(self, number: int) -> MergeTask:
        base = self.base
        return MergeTask(
            identity=IDENTITY.hex(),
            base_name=None if base is None else base_name(base[0]),
            base_number=0 if base is None else base[0],
            base_seq=0 if base is None else base[1],
            log=tuple(self.log),
            log_bytes=sum(file.bytes or 0 for file in self.log),
            number=number,
            seq=self.seq,
            merger=self.merger,
            content=Slotted.content,
            slot_count=SLOTS,
            memory_bytes=self.memory_bytes,
            created_ms=1_700_000_000_000,
        )

    def merge(self, number: int) -> MergeResult:
        result = run(self.disk, self.task(number))
        self.disk.rename(base_temporary(number), base_name(number))
        return result

    def adopt(self, number: int) -> None:
        """Go on from that base."""
        self.base = number, self.seq
        self.log = []

    def blocks(self, number: int) -> list[StoredBlock]:
        with read_base(self.disk, base_name(number)) as reader:
            reader.expect(identity=IDENTITY, number=number, seq=self.seq)
            return list(reader)

    def load(self, number: int) -> State:
        machine = Slotted()
        for block in self.blocks(number):
            assert machine.restore_slot(block.slot, block.payload()) == block.count
        return machine.state


def run(disk: SimulatedDisk, task: MergeTask) -> MergeResult:
    steps = merge_steps(disk, task)
    told = 0.0
    while True:
        try:
            progress = next(steps)
        except StopIteration as finished:
            result: MergeResult = finished.value
            return result
        assert told <= progress <= 1.0, "progress goes back, or beyond the end"
        told = progress


@settings(max_examples=60, deadline=None)
@given(logs, logs, st.integers(1, 400))
def test_a_base_merged_twice_in_any_number_of_passes_is_the_state(
    first: list[list[list[Words]]], second: list[list[list[Words]]], memory_bytes: int
) -> None:
    room = Room()
    for script in first:
        room.segment(script)
    room.merge(1)
    assert room.load(1) == room.state
    room.adopt(1)
    for script in second:
        room.segment(script) if room.log else _numbered(room, script)
    one = room.merge(2)
    room.memory_bytes = memory_bytes
    assert room.merge(3).passes == pass_count(room.task(3))
    assert one.passes == 1
    assert room.load(2) == room.load(3) == room.state
    assert room.blocks(2) == room.blocks(3), "several passes do not make what one makes"


def _numbered(room: Room, script: list[list[Words]]) -> None:
    """The first segment after a base: its file must not be one of the segments that were merged before."""
    for name in room.disk.list():
        if name.endswith(".incr.aof"):
            room.disk.remove(name)
    room.segment(script)


def filled() -> Room:
    """A base of every slot, and a log that touches one."""
    room = Room()
    room.segment([[[b"set", bytes([97 + index]), b"value " * 40]] for index in range(16)])
    room.merge(1)
    room.adopt(1)
    room.disk.remove(segment_name(1))
    room.segment([[[b"append", b"a", b"!"]]])
    return room


def test_what_the_log_did_not_touch_is_copied_as_it_is_stored() -> None:
    room = filled()
    result = room.merge(2)
    slot = ord("a") % SLOTS
    old, new = room_blocks(room, 1), room.blocks(2)
    assert [block for block in new if block.slot != slot] == [block for block in old if block.slot != slot]
    assert (result.rebuilt, result.copied) == (1, sum(block.slot != slot for block in old))
    assert room.load(2) == room.state


def room_blocks(room: Room, number: int) -> list[StoredBlock]:
    with read_base(room.disk, base_name(number)) as reader:
        return list(reader)


def test_untouched_blocks_are_never_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    room = filled()
    looked: list[int] = []
    payload = StoredBlock.payload

    def watched(block: StoredBlock) -> bytes:
        looked.append(block.slot)
        return payload(block)

    monkeypatch.setattr(StoredBlock, "payload", watched)
    room.merge(2)
    assert set(looked) == {ord("a") % SLOTS}


def test_a_slot_that_became_empty_has_no_block() -> None:
    room = filled()
    room.segment([[[b"flush"]], [[b"set", b"b", b"1"]]])
    room.merge(2)
    assert [block.slot for block in room.blocks(2)] == [ord("b") % SLOTS]


def test_retired_numbers_and_a_stock_servers_tail_are_read() -> None:
    room = Room()
    stock = encode_command([b"set", b"s", b"1"]) + encode_command([b"MULTI"])
    stock += encode_command([b"append", b"s", b"2"]) + encode_command([b"set", b"t", b"3"]) + encode_command([b"EXEC"])
    room.segment([[[b"set", b"a", b"1"]]])
    room.segment([[[b"set", b"b", b"2"]]], retired=50, stock=stock)
    room.seq += 3
    room.log[-1] = replace(room.log[-1], last=room.seq)
    room.segment([[[b"append", b"t", b"4"]]])
    room.state |= {b"s": b"12", b"t": b"34"}
    room.merge(1)
    assert room.load(1) == room.state


def test_a_stock_servers_base_is_the_first_part_of_the_log() -> None:
    room = Room()
    data = b"".join(encode_command([b"set", key, b"stock"]) for key in (b"a", b"b"))
    room.seq = 2
    file = room.disk.create("appendonly.aof.1.base.aof")
    file.write_at(data, 0)
    room.log.append(SealedFile("appendonly.aof.1.base.aof", 1, 0, 2, None))
    room.segment([[[b"append", b"a", b"!"]]])
    room.merge(2)
    assert room.load(2) == {b"a": b"stock!", b"b": b"stock"}


def test_an_empty_log_makes_a_copy() -> None:
    room = filled()
    room.log, room.seq = [], 16
    room.merge(2)
    assert room.blocks(2) == room_blocks(room, 1)


def test_a_task_survives_being_sent() -> None:
    task = filled().task(9)
    assert MergeTask.from_json(task.to_json()) == task


# --- what is wrong ----------------------------------------------------------------------------------------------------


def flip(disk: SimulatedDisk, name: str, offset: int) -> None:
    file = disk.open(name, writable=True)
    byte = file.read_at(1, offset)[0]
    file.write_at(bytes([byte ^ 1]), offset)


def assert_refused(room: Room, error: type[Exception], match: str) -> Exception:
    before = room.disk.image()
    with pytest.raises(error, match=match) as caught:
        run(room.disk, room.task(9))
    assert room.disk.image() == before, "a merge that failed left something behind"
    return caught.value


def test_no_flipped_bit_in_the_log_or_the_base_gets_into_a_new_base() -> None:
    for name in (base_name(1), segment_name(1)):
        size = len(filled().disk.image().files[name])
        for offset in range(size - 100 if name == segment_name(1) else size):
            room = filled()
            flip(room.disk, name, offset)
            before = room.disk.list()
            with pytest.raises((Corruption, UnsupportedVersion)) as caught:
                run(room.disk, room.task(9))
            assert name in str(caught.value)
            assert room.disk.list() == before


@pytest.mark.parametrize(
    ("change_to", "match"),
    [
        ({"bytes": 300}, "only zeros follow"),
        ({"bytes": 94}, "number 16, but it was sealed at byte 94 with number 17"),
        ({"last": 18}, "number 17, but it was sealed at byte .* with number 18"),
        ({"prior": 15}, "comes next"),
        ({"number": 7}, "segment"),
    ],
)
def test_a_log_that_does_not_end_where_it_was_sealed_is_refused(change_to: dict[str, int], match: str) -> None:
    room = filled()
    room.log[0] = replace(room.log[0], **change_to)
    error = assert_refused(room, Corruption, match)
    assert isinstance(error, Corruption)
    assert (error.name, bool(error.remedy)) == (segment_name(1), True)


def test_a_missing_file_is_told() -> None:
    room = filled()
    room.disk.remove(segment_name(1))
    assert_refused(room, FileNotFoundError, segment_name(1))


def test_a_base_of_other_slots_cannot_be_merged() -> None:
    room = filled()
    task = replace(room.task(9), content="other")
    with pytest.raises(Unmergeable, match="test-slots"):
        run(room.disk, task)


@pytest.mark.parametrize(
    ("merger", "error", "match"),
    [
        ("Outside", DurakvError, r"names slot 8 after 1"),
        ("Refusing", Corruption, "slot 1: a payload of another version"),
        ("OtherSlots", DurakvError, "merges 9 slots, but the machine has 8"),
        ("Failing", RuntimeError, "broken merger"),
    ],
)
def test_a_merger_that_misbehaves_is_told(merger: str, error: type[Exception], match: str) -> None:
    room = filled()
    room.merger = f"tests.rewrite.machines:{merger}"
    assert_refused(room, error, match)


def test_a_log_that_cannot_be_merged_is_told_as_that() -> None:
    room = filled()
    room.segment([[[b"rename", b"a", b"b"]]])
    assert_refused(room, Unmergeable, "rename")


@pytest.mark.parametrize("where", ["no_colon", ":Merger", "durakv.keyspace.merge:"])
def test_a_merger_that_is_named_badly_is_told_so(where: str) -> None:
    with pytest.raises(TypeError, match="not of the form"):
        load_merger(where)


def test_an_abandoned_merge_leaves_nothing() -> None:
    room = filled()
    for index in range(20_000):
        change(room.state, [b"set", b"%d" % index, b""])
    room.segment([[[b"set", b"%d" % index, b"x" * 100] for index in range(20_000)]] * 2)
    before = room.disk.image()
    steps = merge_steps(room.disk, room.task(9))
    next(steps)
    assert room.disk.image() != before
    steps.close()
    assert room.disk.image() == before
