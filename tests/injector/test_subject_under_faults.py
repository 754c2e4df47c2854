"""The promise: a store that keeps what it acknowledged passes a sweep, and one that does not is convicted, by its own
words alone.

Method: SQLite, and stores broken on purpose (one acknowledges before it writes, one forgets errors, one cannot start
after a kill, one hangs), driven in forked processes with a fault at each of their calls.
"""

from __future__ import annotations

import errno
import os
import signal
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from durakv_fuzz.injector import SYNCS, CannotInject, Fail, Fault, Kill, Short, missing
from durakv_fuzz.program.fault_kinds import KINDS
from durakv_fuzz.program.fault_sweep import sweep_subject
from durakv_fuzz.program.faults_seen import try_faults
from durakv_fuzz.program.subject import Found, Plan, Promise, Teller, value_of

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"system calls cannot be stopped: {missing()}")

PLAN = Plan(count=5)


class Sqlite:
    """The real one."""

    name = "sqlite"
    setting = "delete+full"
    promise = Promise.ALWAYS
    documented = ""
    window_seconds = 0.0

    def missing(self) -> str:
        return ""

    def versions(self) -> Mapping[str, str]:
        return {"sqlite": sqlite3.sqlite_version}

    def prepare(self, directory: Path) -> None:
        with closing(sqlite3.connect(directory / "db")) as db:
            db.execute("CREATE TABLE kept (number INTEGER PRIMARY KEY, value BLOB)")

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        with closing(sqlite3.connect(directory / "db", isolation_level=None)) as db:
            for number in numbers:
                teller.issued(number)
                db.execute("INSERT INTO kept VALUES (?, ?)", (number, value_of(number)))
                teller.acked(number)

    def check(self, directory: Path) -> Found:
        try:
            with closing(sqlite3.connect(directory / "db")) as db:
                rows = list(db.execute("SELECT number, value FROM kept"))
        except sqlite3.DatabaseError as failure:
            return Found(refusal=str(failure))
        return Found(frozenset(number for number, value in rows if value == value_of(number)))


class Lines(Sqlite):
    """A log of lines, with a fault of its own."""

    name = "lines"

    def __init__(self, setting: str = "", promise: Promise = Promise.ALWAYS) -> None:
        self.setting = setting
        self.promise = promise

    def prepare(self, directory: Path) -> None:
        (directory / "log").touch()

    def drive(self, directory: Path, numbers: range, teller: Teller) -> None:
        log = os.open(directory / "log", os.O_WRONLY | os.O_APPEND)
        for number in numbers:
            teller.issued(number)
            if self.setting in ("acknowledges first", "syncs first"):
                teller.acked(number)
            if self.setting == "syncs first":
                teller.synced(number)
            line = value_of(number).hex().encode() + b"\n"
            try:
                if os.write(log, line) != len(line) and self.setting != "forgets errors":
                    return
                os.fsync(log)
            except OSError:
                if self.setting != "forgets errors":
                    raise
            if self.setting == "hangs":
                time.sleep(60)
            if self.setting not in ("acknowledges first", "syncs first"):
                teller.acked(number)

    def check(self, directory: Path) -> Found:
        *lines, _ = (directory / "log").read_bytes().split(b"\n")
        if self.setting == "starts if whole" and len(lines) < PLAN.count:
            return Found(refusal="there are lines missing")
        if self.setting == "never answers":
            time.sleep(60)
        if self.setting == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        known = {value_of(number).hex().encode(): number for number in range(PLAN.count)}
        wrong = tuple(line.decode() for line in lines if line not in known)
        return Found(frozenset(known[line] for line in lines if line in known), wrong)


def at_each_sync(number: int) -> Fault:
    return Fail(errno.EIO, at=number, calls=SYNCS)


def at_each_write(number: int) -> Fault:
    return Fail(errno.ENOSPC, at=number, calls=frozenset({"write", "pwrite64"}))


def test_sqlite_keeps_what_it_acknowledged_wherever_it_is_killed(tmp_path: Path) -> None:
    outcome = sweep_subject(Sqlite(), Kill, scratch=tmp_path, plan=PLAN, points_max=20)
    assert not outcome.convicted, outcome.summary()
    assert not outcome.unfired, outcome.summary()
    assert len(outcome.points) == 21
    assert {call.role for call in outcome.calls} >= {"fdatasync db", "unlink db-journal"}


@pytest.mark.parametrize("fault", [at_each_sync, at_each_write])
def test_sqlite_acknowledges_nothing_that_an_error_took(tmp_path: Path, fault: Callable[[int], Fault]) -> None:
    outcome = sweep_subject(Sqlite(), fault, scratch=tmp_path, plan=PLAN, points_max=8)
    assert not outcome.convicted, outcome.summary()
    assert not outcome.unfired, outcome.summary()


