"""The promise: an RDB file is imported whole or not at all, and what is exported as one is loaded by a stock server.

Method: files made by hand and by a real redis-server; the data of the one has to be the data of the other.
"""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import durakv
from durakv.cli.app import app
from durakv.keyspace.kinds.effect import chunks
from durakv_formats.rdb import Entry, Kind, RdbWriter, Target, read_rdb
from durakv_formats.resp import encode_command
from tests.keyspace.differential import SETTINGS, assert_same_state, dump_of, lasting, random_commands, with_selects
from tests.keyspace.families import FAMILIES
from tests.keyspace.stock_server import stock_server
from tests.keyspace.world import dump
from tests.rdb import build

FAR_MS = 4_000_000_000_000
FILTER = sum(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(letter) << 58 - 6 * place
    for place, letter in enumerate("bf-filter")
)
MODULE_KEY = b"\x07\x04many\x81" + FILTER.to_bytes(8, "big") + b"\x00"
"""A key whose value is of a module, and empty."""


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)], input=stdin)


def rdb(*entries: Entry) -> bytes:
    writer = RdbWriter(Target.REDIS_7_2)
    return writer.begin() + b"".join(map(writer.entry, entries)) + writer.end()


def text(key: bytes, value: bytes, database: int = 0, deadline_ms: int | None = None) -> Entry:
    return Entry(database, key, Kind.STRING, value, deadline_ms, 0)


ENTRIES = [text(b"a", b"1"), text(b"b", b"x" * 9000, 0, FAR_MS), text(b"gone", b"", 0, 5), text(b"\xff", b"\0", 7)]


def held(directory: Path) -> dict[tuple[int, bytes], bytes | None]:
    with durakv.open(directory) as db:
        return {
            (number, key): db.select(number).get(key) for number in range(16) for key in db.select(number).scan_iter()
        }


@pytest.mark.parametrize("piped", [False, True])
def test_an_rdb_file_is_imported(tmp_path: Path, piped: bool) -> None:
    (tmp_path / "dump.rdb").write_bytes(rdb(*ENTRIES))
    stdin = rdb(*ENTRIES) if piped else None
    ran = run("import", tmp_path / "data", "-" if piped else tmp_path / "dump.rdb", stdin=stdin)
    assert ran.exit_code == 0, ran.output
    assert held(tmp_path / "data") == {(0, b"a"): b"1", (0, b"b"): b"x" * 9000, (7, b"\xff"): b"\0"}
    with durakv.open(tmp_path / "data") as db:
        assert db.execute(b"PEXPIRETIME", b"b") == FAR_MS


def test_commands_behind_an_rdb_file_are_imported_too(tmp_path: Path) -> None:
    commands = encode_command((b"SELECT", b"7")) + encode_command((b"APPEND", b"\xff", b"!"))
    (tmp_path / "appendonly.aof").write_bytes(rdb(*ENTRIES) + commands)
    assert run("import", tmp_path / "data", tmp_path / "appendonly.aof").exit_code == 0
    assert held(tmp_path / "data")[7, b"\xff"] == b"\0!"


@pytest.mark.parametrize(
    ("data", "code", "reason"),
    [
        (rdb(*ENTRIES)[:-1], 3, "the file ends"),
        (rdb(*ENTRIES)[:-9] + b"\xff" + bytes([1] * 8), 3, "checksum"),
        (build.rdb(build.record(0, build.string(b"1")), MODULE_KEY), 4, "(1 values of the module bf-filter; 'many')"),
        (rdb(*ENTRIES, text(b"k", b"v", 16)), 4, "in a database beyond 15"),
        (b"REDIS0099" + bytes(20), 4, "REDIS0099"),
    ],
)
def test_a_file_that_cannot_be_taken_whole_is_not_taken_at_all(
    tmp_path: Path, data: bytes, code: int, reason: str
) -> None:
    (tmp_path / "dump.rdb").write_bytes(data)
    ran = run("import", tmp_path / "data", tmp_path / "dump.rdb")
    assert ran.exit_code == code, ran.output
    assert reason in ran.output
    assert "Nothing was taken" in ran.output
    assert not (tmp_path / "data").exists()


