"""The promise: of a damaged file of a stock server it is told, byte by byte, what is proven, what only reads and what
is lost; a repair keeps what it says and no more, the original beside it, and a server loads the result.

Method: files written by hand and by a real server, damaged in each of the ways that stock servers take without a word,
die of, or answer by losing what came later.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from durakv.cli.app import app
from durakv_formats.rdb import Entry, Kind, RdbWriter, Target
from durakv_formats.resp import encode_batch, encode_command
from tests.keyspace.stock_server import stock_server, wait_until

BLOCK = 1 << 20


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


def surveyed(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(run("verify", path, "--json").stdout)
    return result


def stretches(path: Path) -> list[tuple[str, int]]:
    return [(stretch["worth"], stretch["count"]) for stretch in surveyed(path)["stretches"]]


def word(number: int) -> bytes:
    return b"*3\r\n$3\r\nSET\r\n$6\r\nkey%03d\r\n$5\r\nvalue\r\n" % number


LOG = b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n" + b"".join(map(word, range(10)))
TRANSACTION = encode_batch([(b"SET", b"in", b"1"), (b"SET", b"out", b"2")])

DAMAGED_TRANSACTION = TRANSACTION.replace(b"$2\r\nin", b"$9\r\nin")


def keys(number: int, size: int = 100_000, database: int = 0) -> list[Entry]:
    noise = random.Random(7)
    return [
        Entry(database, b"%d:%d" % (database, index), Kind.STRING, noise.randbytes(size), None, 0)
        for index in range(number)
    ]


def rdb(*entries: Entry) -> bytes:
    writer = RdbWriter(Target.ANY)
    return b"".join([writer.begin(), *map(writer.entry, entries), writer.end()])


LARGE = rdb(*keys(40), *keys(5, database=3))


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :]


# --- append-only files ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "expected", "code"),
    [
        (LOG, [("readable", 11)], 0),
        (LOG[:-3], [("readable", 10), ("lost", 0)], 1),
        (LOG + TRANSACTION[:-5], [("readable", 11), ("lost", 0)], 1),
        (LOG + TRANSACTION[:-5] + LOG, [("readable", 11), ("lost", 0), ("readable", 10)], 3),
        (
            LOG + TRANSACTION.replace(b"$2\r\nin", b"$9\r\nin") + LOG,
            [("readable", 11), ("lost", 0), ("readable", 11)],
            3,
        ),
        (LOG + bytes(4096), [("readable", 11)], 0),
        (LOG + bytes(4096) + LOG, [("readable", 11), ("lost", 0), ("readable", 11)], 3),
        (LOG + b"garbage", [("readable", 11), ("lost", 0)], 3),
        (LOG.replace(b"$6\r\nkey004", b"$7\r\nkey004"), [("readable", 5), ("lost", 0), ("readable", 5)], 3),
        (LOG.replace(word(4), word(4)[:-9]), [("readable", 5), ("lost", 0), ("readable", 5)], 3),
        (LOG.replace(b"*3\r\n$3\r\nSET\r\n$6\r\nkey004", b"*9999999\r\n$3\r\nSET\r\n$6\r\nkey004"), None, 3),
        (b"", [], 0),
    ],
)
def test_an_append_only_file_is_told_stretch_by_stretch(
    tmp_path: Path, data: bytes, expected: list[tuple[str, int]] | None, code: int
) -> None:
    path = tmp_path / "appendonly.aof"
    path.write_bytes(data)
    assert run("verify", path).exit_code == code
    if expected is not None:
        assert stretches(path) == expected
    places = [(stretch["start"], stretch["end"]) for stretch in surveyed(path)["stretches"]]
    assert [start for start, _ in places] + [len(data)] == [0, *(end for _, end in places)] or not data
    assert path.read_bytes() == data


def test_a_torn_transaction_is_cut_whole_and_later_writes_are_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "appendonly.aof"
    path.write_bytes(LOG + TRANSACTION[:-5])
    assert run("repair", path).exit_code == 1
    assert path.read_bytes() == LOG
    assert (tmp_path / "broken-appendonly.aof-1").read_bytes() == LOG + TRANSACTION[:-5]
    assert run("verify", path).exit_code == 0
    assert run("repair", path).stdout == "nothing to repair\n"


def test_damage_in_the_middle_is_repaired_only_when_the_loss_is_accepted(tmp_path: Path) -> None:
    path = tmp_path / "appendonly.aof"
    data = LOG.replace(word(4), word(4)[:-9])
    path.write_bytes(data)
    refused = run("repair", path)
    assert refused.exit_code == 3
    assert "in which 5 commands can still be read" in refused.output
    assert run("repair", path, "--dry-run").exit_code == 3
    assert path.read_bytes() == data
    assert [*tmp_path.iterdir()] == [path]
    assert run("repair", path, "--discard-after-damage", "--yes").exit_code == 1
    assert path.read_bytes() == LOG[: LOG.index(word(4))]
    path.write_bytes(data)
    assert run("repair", path, "--keep-readable", "--yes").exit_code == 1
    assert path.read_bytes() == LOG[: LOG.index(word(4))] + LOG[LOG.index(word(5)) :]
    assert (tmp_path / "broken-appendonly.aof-2").read_bytes() == data


def test_a_value_that_looks_like_commands_is_no_beginning_of_any(tmp_path: Path) -> None:
    path = tmp_path / "appendonly.aof"
    bait = b"\r\n*1\r\n$4\r\nnope\r\n\r\n*2\r\n$3\r\nDEL\r\n$3\r\nyes\r\n"
    path.write_bytes(LOG + b"x" + encode_command((b"SET", b"k", bait)) + word(1))
    assert stretches(path)[0] == ("readable", 11)
    assert stretches(path)[-1][0] == "readable"


# --- RDB files --------------------------------------------------------------------------------------------------------


def test_a_whole_file_is_proven(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(LARGE)
    assert run("verify", path).exit_code == 0
    assert {worth for worth, _ in stretches(path)} == {"proven"}
    assert sum(count for _, count in stretches(path)) == 45
    assert run("repair", path).stdout == "nothing to repair\n"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: flipped(data, len(data) // 2),
        lambda data: data[: len(data) // 2] + bytes(4096) + data[len(data) // 2 + 4096 :],
        lambda data: data[: len(data) // 2] + data[len(data) // 2 + 5000 :],
        lambda data: data[: len(data) // 2] + b"\x82" * 9 + data[len(data) // 2 + 9 :],
    ],
)
def test_behind_damage_a_file_of_ours_is_read_on_with_the_next_block(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(damage(LARGE))
    worths = [worth for worth, _ in stretches(path)]
    assert worths.count("lost") == 1
    assert worths[0] == worths[-1] == "proven"
    left = sum(count for _, count in stretches(path))
    assert 45 - 2 * (BLOCK // 100_000 + 1) <= left < 45
    assert run("verify", path).exit_code == 3
    assert run("repair", path).exit_code == 3
    assert run("repair", path, "--keep-readable", "--yes").exit_code == 1
    assert sum(count for worth, count in stretches(path) if worth == "proven") == left
    with stock_server(tmp_path) as server:
        wait_until(lambda: server.run(b"PING") == b"PONG")
        server.run(b"SELECT", b"3")
        assert server.run(b"DBSIZE") == 5
        for entry in keys(5, database=3):
            assert isinstance(entry.value, bytes)
            assert server.run(b"GET", entry.key) is not None
        server.run(b"SELECT", b"0")
        assert server.run(b"DBSIZE") == left - 5
        for entry in keys(40):
            assert server.run(b"GET", entry.key) in (None, entry.value)


def test_only_what_is_proven_before_the_damage_is_kept_without_more_consent(tmp_path: Path) -> None:
    path = tmp_path / "dump.rdb"
    path.write_bytes(flipped(LARGE, len(LARGE) // 2))
    before = stretches(path)
    first = sum(count for _, count in before[: [worth for worth, _ in before].index("lost")])
    assert run("repair", path, "--discard-after-damage", "--yes").exit_code == 1
    assert sum(count for _, count in stretches(path)) == first > 0


def test_of_a_file_of_a_server_nothing_is_proven_but_all_that_reads_can_be_kept(tmp_path: Path) -> None:
    with stock_server(tmp_path) as server:
        server.run_all([(b"SET", b"key%03d" % number, b"value:%03d" % number) for number in range(200)])
        server.run_all([(b"RPUSH", b"list%03d" % number, b"a", b"b") for number in range(200)])
        server.run(b"SAVE")
    path = tmp_path / "dump.rdb"
    whole = path.read_bytes()
    assert stretches(path) == [("proven", 400)]
    path.write_bytes(flipped(whole, whole.index(b"value:100") + 7))
    assert stretches(path) == [("readable", 400)]
    assert run("verify", path).exit_code == 3
    refused = run("repair", path, "--discard-after-damage", "--yes")
    assert refused.exit_code == 3
    assert "nothing of it is proven" in refused.output
    path.write_bytes(whole[: len(whole) // 2])
    [(worth, count), (lost, _)] = stretches(path)
    assert (worth, lost) == ("readable", "lost")
    assert 100 < count < 300
    assert run("repair", path, "--keep-readable", "--yes").exit_code == 1
    assert stretches(path)[0] == ("proven", count)
    with stock_server(tmp_path) as server:
        wait_until(lambda: server.run(b"PING") == b"PONG")
        assert server.run(b"DBSIZE") == count


def test_a_file_that_is_neither_is_lost_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"REDIS0009" + b"\xf0" * 10)
    assert run("verify", path).exit_code in (3, 4)
    path.write_bytes(b"hello\n" * 10)
    assert stretches(path) == [("lost", 0)]
    assert run("repair", path, "--keep-readable", "--yes").exit_code == 3
    assert run("repair", tmp_path, "--keep-readable").exit_code in (2, 4)


def test_a_file_with_a_preamble_is_told_and_repaired_in_both_parts(tmp_path: Path) -> None:
    path = tmp_path / "appendonly.aof"
    preamble = rdb(*keys(3, 10))
    path.write_bytes(preamble + LOG)
    assert stretches(path) == [("proven", 3), ("proven", 0), ("readable", 11)]
    assert run("verify", path).exit_code == 0
    path.write_bytes(preamble + LOG[:-3])
    assert run("verify", path).exit_code == 1
    assert run("repair", path).exit_code == 1
    assert stretches(path) == [("proven", 3), ("proven", 0), ("readable", 10)]
    assert path.read_bytes().endswith(LOG[: LOG.index(word(9))])
    path.write_bytes(preamble + LOG.replace(word(4), word(4)[:-9]))
    refused = run("repair", path)
    assert "in which 0 keys and 5 commands can still be read" in refused.output
