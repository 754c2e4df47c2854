"""The promise: an RDB file of ours is loaded by a stock server and holds what went in; nothing is dropped in silence.

Method: values of every type, drawn and at their edges, are written and read back, and loaded by a real redis-server
whose own file is then read and compared.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from durakv_formats.rdb import (
    Aux,
    CannotCarry,
    Consumer,
    End,
    Entry,
    Function,
    Group,
    Kind,
    PendingEntry,
    RdbWriter,
    Stream,
    Target,
    read_rdb,
)
from durakv_formats.rdb.packed import decode_listpack, encode_listpack
from tests.keyspace.stock_server import stock_server
from tests.rdb.test_corpus import FILES, NOT_REDIS, WITHOUT_MODULES, read

FAR_MS = 4_000_000_000_000
LIBRARY = Function(b"#!lua name=mine\nredis.register_function('f', function() return 1 end)")


def write(entries: Sequence[Entry], target: Target = Target.ANY, **options: Any) -> bytes:
    writer = RdbWriter(target, **options)
    data = writer.begin([Aux(b"made-by", b"durakv")]) + b"".join(map(writer.entry, entries)) + writer.end()
    assert writer.keys <= len(entries)
    return data


def again(entries: Sequence[Entry], target: Target = Target.ANY) -> list[Entry]:
    """Written and read."""
    records = [*read_rdb(io.BytesIO(write(entries, target)).read)]
    assert records[1] == Aux(b"made-by", b"durakv")
    assert records[-1] == End(len(entries), is_checked=True)
    return [item for item in records if isinstance(item, Entry)]


def entry(key: bytes, kind: Kind, value: Any, *, database: int = 0, deadline_ms: int | None = None) -> Entry:
    return Entry(database, key, kind, value, deadline_ms, 0)


def facts(entries: Sequence[Entry]) -> list[tuple[Any, ...]]:
    """Everything but where it stands, and what no file keeps in order."""
    told: list[tuple[Any, ...]] = []
    for item in entries:
        value: Any = item.value
        if item.kind in (Kind.SET, Kind.HASH, Kind.ZSET):
            value = sorted(value)
        told.append((item.database, item.key, item.kind, value, item.deadline_ms))
    return sorted(told, key=lambda fact: fact[:2])


def stream(generation: int) -> Stream:
    """With everything that a stream can have; what is known of it grows with the generation."""
    entries: list[tuple[tuple[int, int], tuple[bytes, ...]]] = [
        ((number + 1, 3 if number == 70 else 0), (b"f", b"%d" % number)) for number in range(150)
    ]
    entries.append(((200, 5), (b"other", b"x" * 70, b"more", b"")))
    entries.append(((300, 1), (b"f", b"-5")))
    ids = [identity for identity, _ in entries]
    pending = (PendingEntry(ids[0], FAR_MS, 1, b"anna"), PendingEntry(ids[2], FAR_MS + 1, 7, b"ben"))
    consumers = tuple(Consumer(name, FAR_MS, FAR_MS if generation == 3 else None) for name in (b"anna", b"ben"))
    known = generation >= 2
    groups = (
        Group(b"empty", (0, 0), None, (), ()),  # servers keep them by name
        Group(b"group", ids[2], 3 if known else None, pending, consumers),
    )
    return Stream(tuple(entries), (400, 9), (399, 1) if known else None, 160 if known else None, groups)


def everything(generation: int = 1) -> list[Entry]:
    many = [b"%d" % number if number % 3 else b"word-%d" % number for number in range(700)]
    numbers = b"0 -1 127 -128 128 32768 -32769 2147483647 2147483648 007 -0 -".split()
    edges = [(b"a", -math.inf), (b"b", math.inf), (b"c", 5e-324), (b"d", -1.5), (b"e", 0.1)]
    return [
        entry(b"empty", Kind.STRING, b""),
        entry(b"large", Kind.STRING, b"x" * 20_000, deadline_ms=FAR_MS),
        entry(b"\x00\xff", Kind.STRING, b"\xff\x00"),
        *(entry(b"number-%d" % index, Kind.STRING, text) for index, text in enumerate(numbers)),
        entry(b"list", Kind.LIST, [*many, *many]),
        entry(b"list-of-one", Kind.LIST, [b"x" * 9000]),
        entry(b"set", Kind.SET, many),
        entry(b"set-of-numbers", Kind.SET, [b"1", b"2", b"-70000"]),
        entry(b"zset", Kind.ZSET, [(word, index / 7) for index, word in enumerate(many)]),
        entry(b"zset-edges", Kind.ZSET, edges),
        entry(b"hash", Kind.HASH, [(word, word * 2, None) for word in many]),
        entry(b"stream", Kind.STREAM, stream(generation)),
        entry(b"elsewhere", Kind.STRING, b"9", database=9),
    ]


GENERATIONS = {Target.ANY: 1, Target.REDIS_7_0: 2, Target.REDIS_7_2: 3, Target.REDIS_7_4: 3, Target.VALKEY_9: 3}


@pytest.mark.parametrize("target", Target)
def test_everything_comes_back(target: Target) -> None:
    entries = everything(GENERATIONS[target])
    assert [item.value for item in again(entries, target)] == [item.value for item in entries]
    assert facts(again(entries, target)) == facts(entries)


@pytest.mark.parametrize("target", [Target.ANY, Target.REDIS_7_0])
def test_a_real_server_loads_it_and_writes_the_same(target: Target, tmp_path: Path) -> None:
    entries = everything(GENERATIONS[target])
    (tmp_path / "dump.rdb").write_bytes(write(entries, target))
    with stock_server(tmp_path) as server:
        assert server.run(b"DBSIZE") == len(entries) - 1
        shutil.move(tmp_path / "dump.rdb", tmp_path / "ours.rdb")
        assert server.run(b"SAVE") in (b"OK", "OK")
    theirs = [item for item in read(tmp_path / "dump.rdb") if isinstance(item, Entry)]
    assert facts([as_known_by(item, target) for item in theirs]) == facts(entries)


def as_known_by(item: Entry, target: Target) -> Entry:
    """What the server made up, because the file did not say it."""
    if not isinstance(item.value, Stream) or target is not Target.ANY:
        return item
    value = item.value
    groups = tuple(Group(g.name, g.last_id, None, g.pending, g.consumers) for g in value.groups)
    bare = Stream(value.entries, value.last_id, None, None, groups)
    return Entry(item.database, item.key, item.kind, bare, item.deadline_ms, item.offset)


@pytest.mark.parametrize("path", [path for path in FILES if path.name not in {*WITHOUT_MODULES, NOT_REDIS}], ids=str)
def test_real_files_come_back(path: Path) -> None:
    entries = [item for item in read(path) if isinstance(item, Entry)]
    assert facts(again(entries, Target.REDIS_7_4)) == facts(entries)


WORDS = st.one_of(st.binary(max_size=70), st.integers(-(1 << 40), 1 << 40).map(lambda number: b"%d" % number))
SCORES = st.floats(allow_nan=False)
VALUES = st.one_of(
    st.tuples(st.just(Kind.STRING), WORDS),
    st.tuples(st.just(Kind.LIST), st.lists(WORDS, min_size=1)),
    st.tuples(st.just(Kind.SET), st.lists(WORDS, min_size=1, unique=True)),
    st.tuples(st.just(Kind.ZSET), st.lists(st.tuples(WORDS, SCORES), min_size=1, unique_by=lambda pair: pair[0])),
    st.tuples(
        st.just(Kind.HASH), st.lists(st.tuples(WORDS, WORDS, st.none()), min_size=1, unique_by=lambda field: field[0])
    ),
)


@given(st.dictionaries(st.tuples(st.integers(0, 3), WORDS), VALUES, max_size=8))
def test_whatever_is_written_comes_back(contents: dict[tuple[int, bytes], tuple[Kind, Any]]) -> None:
    entries = [entry(key, kind, value, database=number) for (number, key), (kind, value) in sorted(contents.items())]
    assert [(item.key, item.value) for item in again(entries)] == [(item.key, item.value) for item in entries]


@given(st.lists(st.one_of(st.binary(max_size=200), st.integers(-(1 << 63), (1 << 63) - 1)), max_size=20))
def test_listpacks_come_back(parts: list[bytes | int]) -> None:
    assert decode_listpack(encode_listpack(parts)) == [b"%d" % p if isinstance(p, int) else p for p in parts]


# --- what a target cannot carry ---------------------------------------------------------------------------------------

FIELDS = entry(b"hash", Kind.HASH, [(b"f", b"v", None), (b"g", b"w", FAR_MS), (b"h", b"x", FAR_MS + 9)])


@pytest.mark.parametrize("target", [Target.REDIS_7_4, Target.VALKEY_9])
def test_deadlines_of_fields_are_carried_by_those_who_know_them(target: Target) -> None:
    assert again([FIELDS], target)[0].value == FIELDS.value


@pytest.mark.parametrize(
    ("item", "what"),
    [
        (FIELDS, "2 fields with a deadline"),
        (entry(b"s", Kind.STREAM, stream(2)), "entries that were added"),
        (entry(b"m", Kind.MODULE, b"graphdata"), "module graphdata"),
    ],
)
def test_what_cannot_be_carried_is_refused_or_told(item: Entry, what: str) -> None:
    with pytest.raises(CannotCarry, match=what) as caught:
        write([item])
    assert caught.value.key == item.key
    told: list[tuple[bytes, str]] = []
    write([item], on_loss=lambda key, lost: told.append((key, lost)))
    assert told[0][0] == item.key
    assert what in told[0][1]


def test_functions_are_written_where_they_are_known() -> None:
    writer = RdbWriter(Target.REDIS_7_0)
    data = writer.begin() + writer.function(LIBRARY) + writer.end()
    assert LIBRARY in [*read_rdb(io.BytesIO(data).read)]
    with pytest.raises(CannotCarry, match="library of functions"):
        RdbWriter().function(LIBRARY)
