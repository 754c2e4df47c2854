"""The promise: what a running server holds is taken over as it is, and what durakv holds is given to one as it is; each
time a digest says so, and whatever goes wrong is told in one line, without a password.

Method: a real redis-server on a socket and on a port, with every kind of value; and a few lines that behave like a
server which does not do what it should.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import durakv
from durakv.cli.app import app
from durakv.client.errors import BadUrl
from durakv.client.redis_url import ServerUrl, is_url, parse_url
from durakv.keyspace.digest import Digest, digest_of, digest_of_key
from durakv.keyspace.kinds.hash import Hash
from durakv.keyspace.kinds.set import Set
from durakv.keyspace.kinds.zset import SortedSet
from durakv_formats.rdb import Entry, Kind, RdbWriter, Target
from tests.badinput.places import digest as digest_of_files
from tests.keyspace.differential import SETTINGS, assert_same_state, dump_of, random_commands, with_selects
from tests.keyspace.families import FAMILIES
from tests.keyspace.stock_server import StockServer, stock_server, wait_until
from tests.keyspace.world import dump
from tests.newer_servers import NEWER_SERVERS, NewerServer

SECRET = "s3cret/#?:@%"
QUOTED = "s3cret%2F%23%3F%3A%40%25"
AT_ONCE = ("--repl-diskless-sync-delay", "0")
FAR_MS = 4_000_000_000_000


def run(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [*map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert SECRET not in result.output
    assert QUOTED not in result.output
    return result


def answer(*arguments: object, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def failed(code: int, *arguments: object) -> str:
    """The one line that a failing command tells."""
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert code == 2 or result.stderr.count("\n") == 1
    return result.stderr


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port: int = server.getsockname()[1]
        return port


def fill(server: StockServer) -> None:
    server.run(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
    for seed, family in enumerate(FAMILIES.values()):
        server.run_all(with_selects(random_commands(seed, 600, family)))
    server.run(b"SELECT", b"3")
    server.run_all((b"SET", b"key %d" % number, b"x" * (number % 300)) for number in range(3000))
    server.run(b"SET", b"large", b"y" * 3_000_000)
    server.run(b"RPUSH", b"large list", *(b"%d" % number for number in range(5000)))
    server.run(b"SET", b"brief", b"", b"PXAT", b"%d" % FAR_MS)


def stats_digest(place: Path) -> str:
    text: str = answer("stats", place, "--digest")["digest"]
    return text


# --- from a server ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("diskless", ["yes", "no"])
def test_a_server_is_taken_over_and_given_to_another_one(tmp_path: Path, diskless: str) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.mkdir()
    back.mkdir()
    with stock_server(there, *SETTINGS, *AT_ONCE, "--repl-diskless-sync", diskless) as server:
        fill(server)
        theirs = dump_of(server)
        taken = answer("import", tmp_path / "data", f"unix://{there}/socket")
    assert taken["keys"] == taken["source_keys"] == sum(map(len, theirs.values()))
    assert taken["digest"] == taken["source_digest"] == stats_digest(tmp_path / "data")
    with durakv.open(tmp_path / "data") as db:
        assert_same_state(dump(db.decider.keyspace), theirs)
        assert str(digest_of(db.decider.keyspace)) == taken["digest"]
    with stock_server(back, *SETTINGS) as server:
        given = answer("export", tmp_path / "data", f"unix://{back}/socket")
        assert_same_state(theirs, dump_of(server))
    assert given["server"] == f"unix://{back}/socket"
    assert (given["keys"], given["digest"]) == (taken["keys"], taken["digest"])


@pytest.mark.parametrize("newer", NEWER_SERVERS, ids=str)
def test_newer_servers_are_taken_over_and_given_to_as_well(tmp_path: Path, newer: NewerServer) -> None:
    there, back = tmp_path / "there", tmp_path / "back"
    there.mkdir()
    back.mkdir()
    with stock_server(there, *SETTINGS, *AT_ONCE, binary=newer.binary()) as server:
        fill(server)
        server.run(b"HSET", b"mortal fields", b"a", b"1", b"b", b"2")
        if newer.knows_deadlines_of_fields:
            server.run(b"HPEXPIREAT", b"mortal fields", b"%d" % FAR_MS, b"FIELDS", b"1", b"a")
        theirs = dump_of(server)
        taken = answer("import", tmp_path / "data", f"unix://{there}/socket")
    assert taken["digest"] == taken["source_digest"]
    with stock_server(back, *SETTINGS, binary=newer.binary()) as server:
        given = answer("export", tmp_path / "data", f"unix://{back}/socket")
        assert_same_state(theirs, dump_of(server))
        server.run(b"SELECT", b"3")
        if newer.knows_deadlines_of_fields:
            assert server.run(b"HPEXPIRETIME", b"mortal fields", b"FIELDS", b"2", b"a", b"b") == [FAR_MS, -1]
    assert (given["keys"], given["digest"]) == (taken["keys"], taken["digest"])


def test_a_port_a_password_and_one_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    with stock_server(tmp_path, *AT_ONCE, "--port", str(port), "--requirepass", SECRET) as server:
        server.run(b"AUTH", SECRET.encode())
        for number in (0, 3):
            server.run_all([(b"SELECT", b"%d" % number), (b"SET", b"in", b"%d" % number)])
        server.run(b"ACL", b"SETUSER", b"ann", b"on", b">" + SECRET.encode(), b"~*", b"+@all")
        server.run(b"ACL", b"SETUSER", b"bob", b"on", b">" + SECRET.encode(), b"~*", b"+@read", b"+ping")
        place = f"127.0.0.1:{port}"
        taken = answer("import", tmp_path / "all", f"redis://:{QUOTED}@{place}")
        assert (taken["keys"], taken["source"]) == (2, f"redis://{place}")
        one = answer("import", tmp_path / "one", f"redis://ann:{QUOTED}@{place}/3")
        assert (one["keys"], one["source"]) == (1, f"redis://{place}/3")
        with durakv.open(tmp_path / "one") as db:
            assert db.select(3).get(b"in") == b"3"
        server.run(b"FLUSHALL")
        assert answer("export", tmp_path / "all", f"redis://ann:{QUOTED}@{place}/3")["digest"] == one["digest"]
        server.run(b"SELECT", b"0")
        assert server.run(b"DBSIZE") == 0
        for who, reason in (
            ("", "wants a password"),
            (":wrong@", "refused user and password: WRONGPASS"),
            (f"carl:{QUOTED}@", "refused user and password: WRONGPASS"),
        ):
            assert reason in failed(4, "import", tmp_path / "none", f"redis://{who}{place}")
        told = failed(4, "import", tmp_path / "none", f"redis://bob:{QUOTED}@{place}")
        assert "takes no replica: NOPERM" in told
        assert "allow the user +psync" in told
        assert "PEXPIRETIME" not in failed(4, "export", tmp_path / "all", f"redis://bob:{QUOTED}@{place}")
        assert not (tmp_path / "none").exists()
        monkeypatch.setenv("REDISCLI_AUTH", SECRET)
        assert answer("import", tmp_path / "hidden", f"redis://{place}")["keys"] == 1


def test_nothing_is_taken_of_a_server_with_what_has_no_place_here(tmp_path: Path) -> None:
    with stock_server(tmp_path, *AT_ONCE, "--databases", "20") as server:
        server.run(b"SET", b"fine", b"1")
        server.run(b"SELECT", b"19")
        server.run(b"SET", b"far", b"1")
        assert "in a database beyond 15" in failed(4, "import", tmp_path / "data", f"unix://{tmp_path}/socket")
    assert not (tmp_path / "data").exists()


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    for url in (f"redis://127.0.0.1:{free_port()}", f"unix://{tmp_path}/socket", "redis://user:pw@nowhere.invalid"):
        told = failed(4, "import", tmp_path / "data", url)
        assert "cannot connect" in told
        assert "pw" not in told
    assert not (tmp_path / "data").exists()


@contextmanager
def acting(*acts: bytes, close: bool = True) -> Generator[str]:
    """Something that answers each thing that is sent with the next of some replies, and then closes or is silent."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        done = threading.Event()

        def act() -> None:
            with suppress(OSError):
                connection, _ = server.accept()
                with connection:
                    for reply in acts:
                        connection.recv(1 << 16)
                        connection.sendall(reply)
                    if not close:
                        done.wait(30)

        thread = threading.Thread(target=act)
        thread.start()
        yield f"redis://:{QUOTED}@127.0.0.1:{server.getsockname()[1]}"
        done.set()
        thread.join()


