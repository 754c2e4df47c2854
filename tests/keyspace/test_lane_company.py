"""The promise: a durable write of the lane comes to an end whatever fails or interrupts it, and in any company.

Method: calls that fail for real, signals that raise, threads, tasks and segments that fill, a forked child.
"""

from __future__ import annotations

import asyncio
import errno
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

import durakv
import durakv.aio
from durakv import FsyncPolicy
from durakv.keyspace import lane as lane_module
from durakv.keyspace.database import Database
from durakv.storage.posix_file import PosixFile
from tests.keyspace.lanes import ALL, SYNCED, WRITTEN, contents, lane_of, open_at, state, windowed

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not lane_module.COMPILED, reason="the lane was not built here")

# --- a durable write that does not go well ----------------------------------------------------------------------------


def put_in_place(db: Database, path: str, flags: int) -> None:
    """Let the segment's descriptor lead elsewhere."""
    file = db.engine._commit.segment.file
    assert isinstance(file, PosixFile)
    elsewhere = os.open(path, flags)
    os.dup2(elsewhere, file._descriptor)
    os.close(elsewhere)


@pytest.mark.parametrize(
    ("path", "flags", "error"), [("/dev/full", os.O_RDWR, errno.EINVAL), ("/dev/null", os.O_RDONLY, errno.EBADF)]
)
def test_a_write_that_fails_poisons(tmp_path: Path, path: str, flags: int, error: int) -> None:
    """A full disk is healed by cutting the file back, which fails for a device: it is told with that failure."""
    db = open_at(tmp_path / "a", FsyncPolicy.ALWAYS)
    db.set(b"k", b"1")
    put_in_place(db, path, flags)
    with pytest.raises(durakv.Poisoned) as caught:
        lane_of(db).put(b"k", b"2", None)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == error
    commit = db.engine._commit
    assert (commit.writing, commit.syncing, commit.synced_seq, commit.applied_seq) == (False, False, 1, 2)
    with pytest.raises(durakv.Poisoned):
        db.set(b"k", b"3")
    with suppress(durakv.Poisoned):
        db.close()
    with open_at(tmp_path / "a", FsyncPolicy.NO) as again:
        assert again.get(b"k") == b"1"


