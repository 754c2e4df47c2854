"""The promise: every command answers in lines for people and in JSON for programs, says with its exit code what came of
it, and tells a failure in one line on standard error.

Method: the commands run in this process on small directories, whole and spoilt; what needs a real process (pipes,
missing packages, the installed script) runs in one.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import durakv
from durakv.cli.app import COMMANDS, app
from durakv.cli.streams import CommandStream
from durakv.errors import CommandError, Corruption, UnsupportedVersion
from durakv_formats.resp import encode_batch, encode_command
from tests.badinput.places import digest

FAR_MS = 4_000_000_000_000


def command_line(*arguments: object, stdin: bytes = b"") -> Result:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result


def answer(*arguments: object, stdin: bytes = b"", code: int = 0) -> Any:
    """The JSON that a command prints."""
    result = command_line(*arguments, "--json", stdin=stdin)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def failed(code: int, *arguments: object, stdin: bytes = b"") -> str:
    """The one line that a failing command tells."""
    result = command_line(*arguments, stdin=stdin)
    assert result.exit_code == code, result.output
    assert result.stderr.startswith("durakv: ")
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Twenty keys in database 0, two in database 3, one of which has expired, in a log."""
    with durakv.open(tmp_path / "data") as db:
        db.mset({b"key %d" % number: b"value" for number in range(20)})
        third = db.select(3)
        third.set(b"lasting", b"\xff\r\n", pxat=FAR_MS)
        third.set(b"mortal", b"", px=1)
    return tmp_path / "data"


def segment(place: Path) -> Path:
    return sorted((place / "appendonlydir").glob("*.incr.aof"))[-1]