def rdb(*keys: bytes) -> bytes:
    writer = RdbWriter(Target.ANY)
    begin = writer.begin()
    return begin + b"".join(writer.entry(Entry(0, key, Kind.STRING, b"v", None, 0)) for key in keys) + writer.end()


OK = b"+OK\r\n"
GREETED = (OK, b"+PONG\r\n", OK, OK, OK)
"""What AUTH, PING and three times REPLCONF are answered with."""
FULL = b"\n\n+FULLRESYNC 0123 0\r\n\n\n"
MARK = b"0123456789" * 4


@pytest.mark.parametrize(
    "data",
    [
        b"$%d\r\n%b" % (len(rdb(b"a")), rdb(b"a")),
        b"$%d\r\n%b*1\r\n$4\r\nPING\r\n" % (len(rdb(b"a")), rdb(b"a")),
        b"$EOF:%b\r\n%b%b" % (MARK, rdb(b"a"), MARK),
        b"$EOF:%b\r\n%b%b*1\r\n$4\r\nPING\r\n" % (MARK, rdb(b"a"), MARK),
    ],
)
def test_both_ways_of_sending_a_file_are_read_with_whatever_follows(tmp_path: Path, data: bytes) -> None:
    with acting(*GREETED, FULL + data) as url:
        assert answer("import", tmp_path / "data", url)["keys"] == 1


