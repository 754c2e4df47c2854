"""The promise: what a stream holds, its groups and what is pending in them included, is changed by nothing but effects
that need no clock, and comes back whole from them, from a base and from a merge.

Method: commands and their effects by example; then random traffic, whose streams are rebuilt in each of these ways.
Whether the replies are Redis's is seen in ``test_against_redis``.
"""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from durakv.errors import CommandError, WrongType
from durakv.keyspace import Keyspace
from durakv.keyspace.effects import EFFECTS
from durakv.keyspace.kinds.by_id import ById, Id
from durakv.keyspace.kinds.stream import Stream
from durakv.keyspace.store import SlotStore
from durakv.machine import Command
from durakv_formats.column_kinds import KIND_STREAM
from durakv_formats.columns import Column, decode_columns, encode_columns
from durakv_formats.errors import FormatError
from tests.keyspace.family_streams import comparable_stream, streams
from tests.keyspace.test_merge import accepted, blocks_of, merged, restored
from tests.keyspace.traffic import Traffic
from tests.keyspace.world import NOW_MS, World, dump, replayed

NOW = b"%d" % NOW_MS
CLAIM = b" RETRYCOUNT %d FORCE JUSTID LASTID "


def world_with_stream() -> World:
    """Three entries; a group that was given two, of which one is acknowledged."""
    world = World()
    for number in (b"1-1", b"2-1", b"3-1"):
        world.run(b"XADD", b"x", number, b"f", b"v")
    world.run(b"XGROUP", b"CREATE", b"x", b"g", b"0")
    world.now_ms -= 5000
    world.run(b"XREADGROUP", b"GROUP", b"g", b"c", b"COUNT", b"2", b"STREAMS", b"x", b">")
    world.run(b"XACK", b"x", b"g", b"2-1")
    world.now_ms += 5000
    return world


