"""The promise: one command lets the system calls of any program fail, and tells at which call what was lost.

Method: run it on a way of saving that keeps everything, on one that is killed between two calls, and on commands; one
of these goes on after errors.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from durakv.cli.app import app
from durakv_fuzz.injector import missing
from durakv_fuzz.program.scratch import scratch

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"system calls cannot be stopped: {missing()}")

DRIVER = """\
import os, sys
directory, count, care = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "cares"
log = os.open(directory + "/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
for number in range(count):
    print("issued", number, flush=True)
    try:
        if os.write(log, b"%d\\n" % number) < len(b"%d\\n" % number) and care:
            sys.exit("a short write")
        os.fsync(log)
    except OSError as error:
        if care:
            sys.exit(str(error))
    print("acked", number, flush=True)
"""
CHECKER = """\
import pathlib, sys
*lines, _ = pathlib.Path(sys.argv[1], "log").read_text().split("\\n")
for line in lines:
    print("found", line)
"""


def faults(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fuzz", "faults", *map(str, arguments)])


@pytest.fixture
def commands(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "driver.py").write_text(DRIVER)
    (tmp_path / "checker.py").write_text(CHECKER)
    return str(tmp_path / "driver.py"), f"{sys.executable} {tmp_path / 'checker.py'} {{dir}}"


def test_what_keeps_its_promise_passes_every_fault() -> None:
    ran = faults("--target", "file", "--policy", "fsync+rename+dirsync", "--points", 3, "--count", 3, "--json")
    assert ran.exit_code == 0, ran.output
    (seen,) = json.loads(ran.output)["seen"]
    assert [kind["kind"] for kind in seen["kinds"]] == ["kill", "kill-after", "eio", "enospc", "eintr", "short", "slow"]
    assert {kind["points"] for kind in seen["kinds"]} == {3}
    assert [sum(kind["verdicts"].values()) + kind["unfired"] for kind in seen["kinds"]] == [3] * 7
    assert not seen["findings"]
    assert seen["calls"] == 5 * 3


def test_a_kill_between_two_calls_is_told_with_the_call_and_its_place_in_the_program(tmp_path: Path) -> None:
    ran = faults(
        "--target", "file", "--policy", "truncate+write", "--fault", "kill-after", "--calls", "openat,open",
        "--count", 3, "--output", tmp_path / "out",
    )  # fmt: skip
    assert ran.exit_code == 1, ran.output
    assert "kill-after at 3 of 3 calls: 3 NO_START" in ran.output
    assert "after SIGKILL after open/openat 1" in ran.output
    assert "openat state.json" in ran.output
    assert "Neither SIGKILL nor an error takes anything out of the page cache" in ran.output
    (seen,) = json.loads((tmp_path / "out" / "faults.json").read_text())["seen"]
    first, *_ = seen["findings"]
    assert (first["verdict"], first["name"], first["role"]) == ("NO_START", "openat", "state.json")
    assert first["stack"][0].startswith("libc"), first["stack"]


def test_a_command_that_goes_on_after_errors_is_convicted_and_the_same_that_stops_is_not(
    commands: tuple[str, str],
) -> None:
    driver, checker = commands
    arguments = "--check", checker, "--count", 3, "--fault", "enospc", "--fault", "kill", "--calls", "write", "--json"
    for how, code, verdicts in (("careless", 1, {"LOST_ACKED": 3}), ("cares", 0, {"KEPT": 3})):
        ran = faults(*arguments, "--", sys.executable, driver, "{dir}", "{count}", how)
        assert ran.exit_code == code, ran.output
        (seen,) = json.loads(ran.output)["seen"]
        assert [kind["verdicts"] for kind in seen["kinds"]] == [verdicts, {"KEPT": 3}], ran.output


def test_where_syncs_are_promised_a_loss_of_the_rest_is_counted_and_breaks_nothing(commands: tuple[str, str]) -> None:
    driver, checker = commands
    arguments = "--check", checker, "--count", 3, "--fault", "enospc", "--calls", "write"
    ran = faults(*arguments, "--promise", "prefix", "--", sys.executable, driver, "{dir}", "{count}", "careless")
    assert ran.exit_code == 0, ran.output
    assert "enospc     at 3 of 3 calls: 3 LOST_UNSYNCED" in ran.output
    assert ran.output.count("LOST_UNSYNCED") == 1
    assert "every promise was kept" in ran.output


def test_where_nothing_is_promised_a_loss_is_told_and_breaks_nothing(commands: tuple[str, str]) -> None:
    driver, checker = commands
    ran = faults(
        "--check", checker, "--count", 2, "--promise", "none", "--fault", "short",
        "--", sys.executable, driver, "{dir}", "{count}", "careless",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    assert "a promise was broken" not in ran.output
    assert "every promise was kept" not in ran.output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--", "cat", "{dir}"], "without --check"),
        ([], "say which program"),
        (["--target", "file", "--policy", "append", "--calls", "frobnicate"], "not calls that can be stopped"),
        (["--target", "file", "--policy", "append", "--fault", "short", "--calls", "fsync"], "cannot happen to fsync"),
        (["--check", "echo found 0", "--", "echo", "issued 0\nacked 0"], "changed nothing in its directory"),
        (["--ready", "x", "--driver", "true", "--check", "true", "--", "true"], "before it was ready"),
        (["--ready", "x", "--driver", "true", "--check", "true", "--patience", "1s", "--", "cat", "/dev/zero"], "1 s"),
        (["--target", "file", "--policy", "nowhere"], "no setting"),
        (["--check", "true", "--", "false"], "failed without any fault: 0 of 20"),
        (
            ["--check", "true", "--", sys.executable, "-c", "print('issued 0\\nacked 0')"],
            "failed without any fault: LOST_ACKED",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(arguments: list[str], words: str) -> None:
    ran = faults(*arguments)
    assert ran.exit_code == 2, ran.output
    assert words in ran.output


def test_directories_of_dead_processes_are_removed(tmp_path: Path) -> None:
    (tmp_path / "some-999999999-x").mkdir()
    (tmp_path / "some-words").mkdir()
    with scratch("some", tmp_path) as place, scratch("some", tmp_path) as other:
        assert set(tmp_path.iterdir()) == {place, other, tmp_path / "some-words"}
    assert [path.name for path in tmp_path.iterdir()] == ["some-words"]
