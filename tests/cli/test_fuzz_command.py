"""The promise: a campaign is one command that can go on later; what it finds is a small file that repeats it anywhere.

Method: run the commands as a user would, on the real engine and on one broken on purpose; failures are replayed in a
process of their own.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from durakv.cli.app import app
from durakv_fuzz.failure_file import FailureFile
from durakv_fuzz.trace_file import read_trace
from durakv_fuzz.workers import Campaign

MUTANT = "no fsync before ack"


def durakv(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["fuzz", *map(str, arguments)])


def changed(text: str, change: Callable[[dict[str, Any]], object]) -> str:
    words = json.loads(text)
    change(words["case"])
    return json.dumps(words)


@pytest.fixture(scope="module")
def failure(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("campaign")
    ran = durakv("run", "--mutant", MUTANT, "--states", 5_000, "--workers", 1, "--output", directory)
    assert ran.exit_code == 1, ran.output
    assert "LOST_ACKED" in ran.output
    path, *others = sorted(directory.glob("failure-*.json"))
    for other in others:
        other.unlink()  # parts that were under way found theirs, too
    return path


def test_a_campaign_on_the_real_engine_finds_nothing_and_can_go_on(tmp_path: Path) -> None:
    first = durakv("run", "--states", 800, "--workers", 2, "--seed", 5, "--output", tmp_path, "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.output)
    assert told["states"] >= 800
    assert not told["failures"]

    more = durakv("run", "--resume", tmp_path, "--states", told["states"] + 1, "--json")
    assert more.exit_code == 0, more.output
    again = json.loads(more.output)
    assert again["states"] > told["states"]
    assert again["runs"] > told["runs"]
    assert all(run % 1_000_000 >= 10 for run in Campaign.load(tmp_path).next_runs), "a worker did nothing"


def test_a_failure_is_repeated_exactly_by_another_process(failure: Path) -> None:
    commands = [[sys.executable, "-m", "durakv.cli", "fuzz", "replay", str(failure)]] * 2
    told = [subprocess.run(command, capture_output=True, text=True, check=False, timeout=60) for command in commands]
    assert [done.returncode for done in told] == [1, 1], told[0].stderr
    assert told[0].stdout == told[1].stdout
    recorded = FailureFile.load(failure.read_text())
    assert told[0].stdout.startswith(f"{recorded.verdict}: {recorded.reason}\n")


def test_a_failure_of_a_broken_engine_is_none_of_the_real_one(failure: Path, tmp_path: Path) -> None:
    words = json.loads(failure.read_text()) | {"mutant": ""}
    path = tmp_path / "failure.json"
    path.write_text(json.dumps(words))
    assert durakv("replay", path).exit_code == 0
    kept = durakv("regressions", tmp_path)
    assert (kept.exit_code, kept.output.splitlines()[-1]) == (0, "1 failures replayed, 0 broken")


def test_a_regression_that_came_back_is_told(failure: Path) -> None:
    broken = durakv("regressions", failure.parent)
    assert broken.exit_code == 1
    assert f"{failure.name}: LOST_ACKED" in broken.output


def test_shrinking_keeps_the_verdict_and_makes_nothing_longer(failure: Path, tmp_path: Path) -> None:
    before = FailureFile.load(failure.read_text())
    target = tmp_path / "smaller.json"
    shrunk = durakv("shrink", failure, "--attempts", 20, "--output", target)
    assert shrunk.exit_code == 0, shrunk.output
    after = FailureFile.load(target.read_text())
    assert after.verdict is before.verdict
    assert sum(len(life.script) for life in after.case.lives) <= sum(len(life.script) for life in before.case.lives)


def test_teeth_say_what_was_found_and_in_how_many_states() -> None:
    found = durakv("teeth", MUTANT, "--seconds", 20)
    assert found.exit_code == 0, found.output
    assert "| LOST_ACKED |" in found.output
    assert found.output.splitlines()[-1].startswith("1 of 1 breaks were found")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: "no JSON", "not JSON"),
        (lambda text: text[:-40], "not JSON"),
        (lambda text: "[1]", "no object"),
        (lambda text: "{}", "format's name is missing"),
        (lambda text: text.replace('"version": 1', '"version": 2'), "version 2"),
        (lambda text: text.replace(MUTANT, "a mutant of tomorrow"), "a mutant of tomorrow"),
        (lambda text: text.replace('"lives"', '"deaths"'), "damaged"),
        (lambda text: "[" * 200_000, "not JSON"),
        (lambda text: text.replace('"version": 1', '"version": true'), "version True"),
        (lambda text: text.replace(f'"{MUTANT}"', f'["{MUTANT}"]'), "damaged"),
        (lambda text: changed(text, lambda case: case.update(lives=[])), "no lives"),
        (lambda text: changed(text, lambda case: case["lives"][0]["script"][0].append("x")), "a number"),
        (lambda text: changed(text, lambda case: case["lives"][0]["crash"].append(0.5)), "a number"),
        (lambda text: changed(text, lambda case: case["lives"][0]["crash"].__setitem__(0, -1)), "before its beginning"),
    ],
    ids=[
        "no JSON",
        "cut",
        "no object",
        "no format",
        "newer",
        "unknown mutant",
        "damaged",
        "too deep",
        "version true",
        "mutants",
        "no lives",
        "word for a number",
        "half an answer",
        "crash before the beginning",
    ],
)
def test_a_file_that_is_no_failure_is_refused_by_name(
    failure: Path, tmp_path: Path, change: object, reason: str
) -> None:
    assert callable(change)
    path = tmp_path / "bad.json"
    path.write_text(change(failure.read_text()))
    before = path.read_bytes()
    for command in ("replay", "shrink"):
        refused = durakv(command, path)
        assert refused.exit_code == 2
        assert str(path) in refused.output
        assert reason in refused.output
        assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_directory_without_a_campaign_cannot_go_on(tmp_path: Path) -> None:
    refused = durakv("run", "--resume", tmp_path)
    assert refused.exit_code == 2
    assert "no campaign that can go on" in refused.output
    assert not list(tmp_path.iterdir())


def test_a_campaign_that_found_something_goes_on_behind_it_with_the_same_broken_engine(
    failure: Path, tmp_path: Path
) -> None:
    directory = tmp_path / "campaign"
    shutil.copytree(failure.parent, directory)
    before = Campaign.load(directory)
    assert before.mutant == MUTANT

    went_on = durakv("run", "--resume", directory, "--states", len(before.total.distinct) + 5_000)
    assert went_on.exit_code == 1, went_on.output
    after = Campaign.load(directory)
    assert after.next_runs[0] > before.next_runs[0]
    assert after.total.runs > before.total.runs
    assert len(list(directory.glob("failure-*.json"))) == 2

    other = durakv("run", "--resume", directory, "--mutant", "ack before write", "--states", 1)
    assert other.exit_code == 2
    assert "the engine it began with" in other.output


def test_a_campaign_can_be_about_one_policy_and_one_kind_of_disk(tmp_path: Path) -> None:
    ran = durakv("run", "--states", 500, "--policy", "everysec", "--profile", "ordered", "--output", tmp_path)
    assert ran.exit_code == 0, ran.output
    judged = Campaign.load(tmp_path).total.judged
    assert {policy for policy, _ in judged} <= {"everysec", ""}
    assert {model for _, model in judged} == {"power loss, ordered", "power loss, ordered, zero tail", "decay"}

    again = durakv("run", "--resume", tmp_path, "--policy", "no")
    assert again.exit_code == 2
    assert "leave out --policy" in again.output
    more = durakv("run", "--resume", tmp_path, "--states", 1_500)
    assert more.exit_code == 0, more.output
    assert {policy for policy, _ in Campaign.load(tmp_path).total.judged} <= {"everysec", ""}


def test_a_campaign_leaves_a_report_and_a_hunt_adds_to_it(failure: Path, tmp_path: Path) -> None:
    directory = tmp_path / "campaign"
    shutil.copytree(failure.parent, directory)
    hunted = durakv("teeth", "ack before write", "--output", directory)
    assert hunted.exit_code == 0, hunted.output
    told = durakv("report", directory)
    assert told.exit_code == 0, told.output
    page, words = (directory / "report.html").read_text(), json.loads((directory / "report.json").read_text())
    assert "1 broken promise: 1 × LOST_ACKED" in page
    assert "1 of 1" in page
    assert [found["verdict"] for found in words["failures"]] == ["LOST_ACKED"]
    assert [(mutant["name"], mutant["found"]) for mutant in words["mutants"]] == [("ack before write", "LOST_ACKED")]
    assert sum(row["count"] for row in words["by_policy_and_model"]) == words["judged"]
    assert 'failures="1"' in (directory / "report.xml").read_text()
    assert durakv("regressions", directory).exit_code == 1, "the reports are no failures"


@pytest.mark.parametrize("name", ["campaign.json", "teeth.json", "failure-1-0.json"])
def test_a_report_on_a_damaged_campaign_is_refused_by_the_files_name(failure: Path, tmp_path: Path, name: str) -> None:
    directory = tmp_path / "campaign"
    shutil.copytree(failure.parent, directory)
    (directory / name).write_text("{")
    told = durakv("report", directory)
    assert told.exit_code == 2
    assert name in told.output or "holds no campaign" in told.output


def test_a_replay_can_write_down_every_call(failure: Path, tmp_path: Path) -> None:
    assert durakv("replay", failure, "--trace", tmp_path / "run.trace").exit_code == 1
    trace = read_trace(tmp_path / "run.trace")
    assert [note.kind for note in trace.notes].count("Opened") >= 1
    assert all(operation.site.startswith("durakv/") for operation in trace.operations)