@pytest.mark.parametrize(
    ("command", "effects"),
    [
        (b"XADD x * f v", [b"XADD x " + NOW + b"-0 f v"]),
        (b"XADD x 3-* f v", [b"XADD x 3-2 f v"]),
        (b"XADD x 4 f v", [b"XADD x 4-0 f v"]),
        (b"XADD new NOMKSTREAM * f v", []),
        (b"XADD x MAXLEN 2 4-1 f v", [b"XADD x 4-1 f v", b"XTRIM x MAXLEN = 2"]),
        (b"XADD x MAXLEN ~ 2 4-1 f v", [b"XADD x 4-1 f v"]),
        (b"XADD x MINID 9 4-1 f v", [b"XADD x 4-1 f v", b"XTRIM x MAXLEN = 0"]),
        (b"XTRIM x MINID 2-1", [b"XTRIM x MAXLEN = 2"]),
        (b"XTRIM x MAXLEN ~ 0", [b"XTRIM x MAXLEN = 0"]),
        (b"XTRIM x MAXLEN ~ 0 LIMIT 2", []),
        (b"XTRIM x MAXLEN 3", []),
        (b"XDEL x 1-1 5-1 1-1 2-1", [b"XDEL x 1-1 2-1"]),
        (b"XDEL x 5-1", []),
        (b"XSETID x 9-9", [b"XSETID x 9-9 ENTRIESADDED 3 MAXDELETEDID 0-0"]),
        (b"XSETID x 9-9 MAXDELETEDID 4", [b"XSETID x 9-9 ENTRIESADDED 3 MAXDELETEDID 4-0"]),
        (b"XGROUP CREATE x h $", [b"XGROUP CREATE x h 3-1 MKSTREAM ENTRIESREAD -1"]),
        (b"XGROUP CREATE new h $ MKSTREAM", [b"XGROUP CREATE new h 0-0 MKSTREAM ENTRIESREAD -1"]),
        (b"XGROUP SETID x g 1 ENTRIESREAD 1", [b"XGROUP SETID x g 1-0 ENTRIESREAD 1"]),
        (b"XGROUP DESTROY x g", [b"XGROUP DESTROY x g"]),
        (b"XGROUP DESTROY x h", []),
        (b"XGROUP CREATECONSUMER x g d", [b"XGROUP CREATECONSUMER x g d"]),
        (b"XGROUP CREATECONSUMER x g c", []),
        (b"XGROUP DELCONSUMER x g c", [b"XGROUP DELCONSUMER x g c"]),
        (b"XGROUP DELCONSUMER x g d", []),
        (
            b"XREADGROUP GROUP g d STREAMS x >",
            [
                *(b"XGROUP CREATECONSUMER x g d", b"XCLAIM x g d 0 3-1 TIME " + NOW + CLAIM % 1 + b"3-1"),
                b"XGROUP SETID x g 3-1 ENTRIESREAD 3",
            ],
        ),
        (b"XREADGROUP GROUP g c NOACK STREAMS x >", [b"XGROUP SETID x g 3-1 ENTRIESREAD 3"]),
        (b"XREADGROUP GROUP g c STREAMS x 0", [b"XCLAIM x g c 0 1-1 TIME " + NOW + CLAIM % 2 + b"2-1"]),
        (
            b"XREADGROUP GROUP g c STREAMS x x > 3-0",
            [
                *(b"XCLAIM x g c 0 3-1 TIME " + NOW + CLAIM % 1 + b"3-1", b"XGROUP SETID x g 3-1 ENTRIESREAD 3"),
                b"XCLAIM x g c 0 3-1 TIME " + NOW + CLAIM % 2 + b"3-1",
            ],
        ),
        (b"XACK x g 1-1 2-1 1-1", [b"XACK x g 1-1"]),
        (b"XACK x g 2-1", []),
        (
            b"XCLAIM x g d 0 1-1 3-1 FORCE JUSTID",
            [
                b"XGROUP CREATECONSUMER x g d",
                b"XCLAIM x g d 0 1-1 3-1 TIME " + NOW + CLAIM % 1 + b"2-1",
            ],
        ),
        (b"XCLAIM x g d 5001 1-1", []),
        (
            b"XCLAIM x g c 5000 1-1 TIME 77 LASTID 3",
            [
                *(b"XGROUP SETID x g 3-0 ENTRIESREAD 2", b"XCLAIM x g c 0 1-1 TIME 77" + CLAIM % 2 + b"3-0"),
            ],
        ),
        (b"XAUTOCLAIM x g c 0 0", [b"XCLAIM x g c 0 1-1 TIME " + NOW + CLAIM % 2 + b"2-1"]),
        (b"XAUTOCLAIM x g d 5001 0", []),
        (
            b"COPY x y",
            [
                *(b"DEL y", b"XGROUP CREATE y g 2-1 MKSTREAM ENTRIESREAD 2", b"XGROUP CREATECONSUMER y g c"),
                *(b"XADD y 1-1 f v", b"XADD y 2-1 f v", b"XADD y 3-1 f v"),
                b"XCLAIM y g c 0 1-1 TIME %d" % (NOW_MS - 5000) + CLAIM % 1 + b"2-1",
                b"XSETID y 3-1 ENTRIESADDED 3 MAXDELETEDID 0-0",
            ],
        ),
    ],
)
def test_each_command_becomes_its_effects(command: bytes, effects: list[bytes]) -> None:
    assert world_with_stream().effects(*command.split()) == effects


def test_pending_entries_that_are_gone_are_acknowledged_by_whoever_claims_them() -> None:
    world = world_with_stream()
    world.run(b"XDEL", b"x", b"1-1")
    assert world.run(b"XREADGROUP", b"GROUP", b"g", b"c", b"STREAMS", b"x", b"0") == [[b"x", [[b"1-1", None]]]]
    assert world.effects(b"XAUTOCLAIM", b"x", b"g", b"d", b"0", b"0") == [b"XACK x g 1-1"]