def test_a_write_that_is_cut_short_is_made_again_and_its_failure_told(tmp_path: Path) -> None:
    db = open_at(tmp_path / "a", FsyncPolicy.ALWAYS)
    db.set(b"k", b"1")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (db.engine._commit.segment.offset + 50, limits[1]))
    try:
        with pytest.raises(durakv.Poisoned) as caught:
            lane_of(db).put(b"k", b"2", None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert isinstance(caught.value.__cause__, OSError)
    assert caught.value.__cause__.errno == errno.EFBIG
    with suppress(durakv.Poisoned):
        db.close()
    with open_at(tmp_path / "a", FsyncPolicy.NO) as again:
        assert again.get(b"k") == b"1"


def test_where_durable_writes_are_not_known_it_is_written_and_synced(tmp_path: Path) -> None:
    with open_at(tmp_path / "a", FsyncPolicy.ALWAYS) as db:
        file = db.engine._commit.segment.file
        assert isinstance(file, PosixFile)
        file._dsync = False
        assert lane_of(db).put(b"k", b"1", None) is None, "the slots are not made yet"
        db.set(b"k", b"1")
        assert lane_of(db).put(b"k", b"2", None) == 2, "it is pending"
        db.set(b"k", b"3")
        assert db.engine.synced_seq == 3


class Left(Exception):
    pass


def test_a_signal_handler_that_raises_leaves_no_write_claimed(tmp_path: Path) -> None:
    """The runner's lock is often held when the call returns, so that it has to be finished in Python."""

    def leave(_number: int, _frame: object) -> None:
        raise Left

    def hold() -> None:
        while not ending.is_set():
            with db.engine._runner.lock:
                time.sleep(0.0002)
            time.sleep(0.0002)

    db = open_at(tmp_path / "a", FsyncPolicy.ALWAYS, segment_bytes=4 << 20)
    db.set(b"k", b"makes the slots")
    commit, put = db.engine._commit, lane_of(db).put
    ending = threading.Event()
    thread = threading.Thread(target=hold)
    before = signal.signal(signal.SIGALRM, leave)
    raised = 0
    thread.start()
    try:
        until = time.monotonic() + 1.0
        while time.monotonic() < until and commit.poison is None:
            try:
                signal.setitimer(signal.ITIMER_REAL, random.uniform(0.0002, 0.002))
                while True:
                    put(b"k", b"v", None)
            except Left:
                raised += 1
            assert (commit.writing, commit.syncing) == (False, False)
    except durakv.Poisoned:
        pass  # it came in the midst of finishing, where nobody knows how far the call got
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        ending.set()
        thread.join(20)
    assert raised
    assert (commit.writing, commit.syncing) == (False, False)
    with suppress(durakv.Poisoned):
        db.close()


# --- company ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fsync", list(FsyncPolicy))
def test_many_threads_a_policy_that_changes_and_segments_that_fill(tmp_path: Path, fsync: FsyncPolicy) -> None:
    switch = sys.getswitchinterval()
    sys.setswitchinterval(0.00002)
    failures: list[BaseException] = []
    ending = threading.Event()

    def run(work: Callable[[int], object], count: int) -> None:
        try:
            for number in range(count):
                work(number)
        except BaseException as failure:  # noqa: BLE001 - a thread's failure is the test's
            failures.append(failure)

    def change(number: int) -> None:
        if not ending.wait(0.002):
            db.engine.set_fsync(list(FsyncPolicy)[number % 3])

    db = open_at(tmp_path / "a", fsync, background=True, segment_bytes=1 << 14)
    try:
        works: list[tuple[Callable[[int], object], int]] = [
            (lambda number, own=b"w%d" % own: db.set(own, b"%d" % number), 1500)  # type: ignore[misc]
            for own in range(4)
        ]
        works.append((lambda _number: db.incr(b"count"), 300))
        works.append((lambda number: db.engine.apply([(b"SET", b"one", b"%d" % number), (b"SET", b"two", b"x")]), 300))
        changer = threading.Thread(target=run, args=(change, 10_000))
        threads = [threading.Thread(target=run, args=work) for work in works]
        changer.start()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        ending.set()
        changer.join(60)
        assert not failures
        status = db.status()
        assert status.applied_seq == 4 * 1500 + 300 + 2 * 300
        assert status.rotations > 10
        held = contents(db)
    finally:
        sys.setswitchinterval(switch)
        ending.set()
        db.close()
    assert {own: db.decider.keyspace.store(0).value(own) for own in (b"w0", b"w3", b"count", b"one")} == {
        b"w0": b"1499",
        b"w3": b"1499",
        b"count": b"300",
        b"one": b"299",
    }
    with open_at(tmp_path / "a", FsyncPolicy.NO) as again:
        assert contents(again) == held


def test_tasks_write_the_same_log_as_one_after_the_other(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "a", fsync="always") as db:
            assert db.database.lane is not None

            async def write(own: int) -> None:
                for number in range(50):
                    await db.set(b"w%d" % own, b"%d" % number)
                    assert db.status().synced_seq >= db.status().applied_seq - 20

            await asyncio.gather(*(write(own) for own in range(20)))
            status = db.status()
            assert (status.applied_seq, status.synced_seq) == (1000, 1000)
            assert status.syncs < 500, "the tasks of a turn share a commit"
            await db.set(b"k", b"v", durability=WRITTEN)

    asyncio.run(main())
    with durakv.open(tmp_path / "a") as again:
        assert [again.get(b"w%d" % own) for own in range(20)] == [b"49"] * 20
        assert again.get(b"k") == b"v"


WRITER = """
import os, sys
from tests.keyspace.lanes import FsyncPolicy, lane_of, open_at
db = open_at(sys.argv[1], FsyncPolicy(sys.argv[2]), background=True, segment_bytes=1 << 16)
db.set(b"n", b"0")
told = os.open(sys.argv[3], os.O_WRONLY)
number = done = 0
while True:
    number += 1
    if lane_of(db).put(b"n", b"%d" % number, None) is True:
        done += 1
    else:
        db.set(b"n", b"%d" % number)
    if number % 20 == 0:
        os.pwrite(told, b"%20d%20d" % (number, done), 0)
"""


@pytest.mark.parametrize("fsync", [FsyncPolicy.ALWAYS, FsyncPolicy.EVERYSEC, FsyncPolicy.NO])
def test_what_was_told_survives_sigkill(tmp_path: Path, fsync: FsyncPolicy) -> None:
    told = tmp_path / "told"
    for life in range(2):
        told.write_bytes(b"%20d%20d" % (0, 0))
        paths = os.pathsep.join(sys.path)
        command = [sys.executable, "-c", WRITER, str(tmp_path / "a"), fsync.value, str(told)]
        with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, cwd=ROOT) as child:
            try:
                until = time.monotonic() + 20
                while told.read_bytes()[:20].strip() == b"0" and time.monotonic() < until:
                    time.sleep(0.01)
                time.sleep(random.uniform(0.05, 0.3))
            finally:
                child.kill()
        number, done = (int(told.read_bytes()[at : at + 20]) for at in (0, 20))
        with open_at(tmp_path / "a", FsyncPolicy.NO) as again:
            assert int(again.get(b"n") or b"0") >= number > 0, life
            assert done > 0 or not windowed(again), "the lane was not what wrote"


def test_a_forked_copy_has_no_way_in(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "a", fsync="everysec")
    db.set(b"k", b"1")
    before = state(db)
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking with threads is what is tested
        child = os.fork()
    if child == 0:
        try:
            said = [lane_of(db).put(b"k", b"2", level) for level in ALL] + [lane_of(db).append(b"k", b"2", SYNCED)]
            os.write(writer, repr(said).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 100) == repr([None] * 4).encode()
    os.close(reader)
    os.close(writer)
    assert state(db) == before
    db.set(b"k", b"3")
    db.close()
    with durakv.open(tmp_path / "a") as again:
        assert again.get(b"k") == b"3"
