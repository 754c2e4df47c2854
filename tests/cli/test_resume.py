"""The promise: an import that was killed is gone on with, and comes to what it would have come to without; nothing is
taken twice, and nothing that is not the same is mixed.

Method: imports are killed with SIGKILL in the middle, as processes of their own; INCR and APPEND show what was taken
twice.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import durakv
from durakv.cli.app import app
from durakv.cli.resuming import PLACE_KEY
from durakv_formats.rdb import Entry, Kind, RdbWriter, Target
from durakv_formats.resp import encode_batch, encode_command
from tests.keyspace.stock_server import stock_server

COUNT = 30_000
COUNTED = b"".join(
    encode_batch([[b"INCR", b"count"], [b"APPEND", b"text", b"%d," % number]])
    if number % 3
    else encode_command([b"INCR", b"count"]) + encode_command([b"SELECT", b"%d" % (number % 2)])
    for number in range(COUNT)
)
"""Commands that show it if they run twice, in two databases in turn."""
SLOW = ("--durability", "synced")
"""So that there is a middle."""


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    result = CliRunner().invoke(app, [*map(str, arguments)], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def answer(*arguments: object, stdin: bytes | None = None) -> Any:
    result = run(*arguments, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def failed(code: int, *arguments: object, stdin: bytes | None = None) -> str:
    result = run(*arguments, stdin=stdin)
    assert result.exit_code == code, result.output
    return result.stderr


def log_bytes(place: Path) -> int:
    """How much there is before the zeros that the log's segments end with."""
    return sum(len(path.read_bytes().rstrip(b"\0")) for path in (place / "appendonlydir").glob("*.incr.aof"))


def kill_in_the_middle(place: Path, *arguments: object) -> None:
    """Kill an import once it has logged something beyond what was there."""
    before = log_bytes(place)
    command = [sys.executable, "-m", "durakv.cli", "import", *map(str, arguments), *SLOW]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        while child.poll() is None and log_bytes(place) < before + 50_000:
            time.sleep(0.005)
        child.send_signal(signal.SIGKILL)
        assert child.stderr is not None
        told = child.stderr.read()
    assert child.returncode == -signal.SIGKILL, told
    with durakv.open(place) as db:
        assert db.get(PLACE_KEY) is not None, "it was killed in the middle"


def rdb_of(count: int, behind: bytes = b"") -> bytes:
    writer = RdbWriter(Target.ANY)
    parts = [writer.begin()]
    for number in range(count):
        key = b"key %d" % number
        if number % 2:
            parts.append(writer.entry(Entry(number % 16, key, Kind.LIST, [b"a", b"%d" % number], None, 0)))
        else:
            parts.append(writer.entry(Entry(number % 16, key, Kind.STRING, b"%d" % number, None, 0)))
    return b"".join([*parts, writer.end(), behind])


@pytest.mark.parametrize(
    "data",
    [COUNTED, rdb_of(COUNT), rdb_of(200, COUNTED)],
    ids=["commands", "RDB file", "commands behind an RDB file"],
)
def test_a_killed_import_goes_on_as_if_it_had_never_been_killed(tmp_path: Path, data: bytes) -> None:
    source, place = tmp_path / "source", tmp_path / "data"
    source.write_bytes(data)
    whole = answer("import", tmp_path / "whole", source)
    kill_in_the_middle(place, place, source)
    told = failed(4, "import", place, source)
    assert "holds an import that was interrupted. Go on with --resume" in told
    kill_in_the_middle(place, place, source, "--resume")
    done = answer("import", place, source, "--resume")
    assert 0 < done["commands"] < whole["commands"]
    for of in ("keys", "digest", "source_keys", "source_digest"):
        assert done[of] == whole[of], of
    assert answer("stats", place, "--digest")["digest"] == whole["digest"]
    assert "no import that was interrupted" in failed(4, "import", place, source, "--resume")