@pytest.mark.parametrize(
    ("acts", "code", "reason"),
    [
        ((*GREETED, FULL + b"$%d\r\n%b" % (len(rdb(b"a")), rdb(b"a")[:-1])), 4, "closed the connection in the middle"),
        ((*GREETED, FULL + b"$EOF:%b\r\n%b%b" % (MARK, rdb(b"a"), MARK[1:])), 4, "closed the connection"),
        ((*GREETED, FULL + b"$%d\r\n%b" % (len(rdb(b"a")), rdb(b"b")[:-8] + b"12345678")), 3, "checksum"),
        ((*GREETED, FULL + b"-ERR no disk\r\n"), 4, "could not make the copy: ERR no disk"),
        ((*GREETED, FULL + b"$x\r\n"), 4, "in a form that is not known"),
        ((*GREETED, b"-NOMASTERLINK Can't SYNC\r\n"), 4, "cannot be copied yet"),
        ((*GREETED, b"+CONTINUE\r\n"), 4, "takes no replica: CONTINUE"),
        ((OK, b"+PONG\r\n", b"-ERR unknown command\r\n"), 4, "takes no replica: ERR unknown command"),
        ((OK, b"-LOADING the dataset\r\n"), 4, "is not ready: LOADING"),
        ((f"-ERR unknown command 'AUTH', with args beginning with: '{SECRET}'\r\n".encode(),), 4, "'(password)'"),
        ((b"HTTP/1.1 400 Bad Request\r\n",), 4, "does not speak the protocol of Redis"),
        ((b"x" * 100_000,), 4, "a line has no end"),
        ((b"$99999999999\r\n",), 4, "larger or deeper"),
        ((), 4, "closed the connection"),
    ],
)
def test_a_server_that_does_something_else_is_told(
    tmp_path: Path, acts: tuple[bytes, ...], code: int, reason: str
) -> None:
    with acting(*acts) as url:
        assert reason in failed(code, "import", tmp_path / "data", url)
    assert not (tmp_path / "data").exists()


def test_a_server_that_says_nothing_is_waited_for_so_long_and_no_longer(tmp_path: Path) -> None:
    with acting(*GREETED, FULL, close=False) as url:
        told = failed(4, "import", tmp_path / "data", url, "--timeout", "0.2")
        assert "said nothing for 0.2 seconds" in told


# --- to a server ------------------------------------------------------------------------------------------------------


