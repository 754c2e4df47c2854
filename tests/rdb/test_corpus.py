"""The promise: RDB files that real servers of every age wrote are read as a stock server reads them.

Method: a corpus of files of the versions 1 to 12, each with what a stock server holds after loading it, where it is at
hand; files of a real redis-server, written here, with every type in its small and its large encoding.
"""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import durakv
from durakv.cli.app import app
from durakv.machine import Command
from durakv_formats.errors import UnsupportedContentError
from durakv_formats.rdb import End, Entry, Function, Kind, ModuleData, Record, Stream, read_rdb
from tests.keyspace.stock_server import StockServer, stock_server
from tests.rdb.mutate import explore

CORPUS = Path(__file__).parents[3] / "shared" / "rdb-corpus"
FILES = sorted(CORPUS.glob("*.rdb"))
WITHOUT_MODULES = {
    "librdb-module.rdb": [Kind.MODULE],
    "librdb-module_aux.rdb": [Kind.STRING],
    "librdb-module_aux_empty.rdb": [],
    "librdb-module_aux_v12.rdb": [Kind.MODULE],
    "tools-redis_60_with_module_aux.rdb": [],
}
"""Files that no server reads without the module that wrote them, and the kinds of keys in them."""

NOT_REDIS = "librdb-redis_ent_opcode_ram_lru.rdb"
"""Of a commercial server, with records of its own."""


def read(path: Path) -> list[Record]:
    with path.open("rb") as file:
        return [*read_rdb(file.read)]


def as_recorded(entry: Entry) -> dict[str, Any]:
    """As the corpus writes a key down: bytes as latin-1, sets and hashes in order."""
    value: Any = entry.value
    if entry.kind is Kind.STRING:
        value = text(value)
    elif entry.kind is Kind.LIST:
        value = [*map(text, value)]
    elif entry.kind is Kind.SET:
        value = sorted(map(text, value))
    elif entry.kind is Kind.HASH:
        value = sorted([text(field), text(data)] for field, data, _ in value)
    else:
        value = [[text(member), score] for member, score in sorted(value, key=lambda pair: (pair[1], pair[0]))]
    return {
        "type": str(entry.kind),
        "value": value,
        "pexpireat": -1 if entry.deadline_ms is None else entry.deadline_ms,
    }


def text(data: bytes) -> str:
    return data.decode("latin-1")


@pytest.mark.skipif(not FILES, reason="the corpus of real RDB files is not at hand")
def test_the_corpus_is_whole() -> None:
    assert len(FILES) >= 40
    assert {path.name for path in FILES if not path.with_suffix(".json").exists()} == {*WITHOUT_MODULES, NOT_REDIS}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_file_holds_what_a_stock_server_reads_from_it(path: Path) -> None:
    if path.name == NOT_REDIS:
        with pytest.raises(UnsupportedContentError, match="type 107"):
            read(path)
        return
    records = read(path)
    assert isinstance(records[-1], End)
    entries = [item for item in records if isinstance(item, Entry)]
    if path.name in WITHOUT_MODULES:
        assert [entry.kind for entry in entries] == WITHOUT_MODULES[path.name]
        assert any(isinstance(item, ModuleData) for item in records) or Kind.MODULE in WITHOUT_MODULES[path.name]
        return
    now = 1000 * time.time()
    held: dict[str, dict[str, Any]] = {}
    for entry in entries:
        if entry.deadline_ms is None or entry.deadline_ms > now:
            held.setdefault(str(entry.database), {})[text(entry.key)] = as_recorded(entry)
    assert held == json.loads(path.with_suffix(".json").read_text())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_real_file_is_imported_as_a_stock_server_loads_it_or_refused_by_name(path: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(app, ["import", str(tmp_path / "data"), str(path)])
    kinds = WITHOUT_MODULES.get(path.name, [])
    if path.name == NOT_REDIS or Kind.MODULE in kinds:
        assert ran.exit_code == 4, ran.output
        assert "type 107" in ran.output or "values of the module" in ran.output
        assert not (tmp_path / "data").exists()
        return
    assert ran.exit_code == 0, ran.output
    with durakv.open(tmp_path / "data", options=durakv.Options(active_expiry=False)) as db:
        _, entries = db.decider.keyspace.freeze_entries()
        if kinds:
            assert [entry.kind for entry in entries] == kinds
            return
        held: dict[str, dict[str, Any]] = {}
        for entry in entries:
            held.setdefault(str(entry.database), {})[text(entry.key)] = as_recorded(entry)
    recorded = path.with_suffix(".json")
    assert held == (json.loads(recorded.read_text()) if recorded.exists() else {})


# --- a server of today ------------------------------------------------------------------------------------------------

MANY = 600
LONG = b"x" * 3000
FAR_MS = b"4000000000000"
DAMAGED = 3000


def writes() -> list[Command]:
    """Every type, small and large."""
    commands: list[Command] = [
        (b"SET", b"text", LONG),
        (b"SET", b"number", b"-12345"),
        (b"SET", b"brief", b"\x00\xff", b"PXAT", FAR_MS),
        (b"SELECT", b"9"),
        (b"SADD", b"integers", *(b"%d" % (number * 7001) for number in range(-9, 9))),
        (b"SELECT", b"0"),
        (b"FUNCTION", b"LOAD", b"#!lua name=mine\nredis.register_function('f', function() return 1 end)"),
    ]
    for size, name in ((5, b"small"), (MANY, b"large")):
        words = [b"word-%d" % number for number in range(size)]
        commands.append((b"RPUSH", b"list-" + name, *words, LONG, b"7", b"-70000"))
        commands.append((b"SADD", b"set-" + name, *words))
        commands.append((b"ZADD", b"zset-" + name, *(part for word in words for part in (b"%d.5" % len(word), word))))
        commands.append((b"HSET", b"hash-" + name, *(part for word in words for part in (word, word * 2))))
        for number in range(size):
            commands.append((b"XADD", b"stream-" + name, b"%d-%d" % (number + 1, number), b"f", b"%d" % number))
        commands.append((b"XADD", b"stream-" + name, b"9999-1", b"other", b"fields", b"and", b"more"))
        commands.append((b"XDEL", b"stream-" + name, b"2-1"))
        commands.append((b"XGROUP", b"CREATE", b"stream-" + name, b"group", b"0"))
        commands.append(
            (b"XREADGROUP", b"GROUP", b"group", b"anna", b"COUNT", b"3", b"STREAMS", b"stream-" + name, b">")
        )
        commands.append(
            (b"XREADGROUP", b"GROUP", b"group", b"ben", b"COUNT", b"1", b"STREAMS", b"stream-" + name, b">")
        )
        commands.append((b"XACK", b"stream-" + name, b"group", b"1-0"))
    commands.append((b"ZADD", b"zset-small", b"inf", b"top", b"-inf", b"bottom", b"0.1", b"tenth"))
    return commands


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Record], dict[bytes, Any]]:
    """The file of a real server, and what that server answers."""
    directory = tmp_path_factory.mktemp("rdb")
    with stock_server(directory) as server:
        for command, reply in zip(writes(), server.run_all(writes()), strict=True):
            assert not isinstance(reply, Exception), (command[:2], reply)
        server.run(b"SAVE")
        answers = {key: answer(server, key) for key in server.run(b"KEYS", b"*")}
        return read(directory / "dump.rdb"), answers