def test_an_export_is_loaded_by_a_stock_server_and_its_file_by_us(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        db.set(b"text", b"v" * 3000)
        db.set(b"number", b"-17")
        db.set(b"brief", b"x", pxat=FAR_MS)
        db.select(3).set(b"\x00key", b"\xff")
    server = tmp_path / "server"
    server.mkdir()
    ran = run("export", tmp_path / "data", server / "dump.rdb", "--to", "rdb", "--json")
    assert ran.exit_code == 0, ran.output
    with stock_server(server) as stock:
        assert stock.run(b"GET", b"text") == b"v" * 3000
        assert stock.run(b"GET", b"number") == b"-17"
        assert stock.run(b"PEXPIRETIME", b"brief") == FAR_MS
        stock.run(b"SET", b"theirs", b"too")
        stock.run(b"SELECT", b"3")
        assert stock.run(b"GET", b"\x00key") == b"\xff"
        stock.run(b"SAVE")
    assert run("import", tmp_path / "back", server / "dump.rdb").exit_code == 0
    assert held(tmp_path / "back") == {**held(tmp_path / "data"), (0, b"theirs"): b"too"}


KINDS = {"hash", "list", "set", "zset", "stream"}
LARGE = {
    b"HSET": [b"%d" % number for number in range(4000)],
    b"RPUSH": [b"%d" % (number % 77) * (number % 300) for number in range(3000)],
    b"SADD": [b"member %d" % number for number in range(3000)],
    b"ZADD": [b"%d" % number for number in range(4000)],
}
"""Words for keys that a server holds in other encodings than small ones."""


@pytest.mark.parametrize("to", ["rdb", "aof"])
def test_everything_a_server_holds_comes_in_and_goes_out_again(tmp_path: Path, to: str) -> None:
    server, back = tmp_path / "server", tmp_path / "back"
    server.mkdir()
    (back / "appendonlydir").mkdir(parents=True)
    with stock_server(server, *SETTINGS) as stock:
        for seed, family in enumerate(FAMILIES.values()):
            stock.run_all(with_selects(lasting(random_commands(seed, 1000, family))))
        for name, words in LARGE.items():
            stock.run_all([(name, b"large:" + name, *some) for some in chunks(words, 1000)])
        stream = b"large:stream"
        stock.run_all([(b"XADD", stream, b"%d-1" % number, b"f", b"%d" % number) for number in range(1, 1500)])
        stock.run(b"XGROUP", b"CREATE", stream, b"group", b"7-1")
        stock.run(b"XREADGROUP", b"GROUP", b"group", b"consumer", b"COUNT", b"200", b"STREAMS", stream, b">")
        stock.run(b"XDEL", stream, b"9-1", b"1499-1")
        stock.run(b"SAVE")
        there = dump_of(stock)
    assert {value[0] for keys in there.values() for value, _ in keys.values() if isinstance(value, tuple)} == KINDS
    ran = run("import", tmp_path / "data", server / "dump.rdb")
    assert ran.exit_code == 0, ran.output
    with durakv.open(tmp_path / "data") as db:
        assert_same_state(dump(db.decider.keyspace), there)
    out = back / ("dump.rdb" if to == "rdb" else "appendonlydir/appendonly.aof.1.base.aof")
    ran = run("export", tmp_path / "data", out, "--to", to, *(["--target", "redis-7.0"] if to == "rdb" else []))
    assert ran.exit_code == 0, ran.output
    (back / "appendonlydir" / "appendonly.aof.manifest").write_text(f"file {out.name} seq 1 type b\n")
    with stock_server(back, *SETTINGS, "--appendonly", "yes" if to == "aof" else "no") as stock:
        assert_same_state(there, dump_of(stock))


def test_what_a_target_cannot_carry_is_refused_or_told(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        db.execute(b"XGROUP", b"CREATE", b"stream", b"group", b"0", b"MKSTREAM", b"ENTRIESREAD", b"0")
    refused = run("export", tmp_path / "data", tmp_path / "out", "--to", "rdb")
    assert refused.exit_code == 4
    assert "'stream' has a group b'group' that knows how many entries it has read" in refused.output
    assert not (tmp_path / "out").exists()
    told = run("export", tmp_path / "data", tmp_path / "out", "--to", "rdb", "--allow-loss")
    assert told.exit_code == 1
    assert "left out: b'stream': a group b'group'" in told.output
    assert run("export", tmp_path / "data", tmp_path / "out", "--to", "rdb", "--target", "redis-7.0").exit_code == 0


def test_the_target_decides_the_version(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        db.set(b"a", b"b")
    for target, magic in (("any", b"REDIS0009"), ("redis-7.2", b"REDIS0011"), ("valkey-9", b"VALKEY080")):
        assert run("export", tmp_path / "data", tmp_path / "out", "--to", "rdb", "--target", target).exit_code == 0
        data = (tmp_path / "out").read_bytes()
        assert data.startswith(magic)
        assert len([*read_rdb(io.BytesIO(data).read)]) == 5
    ran = run("export", tmp_path / "data", tmp_path / "out", "--target", "any")
    assert ran.exit_code == 2
    assert "add --to rdb" in ran.output