def test_a_server_with_keys_is_written_to_only_if_that_is_meant(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        db.execute(b"RPUSH", b"both", b"a", b"b")
        db.select(2).set(b"ours", b"1")
        db.select(2).set(b"gone", b"1", pxat=5)
    with stock_server(tmp_path) as server:
        server.run(b"SET", b"both", b"1", b"EX", b"1000")
        server.run(b"SET", b"theirs", b"1")
        url = f"unix://{tmp_path}/socket"
        told = failed(4, "export", tmp_path / "data", url)
        assert "holds keys already (db0:keys=2); nothing was sent" in told
        assert server.run(b"GET", b"both") == b"1"
        given = run("export", tmp_path / "data", url, "--replace")
        assert given.exit_code == 0, given.output
        assert "exported 2 keys, up to number" in given.stderr
        assert "each read back" in given.stderr
        assert server.run(b"LRANGE", b"both", b"0", b"-1") == [b"a", b"b"]
        assert server.run(b"TTL", b"both") == -1
        assert server.run(b"GET", b"theirs") == b"1"


def test_the_first_command_that_is_refused_is_named(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        db.engine.apply([(b"HSET", b"h", b"f", b"v"), (b"HPEXPIREAT", b"h", b"%d" % FAR_MS, b"FIELDS", b"1", b"f")])
    with stock_server(tmp_path) as server:
        url = f"unix://{tmp_path}/socket"
        assert b"redis_version:7.0" in server.run(b"INFO", b"server"), "of a server that knows no deadlines of fields"
        told = failed(4, "export", tmp_path / "data", url)
        assert "refused HPEXPIREAT for the key b'h' of database 0" in told
        assert "need Redis 7.4 or Valkey 9" in told
        with durakv.open(tmp_path / "data") as db:
            db.delete(b"h")
            db.select(9).set(b"k", b"v")
        server.run(b"FLUSHALL")
        server.run(b"CONFIG", b"SET", b"maxmemory", b"1")
        assert "refused SET for the key b'k' of database 9: OOM" in failed(4, "export", tmp_path / "data", url)


def test_what_a_server_does_not_keep_as_it_was_sent_is_told(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        db.set(b"k", b"v")
    replies = (OK, b"+PONG\r\n", b":-2\r\n", b"$0\r\n\r\n", OK, OK)
    with acting(*replies, b"$-1\r\n:-2\r\n") as url:
        told = failed(3, "export", tmp_path / "data", url)
        assert "the key b'k' of database 0 is not what was sent" in told
    with acting(*replies, b"$12\r\n\0\1v\12\0" + bytes(7) + b"\r\n:-1\r\n") as url:
        assert "answer to DUMP of the key b'k' is damaged" in failed(4, "export", tmp_path / "data", url)
    with acting(*replies, b"-NOPERM no\r\n:-1\r\n") as url:
        assert "cannot be looked at: NOPERM" in failed(4, "export", tmp_path / "data", url)
    with acting(*replies[:2], b"-ERR unknown command 'PEXPIRETIME'\r\n") as url:
        assert "refused PEXPIRETIME" in failed(4, "export", tmp_path / "data", url)
    with acting(*replies[:3], b"-NOPERM no\r\n") as url:
        assert "whether it holds keys" in failed(4, "export", tmp_path / "data", url)


def test_what_makes_no_sense_is_wrong_usage(tmp_path: Path) -> None:
    durakv.open(tmp_path / "data").close()
    assert "write what is no letter or digit as %XX" in failed(2, "import", tmp_path, f"redis://:{SECRET}@host")
    assert "no RDB file" in failed(2, "export", tmp_path / "data", "redis://localhost", "--to", "rdb")
    assert "--replace is about" in failed(2, "export", tmp_path / "data", tmp_path / "out", "--replace")
    assert "the same directory" in failed(2, "import", tmp_path / "data", tmp_path / "data" / "appendonlydir")


# --- addresses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url", "name"),
    [
        ("redis://host", ServerUrl("host", 6379), "redis://host:6379"),
        ("redis://host:1/", ServerUrl("host", 1), "redis://host:1"),
        ("redis://[::1]:7/15", ServerUrl("::1", 7, database=15), "redis://[::1]:7/15"),
        (f"redis://:{QUOTED}@h/0", ServerUrl("h", 6379, "", "", SECRET, 0), "redis://h:6379/0"),
        ("unix:///tmp/a%20b", ServerUrl(path="/tmp/a b"), "unix:///tmp/a b"),
        (f"unix://me:{QUOTED}@/s", ServerUrl(path="/s", user="me", password=SECRET), "unix:///s"),
    ],
)
def test_addresses(text: str, url: ServerUrl, name: str) -> None:
    assert is_url(text)
    assert parse_url(text) == url
    assert url.name == name
    assert SECRET not in repr(url)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "redis://",
            "redis://:pw@",
            "redis://h:pw",
            "redis://h:99999",
            "redis://h/16",
            "redis://h/x",
            "redis://h/1/2",
        ),
        *("redis://h?db=1", "redis://h#1", "rediss://:pw@h", "unix://host/s", "unix://", "redis://me@h"),
        *("redis://:pw/x@h", "redis://:pw#x@h", "redis://me:1/pw@h", "redis://[::1"),
    ],
)
def test_what_is_no_address_is_refused_without_being_repeated(text: str) -> None:
    assert is_url(text)
    with pytest.raises(BadUrl) as caught:
        parse_url(text)
    assert "pw" not in str(caught.value)