def test_a_stream_that_became_empty_keeps_its_last_id_and_a_type() -> None:
    world = World()
    world.run(b"XADD", b"x", b"5-1", b"f", b"v")
    world.run(b"XDEL", b"x", b"5-1")
    assert world.run(b"XLEN", b"x") == 0
    assert world.run(b"TYPE", b"x") == b"stream"
    assert "equal or smaller" in world.refusal(b"XADD", b"x", b"5-1", b"f", b"v")
    with pytest.raises(WrongType):
        world.run(b"HGET", b"x", b"f")


def test_ids_go_on_rising_when_the_clock_does_not() -> None:
    world = World()
    given_ids = [world.run(b"XADD", b"x", b"*", b"f", b"v")]
    world.now_ms -= 1000
    given_ids.append(world.run(b"XADD", b"x", b"*", b"f", b"v"))
    assert given_ids == [NOW + b"-0", NOW + b"-1"]


def test_a_long_stream_is_trimmed_in_portions_if_that_will_do() -> None:
    world = World()
    for number in range(1, 351):
        world.run(b"XADD", b"x", number, b"f", b"v")
    assert world.run(b"XTRIM", b"x", b"MAXLEN", b"~", 349) == 0
    assert world.run(b"XTRIM", b"x", b"MAXLEN", b"~", 120) == 200
    assert world.run(b"XTRIM", b"x", b"MINID", b"~", 351, b"LIMIT", 120) == 100
    assert world.run(b"XTRIM", b"x", b"MINID", b"~", 351) == 50
    assert world.run(b"XTRIM", b"x", b"MAXLEN", 0) == 0


def test_a_consumer_is_idle_since_it_was_given_something() -> None:
    world = world_with_stream()
    world.run(b"XGROUP", b"CREATECONSUMER", b"x", b"g", b"d")
    world.run(b"XACK", b"x", b"g", b"1-1")
    assert world.run(b"XINFO", b"CONSUMERS", b"x", b"g") == [
        [b"name", b"c", b"pending", 0, b"idle", 5000],
        [b"name", b"d", b"pending", 0, b"idle", -1],
    ]


@pytest.mark.parametrize(
    "line",
    [
        *(b"XADD x * f v", b"XREADGROUP GROUP g c STREAMS x >", b"XREADGROUP GROUP g c STREAMS x 0"),
        *(b"XCLAIM x g c 0 1-1", b"XAUTOCLAIM x g c 0 0", b"XTRIM x MAXLEN ~ 1"),
    ],
)
def test_what_depends_on_the_time_is_not_replayed(line: bytes) -> None:
    world = world_with_stream()
    before = dump(world.keyspace)
    with pytest.raises(CommandError, match="cannot be replayed"):
        world.keyspace.apply(line.split())
    assert dump(world.keyspace) == before


def test_what_servers_log_is_replayed() -> None:
    stock = replayed(
        line.split()
        for line in (
            b"xadd x 1-1 f v",
            b"XADD x MAXLEN = 1 LIMIT 100 2-1 f v",
            b"XADD x MINID = 2-1 3-* f v",
            b"xgroup create x g 0",
            b"xclaim x g c 0 2 3-1 TIME 5 RETRYCOUNT 1 FORCE JUSTID LASTID 3-0",
            b"XCLAIM x g c 0 3-0 TIME 6 RETRYCOUNT 2 FORCE JUSTID LASTID 3-0",
            b"XGROUP SETID x g $ ENTRIESREAD 3",
            b"XSETID x 9-9",
        )
    )
    groups = {b"g": (b"3-0", 3, [(b"3-0", b"c", 6, 2)], {b"c": 1})}
    entries = [(b"2-1", (b"f", b"v")), (b"3-0", (b"f", b"v"))]
    assert dump(stock) == {0: {b"x": (("stream", b"9-9", b"0-0", 3, entries, groups), None)}}


