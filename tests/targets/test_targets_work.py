"""The promise: a shipped program keeps what it acknowledged, whole, as long as nobody cuts the power.

Method: every setting that is installed is prepared, driven and checked on a plain directory; and driven in a process
that is killed with SIGKILL half-way, after which all that it acknowledged has to be there.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from durakv_fuzz.program.subject import Promise
from durakv_fuzz.targets import NAMES, find, subjects
from durakv_fuzz.targets.target import Target
from tests.targets.remembering import Remembering, here, no_process_names

COUNT = 60
KILLED_AT = 25
HELD = 50
"""A drive that is faster than the kill is held there."""
TEARS_ITS_ONLY_COPY = "truncate+write"
"""A kill within a save of this one leaves neither the old state nor the new; it is killed between two."""
ALL = subjects()
PROMISING = [target for target in ALL if target.promise is not Promise.NONE]


def named(target: Target) -> str:
    return f"{target.name}-{target.setting}"


@pytest.mark.parametrize("target", ALL, ids=named)
def test_whatever_was_acknowledged_is_found(target: Target, place: Path) -> None:
    here(target)
    target.prepare(place)
    assert not target.check(place).numbers, "a prepared store is empty"
    told = Remembering()
    count = min(COUNT, target.plan.count)
    target.drive(place, range(count), told)
    assert told.issues == told.acks == list(range(count))
    found = target.check(place)
    assert (found.refusal, found.wrong, found.needed_repair) == ("", (), False)
    assert found.numbers == frozenset(range(count))
    assert all(target.versions().values())


@pytest.mark.parametrize("target", PROMISING, ids=named)
def test_sigkill_takes_nothing_that_was_acknowledged(target: Target, place: Path) -> None:
    here(target)
    target.prepare(place)
    held = KILLED_AT if target.setting == TEARS_ITS_ONLY_COPY else HELD
    command = [sys.executable, str(Path(__file__).with_name("driven.py")), target.name, target.setting]
    acked: set[int] = set()
    issued: set[int] = set()
    with subprocess.Popen([*command, str(place), str(COUNT), str(held)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None, "asked for"
        for line in process.stdout:
            word, number = line.split()
            {"issued": issued, "acked": acked, "synced": set[int]()}[word].add(int(number))
            if word == "acked" and int(number) == KILLED_AT:
                process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert no_process_names(os.fspath(place)), "the kernel ends what the killed process had started"
    found = target.check(place)
    assert (found.refusal, found.wrong) == ("", ())
    survivors = set(range(20)) if target.setting == "snapshot" else acked  # a snapshot is all that there is of it
    assert survivors <= found.numbers <= issued


@pytest.mark.parametrize("name", ["leveldb", "rocksdb"])
def test_a_store_that_is_not_prepared_is_made_by_the_drive(name: str, place: Path) -> None:
    target = here(find(name, "sync+creation"))
    assert not target.plan.prepared
    target.drive(place, range(5), Remembering())
    assert target.check(place).numbers == frozenset(range(5))


def test_a_setting_that_lets_the_last_commit_roll_back_says_so_of_no_other(place: Path) -> None:
    target = find("sqlite", "delete+full")
    told = Remembering()
    target.drive(place, range(4), told)
    assert (told.acks, told.syncs) == ([0, 1, 2, 3], [0, 1, 2])


@pytest.mark.parametrize("name", ["redis", "valkey", "valkey-8"])
def test_a_log_is_rewritten_while_writes_go_on(name: str, place: Path) -> None:
    target = here(find(name, "always+rewrite"))
    target.drive(place, range(30), Remembering())
    files = {path.name for path in (place / "appendonlydir").iterdir()}
    assert "appendonly.aof.3.incr.aof" in files, "each of two rewrites begins another log"
    assert "appendonly.aof.3.base.rdb" in files


def test_a_server_leaves_no_place_of_its_socket_behind_and_removes_those_of_the_dead(place: Path) -> None:
    target = here(find("redis", "always"))
    with subprocess.Popen(["true"]) as dead:
        pass
    stale = Path(tempfile.mkdtemp(prefix=f"durakv-socket-{dead.pid}-"))
    (stale / "s").touch()
    target.prepare(place)
    assert not stale.exists()
    assert not list(stale.parent.glob(f"durakv-socket-{os.getpid()}-*"))
    assert not list(place.glob("**/s")), "the socket is not on the recorded disk"


def test_durakv_is_rewritten_and_rotated_while_writes_go_on(place: Path) -> None:
    target = find("durakv", "always")
    target.drive(place, range(COUNT), Remembering())
    names = sorted(path.name for path in (place / "appendonlydir").iterdir())
    assert any(".base." in name for name in names), f"no base was made: {names}"
    assert not any(".1.incr." in name for name in names), f"the first segment was not merged: {names}"


def test_programs_are_found_by_name_and_setting() -> None:
    assert {target.name for target in ALL} == set(NAMES)
    assert len({named(target) for target in ALL}) == len(ALL), "a setting names one subject"
    for target in ALL:
        assert find(target.name, target.setting).documented == target.documented
    with pytest.raises(LookupError, match="no such program; there are durakv, redis"):
        subjects("oracle")
    with pytest.raises(LookupError, match=r"it has delete\+off"):
        find("sqlite", "fast")


def test_what_is_promised_is_quoted_with_its_place_or_said_in_other_words() -> None:
    for target in ALL:
        quoted = '"' in target.documented or "in other words: " in target.documented or "C" in target.documented[:2]
        assert quoted, named(target)
        assert "(" in target.documented or target.documented.startswith("in other words"), named(target)
        assert (target.window_seconds > 0) or target.promise is not Promise.WINDOW, named(target)