# --- directories ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("inside", ["", "appendonlydir"])
def test_a_stock_directory_is_taken_and_nothing_in_it_is_changed(tmp_path: Path, inside: str) -> None:
    with stock_server(tmp_path, *SETTINGS, "--appendonly", "yes", "--appendfsync", "always") as server:
        wait_until(lambda: server.run(b"PING") == b"PONG")
        fill(server)
        server.run(b"BGREWRITEAOF")
        wait_until(lambda: b"aof_rewrite_in_progress:0" in server.run(b"INFO", b"persistence"))
        server.run_all([(b"SELECT", b"0"), (b"RPUSH", b"after", b"the rewrite")])
        server.run(b"DEBUG", b"LOADAOF")
        theirs = dump_of(server)
    before = digest_of_files(tmp_path / "appendonlydir")
    taken = answer("import", tmp_path / "data", tmp_path / inside)
    assert sorted(path.name for path in (tmp_path / "appendonlydir").glob("*.lock")) == []
    assert digest_of_files(tmp_path / "appendonlydir") == before
    assert taken["digest"] == taken["source_digest"]
    with durakv.open(tmp_path / "data") as db:
        assert_same_state(dump(db.decider.keyspace), theirs)
    again = answer("import", tmp_path / "copy", tmp_path / "data")
    assert again["digest"] == taken["digest"] == stats_digest(tmp_path / "copy")


def test_keys_that_were_there_stay_or_are_replaced_and_the_digest_still_holds(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "one") as db:
        db.mset({b"a": b"1", b"b": b"2"})
    with durakv.open(tmp_path / "two") as db:
        db.execute(b"RPUSH", b"b", b"old")
        db.set(b"c", b"3")
    merged = answer("import", tmp_path / "two", tmp_path / "one")
    assert (merged["keys"], merged["source_keys"]) == (3, 2)
    with durakv.open(tmp_path / "same") as db:
        db.mset({b"c": b"3", b"b": b"2", b"a": b"1"})
    assert merged["digest"] == stats_digest(tmp_path / "same")
    told = failed(4, "import", tmp_path / "three", tmp_path)
    assert "does not exist" in told


# --- digests ----------------------------------------------------------------------------------------------------------


def test_a_digest_depends_on_all_that_is_held_and_on_no_order() -> None:
    values: list[tuple[int, bytes, Any, int | None]] = [
        (0, b"k", b"v", None),
        (1, b"k", b"v", None),
        (0, b"kv", b"", None),
        (0, b"k", b"v", 0),
        (0, b"k", b"v", 5),
        (0, b"k", Set({b"v"}), None),
        (0, b"k", Set({b"v", b""}), None),
        (0, b"k", Hash({b"a": b"", b"b": b""}), None),
        (0, b"k", Hash({b"a": b"", b"b": b""}, {b"a": 1}), None),
        (0, b"k", Hash({b"a": b"", b"b": b""}, {b"b": 1}), None),
        (0, b"k", SortedSet({b"a": 0.0}), None),
        (0, b"k", SortedSet({b"a": 5e-324}), None),
    ]
    digests = [digest_of_key(*value) for value in values]
    assert len(set(digests)) == len(digests)
    assert digest_of_key(0, b"k", SortedSet({b"a": -0.0}), None) == digests[-2], "they are equal"
    one, other = Digest(), Digest()
    for number in digests:
        one.add(number)
    for number in reversed(digests):
        other.add(number)
    assert one == other
    assert str(one) == str(other)
    for number in digests:
        other.remove(number)
    assert other == Digest()
    assert str(other) == "0" * 32