def answer(server: StockServer, key: bytes) -> Any:
    kind = server.run(b"TYPE", key)
    ask: dict[bytes, Command] = {
        b"string": (b"GET", key),
        b"list": (b"LRANGE", key, b"0", b"-1"),
        b"set": (b"SMEMBERS", key),
        b"zset": (b"ZRANGE", key, b"0", b"-1", b"WITHSCORES"),
        b"hash": (b"HGETALL", key),
        b"stream": (b"XINFO", b"STREAM", key, b"FULL", b"COUNT", b"0"),
    }
    return server.run(*ask[kind if isinstance(kind, bytes) else kind.encode()])


def test_a_file_of_a_server_of_today_holds_every_key(written: tuple[list[Record], dict[bytes, Any]]) -> None:
    records, answers = written
    entries = {entry.key: entry for entry in records if isinstance(entry, Entry) and entry.database == 0}
    assert entries.keys() == answers.keys()
    assert records[-1] == End(len(entries) + 1, is_checked=True)
    assert [item for item in records if isinstance(item, Function)]
    for key, entry in entries.items():
        said = answers[key]
        value: Any = entry.value
        if entry.kind in (Kind.STRING, Kind.LIST):
            assert value == said
        elif entry.kind is Kind.SET:
            assert sorted(value) == sorted(said)
        elif entry.kind is Kind.HASH:
            assert sorted((f, v) for f, v, _ in value) == sorted(zip(said[::2], said[1::2], strict=True))
        elif entry.kind is Kind.ZSET:
            pairs = zip(said[::2], map(float, said[1::2]), strict=True)
            assert sorted(value, key=lambda pair: (pair[1], pair[0])) == [*pairs]
            assert not any(math.isnan(score) for _, score in value)
        else:
            compare_streams(value, said)
    assert entries[b"brief"].deadline_ms == int(FAR_MS)


def compare_streams(stream: Stream, said: list[Any]) -> None:
    facts = dict(zip(said[::2], said[1::2], strict=True))
    assert [(name(identity), [*fields]) for identity, fields in stream.entries] == [
        (entry[0], entry[1]) for entry in facts[b"entries"]
    ]
    assert name(stream.last_id) == facts[b"last-generated-id"]
    assert (stream.entries_added, name(stream.max_deleted_id or (0, 0))) == (
        facts[b"entries-added"],
        facts[b"max-deleted-entry-id"],
    )
    (group,) = stream.groups
    told = dict(zip(facts[b"groups"][0][::2], facts[b"groups"][0][1::2], strict=True))
    assert (group.name, name(group.last_id)) == (told[b"name"], told[b"last-delivered-id"])
    assert group.entries_read == told[b"entries-read"]
    assert [[name(p.id), p.consumer, p.delivered_ms, p.deliveries] for p in group.pending] == told[b"pending"]
    assert {consumer.name for consumer in group.consumers} == {b"anna", b"ben"}


def name(identity: tuple[int, int]) -> bytes:
    return b"%d-%d" % identity


def test_a_damaged_file_of_a_real_server_is_read_or_refused_by_name(tmp_path: Path) -> None:
    with stock_server(tmp_path) as server:
        small = [command for command in writes() if not any(b"large" in part or part == LONG for part in command)]
        server.run_all(small)
        server.run(b"SAVE")
    ended = explore([(tmp_path / "dump.rdb").read_bytes()], DAMAGED, seed=1)
    assert ended["FormatError"] > DAMAGED / 2
    assert set(ended) <= {"FormatError", "LimitError", "UnsupportedContentError", "UnsupportedVersionError", "read"}