# --- from effects, from a base, from a merge --------------------------------------------------------------------------


def random_world(seed: int, count: int = 300) -> World:
    world, traffic = World(), Traffic(seed, streams)
    for _ in range(count):
        try:
            world.run(*traffic.command(), database=traffic.random.choice([0, 0, 3]))
        except CommandError:
            continue
        world.now_ms += 1
    return world


def streams_of(keyspace: Keyspace) -> list[Stream]:
    values = [value for store in map(keyspace.store, (0, 3)) for slot in store.slots or [] for value in slot.values()]
    return [value for value in values if isinstance(value, Stream)]


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_a_stream_is_rebuilt_by_its_effects(seed: int) -> None:
    for stream in streams_of(random_world(seed).keyspace):
        store = SlotStore(1)
        for effect in stream.effects(b"key"):
            assert EFFECTS[effect[0]](store, effect), effect
        rebuilt = store.value(b"key")
        assert isinstance(rebuilt, Stream)
        assert comparable_stream(rebuilt) == comparable_stream(stream)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 9))
def test_a_stream_comes_back_from_its_pieces(seed: int, count: int) -> None:
    for stream in streams_of(random_world(seed).keyspace):
        first, *rest = stream.pieces(count)
        [[*_, values]] = decode_columns(encode_columns([Column(0, KIND_STREAM, [b"key"], [first])]))
        restored_stream = Stream.from_plain(values[0])
        for piece in rest:
            restored_stream.extend_plain(piece)
        assert restored_stream == stream
        assert stream.copy() == stream


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 200))
def test_a_merge_gives_what_applying_gives(seed: int, cut: int) -> None:
    world = random_world(seed)
    first = replayed(effect for batch in world.log[:cut] for effect in batch)
    assert dump(restored(blocks_of(world.keyspace))) == dump(world.keyspace)
    assert merged(blocks_of(first), world.log[cut:]) == dump(world.keyspace)


keys = st.sampled_from([b"a", b"b"])
ids = st.tuples(st.integers(1, 6), st.integers(0, 1)).map(lambda id_: b"%d-%d" % id_)
groups = st.sampled_from([b"g", b"h"])
consumers = st.sampled_from([b"c", b"d"])
numbers = st.integers(0, 9).map(b"%d".__mod__)


def of(*parts: st.SearchStrategy[bytes] | bytes) -> st.SearchStrategy[Command]:
    return st.tuples(*(st.just(part) if isinstance(part, bytes) else part for part in parts))


loose_effects: st.SearchStrategy[Command] = st.one_of(
    of(b"XADD", keys, ids, b"f", b"v"),
    of(b"XDEL", keys, ids, ids),
    of(b"XTRIM", keys, b"MAXLEN", b"=", numbers),
    of(b"XSETID", keys, ids, b"ENTRIESADDED", numbers, b"MAXDELETEDID", ids),
    of(b"XGROUP", b"CREATE", keys, groups, ids, b"MKSTREAM", b"ENTRIESREAD", numbers),
    of(b"XGROUP", b"SETID", keys, groups, ids, b"ENTRIESREAD", b"-1"),
    of(b"XGROUP", st.sampled_from([b"CREATECONSUMER", b"DELCONSUMER"]), keys, groups, consumers),
    of(b"XGROUP", b"DESTROY", keys, groups),
    of(
        *(b"XCLAIM", keys, groups, consumers, b"0", ids, ids, b"TIME", numbers, b"RETRYCOUNT", numbers),
        *(b"FORCE", b"JUSTID", b"LASTID", ids),
    ),
    of(b"XACK", keys, groups, ids),
    of(b"DEL", keys),
    of(b"PEXPIREAT", keys, numbers),
    of(b"SET", keys, b"text"),
    of(b"xadd", keys, b"MAXLEN", b"2", ids, b"f", b"v"),
    of(b"XTRIM", keys, b"MINID", ids),
)