def test_who_acknowledges_before_writing_is_convicted_at_each_write(tmp_path: Path) -> None:
    outcome = sweep_subject(Lines("acknowledges first"), Kill, scratch=tmp_path, plan=PLAN)
    convicted = [point.call.name for point in outcome.convicted if point.call]
    assert convicted == ["write"] * PLAN.count, outcome.summary()
    assert outcome.convicted[-1].verdict == "LOST_ACKED: 1 of 5 acknowledged are gone: 4"
    assert "SIGKILL at call" in outcome.summary()


def test_who_forgets_errors_is_convicted_by_them_and_not_by_kills(tmp_path: Path) -> None:
    subject = Lines("forgets errors")
    assert not sweep_subject(subject, Kill, scratch=tmp_path, plan=PLAN).convicted
    outcome = sweep_subject(subject, at_each_write, scratch=tmp_path, plan=PLAN)
    assert len(outcome.convicted) == PLAN.count, outcome.summary()
    cut = sweep_subject(subject, lambda number: Short(5, at=number), scratch=tmp_path, plan=PLAN)
    assert {point.verdict.partition(":")[0] for point in cut.convicted} == {"CORRUPT", "LOST_ACKED"}, cut.summary()


def test_the_same_store_without_the_fault_passes_all_of_it(tmp_path: Path) -> None:
    faults: tuple[Callable[[int], Fault], ...] = (Kill, at_each_sync, at_each_write)
    for fault in faults:
        outcome = sweep_subject(Lines(), fault, scratch=tmp_path, plan=PLAN)
        assert not outcome.convicted, outcome.summary()
        assert not outcome.unfired, outcome.summary()


def test_where_nothing_is_promised_a_loss_breaks_nothing(tmp_path: Path) -> None:
    subject = Lines("acknowledges first", Promise.NONE)
    assert not sweep_subject(subject, Kill, scratch=tmp_path, plan=PLAN).convicted


@pytest.mark.parametrize(
    ("setting", "promise", "count"),
    [("forgets errors", Promise.ALWAYS, 5), ("forgets errors", Promise.WINDOW, 0), ("", Promise.ALWAYS, 0)],
)
def test_who_acknowledges_after_a_failed_sync_is_told_of_it_though_nothing_is_lost(
    setting: str, promise: Promise, count: int
) -> None:
    kind = KINDS["eio"].among(frozenset({"fsync"}))
    assert kind is not None
    seen = try_faults(Lines(setting, promise), [kind], PLAN, points_max=None, seconds=20.0)
    assert not seen.is_broken
    assert seen.kinds[0].verdicts == {"KEPT": 5}
    assert len(seen.kinds[0].unheeded) == count
    assert all(words.endswith("fsync(log)") for words in seen.kinds[0].unheeded)


@pytest.mark.parametrize("promise", [Promise.PREFIX, Promise.SYNCED])
def test_where_syncs_are_promised_a_loss_of_the_rest_is_told_by_another_name(tmp_path: Path, promise: Promise) -> None:
    for setting, verdict in (("acknowledges first", "LOST_UNSYNCED"), ("syncs first", "LOST_ACKED")):
        outcome = sweep_subject(Lines(setting, promise), Kill, scratch=tmp_path, plan=PLAN)
        assert {point.verdict.partition(":")[0] for point in outcome.convicted} == {verdict}, outcome.summary()


def test_a_store_that_does_not_start_or_does_not_answer_is_told_from_one_that_lost(tmp_path: Path) -> None:
    outcome = sweep_subject(Lines("starts if whole"), Kill, scratch=tmp_path, plan=PLAN, points_max=3)
    assert outcome.convicted[0].verdict == "NO_START: there are lines missing"
    hanging = sweep_subject(Lines("never answers"), Kill, scratch=tmp_path, plan=PLAN, points_max=1, seconds=0.1)
    assert {point.verdict.partition(":")[0] for point in hanging.points} == {"HANG"}


def test_a_driver_that_hangs_is_killed_and_the_run_without_a_fault_is_called_broken(tmp_path: Path) -> None:
    outcome = sweep_subject(Lines("hangs"), Kill, scratch=tmp_path, plan=PLAN, points_max=1, seconds=0.3)
    assert outcome.points[0].verdict.startswith("BROKEN without a fault: 0 of 5"), outcome.summary()


def test_a_check_that_dies_is_an_error_of_the_subject_and_is_told(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="-9"):
        sweep_subject(Lines("is killed"), Kill, scratch=tmp_path, plan=PLAN)


def test_a_sweep_without_a_call_to_meet_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CannotInject, match=r"SIGKILL at fallocate 1: no such call among the \d+"):
        sweep_subject(Lines(), lambda number: Kill(number, frozenset({"fallocate"})), scratch=tmp_path, plan=PLAN)
