"""The promise: what a stock server leaves behind with its default settings opens as it is, whatever it holds, and goes
back to it; and what of it cannot be held is refused by name, with nothing touched.

Method: a real redis-server fills a directory with every kind of value, rewrites in the middle so that its base is an
RDB file, and takes turns on it with durakv.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

import durakv
from durakv.cli.app import app
from durakv_formats.rdb import Aux, Entry, Function, Kind, RdbWriter, Target
from durakv_formats.resp import encode_command
from durakv_fuzz.machines import FrozenMachine
from tests.keyspace.differential import SETTINGS, assert_same_state, dump_of, lasting, random_commands, with_selects
from tests.keyspace.families import FAMILIES
from tests.keyspace.stock_server import StockServer, stock_server, wait_until
from tests.keyspace.world import Dump, dump

LOGGING = ("--appendonly", "yes", "--appendfsync", "always", *SETTINGS)
MANIFEST = "appendonly.aof.manifest"


@contextmanager
def stock(directory: Path) -> Iterator[StockServer]:
    with stock_server(directory, *LOGGING) as server:
        wait_until(lambda: server.run(b"PING") == b"PONG")
        server.run(b"DEBUG", b"SET-ACTIVE-EXPIRE", b"0")
        yield server


def fill(server: StockServer, seed: int) -> None:
    for number, family in enumerate(FAMILIES.values()):
        server.run_all(with_selects(lasting(random_commands(100 * seed + number, 400, family))))


def rewritten(server: StockServer) -> None:
    server.run(b"BGREWRITEAOF")
    wait_until(lambda: b"aof_rewrite_in_progress:0" in server.run(b"INFO", b"persistence"))


def reloaded(server: StockServer) -> Dump:
    """What the server holds after a restart: of streams it does not log all it changes."""
    assert server.run(b"DEBUG", b"LOADAOF") == b"OK"
    return dump_of(server)


def durakv_dump(place: Path) -> Dump:
    with durakv.open(place, options=durakv.Options(active_expiry=False)) as db:
        return dump(db.decider.keyspace)


def verified(place: Path) -> None:
    ran = CliRunner().invoke(app, ["verify", str(place)])
    assert ran.exit_code == 0, ran.output


def test_a_directory_of_a_server_opens_as_it_is_and_goes_back(tmp_path: Path) -> None:
    with stock(tmp_path) as server:
        fill(server, 1)
        rewritten(server)
        fill(server, 2)
        theirs = reloaded(server)
    [base] = (tmp_path / "appendonlydir").glob("*.base.rdb")
    assert base.read_bytes().startswith(b"REDIS0010")
    verified(tmp_path)
    with durakv.open(tmp_path, options=durakv.Options(active_expiry=False)) as db:
        assert_same_state(dump(db.decider.keyspace), theirs)
        assert db.report.base_keys > 10
        db.execute(b"RPUSH", b"ours", b"a", b"b")
        ours = dump(db.decider.keyspace)
    verified(tmp_path)
    with stock(tmp_path) as server:  # before the first rewrite the base is theirs still
        assert_same_state(dump_of(server), ours)
        fill(server, 3)
        theirs = reloaded(server)
    with durakv.open(tmp_path, options=durakv.Options(active_expiry=False)) as db:
        assert_same_state(dump(db.decider.keyspace), theirs)
        db.rewrite()
    assert not base.exists()
    verified(tmp_path)
    assert_same_state(durakv_dump(tmp_path), theirs)


def test_a_single_file_that_a_server_took_over_as_its_base_is_read_behind_its_preamble(tmp_path: Path) -> None:
    writer = RdbWriter(Target.ANY)
    preamble = writer.begin() + writer.entry(Entry(3, b"k", Kind.LIST, [b"a"], None, 0)) + writer.end()
    log = encode_command((b"SELECT", b"3")) + encode_command((b"RPUSH", b"k", b"b"))
    (tmp_path / "appendonly.aof").write_bytes(preamble + log)
    with stock(tmp_path) as server:
        server.run(b"SET", b"new", b"1")
        theirs = dump_of(server)
    assert (tmp_path / "appendonlydir" / "appendonly.aof").read_bytes() == preamble + log
    verified(tmp_path)
    with durakv.open(tmp_path) as db:
        assert (
            dump(db.decider.keyspace)
            == theirs
            == {3: {b"k": (("list", [b"a", b"b"]), None)}, 0: {b"new": (b"1", None)}}
        )
        db.rewrite()
    assert durakv_dump(tmp_path) == theirs
    assert not (tmp_path / "appendonlydir" / "appendonly.aof").exists()


def test_with_rdb_bases_a_server_can_take_over_at_any_time(tmp_path: Path) -> None:
    options = durakv.Options(base_format=durakv.BaseFormat.RDB, active_expiry=False)
    with durakv.open(tmp_path, options=options) as db:
        for number, family in enumerate(FAMILIES.values()):
            for database, command in lasting(random_commands(number, 300, family)):
                with suppress(durakv.CommandError):
                    db.select(database).execute(*command)
        db.rewrite()
        db.execute(b"RPUSH", b"after", b"the rewrite")
        ours = dump(db.decider.keyspace)
    [base] = (tmp_path / "appendonlydir").glob("*.base.*")
    assert base.name == "appendonly.aof.1.base.rdb"
    verified(tmp_path)
    with stock(tmp_path) as server:
        assert_same_state(ours, dump_of(server))
        fill(server, 5)
        theirs = reloaded(server)
    for _ in range(2):
        with durakv.open(tmp_path, options=options) as db:
            assert_same_state(dump(db.decider.keyspace), theirs)
            db.rewrite()
        verified(tmp_path)
    [base] = (tmp_path / "appendonlydir").glob("*.base.*")
    assert base.name == "appendonly.aof.3.base.rdb"
    with stock(tmp_path) as server:
        assert_same_state(theirs, dump_of(server))


def test_a_base_of_another_directory_or_another_time_is_refused(tmp_path: Path) -> None:
    options = durakv.Options(base_format=durakv.BaseFormat.RDB)
    bases: list[bytes] = []
    for place in (tmp_path / "one", tmp_path / "other"):
        for value in (b"1", b"2"):
            with durakv.open(place, options=options) as db:
                db.set(b"k", value)
                db.rewrite()
            [base] = (place / "appendonlydir").glob("*.base.rdb")
            bases.append(base.read_bytes())
    for wrong, reason in ((bases[2], "of directory"), (bases[0], "as base 1")):
        (tmp_path / "one" / "appendonlydir" / "appendonly.aof.2.base.rdb").write_bytes(wrong)
        with pytest.raises(durakv.Corruption, match=reason):
            durakv.open(tmp_path / "one")
        ran = CliRunner().invoke(app, ["verify", str(tmp_path / "one")])
        assert ran.exit_code == 3, ran.output
        assert reason in ran.output


def test_zeros_in_the_place_of_the_checksum_are_damage_in_a_base_of_ours(tmp_path: Path) -> None:
    with durakv.open(tmp_path, options=durakv.Options(base_format=durakv.BaseFormat.RDB)) as db:
        db.set(b"k", b"v")
        db.rewrite()
    [base] = (tmp_path / "appendonlydir").glob("*.base.rdb")
    base.write_bytes(base.read_bytes()[:-8] + bytes(8))
    with pytest.raises(durakv.Corruption, match="the checksum of the file") as refused:
        durakv.open(tmp_path)
    assert (refused.value.name, refused.value.offset) == (base.name, base.stat().st_size - 8)
    assert CliRunner().invoke(app, ["verify", str(tmp_path)]).exit_code == 3


def test_a_base_of_a_server_that_makes_no_checksums_is_taken(tmp_path: Path) -> None:
    with stock_server(tmp_path, *LOGGING, "--rdbchecksum", "no") as server:
        wait_until(lambda: server.run(b"PING") == b"PONG")
        server.run(b"SET", b"k", b"v")
        rewritten(server)
    [base] = (tmp_path / "appendonlydir").glob("*.base.rdb")
    assert base.read_bytes().endswith(bytes(8))
    verified(tmp_path)
    assert durakv_dump(tmp_path) == {0: {b"k": (b"v", None)}}


def test_a_base_with_deadlines_of_fields_is_for_servers_that_know_them(tmp_path: Path) -> None:
    with durakv.open(tmp_path, options=durakv.Options(base_format=durakv.BaseFormat.RDB)) as db:
        db.engine.apply([(b"HSET", b"h", b"f", b"v"), (b"HPEXPIREAT", b"h", b"4000000000000", b"FIELDS", b"1", b"f")])
        db.rewrite()
        ours = dump(db.decider.keyspace)
    [base] = (tmp_path / "appendonlydir").glob("*.base.rdb")
    assert base.read_bytes().startswith(b"REDIS0012")
    assert durakv_dump(tmp_path) == ours


def test_another_machine_has_no_rdb_bases(tmp_path: Path) -> None:
    with durakv.Engine(tmp_path, FrozenMachine(), options=durakv.Options(base_format=durakv.BaseFormat.RDB)) as engine:
        engine.apply([(b"SET", b"a", b"1")])
        with pytest.raises(durakv.DurakvError, match="FrozenMachine has no form as an RDB file"):
            engine.rewrite()


def directory_with(place: Path, base: bytes) -> dict[str, bytes]:
    directory = place / "appendonlydir"
    directory.mkdir()
    (directory / "appendonly.aof.1.base.rdb").write_bytes(base)
    (directory / "appendonly.aof.1.incr.aof").write_bytes(b"")
    (directory / MANIFEST).write_text(
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n"
    )
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def written(*records: Entry | Function) -> bytes:
    writer = RdbWriter(Target.REDIS_7_0)
    parts = [writer.begin([Aux(b"redis-ver", b"7.0.15")])]
    for record in records:
        parts.append(writer.function(record) if isinstance(record, Function) else writer.entry(record))
    return b"".join([*parts, writer.end()])


TEXT = Entry(0, b"k", Kind.STRING, b"v", None, 0)


@pytest.mark.parametrize(
    ("base", "error", "reason"),
    [
        (written(TEXT)[:-1], durakv.Corruption, "the file ends"),
        (written(TEXT).replace(b"\x01k\x01v", b"\x01k\x01w"), durakv.Corruption, "checksum"),
        (written(TEXT) + b"garbage", durakv.Corruption, ""),
        (written(Function(b"#!lua name=lib")), durakv.UnsupportedVersion, "a library of functions"),
        (written(Entry(16, b"k", Kind.STRING, b"v", None, 0)), durakv.UnsupportedVersion, "database 16"),
        (b"REDIS0099" + written(TEXT)[9:], durakv.UnsupportedVersion, "REDIS0099"),
    ],
)
def test_a_base_that_cannot_be_taken_whole_is_refused_and_left_alone(
    tmp_path: Path, base: bytes, error: type[Exception], reason: str
) -> None:
    before = directory_with(tmp_path, base)
    with pytest.raises(error, match=rf"appendonly\.aof\.1\.base\.rdb.*{reason}"):
        durakv.open(tmp_path)
    after = {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()}
    after.pop("durakv.lock", None)
    assert after == before
    ran = CliRunner().invoke(app, ["verify", str(tmp_path)])
    assert ran.exit_code in (3, 4) or "database 16" in reason, ran.output  # how many there are is the keyspace's


def test_commands_and_comments_behind_the_rdb_part_are_read(tmp_path: Path) -> None:
    directory_with(tmp_path, written(TEXT) + b"#TS:1700000000\r\n" + encode_command((b"SET", b"more", b"1")))
    assert durakv_dump(tmp_path) == {0: {b"k": (b"v", None), b"more": (b"1", None)}}


def test_an_export_can_be_of_an_earlier_time(tmp_path: Path) -> None:
    times: list[int] = []
    with stock_server(tmp_path, *LOGGING, "--aof-timestamp-enabled", "yes") as server:
        for number in range(3):
            times.append(int(server.run(b"TIME")[0]))
            server.run(b"RPUSH", b"list", b"%d" % number)
            wait_until(lambda: int(server.run(b"TIME")[0]) > times[-1])
        theirs = dump_of(server)
    before = {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()}
    wanted = ((1, times[0]), (1, times[1] - 1), (2, times[1]), (3, times[2]), (3, times[2] + 1000), (0, 5))
    for number, (count, until) in enumerate(wanted):
        place = tmp_path / f"at {number}"
        ran = CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / "out"), "--until", str(until)])
        assert ran.exit_code == 0, ran.output
        ran = CliRunner().invoke(app, ["import", str(place), str(tmp_path / "out")])
        elements = [b"%d" % number for number in range(count)]
        assert durakv_dump(place) == ({0: {b"list": (("list", elements), None)}} if count else {})
    after = {path.name: path.read_bytes() for path in (tmp_path / "appendonlydir").iterdir()}
    assert {name: data for name, data in after.items() if name != "durakv.lock"} == before
    assert durakv_dump(tmp_path) == theirs


@pytest.mark.parametrize("name", ["dump.rdb", "appendonly.aof"])
def test_a_single_file_of_a_server_is_not_passed_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(written(TEXT))
    with pytest.raises(durakv.DirectoryError, match=rf"durakv import .*{name}"):
        durakv.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    ran = CliRunner().invoke(app, ["import", str(tmp_path), str(tmp_path / name)])
    assert ran.exit_code == 0, ran.output
    assert durakv_dump(tmp_path) == {0: {b"k": (b"v", None)}}


def test_a_rewrite_on_request_hands_the_directory_to_a_server(tmp_path: Path) -> None:
    with durakv.open(tmp_path) as db:
        db.rpush(b"list", b"a", b"b")
        db.rewrite()
        db.rpush(b"list", b"c")
        ours = dump(db.decider.keyspace)
    ran = CliRunner().invoke(app, ["rewrite", str(tmp_path), "--base-format", "rdb"])
    assert ran.exit_code == 0, ran.output
    with stock(tmp_path) as server:
        assert_same_state(ours, dump_of(server))
