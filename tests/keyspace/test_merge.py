"""The promise: merging an old base with a sealed log gives the state that applying the log to the base would give,
whatever the log holds, and keeps no more of the log than the touched keys need.

Method: Hypothesis draws bases and logs of effects that need not make sense together; the merged slots are compared
with a keyspace that applied everything.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.errors import CommandError
from durakv.keyspace import Keyspace
from durakv.keyspace.merge import KeyspaceMerger
from durakv.keyspace.pending import Pending
from durakv.keyspace.store import slot_of
from durakv.machine import Command, Unmergeable
from tests.keyspace.families import FAMILIES
from tests.keyspace.traffic import Traffic
from tests.keyspace.world import Dump, World, dump, replayed

KEYS = [b"a", b"b", b"c"]

Blocks = dict[int, list[tuple[bytes, int]]]


def blocks_of(keyspace: Keyspace) -> Blocks:
    blocks: Blocks = {}
    for slot, payload, count in keyspace.freeze_slots():
        blocks.setdefault(slot, []).append((payload, count))
    return blocks


def merged(base: Blocks, batches: Sequence[Sequence[Command]], *, passes: int = 1) -> Dump:
    """The state of a base after a rewrite, done as the engine does it."""
    blocks = dict(base)
    merger = KeyspaceMerger()
    for index in range(passes):
        first, end = 4096 * index // passes, 4096 * (index + 1) // passes
        merger.select(first, end - 1)
        for batch in batches:
            merger.collect(batch)
        for slot in merger.touched():
            assert first <= slot < end
            blocks[slot] = list(merger.merge(slot, [payload for payload, _ in base.get(slot, [])]))
    return dump(restored(blocks))


def restored(blocks: Blocks) -> Keyspace:
    keyspace = Keyspace()
    for slot, of_slot in sorted(blocks.items()):
        for payload, count in of_slot:
            assert keyspace.restore_slot(slot, payload) == count
    return keyspace


keys = st.sampled_from(KEYS)
numbers = st.sampled_from([0, 1, -1, 5, (1 << 63) - 1, -(1 << 63), 1 << 62, -(1 << 62)]).map(b"%d".__mod__)
values = st.one_of(numbers, st.sampled_from([b"", b"text"]))
offsets = st.sampled_from([b"0", b"1", b"3"])
deadlines = st.sampled_from([b"1", b"5", b"9999999999999"])
effects = st.one_of(
    st.tuples(st.just(b"SET"), keys, values),
    st.tuples(st.just(b"SET"), keys, values, st.just(b"KEEPTTL")),
    st.tuples(st.just(b"SET"), keys, values, st.just(b"PXAT"), deadlines),
    st.tuples(st.just(b"DEL"), keys),
    st.tuples(st.just(b"INCRBY"), keys, numbers),
    st.tuples(st.just(b"APPEND"), keys, values),
    st.tuples(st.just(b"SETRANGE"), keys, offsets, values),
    st.tuples(st.just(b"PEXPIREAT"), keys, deadlines),
    st.tuples(st.just(b"PERSIST"), keys),
    st.sampled_from([(b"FLUSHDB",), (b"SELECT", b"0"), (b"SELECT", b"0"), (b"SELECT", b"3")]),
)
stock = st.one_of(
    st.tuples(st.sampled_from([b"set", b"SETNX", b"getset", b"Append"]), keys, values),
    st.tuples(st.just(b"SET"), keys, values, st.sampled_from([b"NX", b"XX"])),
    st.tuples(st.just(b"SET"), keys, values, st.just(b"EXAT"), deadlines),
    st.tuples(st.sampled_from([b"INCR", b"DECR", b"GETDEL", b"persist"]), keys),
    st.tuples(st.just(b"DECRBY"), keys, numbers),
    st.tuples(st.just(b"PEXPIREAT"), keys, deadlines, st.sampled_from([b"NX", b"XX", b"GT", b"LT"])),
    st.tuples(st.just(b"EXPIREAT"), keys, deadlines),
    st.tuples(st.sampled_from([b"DEL", b"UNLINK"]), keys, keys),
    st.tuples(st.just(b"MSET"), keys, values, keys, values),
    st.sampled_from([(b"FLUSHALL",), (b"FLUSHDB", b"ASYNC"), (b"PING",)]),
)


def accepted(keyspace: Keyspace, commands: Sequence[Command]) -> list[Command]:
    """Apply the commands; return those that a log could hold, because they were not refused."""
    taken: list[Command] = []
    for command in commands:
        try:
            keyspace.apply(command)
        except CommandError:
            continue
        taken.append(command)
    return taken


@settings(max_examples=150, deadline=None)
@given(old=st.lists(effects, max_size=15), new=st.lists(st.one_of(effects, effects, stock), max_size=40))
def test_merging_is_applying(old: list[Command], new: list[Command]) -> None:
    applied = replayed([])
    accepted(applied, old)
    applied.apply((b"SELECT", b"0"))
    base = blocks_of(applied)
    log = accepted(applied, new)
    assert merged(base, [[command] for command in log]) == dump(applied)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32), family=st.sampled_from([*FAMILIES]), cut=st.integers(0, 400), passes=st.integers(1, 5)
)
def test_rewriting_twice_in_several_passes_changes_nothing(seed: int, family: str, cut: int, passes: int) -> None:
    world, traffic = World(), Traffic(seed, FAMILIES[family])
    for _ in range(400):
        try:
            world.run(*traffic.command(), database=traffic.random.choice([0, 0, 3]))
        except CommandError:
            continue
    first = replayed(effect for batch in world.log[:cut] for effect in batch)
    assert merged({}, world.log[:cut], passes=passes) == dump(first)
    assert merged(blocks_of(first), world.log[cut:], passes=passes) == dump(world.keyspace)


def pending_of(commands: Sequence[Command]) -> object:
    merger = KeyspaceMerger()
    merger.collect(commands)
    return merger._touched[0][slot_of(b"k")][b"k"]


@pytest.mark.parametrize(
    ("commands", "kept"),
    [
        ([b"SET k old", b"INCRBY k 1", b"PEXPIREAT k 5", b"DEL k", b"SET k new"], [b"SET k new"]),
        ([b"INCRBY k 1", b"INCRBY k 2"] * 1000, [b"INCRBY k 3000"]),
        ([b"INCRBY k 1", b"PEXPIREAT k 5"] * 1000, [b"INCRBY k 1000", b"PEXPIREAT k 5"]),
        ([b"APPEND k x"] * 5, [b"APPEND k xxxxx"]),
        ([b"SETRANGE k 0 a", b"SETRANGE k 1 bb"] * 1000, [b"SETRANGE k 0 a", b"SETRANGE k 1 bb"]),
        ([b"PEXPIREAT k 5", b"PERSIST k"] * 1000, [b"PERSIST k"]),
        ([b"SET k v", b"SET k w KEEPTTL", b"SET k x KEEPTTL"], [b"SET k v", b"SET k x KEEPTTL"]),
        ([b"INCRBY k 9223372036854775807"] * 2, [b"INCRBY k 9223372036854775807"] * 2),
        ([b"INCRBY k -9223372036854775808"], [b"INCRBY k -9223372036854775807", b"INCRBY k -1"]),
    ],
)
def test_a_key_keeps_only_what_its_end_depends_on(commands: list[bytes], kept: list[bytes]) -> None:
    pending = pending_of([command.split() for command in commands])
    left = list(pending.commands()) if isinstance(pending, Pending) else [pending]
    assert [b" ".join(command) for command in left] == kept  # type: ignore[arg-type]


def test_only_touched_slots_are_named_unless_a_database_was_flushed() -> None:
    merger = KeyspaceMerger()
    merger.collect([(b"SET", b"a", b"1"), (b"SELECT", b"3"), (b"DEL", b"b"), (b"SELECT", b"0")])
    assert list(merger.touched()) == sorted({slot_of(b"a"), slot_of(b"b")})
    merger.select(100, 199)
    merger.collect([(b"SET", b"a", b"1"), (b"FLUSHDB",)])
    assert list(merger.touched()) == list(range(100, 200))


def test_a_flush_drops_the_base_of_its_database_only() -> None:
    before = replayed([(b"SET", b"a", b"1"), (b"SELECT", b"3"), (b"SET", b"a", b"3"), (b"SET", b"b", b"3")])
    log: list[list[Command]] = [[(b"SET", b"b", b"0")], [(b"FLUSHDB",)], [(b"SET", b"c", b"0")]]
    assert merged(blocks_of(before), log) == {0: {b"c": (b"0", None)}, 3: {b"a": (b"3", None), b"b": (b"3", None)}}


def test_a_slot_that_is_empty_now_has_no_block() -> None:
    base = blocks_of(replayed([(b"SET", b"a", b"1")]))
    merger = KeyspaceMerger()
    merger.collect([(b"DEL", b"a")])
    assert [list(merger.merge(slot, [base[slot][0][0]])) for slot in merger.touched()] == [[]]


@pytest.mark.parametrize(
    "line",
    [
        *(b"RENAME a b", b"RENAMENX a b", b"COPY a b", b"MOVE a 1", b"SWAPDB 0 1", b"MSETNX a 1 b 2", b"NOSUCH k"),
        *(b"SORT a STORE b", b"GEORADIUS a 1 1 9 m STORE b", b"GEOSEARCHSTORE b a FROMMEMBER m BYRADIUS 9 m"),
        *(b"BITOP NOT a b", b"PFMERGE a b", b"PFCOUNT a"),
    ],
)
def test_what_reads_one_key_and_writes_another_cannot_be_merged(line: bytes) -> None:
    with pytest.raises(Unmergeable, match=line.split()[0].decode()):
        KeyspaceMerger().collect([line.split()])


def test_a_damaged_old_block_is_an_error_and_not_an_empty_one() -> None:
    merger = KeyspaceMerger()
    merger.collect([(b"SET", b"a", b"1")])
    with pytest.raises(ValueError):
        merger.merge(slot_of(b"a"), [b"garbage"])
