"""The promise: real processes are killed at moments of every sort, what they acknowledged is looked for, and a driver
that cannot be believed is named.

Method: a driver that takes orders in the right way and in wrong ones, killed for real on real files.
"""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from durakv_fuzz.service import BadDriver, Facts, Killed, Violation, kill, say
from durakv_fuzz.service.saying import understand
from tests.service.crash_orders import DRIVER, check
from tests.service.driver import ORDERS

ROOT = Path(__file__).parents[2]
SEED = 4
"""Its first lives are killed after 6 lines, after 7, at the start, and after 2: of each sort one."""


def killed(how: str, directory: Path, *, points: int = 10) -> Killed:
    return kill([*DRIVER, how], check, points=points, seed=SEED, directory=directory)


def test_a_right_driver_is_killed_and_loses_nothing(tmp_path: Path) -> None:
    outcome = killed("right", tmp_path, points=10)
    assert outcome.points == outcome.kills == 10
    assert outcome.facts > 0
    assert 0 < outcome.silent < 10, "some are killed at once, and some are not"
    assert not list(tmp_path.iterdir()), "what nobody needs is removed"
    assert "10 of 10 lives killed with SIGKILL (seed 4)" in "\n".join(outcome.lines())


def test_a_driver_that_acknowledges_first_is_found_and_its_files_are_kept(tmp_path: Path) -> None:
    with pytest.raises(Violation, match="AssertionError: lost") as raised:
        killed("acks first", tmp_path, points=200)
    named = re.search(r"found in life \d+ of seed 4; the files are in (\S+)", str(raised.value))
    assert named is not None
    assert (Path(named[1]) / "appendonlydir").is_dir()
    assert re.search(r"it was killed [0-9.]+ ms after (the start|\d+ lines)", str(raised.value))
    with pytest.raises(BadDriver, match="is left from an earlier campaign: remove it"):
        killed("right", tmp_path)


def test_facts_of_all_lives_of_a_directory_count(tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []

    def look(directory: Path, facts: Facts) -> None:
        check(directory, facts)
        seen.append((directory.name, len(facts.acked)))

    outcome = kill([*DRIVER, "ends"], look, points=4, seed=SEED, directory=tmp_path)
    assert outcome.kills < outcome.points == 4, "who ends by himself has lived too"
    grown = [now >= before for (home, before), (same, now) in pairwise(seen) if home == same]
    assert grown
    assert all(grown)
    assert max(count for _, count in seen) > ORDERS, "more than one life tells"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("breaks", "ended with status 1: RuntimeError: no more paper"),
        ("talks", "line 3 of the driver is no fact: it is not JSON.*hello"),
    ],
)
def test_a_driver_that_cannot_be_believed_is_named(how: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(BadDriver, match=reason):
        killed(how, tmp_path)


def test_a_driver_that_hangs_or_does_not_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadDriver, match="said nothing for 2 s"):
        kill([*DRIVER, "hangs"], check, directory=tmp_path / "one", patience_seconds=2.0)
    with pytest.raises(BadDriver, match="no-such-program cannot be started"):
        kill(["no-such-program"], check, directory=tmp_path / "two")


def test_what_is_said_is_understood_and_lists_are_tuples(capfd: pytest.CaptureFixture[str]) -> None:
    facts: list[object] = ["ä\n", 7, 1.5, None, True, ("order", (1, "x"))]
    for fact in facts:
        say(began=fact)
        say(acked=fact)
    lines = capfd.readouterr().out.encode().splitlines()
    assert [understand(line) for line in lines] == [(word, fact) for fact in facts for word in ("began", "acked")]


def test_what_is_no_fact_is_refused_on_either_side() -> None:
    for fact in ({"a": 1}, b"bytes", ("nested", [object()])):
        with pytest.raises(TypeError, match="a fact is made of strings, numbers"):
            say(began=fact)
    with pytest.raises(TypeError, match="say"):
        say()
    for line in (b"", b"[1]", b'{"began": 1, "acked": 1}', b'{"heard": 1}', b'{"began": {"a": 1}}', b'{"began": 1'):
        with pytest.raises(ValueError):
            understand(line)


def test_half_a_line_is_no_fact(tmp_path: Path) -> None:
    code = """import os, time; os.write(1, b'{"acked": "whole"}\\n' * 100 + b'{"acked": "half"}'); time.sleep(60)"""
    told: list[Facts] = []
    kill([sys.executable, "-c", code], lambda _, facts: told.append(facts), points=5, directory=tmp_path)
    assert {fact for facts in told for fact in facts.acked} == {"whole"}


def test_both_campaigns_are_one_command() -> None:
    command = [sys.executable, "-m", "tests.service.crash_orders", "--cuts", "150", "--kills", "2", "--seed", "4"]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=100)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "150 distinct crash states" in ran.stdout
    assert "of 2 lives killed with SIGKILL (seed 4)" in ran.stdout
