"""The promise: an RDB file is told record by record, for people and for programs, with its damage."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from durakv.cli.app import app
from tests.rdb.build import length, rdb, record, string

FILE = rdb(
    b"\xfa" + string(b"redis-ver") + string(b"7.0.15"),
    b"\xf5" + string(b"#!lua name=x"),
    b"\xfe" + length(2),
    b"\xfc" + (1700000000123).to_bytes(8, "little") + record(0, string(b"value"), b"\xffkey"),
    record(2, length(2) + b"\1a\1b", b"set"),
)


def inspect(path: Path, *options: str) -> str:
    ran = CliRunner().invoke(app, ["inspect", *options, str(path)])
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_a_file_is_told_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(FILE)
    assert inspect(tmp_path / "dump.rdb").splitlines() == [
        "0: RDB of Redis, version 9",
        "fact 'redis-ver': '7.0.15'",
        "library of functions, 12 bytes",
        f"{FILE.index(0xFC)}: database 2, '\\xffkey': string of 5 bytes, until 1700000000123 ms",
        f"{FILE.index(b'set') - 2}: database 2, 'set': set of 2",
        "end: 2 keys, whole and verified",
    ]


def test_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(FILE)
    records = [json.loads(line) for line in inspect(tmp_path / "dump.rdb", "--json").splitlines()]
    assert [item["record"] for item in records] == ["header", "aux", "function", "entry", "entry", "end"]
    assert records[3]["key"] == "\\xffkey"
    assert "value" not in records[3]


def test_damage_is_told_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "dump.rdb").write_bytes(FILE[:-3])
    assert "the file ends, but 3 more bytes should follow" in inspect(tmp_path / "dump.rdb")
    last = json.loads(inspect(tmp_path / "dump.rdb", "--json").splitlines()[-1])
    assert "the file ends" in last["damage"]
