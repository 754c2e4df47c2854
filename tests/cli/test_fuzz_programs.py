"""The promise: one command crashes any program; its exit code says whether a promise was broken, and what is wrong with
a command line is said in one line that names it.

Method: the commands are run on the examples and on the cheapest programs that are known, as a user would.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from durakv.cli.app import app
from durakv_fuzz.program.seen import Report
from durakv_fuzz.targets import NAMES
from tests.block.real_filesystems import needs
from tests.program.disks_here import needs_memory

EXAMPLES = Path(__file__).parents[2] / "fuzz" / "example" / "programs"
CARELESS = ("--", sys.executable, EXAMPLES / "save_json.py", "{dir}")
CAREFUL = ("--", sys.executable, EXAMPLES / "save_json_fixed.py", "{dir}")
FEW = ("--states", "60", "--model", "ordered")
PYTHON = sys.executable
SERVICE = (
    *("--ready", "ready", "--driver", f"{PYTHON} {EXAMPLES}/kv_driver.py {{port}} {{first}} {{count}}"),
    *("--check", f"{PYTHON} {EXAMPLES}/kv_check.py {{port}}"),
)

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
"""Programs are started by forks of the test's process, in which an execution in parallel has a thread of its own."""


def durakv(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fuzz", *map(str, arguments)])


@pytest.fixture
def disk() -> None:
    needs_memory()


@pytest.mark.usefixtures("disk")
def test_a_program_that_keeps_its_promise_ends_with_0_and_one_that_does_not_with_1() -> None:
    kept = durakv("program", *FEW, *CAREFUL)
    assert (kept.exit_code, kept.output.splitlines()[-1]) == (0, "every promise was kept"), kept.output
    broken = durakv("program", *FEW, *CARELESS)
    assert (broken.exit_code, broken.output.splitlines()[-1]) == (1, "a promise was broken")
    assert "CORRUPT (ordered, first life): settings.json: " in broken.output


@pytest.mark.usefixtures("disk")
def test_what_was_seen_is_written_in_three_forms_and_what_broke_is_replayed(tmp_path: Path) -> None:
    broken = durakv("program", *FEW, "--output", tmp_path, *CARELESS)
    assert broken.exit_code == 1
    assert f"report: {tmp_path}/programs.html" in broken.output
    (seen,) = Report.load(tmp_path / "programs.json").seen
    assert seen.program == "save_json.py"
    assert "<html" in (tmp_path / "programs.html").read_text(encoding="utf-8")
    suite = ElementTree.parse(tmp_path / "programs.xml").getroot()
    assert (suite.get("failures"), suite.get("tests")) == ("1", "1")

    artefacts = sorted(tmp_path.glob("*.crash.zip"))
    assert {finding.artefact for finding in seen.findings} == {path.name for path in artefacts}
    for path in artefacts:
        assert f"durakv fuzz replay {path}" in broken.output
        again = durakv("replay", path)
        assert again.exit_code == 1, again.output
        assert again.output.startswith("save_json.py (ordered): ")
    path = artefacts[0]
    path.write_bytes(path.read_bytes()[:-30])
    assert durakv("replay", path).exit_code == 2


@pytest.mark.usefixtures("disk")
def test_json_is_one_document_and_nothing_else_is_on_the_standard_output() -> None:
    done = subprocess.run(
        [PYTHON, "-m", "durakv.cli", "fuzz", "program", *FEW, "--json", *map(str, CARELESS)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    told = json.loads(done.stdout)
    assert told["seen"][0]["program"] == "save_json.py"
    assert {finding["tier"] for finding in told["seen"][0]["findings"]} == {"ordered"}
    assert not done.stderr


@pytest.mark.usefixtures("disk")
def test_a_service_with_its_driver_and_its_checker_is_crashed() -> None:
    done = durakv("program", "--states", 12, "--count", 5, *SERVICE, "--", PYTHON, EXAMPLES / "kv_service.py", *_WHERE)
    assert done.exit_code == 0, done.output
    assert "12 distinct crash states" in done.output


_WHERE = ("{dir}", "{port}")


@pytest.mark.usefixtures("disk")
def test_a_known_program_is_crashed_with_one_setting_or_all() -> None:
    one = durakv("program", "--target", "file", "--policy", "fsync+rename+dirsync", "--prepared", *FEW)
    assert one.exit_code == 0, one.output
    assert one.output.count("promised:") == 1
    fewer = durakv("program", "--target", "file", "--prepared", "--states", 5, "--model", "killed")
    assert fewer.output.count("promised:") == 6, fewer.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say which program"),
        (("--budget", "5x", *CAREFUL), "'5x' is no time: write 60s, 5m or 2h"),
        (("--budget", "0", *CAREFUL), "'0' is no time"),
        (("--disk", "memory,ntfs", *CAREFUL), "'ntfs' is no disk; there are memory, ext4, xfs, btrfs"),
        (("--model", "gentle", *CAREFUL), "'gentle'"),
        (("--states", "0", *CAREFUL), "--states"),
        (("--no-such-option",), "--no-such-option"),
        (("--target", "nothing"), "'nothing': no such program; there are durakv, redis"),
        (("--target", "sqlite", "--policy", "wal"), "sqlite has no setting 'wal'; it has delete+off"),
        (("--target", "sqlite", "--check", "x"), "leave out COMMAND, --ready, --driver, --check"),
        (("--target", "sqlite", "--promise", "none"), "leave out COMMAND, --ready, --driver, --check, --promise"),
        (("--policy", "full", *CAREFUL), "--policy is about a --target"),
        (("--driver", "x", "--", "y"), "without --check nobody says what is there"),
        (("--driver", "x", "--check", "z", "--", "y"), "a service needs both --ready and --driver"),
        (("--ready", "(", "--driver", "x", "--check", "z", "--", "y"), "--ready is no regular expression"),
        (("--promise", "window", "--check", "z", "--", "y"), "--promise window needs --window TIME"),
        (("--window", "1s", "--check", "z", "--", "y"), "no other promise has one"),
        (("--promise", "prefix", *CAREFUL), "--promise is about programs with a --check"),
        (("--count", "5", *CAREFUL), "--count, --fresh and --prepared are about programs with a --check"),
        (("--fresh", *CAREFUL), "--count, --fresh and --prepared are about programs with a --check"),
        (("--disk", "ext4", *CAREFUL), "--disk memory,ext4"),
        (("--", "save"), "put {dir} into it"),
    ],
)
def test_a_wrong_command_line_is_refused_with_its_name(arguments: tuple[object, ...], says: str) -> None:
    refused = durakv("program", *arguments)
    assert refused.exit_code == 2
    assert says in " ".join(refused.output.split())


@pytest.mark.usefixtures("disk")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--", "no-such-command", "{dir}"), "nothing was run: no-such-command: there is no such command"),
        (("--", "true", "{dir}"), "true changed nothing on its disk"),
        (("--", "false", "{dir}"), "false failed before any crash: CommandFailed: false ended with status 1"),
        (("--check", "true", "--", "true"), "told of no number; first comes 'issued 0'"),
        (("--check", "true", "--", "echo", "acked 0"), "0 was not issued yet"),
        (("--check", "false", "--", "echo", "issued 0"), "before any crash: the checker ended with status 1"),
    ],
)
def test_a_program_that_cannot_be_tried_is_told_in_one_line(arguments: tuple[object, ...], says: str) -> None:
    refused = (
        durakv("program", "--states", 5, "--count", 1, *arguments)
        if "--check" in arguments
        else durakv("program", "--states", 5, *arguments)
    )
    assert refused.exit_code == 2, refused.output
    assert refused.output.startswith("durakv: ")
    assert says in refused.output
    assert refused.output.count("\n") == 1


