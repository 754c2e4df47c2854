"""The promise: while the disk takes nothing, no task is executed but those that were begun, none is handed out twice,
and once there is room the queue goes on; and one huey at a time has a name.

Method: a huey on a simulated disk that is full, or broken, in the middle of what its workers do.
"""

from __future__ import annotations

import errno
import gc
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import durakv
from durakv.clock import ManualClock
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.trace import Kind
from tests.hosts import host

host("huey")

from huey.consumer import Worker  # noqa: E402
from huey.exceptions import ConfigurationError  # noqa: E402

from durakv.adapters.huey import DurakvHuey, DurakvStorage  # noqa: E402

TASKS = 5
PATIENCE_SECONDS = 20


class Full:
    """A huey on a disk that can be filled, broken, and emptied again."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()
        self.database = self.open()
        self.huey = DurakvHuey(database=self.database, utc=False, blocking=False)
        self.done: list[Any] = []
        self.during: Any = None

        def work(item: int) -> int:
            self.done.append(item)
            if self.during is not None:
                self.during()
            return item

        self.work = self.huey.task(name="work")(work)
        self.once = self.huey.task(name="once", redeliver=False)(work)
        stop = threading.Event()
        stop.set()  # so that it does not sleep between two looks
        self.worker = Worker(self.huey, stop, 0.1, 0.1, 1.0)

    def open(self) -> durakv.Database:
        options = durakv.Options(segment_bytes=4096)
        return durakv.open(
            None, filesystem=self.disk, clock=ManualClock(), background=False, fsync="always", options=options
        )

    def fill(self) -> None:
        """There is room for nothing."""
        self.disk.capacity_bytes = 0
        for size in (256, 0):
            with pytest.raises(durakv.DiskFull):
                for _ in range(4096):
                    self.database.set(b"f", bytes(size))

    def shatter(self) -> None:
        """Nothing can be written any more."""
        self.disk.faults = fail_nth(0, Fault(errno.EIO), kinds=(Kind.WRITE_THROUGH,))
        with pytest.raises(durakv.Poisoned):
            self.database.set(b"broken", b"")


@pytest.fixture
def full() -> Iterator[Full]:
    made = Full()
    yield made
    made.disk.capacity_bytes = None


def test_a_flush_that_fails_hands_nothing_out_again(full: Full) -> None:
    full.work(1)
    assert full.huey.dequeue() is not None
    full.fill()
    with pytest.raises(durakv.DiskFull):
        full.huey.storage.flush_queue()
    assert full.huey.dequeue() is None
    assert full.huey.pending_count() == 0
    with pytest.raises(durakv.DiskFull):
        full.huey.flush()
    assert full.huey.dequeue() is None


def test_a_full_disk_behind_a_task_stops_the_workers_until_there_is_room(full: Full) -> None:
    for number in range(TASKS):
        full.work(number)
    full.during = full.fill
    full.worker.loop()
    full.during = None
    for _ in range(TASKS):
        full.worker.loop()
    assert full.done == [0]
    assert full.huey.pending_count() == TASKS - 1
    full.disk.capacity_bytes = None
    for _ in range(TASKS):
        full.worker.loop()
    assert full.done == list(range(TASKS)), "in their order"
    assert full.huey.pending_count() == 0


def test_a_broken_disk_behind_a_task_stops_the_workers(full: Full) -> None:
    for number in range(TASKS):
        full.work(number)
    full.during = full.shatter
    for _ in range(TASKS):
        full.worker.loop()
    assert full.done == [0]
    assert full.huey.pending_count() == TASKS - 1


def test_a_task_that_could_not_be_taken_away_is_handed_out_when_it_can_be(full: Full) -> None:
    full.once(1)
    full.fill()
    for _ in range(2):
        with pytest.raises(durakv.DiskFull):
            full.huey.dequeue()
    assert full.huey.pending_count() == 1
    full.disk.capacity_bytes = None
    full.worker.loop()
    assert (full.done, full.huey.pending_count()) == ([1], 0)


def test_a_directory_of_a_huey_that_could_not_begin_is_given_up(tmp_path: Path) -> None:
    with durakv.open(tmp_path) as db:
        db.set(b"huey:huey:queue", b"no queue")
    with pytest.raises(durakv.WrongType) as refusal:
        DurakvHuey(path=tmp_path)
    with durakv.open(tmp_path) as db:
        db.delete(b"huey:huey:queue")
    DurakvHuey(path=tmp_path).close()
    assert refusal.tb is not None, "it was not the garbage collector"


def test_a_consumer_that_could_not_start_leaves_no_thread(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[threading.Thread] = []
    start = threading.Thread.start

    def fail(thread: threading.Thread) -> None:
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        start(thread)
        started.append(thread)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail)
        with pytest.raises(RuntimeError, match="new thread"), full.huey.consuming(workers=2):
            pass
    for thread in started:
        thread.join(PATIENCE_SECONDS)
    assert [thread.is_alive() for thread in started] == [False, False]


def test_two_hueys_of_one_name_do_not_share_a_database(full: Full) -> None:
    with full.huey.lock_task("only-one"):
        with pytest.raises(ConfigurationError, match="another huey named 'huey' has this database"):
            DurakvHuey(database=full.database)
        assert full.huey.is_locked("only-one")
        DurakvHuey("another", database=full.database)
        DurakvHuey(database=full.database.select(1))
    full.huey.close()
    following = DurakvStorage(database=full.database)
    with pytest.raises(ConfigurationError):
        DurakvHuey(database=full.database.select(0))
    del following
    gc.collect()
    DurakvHuey(database=full.database)
