"""The promise: a data directory can be handed to a stock redis-server and back, as it is, and both see the same data.

Method: a real ``redis-server`` and durakv take turns on one directory, each writing into several databases, with
transactions, deadlines and deletions; after every turn the next one must hold exactly what the last one held.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result

import durakv
from durakv.cli.app import app
from durakv.storage.posix import PosixFilesystem
from durakv.verification import Severity
from durakv.verify import verify
from tests.keyspace.stock_server import StockServer, stock_server, wait_until

Contents: TypeAlias = dict[int, dict[bytes, tuple[bytes, int]]]
"""Database -> key -> value and deadline."""

PLAIN = ("--appendonly", "yes", "--aof-use-rdb-preamble", "no", "--appendfsync", "always")
FAR_MS = 4_000_000_000_000


@contextmanager
def stock(directory: Path, *settings: str) -> Iterator[StockServer]:
    """A server that has loaded what there is."""
    with stock_server(directory, *PLAIN, *settings) as server:
        wait_until(lambda: server.run(b"PING") == b"PONG")
        yield server


def server_contents(server: StockServer) -> Contents:
    contents: Contents = {}
    for number in range(16):
        server.run(b"SELECT", b"%d" % number)
        keys = server.run(b"KEYS", b"*")
        assert isinstance(keys, list), keys
        values = server.run_all([[b"GET", key] for key in keys])
        deadlines = server.run_all([[b"PEXPIRETIME", key] for key in keys])
        if keys:
            contents[number] = dict(zip(keys, zip(values, deadlines, strict=True), strict=True))
    server.run(b"SELECT", b"0")
    return contents


def durakv_contents(db: durakv.Database) -> Contents:
    contents: Contents = {}
    for number in range(16):
        numbered = db.select(number)
        found: dict[bytes, tuple[bytes, int]] = {}
        for key in numbered.keys():  # noqa: SIM118 (it is no mapping)
            deadline = numbered.execute(b"PEXPIRETIME", key)
            assert isinstance(deadline, int)
            value = numbered.get(key)
            assert value is not None
            found[key] = (value, deadline)
        if found:
            contents[number] = found
    return contents


def server_turn(server: StockServer, turn: int) -> None:
    """What a server logs in all its forms, as far as this version holds it."""
    tag = b"server:%d:" % turn
    deadline = b"%d" % (FAR_MS + turn)
    for command in (
        [b"SET", tag + b"plain", b"a\r\n#DKV1 b\0"],
        [b"SET", tag + b"soon", b"x", b"PXAT", deadline],
        [b"SET", tag + b"later", b"x", b"EX", b"100000"],
        [b"INCR", b"shared:counter"],
        [b"INCRBYFLOAT", tag + b"float", b"0.1"],
        [b"APPEND", b"shared:text", b"s"],
        [b"SETRANGE", tag + b"range", b"3", b"abc"],
        [b"MSET", tag + b"one", b"1", tag + b"two", b"2"],
        [b"MULTI"],
        [b"INCR", b"shared:counter"],
        [b"DEL", tag + b"one"],
        [b"EXEC"],
        [b"SELECT", b"9"],
        [b"SET", tag + b"ninth", b"9"],
        [b"MULTI"],
        [b"SET", tag + b"in nine", b"9"],
        [b"SELECT", b"2"],
        [b"SET", tag + b"in two", b"2"],
        [b"EXEC"],
        [b"RENAME", tag + b"in two", tag + b"renamed"],
        [b"COPY", tag + b"renamed", tag + b"copied", b"DB", b"4"],
        [b"GETDEL", tag + b"renamed"],
        [b"SET", tag + b"gone", b"x", b"PX", b"1"],
        [b"PEXPIREAT", tag + b"in two", deadline],
        [b"PERSIST", tag + b"in two"],
    ):
        reply = server.run(*command)
        assert not isinstance(reply, Exception), (command, reply)
    time.sleep(0.01)
    assert server.run(b"GET", tag + b"gone") is None  # the server logs the deletion when it meets the key
    server.run(b"SELECT", b"0")


def durakv_turn(db: durakv.Database, turn: int) -> None:
    tag = b"durakv:%d:" % turn
    db.set(tag + b"plain", b"\x00\xff")
    db.set(tag + b"soon", b"x", pxat=FAR_MS - turn)
    db.incr(b"shared:counter")
    db.append(b"shared:text", b"d")
    with db.batch() as batch:
        batch.set(tag + b"batched", b"1")
        batch.incr(b"shared:counter")
        batch.delete(tag + b"plain")
    seventh = db.select(7)
    seventh.mset({tag + b"a": b"1", tag + b"b": b"2"})
    seventh.rename(tag + b"a", tag + b"c")
    db.select(9).delete(b"server:%d:ninth" % (turn - 1))


def command_line(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


def test_a_stock_directory_opens_as_it_is(tmp_path: Path) -> None:
    with stock(tmp_path) as server:
        server_turn(server, 0)
        expected = server_contents(server)
    with durakv.open(tmp_path, create=False) as db:
        assert db.report.foreign_commands > 0, "what carries no checksum is counted"
        assert db.report.cut is None
        assert durakv_contents(db) == expected
    with durakv.open(tmp_path, create=False) as db:
        assert durakv_contents(db) == expected, "the second open reads our own manifest"


def test_a_stock_directory_with_a_plain_base_opens_as_it_is(tmp_path: Path) -> None:
    with stock(tmp_path) as server:
        server_turn(server, 0)
        server.run(b"BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in server.run(b"INFO", b"persistence"))
        server_turn(server, 1)
        expected = server_contents(server)
    assert list((tmp_path / "appendonlydir").glob("*.base.aof"))
    for _ in range(2):
        with durakv.open(tmp_path, create=False) as db:
            assert durakv_contents(db) == expected
    with durakv.open(tmp_path) as db:
        db.rewrite()
        assert durakv_contents(db) == expected
    assert not list((tmp_path / "appendonlydir").glob("*.base.aof")), "the first rewrite replaces the server's base"
    with durakv.open(tmp_path) as db:
        assert durakv_contents(db) == expected


@pytest.mark.parametrize("first", ["durakv", "server"])
def test_durakv_and_a_server_take_turns(tmp_path: Path, first: str) -> None:
    expected: Contents = {}
    for turn in range(6):
        if (turn % 2 == 0) == (first == "durakv"):
            with durakv.open(tmp_path, options=durakv.Options(segment_bytes=4096)) as db:
                assert durakv_contents(db) == expected, f"turn {turn}"
                assert (db.report.foreign_commands > 0) == (turn > 0)
                durakv_turn(db, turn)
                expected = durakv_contents(db)
            assert verify(PosixFilesystem(tmp_path / "appendonlydir")).ok
        else:
            with stock(tmp_path) as server:
                assert server_contents(server) == expected, f"turn {turn}"
                server_turn(server, turn)
                expected = server_contents(server)


def test_a_server_that_rewrites_takes_the_directory_over_and_gives_it_back(tmp_path: Path) -> None:
    with durakv.open(tmp_path) as db:
        durakv_turn(db, 0)
    with stock(tmp_path) as server:
        server.run(b"BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in server.run(b"INFO", b"persistence"))
        server_turn(server, 1)
        expected = server_contents(server)
    for turn in (2, 4):
        with durakv.open(tmp_path) as db:
            assert durakv_contents(db) == expected
            durakv_turn(db, turn)
            expected = durakv_contents(db)


def test_frames_stay_readable_under_a_manifest_that_a_server_wrote(tmp_path: Path) -> None:
    """A server killed inside a rewrite leaves a manifest of its own that still names our segment."""
    with durakv.open(tmp_path) as db:
        durakv_turn(db, 0)
    with stock(tmp_path, "--rdb-key-save-delay", "10000000") as server:
        server.run(b"BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:1" in server.run(b"INFO", b"persistence"))
        server_turn(server, 1)
        expected = server_contents(server)
        pid = int(server.run(b"INFO", b"server").partition(b"process_id:")[2].split()[0])
        os.kill(pid, signal.SIGKILL)
    manifest = (tmp_path / "appendonlydir" / "appendonly.aof.manifest").read_bytes()
    assert b"DKVM" not in manifest
    assert manifest.count(b"type i") == 2
    for turn in (2, 4, 6):
        with durakv.open(tmp_path) as db:
            assert durakv_contents(db) == expected
            durakv_turn(db, turn)
            expected = durakv_contents(db)
    assert verify(PosixFilesystem(tmp_path / "appendonlydir")).ok


def test_a_servers_torn_tail_is_cut_where_the_server_would_cut_it(tmp_path: Path) -> None:
    with stock(tmp_path) as server:
        server_turn(server, 0)
        expected = server_contents(server)
        server.run(b"MULTI")
        server.run(b"SET", b"half", b"a transaction")
        server.run(b"SET", b"other half", b"of it")
        server.run(b"EXEC")
    segment = next((tmp_path / "appendonlydir").glob("*.incr.aof"))
    os.truncate(segment, segment.stat().st_size - 3)
    verification = verify(PosixFilesystem(tmp_path / "appendonlydir"))
    assert verification.severity is Severity.TORN
    with durakv.open(tmp_path) as db:
        assert db.report.cut is not None
        assert db.report.cut.name == segment.name
        assert durakv_contents(db) == expected, "a transaction is taken whole or not at all"
    with stock(tmp_path) as server:
        assert server_contents(server) == expected


def test_an_export_is_loaded_by_a_server_as_its_own_log(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "ours") as db:
        for turn in range(3):
            durakv_turn(db, turn)
        expected = durakv_contents(db)
    directory = tmp_path / "theirs" / "appendonlydir"
    directory.mkdir(parents=True)
    result = command_line("export", str(tmp_path / "ours"), str(directory / "appendonly.aof.1.base.aof"))
    assert result.exit_code == 0, result.output
    (directory / "appendonly.aof.manifest").write_text("file appendonly.aof.1.base.aof seq 1 type b\n")
    with stock(tmp_path / "theirs") as server:
        assert server_contents(server) == expected


def test_a_servers_log_is_imported(tmp_path: Path) -> None:
    with stock(tmp_path, "--aof-timestamp-enabled", "yes") as server:
        server_turn(server, 0)
        time.sleep(1.1)  # a server notes the time once a second
        server_turn(server, 1)
        expected = server_contents(server)
    segment = next((tmp_path / "appendonlydir").glob("*.incr.aof"))
    assert b"#TS:" in segment.read_bytes()
    result = command_line("import", "--json", str(tmp_path / "ours"), str(segment))
    assert result.exit_code == 0, result.output
    figures: dict[str, Any] = json.loads(result.stdout)
    assert figures["keys"] == sum(map(len, expected.values()))
    with durakv.open(tmp_path / "ours") as db:
        assert durakv_contents(db) == expected
