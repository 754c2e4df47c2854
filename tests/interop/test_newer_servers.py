"""The promise: data goes to Valkey 8 and 9 and Redis 8 and comes back, by every way there is, and nothing is lost.

Method: the servers of the package index load our RDB files for each target, our exports and our directories, and we
read theirs; every kind of value is in them, at its edges and large, and what one side holds is compared with the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import durakv
from durakv.cli.app import app
from durakv.machine import Command
from durakv_formats.rdb import Target
from tests.keyspace.differential import SETTINGS, assert_same_state, dump_of, random_commands, with_selects
from tests.keyspace.families import FAMILIES
from tests.keyspace.other_servers import parts_ways, server_of
from tests.keyspace.stock_server import StockServer, stock_server, wait_until
from tests.keyspace.world import Dump, dump
from tests.newer_servers import NEWER_SERVERS, NewerServer

LOGGING = ("--appendonly", "yes", "--appendfsync", "always")
MANIFEST = "appendonly.aof.manifest"
FAR_MS = b"4000000000000"
SCORES = [*(b"0", b"-0", b"1", b"-1.5", b"0.1", b"inf", b"-inf", b"1e300", b"5e-324", b"3.0000000000000004"), b"1e17"]
FIELDS_MORTAL: list[Command] = [
    (b"HSET", b"mortal", b"a", b"1", b"b", b"2", b"c", b"3"),
    (b"HPEXPIREAT", b"mortal", FAR_MS, b"FIELDS", b"2", b"a", b"b"),
]


def every_kind() -> list[Command]:
    """Every kind of value, small and large, in two databases."""
    words = [b"word-%d" % number if number % 3 else b"%d" % number for number in range(3000)]
    commands: list[Command] = [
        (b"SET", b"empty", b""),
        (b"SET", b"binary\x00\xff\r\n", bytes(range(256)), b"PXAT", FAR_MS),
        (b"SET", b"large", b"0123456789abcdef" * 70_000),
        *((b"SET", b"number" + text, text) for text in (b"0", b"-1", b"127", b"-32769", b"2147483648", b"007", b"-0")),
        (b"RPUSH", b"list", *words, b"x" * 20_000),
        (b"RPUSH", b"list-of-one", b""),
        (b"SADD", b"set", *words),
        (b"SADD", b"integers", b"1", b"-70000", b"9223372036854775807"),
        (b"ZADD", b"zset", *(part for index, word in enumerate(words) for part in (b"%d.25" % index, word))),
        (b"ZADD", b"scores", *(part for score in SCORES for part in (score, b"member of " + score))),
        (b"HSET", b"hash", *(part for word in words for part in (word, word * 2))),
        (b"HSET", b"small-hash", b"", b"", b"f", b"-5"),
        (b"PFADD", b"few", *words[:50]),
        (b"PFADD", b"many", *words),
        (b"SELECT", b"9"),
        (b"SET", b"elsewhere", b"9"),
        (b"SELECT", b"0"),
        (b"XGROUP", b"CREATE", b"stream", b"early", b"0", b"MKSTREAM"),
        *((b"XADD", b"stream", b"%d-%d" % (ms, ms % 2), b"f", b"%d" % ms) for ms in range(1, 400)),
        (b"XADD", b"stream", b"1000-7", b"other", b"x" * 5000, b"fields", b""),
        (b"XDEL", b"stream", b"2-0", b"399-1"),
        (b"XGROUP", b"CREATE", b"stream", b"late", b"$"),
        *(
            (b"XREADGROUP", b"GROUP", b"early", who, b"COUNT", b"60", b"STREAMS", b"stream", b">")
            for who in (b"a", b"b")
        ),
        (b"XACK", b"stream", b"early", b"1-1", b"5-1", b"70-0"),
        (b"XCLAIM", b"stream", b"early", b"b", b"0", b"7-1", b"RETRYCOUNT", b"9"),
        (b"XADD", b"emptied", b"5-5", b"f", b"v"),
        (b"XDEL", b"emptied", b"5-5"),
    ]
    return commands


def fill(db: durakv.Database, *, mortal_fields: bool = False) -> Dump:
    """Every kind of value, and what random commands leave of all of them, into our directory."""
    number = 0
    for command in every_kind():
        if command[0] == b"SELECT":
            number = int(command[1])
        else:
            db.select(number).execute(*command)
    for seed, family in enumerate(FAMILIES.values()):
        for database, command in random_commands(seed, 200, family):
            if command[0].upper() not in (b"FLUSHALL", b"FLUSHDB"):
                with suppress(durakv.CommandError):
                    db.select(database).execute(*command)
    if mortal_fields:
        db.engine.apply(FIELDS_MORTAL)
    return dump(db.decider.keyspace)


def fill_theirs(server: StockServer, newer: NewerServer) -> None:
    """The same into a server."""
    who = server_of(server)
    for reply in server.run_all(every_kind()):
        assert not isinstance(reply, Exception), reply
    for seed, family in enumerate(FAMILIES.values()):
        sent = random_commands(seed, 200, family)
        sent = [
            one for one in sent if one[1][0].upper() not in (b"FLUSHALL", b"FLUSHDB") and not parts_ways(who, one[1])
        ]
        server.run_all(with_selects(sent))
    server.run(b"SELECT", b"0")
    if newer.knows_deadlines_of_fields:
        for reply in server.run_all(FIELDS_MORTAL):
            assert not isinstance(reply, Exception), reply


@contextmanager
def running(newer: NewerServer, directory: Path, *settings: str) -> Iterator[StockServer]:
    """The server, once it has loaded what there is."""
    with stock_server(directory, *SETTINGS, *settings, binary=newer.binary()) as server:
        wait_until(lambda: server.run(b"PING") == b"PONG")
        server.run(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
        yield server


def held_by(server: StockServer, newer: NewerServer) -> Dump:
    """Everything, deadlines of fields included."""
    contents = dump_of(server)
    if not newer.knows_deadlines_of_fields:
        return contents
    for number, keys in contents.items():
        server.run(b"SELECT", b"%d" % number)
        for key, (value, deadline) in keys.items():
            if isinstance(value, tuple) and value[0] == "hash":
                keys[key] = (("hash", _with_deadlines(server, key, value[1])), deadline)
    server.run(b"SELECT", b"0")
    return contents


def _with_deadlines(server: StockServer, key: bytes, fields: dict[bytes, Any]) -> dict[bytes, Any]:
    deadlines = server.run(b"HPEXPIRETIME", key, b"FIELDS", b"%d" % len(fields), *fields)
    return {
        field: (content, None if deadline < 0 else deadline)
        for (field, (content, _)), deadline in zip(fields.items(), deadlines, strict=True)
    }


def after_a_restart(contents: Dump) -> Dump:
    """Without what a file older than the server does not say: how far a group has read, how many entries there were."""
    return {
        number: {key: (_bare(value), deadline) for key, (value, deadline) in keys.items()}
        for number, keys in contents.items()
    }


def _bare(value: Any) -> Any:
    if not isinstance(value, tuple) or value[0] != "stream":
        return value
    kind, last, _, _, entries, groups = value
    return kind, last, entries, {name: (at, pending, who) for name, (at, _, pending, who) in groups.items()}


def durakv_dump(place: Path) -> Dump:
    with durakv.open(place, options=durakv.Options(active_expiry=False)) as db:
        return dump(db.decider.keyspace)


def command_line(*arguments: str) -> None:
    ran = CliRunner().invoke(app, arguments)
    assert ran.exit_code in (0, 1), ran.output


EACH = [pytest.param(newer, target, id=f"{newer}-{target}") for newer in NEWER_SERVERS for target in newer.targets]


@pytest.mark.parametrize(("newer", "target"), EACH)
def test_a_server_loads_our_rdb_file(newer: NewerServer, target: Target, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "ours", options=durakv.Options(active_expiry=False)) as db:
        ours = fill(db, mortal_fields=target in (Target.REDIS_7_4, Target.VALKEY_9))
    command = ["export", str(tmp_path / "ours"), str(tmp_path / "dump.rdb"), "--to", "rdb", "--target", str(target)]
    command_line(*command, *(["--allow-loss"] if target is Target.ANY else []))
    with running(newer, tmp_path) as server:
        theirs = held_by(server, newer)
    if target is Target.ANY:
        ours, theirs = after_a_restart(ours), after_a_restart(theirs)
    assert_same_state(ours, theirs)


@pytest.mark.parametrize("newer", NEWER_SERVERS, ids=str)
def test_a_server_loads_our_export_as_its_log(newer: NewerServer, tmp_path: Path) -> None:
    with durakv.open(tmp_path / "ours", options=durakv.Options(active_expiry=False)) as db:
        ours = fill(db, mortal_fields=newer.knows_deadlines_of_fields)
    directory = tmp_path / "appendonlydir"
    directory.mkdir()
    command_line("export", str(tmp_path / "ours"), str(directory / "appendonly.aof.1.base.aof"))
    (directory / MANIFEST).write_text("file appendonly.aof.1.base.aof seq 1 type b\n")
    with running(newer, tmp_path, *LOGGING) as server:
        assert_same_state(ours, held_by(server, newer))


@pytest.mark.parametrize("base", [True, False], ids=["rdb-base", "log-only"])
@pytest.mark.parametrize("newer", NEWER_SERVERS, ids=str)
def test_a_server_takes_our_directory_over_and_gives_it_back(newer: NewerServer, base: bool, tmp_path: Path) -> None:
    options = durakv.Options(base_format=durakv.BaseFormat.RDB, active_expiry=False)
    # A base with deadlines of fields is in Redis's dialect, which Valkey does not read.
    mortal = newer.knows_deadlines_of_fields and (not base or Target.REDIS_7_4 in newer.targets)
    with durakv.open(tmp_path, options=options) as db:
        fill(db, mortal_fields=mortal)
        if base:
            db.rewrite()
        db.execute(b"RPUSH", b"after", b"the rewrite")
        ours = dump(db.decider.keyspace)
    assert bool([*(tmp_path / "appendonlydir").glob("*.base.rdb")]) is base
    with running(newer, tmp_path, *LOGGING) as server:
        assert_same_state(ours, held_by(server, newer))
        server.run(b"RPUSH", b"after", b"theirs")
        theirs = held_by(server, newer)
    assert_same_state(durakv_dump(tmp_path), theirs)


@pytest.mark.parametrize("newer", NEWER_SERVERS, ids=str)
def test_we_read_a_servers_file(newer: NewerServer, tmp_path: Path) -> None:
    with running(newer, tmp_path) as server:
        fill_theirs(server, newer)
        assert server.run(b"SAVE") == b"OK"
        theirs = held_by(server, newer)
    command_line("import", str(tmp_path / "ours"), str(tmp_path / "dump.rdb"))
    assert_same_state(durakv_dump(tmp_path / "ours"), theirs)


@pytest.mark.parametrize("preamble", ["yes", "no"])
@pytest.mark.parametrize("newer", NEWER_SERVERS, ids=str)
def test_we_open_a_servers_directory(newer: NewerServer, preamble: str, tmp_path: Path) -> None:
    with running(newer, tmp_path, *LOGGING, "--aof-use-rdb-preamble", preamble) as server:
        fill_theirs(server, newer)
        server.run(b"BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in server.run(b"INFO", b"persistence"))
        server.run_all([(b"RPUSH", b"after", b"the rewrite"), (b"XADD", b"stream", b"2000-0", b"f", b"v")])
        # What a server does not log, it does not know after a restart: the state to compare with is that one.
        assert server.run(b"DEBUG", b"LOADAOF") == b"OK"
        theirs = held_by(server, newer)
    [_] = (tmp_path / "appendonlydir").glob("*.base.rdb" if preamble == "yes" else "*.base.aof")
    for _ in range(2):
        assert_same_state(durakv_dump(tmp_path), theirs)
    command_line("verify", str(tmp_path))