def test_targets_are_listed_with_what_is_promised_and_what_is_missing() -> None:
    listed = durakv("targets")
    assert listed.exit_code == 0
    lines = listed.output.splitlines()
    assert {line.split()[0] for line in lines} == set(NAMES)
    assert [line.split()[:3] for line in lines if line.startswith("sqlite ") and "wal+full" in line] == [
        ["sqlite", "wal+full", "always"]
    ]


@pytest.mark.usefixtures("disk")
def test_a_survey_is_written_and_goes_on(tmp_path: Path) -> None:
    page = tmp_path / "survey.md"
    arguments = ("survey", "dbm", "--budget", "0.3s", "--disk", "memory", "--output", tmp_path, "--write", page)
    first = durakv(*arguments)
    assert first.exit_code == 0, first.output
    assert first.output.splitlines()[0].startswith("dbm dumb (promised: none): ")
    assert first.output.splitlines()[-1] == f"report: {tmp_path}/programs.html"
    assert "dbm" in page.read_text(encoding="utf-8")
    again = durakv(*arguments)
    assert again.output == first.output, "nothing was tried again"

    (tmp_path / "programs.json").write_text("no report")
    refused = durakv(*arguments)
    assert refused.exit_code == 2
    assert f"{tmp_path}/programs.json: " in refused.output
    assert durakv("survey", "nothing", "--output", tmp_path).exit_code == 2


@pytest.mark.usefixtures("disk")
def test_a_real_disk_is_tried_beside_the_one_in_memory(tmp_path: Path) -> None:
    needs("ext4")
    arguments = ("--disk", "memory,ext4", "--states", 20, "--model", "ordered", "--prepared", "--output", tmp_path)
    done = durakv("program", "--target", "file", "--policy", "fsync+rename", *arguments)
    assert done.exit_code == 1, done.output
    assert "LOST_ACKED (ext4, first life)" in done.output
    artefact = next(tmp_path.glob("*lost_acked-ext4-first.crash.zip"))
    assert durakv("replay", artefact).exit_code == 1


@pytest.mark.usefixtures("disk")
def test_a_disk_that_cannot_be_had_is_skipped_with_the_reason(tmp_path: Path) -> None:
    """For root, loop devices are hidden; whoever is not root has no real file systems anyway."""
    hidden: list[str] = []
    if os.geteuid() == 0:
        if not shutil.which("unshare") or not Path("/dev/loop-control").exists():
            pytest.skip("loop devices cannot be hidden here")
        hidden = ["unshare", "-m", "sh", "-c", 'mount --bind /dev/null /dev/loop-control && exec "$@"', "sh"]
    done = subprocess.run(
        [
            *(*hidden, PYTHON, "-m", "durakv.cli", "fuzz", "program", "--target", "file"),
            *("--policy", "fsync+rename+dirsync", "--prepared"),
            *("--states", "5", "--disk", "memory,ext4", "--output", str(tmp_path)),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    suite = ElementTree.parse(tmp_path / "programs.xml").getroot()
    assert suite.get("skipped") == "1"
    (skipped,) = suite.iter("skipped")
    reason = skipped.get("message")
    assert reason
    assert f"durakv: ext4: skipped, {reason}" in done.stderr.splitlines()
    assert f"ext4     skipped: {reason}" in done.stdout