def spoil(path: Path, offset: int) -> None:
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def tear(place: Path) -> None:
    """Let an owner die, and its last frame with it."""
    script = f"""
import durakv, os
db = durakv.open({str(place)!r}, fsync="no")
db.set(b"torn", b"x" * 100); os.kill(os.getpid(), 9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    path = segment(place)
    spoil(path, path.read_bytes().rindex(b"xxx"))


# --- the command itself -----------------------------------------------------------------------------------------------


def test_every_command_of_the_table_is_there_and_has_help() -> None:
    listed = command_line("--help").output
    for name in COMMANDS:
        assert f"\n  {name} " in listed
        text = command_line(name, "--help")
        assert text.exit_code == 0
        assert isinstance(app.get_command(click.Context(app), name), click.Command)
    assert "Exit codes:" in listed


def test_version_and_usage() -> None:
    assert command_line("--version").output == f"durakv {durakv.__version__}\n"
    assert command_line("nonsense").exit_code == 2
    assert command_line("verify").exit_code == 2
    assert command_line("import", "x", "--durability", "maybe").exit_code == 2


def test_subcommands_are_imported_when_they_are_called() -> None:
    heavy = ("rich", "durakv.keyspace", "durakv_fuzz")
    script = f"import sys, durakv.cli.app; print([name for name in sys.modules if name.startswith({heavy!r})])"
    assert subprocess.check_output([sys.executable, "-c", script], text=True) == "[]\n"


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_its_packages_it_says_how_to_install_them(missing: str) -> None:
    script = f"import sys; sys.modules[{missing!r}] = None; from durakv.cli import main; sys.exit(main())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == f"durakv: the command line needs {missing}; install it with: pip install 'durakv[cli]'\n"


@pytest.mark.parametrize("command", ["inspect", "verify", "repair", "stats", "rewrite", "export"])
def test_a_directory_that_is_not_there_is_not_made_up(tmp_path: Path, command: str) -> None:
    told = failed(4, command, tmp_path / "nowhere")
    assert "nowhere" in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["repair", "rewrite", "export", "import"])
def test_a_directory_with_an_owner_is_refused(place: Path, command: str) -> None:
    with durakv.open(place):
        told = failed(5, command, place)
    assert "another process or engine" in told


@pytest.mark.parametrize("command", ["stats", "rewrite", "export", "import"])
def test_corruption_is_told_with_its_place_and_nothing_is_touched(place: Path, command: str) -> None:
    spoil(place / "appendonlydir" / "appendonly.aof.manifest", 50)
    before = digest(place)
    told = failed(3, command, place)
    assert "appendonly.aof.manifest at byte 0" in told
    assert "Restore" in told
    assert digest(place) == before


def test_the_directory_inside_is_taken_as_well(place: Path) -> None:
    inside = place / "appendonlydir"
    assert answer("verify", inside) == answer("verify", place)
    assert answer("stats", inside)["files"] == answer("stats", place)["files"]


def test_progress_is_shown_on_a_terminal_and_nowhere_else(place: Path, tmp_path: Path) -> None:
    answer("export", place, tmp_path / "out.resp")
    for arguments in (
        ["verify", place],
        ["export", place, tmp_path / "again"],
        ["import", place, tmp_path / "out.resp"],
        ["rewrite", place],
        ["verify", place, "--json"],
    ):
        master, slave = pty.openpty()
        command = [sys.executable, "-m", "durakv.cli", *map(str, arguments)]
        environment = {**os.environ, "TERM": "xterm"}
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, env=environment) as child:
            os.close(slave)
            shown = b""
            with contextlib.suppress(OSError):  # a terminal whose other side is closed
                while data := os.read(master, 4096):
                    shown += data
            assert child.stdout is not None
            printed = child.stdout.read()
        os.close(master)
        assert child.returncode == 0
        assert (b"\x1b[" in shown) == ("--json" not in arguments), (arguments, shown)
        assert b"\x1b" not in printed


# --- verify and repair ------------------------------------------------------------------------------------------------


def test_verify_tells_whole_torn_and_corrupt_apart(place: Path) -> None:
    assert answer("verify", place)["severity"] == "ok"
    assert "whole" in command_line("verify", place).stdout
    tear(place)
    torn = answer("verify", place, code=1)
    assert torn["severity"] == "torn"
    assert [finding["severity"] for finding in torn["findings"]] == ["torn"]
    spoil(sorted((place / "appendonlydir").glob("*.incr.aof"))[0], 120)
    corrupt = answer("verify", place, code=3)
    assert corrupt["severity"] == "corruption"
    assert {file["name"]: file["severity"] for file in corrupt["files"]} == {
        "appendonly.aof.1.incr.aof": "corruption",
        "appendonly.aof.2.incr.aof": "torn",
    }
    assert "CORRUPT" in command_line("verify", place).stdout


def test_a_torn_tail_is_repaired_at_once(place: Path) -> None:
    assert answer("repair", place)["remedy"] == "nothing"
    tear(place)
    before = digest(place)
    planned = answer("repair", place, "--dry-run", code=1)
    assert planned["remedy"] == "cut"
    assert not planned["done"]
    assert digest(place) == before
    done = answer("repair", place, code=1)
    assert {**planned, "done": True} == done
    assert command_line("verify", place).exit_code == 0
    assert list((place / "appendonlydir").glob("broken-*"))
    with durakv.open(place) as db:
        assert db.dbsize() == 20
        assert db.report.cut is None


def test_corruption_is_repaired_only_when_the_loss_is_accepted(place: Path) -> None:
    spoil(segment(place), segment(place).read_bytes().rindex(b"mortal"))
    before = digest(place)
    planned = command_line("repair", place, "--dry-run")
    assert planned.exit_code == 3
    assert "lose: numbers" in planned.stdout
    told = failed(3, "repair", place)
    assert "--discard-after-damage" in told
    unasked = command_line("repair", place, "--discard-after-damage")
    assert unasked.exit_code == 2
    assert "--yes" in unasked.stderr
    assert digest(place) == before
    done = answer("repair", place, "--discard-after-damage", "--yes", code=1)
    assert done["remedy"] == "discard"
    assert done["promised_seq"] > done["keep_seq"]
    with durakv.open(place) as db:
        assert db.dbsize() == 20
        assert db.select(3).dbsize() == 1


# --- inspect and stats ------------------------------------------------------------------------------------------------


def test_inspect_shows_a_directory_and_each_of_its_files(place: Path) -> None:
    with durakv.open(place) as db:
        db.rewrite()
        db.set(b"after", b"\xff")
    lines = command_line("inspect", place).stdout
    document = answer("inspect", place)
    inside = place / "appendonlydir"
    for path in inside.iterdir():
        assert path.name in lines
        assert document["sizes"][path.name] == path.stat().st_size
    base, log = next(inside.glob("*.base.dkv")), segment(place)
    assert "keyspace" in command_line("inspect", base).stdout
    assert "'SET' 'after'" in command_line("inspect", log).stdout
    assert "synced up to" in command_line("inspect", inside / "appendonly.aof.manifest").stdout
    records = [json.loads(line) for line in command_line("inspect", log, "--json").stdout.splitlines()]
    assert [record["opening"] for record in records] == [True, False]
    assert records[1]["commands"] == [["SET", "after", "\\xff"]]
    blocks = [json.loads(line) for line in command_line("inspect", base, "--json").stdout.splitlines()]
    assert sum(block.get("count", 0) for block in blocks) in (21, 22), "the expired key may be gone"
    assert blocks[-1]["end"]


def test_inspect_tells_what_does_not_belong_there(place: Path) -> None:
    inside = place / "appendonlydir"
    (inside / "a folder").mkdir()
    (inside / "appendonly.aof.9.incr.aof").write_bytes(b"")
    assert answer("inspect", place)["others"] == ["a folder"]
    lines = command_line("inspect", place).stdout
    assert "a folder: not in the store" in lines
    assert "appendonly.aof.9.incr.aof: 0 bytes, debris" in lines


def test_inspect_shows_damage_instead_of_failing(place: Path) -> None:
    path = segment(place)
    path.write_bytes(path.read_bytes() + encode_command([b"SET", b"foreign", b"x"]) + b"*3\r\n$nonsense")
    records = [json.loads(line) for line in command_line("inspect", path, "--json").stdout.splitlines()]
    assert records[-2]["foreign"] == ["SET", "foreign", "x"]
    assert "damage" in records[-1]
    assert command_line("inspect", path).exit_code == 0
    for garbage in (b"", b"garbage", bytes(100), b"DKVSNAP1", b"DKVSNAP9", b"#DKVM1 x\n", b"file "):
        path.write_bytes(garbage)
        for arguments in ((path,), (path, "--json")):
            assert command_line("inspect", *arguments).exit_code == 0, garbage


def test_stats_reads_figures_and_counts_keys_on_request(place: Path) -> None:
    before = digest(place)
    figures = answer("stats", place)
    assert figures["closed"]
    assert figures["segments"] == 1
    assert figures["log_bytes"] == segment(place).stat().st_size
    assert "databases" not in figures
    counted = answer("stats", place, "--keys")
    assert counted["databases"] == {"0": 20, "3": 2}
    assert digest(place) == before
    assert "database    0: 20 keys" in command_line("stats", place, "--keys").stdout


# --- rewrite, export, import ------------------------------------------------------------------------------------------


def test_rewrite_makes_a_base(place: Path) -> None:
    figures = answer("rewrite", place)
    assert figures["bytes_before"] > 0
    assert list((place / "appendonlydir").glob("*.base.dkv"))
    with durakv.open(place) as db:
        assert db.dbsize() == 20


def test_a_command_that_opens_a_torn_directory_says_so(place: Path) -> None:
    tear(place)
    result = command_line("rewrite", place)
    assert result.exit_code == 1
    assert "cut" in result.stderr


def test_an_export_is_imported_to_the_same_state(place: Path, tmp_path: Path) -> None:
    figures = answer("export", place, tmp_path / "out.resp")
    assert figures["keys"] == 21, "what has expired is left out"
    assert figures["bytes"] == (tmp_path / "out.resp").stat().st_size
    for durability in ("applied", "written", "synced"):
        copy = tmp_path / durability
        imported = answer("import", copy, tmp_path / "out.resp", "--durability", durability)
        assert imported["keys"] == 21
        with durakv.open(copy, create=False) as db, durakv.open(place) as original:
            assert sorted(db.keys()) == sorted(original.keys())
            assert db.select(3).get(b"lasting") == b"\xff\r\n"
            assert db.select(3).execute(b"PEXPIRETIME", b"lasting") == FAR_MS


def test_an_export_changes_nothing_and_replaces_its_file_at_once(place: Path, tmp_path: Path) -> None:
    tear(place)
    before = digest(place)
    out = tmp_path / "out.resp"
    out.write_bytes(b"old")
    assert command_line("export", place, out).exit_code == 1, "a torn tail is told, and left where it is"
    assert digest(place) == before
    assert out.read_bytes().startswith(b"*2\r\n$6\r\nSELECT")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out.resp"]
    assert command_line("export", place, tmp_path / "nowhere" / "out.resp").exit_code == 4


def test_export_and_import_speak_through_pipes(place: Path, tmp_path: Path) -> None:
    command = f"{sys.executable} -m durakv.cli"
    script = f"{command} export {place} | {command} import --json {tmp_path / 'copy'} -"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["keys"] == 21
    assert done.stderr.splitlines() == [
        line for line in done.stderr.splitlines() if line.startswith("durakv: exported")
    ]


def test_an_import_stops_where_a_command_is_refused_and_keeps_what_precedes_it(tmp_path: Path) -> None:
    stream = b"".join(
        (
            encode_command([b"SET", b"a", b"1"]),
            encode_batch([[b"SET", b"b", b"2"], [b"NOSUCH", b"list", b"x"]]),
            encode_command([b"SET", b"c", b"3"]),
        )
    )
    told = failed(4, "import", tmp_path, stdin=stream)
    assert "NOSUCH" in told
    assert f"before byte {len(stream) - len(encode_command([b'SET', b'c', b'3']))}" in told
    with durakv.open(tmp_path) as db:
        assert db.keys() == [b"a"], "nothing of the group that was refused"


def test_an_import_takes_what_precedes_damage(tmp_path: Path) -> None:
    whole = b"".join(encode_command([b"SET", b"%d" % number, b"x"]) for number in range(1000))
    told = failed(3, "import", tmp_path, stdin=whole[:-1])
    assert "standard input at byte" in told
    with durakv.open(tmp_path) as db:
        assert db.dbsize() == 999


def test_a_segment_of_ours_is_imported_and_its_padding_passed_over(place: Path, tmp_path: Path) -> None:
    data = segment(place).read_bytes()
    assert answer("import", tmp_path / "copy", stdin=data + bytes(1 << 20))["keys"] in (21, 22)
    spoilt = bytearray(data)
    spoilt[data.index(b"key 5")] ^= 1
    assert "checksum" in failed(3, "import", tmp_path / "other", stdin=bytes(spoilt))


# --- the stream of an import ------------------------------------------------------------------------------------------


def groups(data: bytes, chunk: int) -> list[list[list[bytes]]]:
    class Slow(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(chunk)

    return [[[*command] for command in group.commands] for group in CommandStream(Slow(data), "stream")]


def frames(place: Path) -> bytes:
    return segment(place).read_bytes()


def test_a_stream_reads_the_same_in_pieces_of_any_size(place: Path) -> None:
    one, two = [b"SET", b"a", b"1"], [b"SET", b"b", b"#x\r\n"]
    plain = encode_command(one) + b"#TS:1700000000\r\n" + encode_batch([one, two]) + encode_command(two)
    mixed = frames(place) + plain + b"# a comment\n" + frames(place) + bytes(50)
    for data in (plain, frames(place), mixed, b"", b"#TS:1\r\n", bytes(10)):
        whole = groups(data, 1 << 20)
        assert all(groups(data, chunk) == whole for chunk in (1, 2, 3, 7, 64, 100, 101))
    assert groups(plain, 5) == [[one], [one, two], [two]]
    assert groups(b"#TS:1700000000\r\n" * 5000 + plain, 1 << 20) == groups(plain, 5)
    assert groups(mixed, 9) == groups(frames(place), 9) + groups(plain, 9) + groups(frames(place), 9)


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"PING\r\n", Corruption),
        (b"*1\r\n$4\r\nPI", Corruption),
        (b"*1\r\n$5\r\nMULTI\r\n", Corruption),
        (b"*1\r\n$4\r\nEXEC\r\n", CommandError),
        (b"*1\r\n$7\r\nDISCARD\r\n", CommandError),
        (b"\0\0x", Corruption),
        (b"#no end", Corruption),
        (b"#DKV2 x\r\n", UnsupportedVersion),
        (b"REDIS0011", Corruption),
    ],
)
@pytest.mark.parametrize("chunk", [1, 100])
def test_a_stream_that_is_none_is_refused(data: bytes, kind: type[Exception], chunk: int) -> None:
    with pytest.raises(kind, match="stream"):
        groups(data, chunk)


def test_reading_a_stream_takes_memory_for_its_chunks_only() -> None:
    class Endless(io.RawIOBase):
        left = 200

        def read(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            return encode_command([b"SET", b"key", bytes(1 << 16)]) if self.left >= 0 else b""

    stream = CommandStream(Endless(), "stream")
    assert sum(1 for _ in stream) == 200
    assert len(stream._kept) < 1 << 17


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without permission")
def test_a_failure_of_the_system_is_told_with_its_remedy(place: Path) -> None:
    for parent in place.parents[:-1]:
        parent.chmod(0o755)
    script = f"""
import os, sys
import click, rich, durakv.cli.app, durakv.cli.rewriting, durakv.cli.verifying  # while they can be read
os.setuid(65534)
sys.argv = ["durakv", sys.argv[1], {str(place)!r}]
sys.exit(durakv.cli.main())
"""
    for command in ("rewrite", "verify"):
        done = subprocess.run([sys.executable, "-c", script, command], capture_output=True, text=True, check=False)
        assert done.returncode == 4, done.stderr
        assert "ermission denied" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
