"""The promise: a crash state of a device lacks nothing that a flush covers, and may lack anything else.

Method: made-up traces, and a second account of what a device's cache does, event by event; devices that promise too
little or too much are told apart from the right one by the same property.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

import pytest

from durakv_fuzz.block.enumerate import DeviceState, device_states
from durakv_fuzz.block.states import Device, durable_from
from durakv_fuzz.block.trace import BLOCK_BYTES, NO_DATA, Blocks, BlockTrace, BlockWrite, Flush
from durakv_fuzz.choose import Choose, Recorded, Seeded, Uneven, harshest, kindest
from durakv_fuzz.trace import SECTOR_BYTES, Note

SECTORS = 3 * BLOCK_BYTES // SECTOR_BYTES
Held = list[bytes]
"""What is in each sector."""


def stamp(number: int, sector: int) -> bytes:
    return (b"%d.%d;" % (number, sector)).ljust(SECTOR_BYTES, b".")


def made_up(generator: random.Random, *, events: int = 24) -> BlockTrace:
    """Writes and flushes that overlap in time; writes of the same sector do not, as no file system makes them."""
    seq, writes, flushes, notes = 0, list[BlockWrite](), list[Flush](), list[Note]()
    writing: dict[int, tuple[int, int]] = {}
    flushing: list[int] = []
    base = {0: b"".join(stamp(999, sector) for sector in range(8))}

    def write(start: int, end: int) -> None:
        first, count = writing.pop(start)
        data = b"".join(stamp(start, sector) for sector in range(first, first + count))
        writes.append(BlockWrite(start, end, first * SECTOR_BYTES, data))

    for seq in range(events):
        what = generator.choice(("write", "write", "written", "written", "flush", "flushed", "note"))
        if what == "write":
            count = generator.choice((1, 2, 3, 9))
            first = generator.randrange(SECTORS - count + 1)
            if all(first + count <= other or first >= other + size for other, size in writing.values()):
                writing[seq] = first, count
        elif what == "written" and writing:
            write(generator.choice(list(writing)), seq)
        elif what == "flush":
            flushing.append(seq)
        elif what == "flushed" and flushing:
            flushes.append(Flush(flushing.pop(generator.randrange(len(flushing))), seq))
        elif what == "note":
            notes.append(Note(seq, 0.0, "told", seq))
    for start in list(writing):
        write(start, -1)
    flushes += [Flush(start, -1) for start in flushing]
    return trace_of(writes, flushes, notes, seq=events, base=base)


def trace_of(
    writes: list[BlockWrite],
    flushes: list[Flush],
    notes: list[Note] | None = None,
    *,
    seq: int,
    base: dict[int, bytes] | None = None,
    atomic: tuple[int, ...] = (),
) -> BlockTrace:
    return BlockTrace(
        filesystem="none",
        device_bytes=SECTORS * SECTOR_BYTES,
        base=base or {},
        first_seq=0,
        seq=seq,
        writes=tuple(sorted(writes, key=lambda write: write.start)),
        flushes=tuple(sorted(flushes, key=lambda flush: flush.start)),
        notes=tuple(notes or []),
        atomic=atomic,
        times=tuple(map(float, range(seq))),
    )


def cache_at(trace: BlockTrace, crash_seq: int) -> tuple[list[BlockWrite], list[BlockWrite]]:
    """The second account: what is durable and what is not, by playing the events on a cache."""
    begins = {write.start: write for write in trace.writes}
    ends = {write.end: write for write in trace.writes if write.end >= 0}
    flush_begins = {flush.start: flush for flush in trace.flushes}
    flush_ends = {flush.end: flush for flush in trace.flushes if flush.end >= 0}
    begun, ended, durable = list[BlockWrite](), list[BlockWrite](), list[BlockWrite]()
    covered: dict[int, list[BlockWrite]] = {}
    for seq in range(crash_seq):
        if seq in begins:
            begun.append(begins[seq])
        if seq in ends:
            ended.append(ends[seq])
        if seq in flush_begins:
            covered[seq] = list(ended)
        if seq in flush_ends:
            durable += covered[flush_ends[seq].start]
    return [write for write in begun if write in durable], [write for write in begun if write not in durable]


def held(blocks: Blocks) -> Held:
    data = b"".join(blocks.get(block, NO_DATA) for block in range(SECTORS * SECTOR_BYTES // BLOCK_BYTES))
    return [data[at : at + SECTOR_BYTES] for at in range(0, len(data), SECTOR_BYTES)]


def after(trace: BlockTrace, writes: list[BlockWrite]) -> Held:
    sectors = held(trace.base)
    for write in sorted(writes, key=lambda write: write.start):
        for number in range(write.sectors):
            at = number * SECTOR_BYTES
            sectors[write.offset // SECTOR_BYTES + number] = write.data[at : at + SECTOR_BYTES]
    return sectors


def left(device: Device, crash_seq: int, choose: Choose) -> Held:
    return held({**device.trace.base, **device.image(crash_seq, choose).changed})


def check_device(device: Device, generator: random.Random) -> None:
    """Whatever the answers, each sector holds its last durable content or one that was written later."""
    trace = device.trace
    for crash_seq in range(trace.first_seq, trace.seq + 1):
        durable, pending = cache_at(trace, crash_seq)
        assert left(device, crash_seq, harshest) == after(trace, durable)
        assert left(device, crash_seq, kindest) == after(trace, durable + pending)
        assert device.pending(crash_seq) == pending
        some = left(device, crash_seq, Uneven(generator))
        for sector, content in enumerate(some):
            here = [
                write
                for write in (*durable, *pending)
                if write.offset <= sector * SECTOR_BYTES < write.offset + len(write.data)
            ]
            last = max((write.start for write in here if write in durable), default=-1)
            possible = {
                write.data[sector * SECTOR_BYTES - write.offset :][:SECTOR_BYTES]
                for write in here
                if write.start >= last
            }
            assert content in possible or (last < 0 and content == held(trace.base)[sector])


def test_what_is_left_is_what_a_cache_may_leave() -> None:
    for seed in range(60):
        generator = random.Random(seed)
        check_device(Device(made_up(generator)), generator)


def _ignores_flushes(trace: BlockTrace) -> list[int]:
    return [trace.seq + 1] * len(trace.writes)


def _covers_what_had_not_ended(trace: BlockTrace) -> list[int]:
    return [
        min((f.end + 1 for f in trace.flushes if f.end >= 0 and f.start > write.start), default=trace.seq + 1)
        for write in trace.writes
    ]


def _promises_at_the_start(trace: BlockTrace) -> list[int]:
    return [
        min((f.start + 1 for f in trace.flushes if 0 <= write.end < f.start), default=trace.seq + 1)
        for write in trace.writes
    ]


def _writes_through(trace: BlockTrace) -> list[int]:
    return [write.end + 1 if write.end >= 0 else trace.seq + 1 for write in trace.writes]


@pytest.mark.parametrize(
    "wrong", [_ignores_flushes, _covers_what_had_not_ended, _promises_at_the_start, _writes_through]
)
def test_a_device_that_promises_something_else_is_told_apart(wrong: Callable[[BlockTrace], list[int]]) -> None:
    with pytest.raises(AssertionError):
        for seed in range(60):
            generator = random.Random(seed)
            check_device(Device(made_up(generator), durable=wrong), generator)


def test_the_device_that_keeps_its_word_is_the_usual_one() -> None:
    trace = made_up(random.Random(1))
    state = Seeded(3), Seeded(3)
    assert Device(trace).image(20, state[0]) == Device(trace, durable=durable_from).image(20, state[1])


def test_a_write_tears_at_any_sector_from_either_end_and_in_between() -> None:
    old, new = b"".join(stamp(0, s) for s in range(8)), b"".join(stamp(1, s) for s in range(8))
    device = Device(trace_of([BlockWrite(0, 1, 0, new)], [], seq=2, base={0: old}))
    patterns = {
        tuple(sector == stamp(1, number) for number, sector in enumerate(left(device, 2, Seeded(seed))[:8]))
        for seed in range(2000)
    }
    prefixes = {tuple(number < size for number in range(8)) for size in range(9)}
    suffixes = {tuple(number >= size for number in range(8)) for size in range(9)}
    assert prefixes | suffixes < patterns


def test_what_the_file_system_takes_for_atomic_does_not_tear() -> None:
    new = b"".join(stamp(1, sector) for sector in range(8))
    for atomic, outcomes in ((0,), 2), ((1, 2), 256):
        device = Device(trace_of([BlockWrite(0, 1, 0, new)], [], seq=2, atomic=atomic))
        found = {tuple(left(device, 2, Seeded(seed))) for seed in range(20_000)}
        assert len(found) == min(outcomes, len(found)), atomic
        assert outcomes == 2 or len(found) > 200


def test_the_digest_tells_images_apart_and_knows_them_again() -> None:
    for seed in range(20):
        device = Device(made_up(random.Random(seed)))
        found: dict[int, Held] = {}
        for number in range(300):
            generator = random.Random(number)
            crash_seq = generator.randrange(device.trace.seq + 1)
            image = device.image(crash_seq, Uneven(generator))
            content = held({**device.trace.base, **image.changed})
            assert found.setdefault(image.digest, content) == content
        assert len({tuple(content) for content in found.values()}) == len(found)


# --- the enumeration --------------------------------------------------------------------------------------------------


def contents(trace: BlockTrace, states: list[DeviceState]) -> set[tuple[bytes, ...]]:
    device = Device(trace)
    return {tuple(left(device, state.crash_seq, Recorded(state.answers))) for state in states}


def test_of_few_writes_every_combination_is_found() -> None:
    writes = [BlockWrite(2 * n, 2 * n + 1, n * SECTOR_BYTES, stamp(n, n)) for n in range(4)]
    trace = trace_of(writes, [Flush(8, 9)], seq=10)
    found = contents(trace, list(device_states(trace, budget=100)))
    everything = {
        tuple(after(trace, [write for write, kept in zip(writes, subset, strict=True) if kept]))
        for subset in product((False, True), repeat=4)
    }
    assert found == everything


def test_no_state_comes_twice_and_each_can_be_made_again() -> None:
    for seed in range(10):
        trace = made_up(random.Random(seed), events=60)
        states = list(device_states(trace, budget=150, seed=seed))
        assert states == list(device_states(trace, budget=150, seed=seed))
        assert len(states) <= 150
        assert len({state.key for state in states}) == len(states)
        device = Device(trace)
        again = {
            (device.image(state.crash_seq, Recorded(state.answers)).digest, len(trace.notes_before(state.crash_seq)))
            for state in states
        }
        assert len(again) == len(states)


def test_every_stage_has_its_part_of_a_small_budget() -> None:
    trace = made_up(random.Random(5), events=400)
    stages = [state.stage for state in device_states(trace, budget=80)]
    assert len(stages) == 80
    assert {"all kept", "all lost", "one lost", "one kept", "one torn", "sample"} == set(stages)


def test_the_same_device_after_one_more_acknowledgement_is_another_state() -> None:
    write = BlockWrite(0, 1, 0, stamp(0, 0))
    trace = trace_of([write], [Flush(2, 3)], [Note(4, 0.0, "acked", 0)], seq=5)
    states = list(device_states(trace, budget=100))
    kept = [state for state in states if contents(trace, [state]) == {tuple(after(trace, [write]))}]
    assert sorted(len(trace.notes_before(state.crash_seq)) for state in kept) == [0, 1]


def test_crash_points_next_to_notes_and_flushes_go_first() -> None:
    writes = [BlockWrite(2 * n, 2 * n + 1, 0, stamp(n, 0)) for n in range(500)]  # none is flushed but the first ones
    note = Note(701, 0.0, "acked", 0)
    trace = trace_of([write for write in writes if write.start not in (700, 702)], [Flush(700, 702)], [note], seq=1000)
    first = [state.crash_seq for state in device_states(trace, budget=8)][:2]
    assert all(698 <= crash_seq <= 705 for crash_seq in first)


def test_a_trace_without_writes_has_one_state() -> None:
    assert [state.stage for state in device_states(trace_of([], [], seq=0), budget=10)] == ["all kept"]