@settings(max_examples=150, deadline=None)
@given(old=st.lists(loose_effects, max_size=20), new=st.lists(loose_effects, max_size=30))
def test_merging_effects_that_need_not_make_sense_is_applying_them(old: list[Command], new: list[Command]) -> None:
    applied = replayed([])
    accepted(applied, old)
    base = blocks_of(applied)
    log = accepted(applied, new)
    assert merged(base, [[command] for command in log]) == dump(applied)


@pytest.mark.parametrize(
    "plain",
    [
        (((1, 1), (0, 0), 1), ([1], [2], [(b"f", b"v")]), []),
        (((9, 9), (9, 10), 1), ([], [], []), []),
        (((9, 9), (0, 0), 0), ([1], [2], [(b"f", b"v")]), []),
        (((9, 9), (0, 0), 5), ([1, 0], [2, 2], [(b"f", b"v"), (b"f", b"v")]), []),
        (((9, 9), (0, 0), 5), ([1], [2], [(b"f",)]), []),
        (((9, 9), (0, 0), 5), ([1], [2], []), []),
        (((9, 9), (0, 0), 5), ([], [], []), [(b"g", (0, 0), 0, [b"c"], [], ([], [], [], [], []))]),
        (((9, 9), (0, 0), 5), ([], [], []), [(b"g", (0, 0), 0, [b"c"], [9], ([1], [1], [1], [1], [1]))]),
        (((9, 9), (0, 0), 5), ([], [], []), [(b"g", (0, 0), 0, [b"c"], [8], ([1], [1], [0], [9], [1]))]),
    ],
)
def test_a_base_with_a_stream_that_cannot_be_is_refused(plain: object) -> None:
    with pytest.raises(ValueError):
        Stream.from_plain(decode_columns(encode_columns([Column(0, KIND_STREAM, [b"x"], [plain])]))[0].values[0])


@pytest.mark.parametrize("plain", [(), ((1, 1), (0, 0)), (((1, -1), (0, 0), 1), ([], [], []), []), b"text"])
def test_what_would_not_be_read_again_is_not_written(plain: object) -> None:
    with pytest.raises(FormatError):
        encode_columns([Column(0, KIND_STREAM, [b"x"], [plain])])


@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(
        st.one_of(
            st.tuples(st.just("put"), st.integers(0, 3000)),
            st.tuples(st.just("remove"), st.integers(0, 3000)),
            st.tuples(st.just("trim"), st.integers(0, 30)),
            st.tuples(st.just("fill"), st.integers(0, 1500)),
        ),
        max_size=40,
    ),
    bound=st.integers(0, 3000),
)
def test_a_sorted_mapping_is_a_sorted_dictionary(changes: list[tuple[str, int]], bound: int) -> None:
    ours: ById[int] = ById()
    theirs: dict[Id, int] = {}
    for what, number in changes:
        if what == "put":
            ours.put((number, 0), number)
            theirs[number, 0] = number
        elif what == "remove":
            assert ours.pop((number, 0)) == theirs.pop((number, 0), None)
        elif what == "trim":
            ours.remove_first(number)
            for id_ in sorted(theirs)[:number]:
                del theirs[id_]
        else:
            for seq in range(number):
                ours.put((number, seq), seq)
                theirs[number, seq] = seq
    start, listed = (bound, 0), sorted(theirs.items())
    assert list(ours.items()) == listed
    assert len(ours) == len(listed)
    assert list(ours.items(start)) == [item for item in listed if item[0] >= start]
    assert list(ours.items_down(start)) == [item for item in listed[::-1] if item[0] <= start]
    assert ours.count_below(start) == sum(id_ < start for id_ in theirs)
    assert ours.get(start) == theirs.get(start)
    assert (ours.first(), ours.last()) == ((listed[0][0], listed[-1][0]) if listed else (None, None))
    assert all(one < other for one, other in pairwise(id_ for id_, _ in ours.items()))