def test_a_stream_goes_on_if_it_comes_again_and_only_if_it_is_the_same(tmp_path: Path) -> None:
    source, place = tmp_path / "source", tmp_path / "data"
    source.write_bytes(COUNTED)
    kill_in_the_middle(place, place, source)
    changed = COUNTED.replace(b"\r\n1,\r\n", b"\r\n9,\r\n", 1)
    assert len(changed) == len(COUNTED)
    assert changed != COUNTED
    for other in (changed, COUNTED[:100], encode_command([b"PING"]) + COUNTED, rdb_of(3), b""):
        told = failed(4, "import", place, "--resume", stdin=other)
        assert "is not what the interrupted import took" in told
        assert "Nothing more was taken" in told
    longer = COUNTED + encode_command([b"SET", b"more", b"1"])
    done = answer("import", place, "--resume", stdin=longer)
    assert done["digest"] == answer("import", tmp_path / "whole", stdin=longer)["digest"]
    assert done["source_digest"] is None, "commands cannot be summed up"


def test_a_server_is_taken_again_as_it_is_now(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    url = f"unix://{there}/socket"
    empty, full = tmp_path / "empty", tmp_path / "full"
    with durakv.open(full) as db:
        db.set(b"ours", b"1")
    with stock_server(there, "--repl-diskless-sync-delay", "0") as server:
        server.run_all((b"RPUSH", b"key %d" % number, b"x") for number in range(COUNT))
        for place in (empty, full):
            kill_in_the_middle(place, place, url)
        server.run_all((b"DEL", b"key %d" % number) for number in range(0, COUNT, 3))
        told = failed(4, "import", empty, tmp_path / "full", "--resume")
        assert f"was from {url}, not" in told
        whole = answer("import", tmp_path / "whole", url)
        again = answer("import", empty, url, "--resume")
        assert again["keys"] == COUNT - COUNT // 3
        assert (again["digest"], again["source_digest"]) == (whole["digest"], whole["digest"])
        mixed = answer("import", full, url, "--resume")
        assert (mixed["source_keys"], mixed["source_digest"]) == (whole["keys"], whole["digest"])
    with durakv.open(full) as db:
        assert db.get(b"ours") == b"1"


def test_a_directory_is_taken_again(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "from") as db:
        for number in range(10):
            db.select(number).mset({b"%d" % key: b"x" for key in range(COUNT // 10)})
    kill_in_the_middle(tmp_path / "data", tmp_path / "data", tmp_path / "from")
    told = failed(4, "import", tmp_path / "copy", tmp_path / "data")
    assert "it is an import that is not complete" in told
    done = answer("import", tmp_path / "data", tmp_path / "from", "--resume")
    assert done["digest"] == answer("stats", tmp_path / "from", "--digest")["digest"]


def test_there_is_something_to_go_on_with_or_everything_is_to_come(tmp_path: Path) -> None:
    fresh = answer("import", tmp_path / "fresh", "--resume", stdin=encode_command([b"INCR", b"a"]))
    assert fresh["keys"] == 1
    assert "or it never began" in failed(4, "import", tmp_path / "fresh", "--resume", stdin=b"")
    with durakv.open(tmp_path / "fresh") as db:
        db.set(PLACE_KEY, b"of somebody else")
    assert "is not from an import" in failed(4, "import", tmp_path / "fresh", stdin=b"")


def test_an_import_that_has_told_why_it_ended_leaves_nothing_to_go_on_with(tmp_path: Path) -> None:
    for stream in (COUNTED[:-1], COUNTED + encode_command([b"NOSUCH"]), COUNTED + encode_command([b"SELECT", b"99"])):
        place = tmp_path / str(len(stream))
        result = run("import", place, stdin=stream)
        assert result.exit_code in (3, 4)
        with durakv.open(place) as db:
            assert db.get(PLACE_KEY) is None
            assert int(db.get(b"count") or 0) + int(db.select(1).get(b"count") or 0) >= COUNT - 1
