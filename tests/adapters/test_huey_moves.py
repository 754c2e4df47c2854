"""The promise: a task is never between two places; whoever dies between two calls of huey's has lost nothing.

Method: a huey on a real directory is worked by hand as its scheduler and its workers would, left at each point by
opening a copy of what is on disk, and looked at.
"""

from __future__ import annotations

import copy
import logging
import pickle
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import durakv
from tests.hosts import host

host("huey")

from huey.api import Huey, crontab  # noqa: E402
from huey.consumer import Scheduler  # noqa: E402
from huey.exceptions import CancelExecution  # noqa: E402

from durakv.adapters.huey import DurakvHuey, DurakvStorage  # noqa: E402

NOW = datetime(2026, 1, 2, 3, 4, 5)
LATER = NOW + timedelta(seconds=10)
LONG_PAST = datetime(2020, 1, 1)


class Life:
    """A huey in a directory, its tasks, and what they did; ``again`` is the next life on what a kill would leave."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.options = options
        self.huey = DurakvHuey(path=path, utc=False, blocking=False, **options)
        self.done: list[Any] = []

        def work(item: Any) -> Any:
            self.done.append(item)
            if item == "fail":
                raise ValueError("as asked")
            if item == "interrupt":
                raise KeyboardInterrupt
            if item == "cancel":
                raise CancelExecution(retry=False)
            return item

        def once(item: Any) -> None:
            self.done.append(item)

        def total(items: list[int]) -> int:
            self.done.append(("total", items))
            return sum(items)

        self.work = self.huey.task(name="work", retries=1)(work)
        self.once = self.huey.task(name="once", redeliver=False)(once)
        self.total = self.huey.task(name="total")(total)

    def again(self) -> Life:
        """What a process that is started after this one was killed, now, would find."""
        left = self.path.with_name(f"{self.path.name}-again")
        shutil.copytree(self.path, left)
        self.huey.close()
        return Life(left, **self.options)

    def next(self) -> Any:
        """What a worker gets."""
        task = self.huey.dequeue()
        assert task is not None
        return task

    def counts(self) -> tuple[int, int]:
        """How many tasks wait, and are scheduled."""
        return self.huey.pending_count(), self.huey.scheduled_count()

    def work_off(self, timestamp: datetime = NOW) -> None:
        """What workers would do until there is nothing to do."""
        while (task := self.huey.dequeue()) is not None:
            self.huey.execute(task, timestamp)


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    made = Life(tmp_path / "tasks", fsync="no")
    yield made
    made.huey.close()


def schedule(life: Life, *items: Any) -> None:
    """Have them scheduled for LATER, as a worker does it: by dequeuing what is not to be executed yet."""
    for item in items:
        life.work.schedule((item,), eta=LATER)
    life.work_off()


# --- from the schedule to the queue -----------------------------------------------------------------------------------


def test_a_due_task_whose_scheduler_dies_before_it_enqueues_it_is_due_in_the_next_life(life: Life) -> None:
    schedule(life, 1, 2, 3)
    due = life.huey.read_schedule(LATER)
    life.huey.enqueue(due[0])
    assert life.counts() == (1, 0)
    following = life.again()
    assert following.counts() == (1, 2)
    assert [task.args for task in following.huey.read_schedule(LATER)] == [(2,), (3,)]
    following.huey.close()


def test_a_plain_huey_would_have_lost_it(tmp_path: Path) -> None:
    class Plain(Life):
        def __init__(self, path: Path) -> None:
            self.path, self.options = path, {}
            self.huey = Huey(storage_class=DurakvStorage, path=path, utc=False, blocking=False)
            self.work = self.huey.task(name="work")(lambda item: item)

    life = Plain(tmp_path / "tasks")
    schedule(life, 1, 2, 3)
    assert len(life.huey.read_schedule(LATER)) == 3
    assert life.counts() == (0, 0)
    life.huey.storage.close()
    life = Plain(tmp_path / "tasks")
    assert life.counts() == (0, 0)
    life.huey.storage.close()


def test_a_due_task_that_could_not_be_enqueued_is_read_again(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule(life, 1, 2)

    def fail(*_: object) -> None:
        raise OSError("as asked")

    scheduler = Scheduler(life.huey, threading.Event(), 1, periodic=False)
    scheduler.stop_flag.set()
    with monkeypatch.context() as patched:
        patched.setattr(life.huey.storage, "enqueue", fail)
        scheduler.loop(LATER)
    assert life.huey.pending_count() == 0
    scheduler._next_loop += 60
    scheduler.loop(LATER)
    assert life.counts() == (2, 0)
    assert life.huey.read_schedule(LATER) == []


def test_two_schedulers_that_read_the_same_task_enqueue_it_once(life: Life) -> None:
    schedule(life, 1)
    (mine,), (theirs,) = life.huey.read_schedule(LATER), life.huey.read_schedule(LATER)
    life.huey.enqueue(mine)
    life.huey.enqueue(theirs)
    assert life.counts() == (1, 0)


def test_a_due_task_that_is_flushed_before_it_is_enqueued_is_gone(life: Life) -> None:
    schedule(life, 1)
    (task,) = life.huey.read_schedule(LATER)
    life.huey.flush()
    life.huey.enqueue(task)
    assert life.counts() == (0, 0)


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_due_task_that_huey_drops_is_dropped_for_good(life: Life, how: str) -> None:
    result = life.work.schedule((1,), eta=LATER, expires=LONG_PAST if how == "expired" else None)
    life.work_off()
    if how == "revoked":
        result.revoke()
    for task in life.huey.read_schedule(LATER):
        life.huey.enqueue(task)
    life.work_off(LATER)
    following = life.again()
    assert following.counts() == (0, 0)
    assert following.huey.read_schedule(LATER) == []
    assert life.done == []
    following.huey.close()


def test_two_tasks_of_the_same_bytes_are_two(life: Life) -> None:
    storage = life.huey.storage
    storage.add_to_schedule(b"same", NOW)
    storage.add_to_schedule(b"same", NOW)
    storage.enqueue(b"same")
    storage.enqueue(b"same")
    first, second = storage.hold_due(NOW)
    storage.enqueue(first)
    assert storage.queue_size() == 3
    assert storage.hold_due(NOW) == [second]


def test_a_due_task_that_cannot_be_read_is_kept_for_the_next_life_and_tried_once_in_this(
    life: Life, caplog: pytest.LogCaptureFixture
) -> None:
    schedule(life, 1)
    life.work.unregister()
    assert life.huey.read_schedule(LATER) == []
    assert life.huey.read_schedule(LATER) == []
    assert sum(record.levelno >= logging.ERROR for record in caplog.records) == 1
    following = life.again()
    assert [task.args for task in following.huey.read_schedule(LATER)] == [(1,)]
    following.huey.close()


# --- from the queue to its end ----------------------------------------------------------------------------------------


def test_a_task_whose_worker_dies_is_executed_in_the_next_life_in_its_turn(life: Life) -> None:
    for item in (1, 2, 3):
        life.work(item)
    assert life.next().args == (1,)
    assert life.next().args == (2,)
    assert life.counts() == (1, 0)
    following = life.again()
    assert following.counts() == (3, 0)
    following.work_off()
    assert following.done == [1, 2, 3]
    following.huey.close()


@pytest.mark.parametrize("item", ["good", "cancel"])
def test_a_task_that_was_executed_is_done_for_good(life: Life, item: str) -> None:
    life.work(item)
    life.work_off()
    following = life.again()
    assert following.counts() == (0, 0)
    following.huey.close()


def test_a_task_that_kills_every_process_can_be_revoked_before_a_consumer_starts(life: Life) -> None:
    life.work("deadly")
    life.next()
    following = life.again()
    (task,) = following.huey.pending()
    following.huey.revoke_by_id(task.id)
    following.work_off()
    assert (following.done, following.counts()) == ([], (0, 0))
    following.huey.close()


def test_without_redelivery_a_task_is_taken_away_before_it_is_executed(tmp_path: Path) -> None:
    life = Life(tmp_path / "tasks", fsync="no", redeliver=False)
    life.work(1)
    life.huey.dequeue()
    following = life.again()
    assert following.counts() == (0, 0)
    following.huey.close()


def test_a_task_can_choose_not_to_be_redelivered(life: Life) -> None:
    life.once(1)
    life.work(2)
    life.next(), life.next()
    following = life.again()
    following.work_off()
    assert following.done == [2]
    following.huey.close()


def test_a_task_that_fails_is_queued_again_in_the_batch_that_ends_it(life: Life) -> None:
    life.work("fail")
    task = life.next()
    before = life.huey.storage.database.status().applied_seq
    life.huey.execute(task, NOW)
    assert life.counts() == (1, 0)
    assert life.done == ["fail"]
    following = life.again()
    following.work_off()
    assert following.done == ["fail"], "the one retry that was left"
    assert following.counts() == (0, 0)
    assert following.huey.storage.database.status().applied_seq > before
    following.huey.close()


def test_a_task_that_is_not_yet_to_be_executed_moves_to_the_schedule(life: Life) -> None:
    life.work.schedule((1,), eta=LATER)
    task = life.next()
    life.huey.execute(task, NOW)
    following = life.again()
    assert following.counts() == (0, 1)
    following.huey.close()


def test_an_interrupted_task_comes_back_in_the_next_life_and_not_in_this(life: Life) -> None:
    life.work("interrupt")
    life.work_off()
    assert life.done == ["interrupt"]
    assert life.counts() == (0, 0)
    following = life.again()
    assert following.counts() == (1, 0)
    following.huey.close()


def test_a_consumer_that_stops_does_not_bring_back_what_still_comes_to_its_end(life: Life) -> None:
    life.work(1)
    task = life.next()
    life.huey._tasks_in_flight.add(task)
    life.huey.notify_interrupted_tasks()
    life.huey.execute(task, NOW)
    following = life.again()
    assert following.counts() == (0, 0)
    following.huey.close()


def test_a_task_whose_result_cannot_be_stored_is_executed_again_in_the_next_life(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise durakv.DiskFull("as asked")

    life.work(1)
    task = life.next()
    monkeypatch.setattr(life.huey.storage, "put_data", fail)
    with pytest.raises(durakv.DiskFull):
        life.huey.execute(task, NOW)
    following = life.again()
    assert following.counts() == (1, 0)
    following.huey.close()


def test_a_due_task_that_was_handed_out_is_not_read_beside(life: Life) -> None:
    storage = life.huey.storage
    storage.add_to_schedule(b"held", NOW)
    storage.hold_due(NOW)
    storage.add_to_schedule(b"free", NOW)
    assert storage.read_schedule(NOW) == [b"free"]


def test_a_task_whose_result_cannot_be_pickled_is_done(life: Life) -> None:
    task = life.huey.task(name="unpicklable")(lambda: lambda: None)
    task()
    with pytest.raises(Exception, match="pickle"):
        life.work_off()
    following = life.again()
    assert following.counts() == (0, 0)
    following.huey.close()


def test_a_task_that_huey_failed_to_begin_is_kept_for_the_next_life(life: Life) -> None:
    life.work(1)
    task = life.next()
    life.huey.storage.put_data(task.revoke_id, b"not what huey stores")
    with pytest.raises(pickle.UnpicklingError):
        life.huey.execute(task, NOW)
    assert life.counts() == (0, 0)
    following = life.again()
    following.huey.restore_by_id(task.id)
    following.work_off()
    assert following.done == [1]
    following.huey.close()


def test_a_copy_that_was_made_another_task_leaves_the_original_where_it_is(life: Life) -> None:
    life.work(1)
    task = life.next()
    other = copy.copy(task)
    other.id = "another"
    life.huey.enqueue(other)
    following = life.again()
    assert [task.id for task in following.huey.pending()] == [task.id, "another"]
    following.huey.close()


def test_a_task_that_enqueues_itself_again_is_there_once(life: Life) -> None:
    life.work(1)
    task = life.next()
    life.huey.enqueue(task)
    life.huey.execute(task, NOW)
    assert life.counts() == (1, 0)
    life.huey.enqueue(task)
    assert life.counts() == (2, 0)


def test_a_task_that_was_flushed_while_it_is_executed_may_be_retried(life: Life) -> None:
    life.work("fail")
    task = life.next()
    life.huey.flush()
    assert life.counts() == (0, 0)
    life.huey.execute(task, NOW)
    assert life.counts() == (1, 0)


def test_periodic_tasks_are_queued_and_done_like_others(life: Life) -> None:
    ran: list[int] = []
    life.huey.periodic_task(crontab(minute="*"), name="tick")(lambda: ran.append(1))
    for task in life.huey.read_periodic(NOW):
        life.huey.enqueue(task)
    assert life.counts() == (1, 0)
    life.work_off()
    assert (ran, life.counts()) == ([1], (0, 0))


# --- chords -----------------------------------------------------------------------------------------------------------


def chord_of(life: Life, *items: int) -> None:
    from huey.api import chord

    life.huey.enqueue(chord([life.work.s(item) for item in items], life.total))


def test_a_member_of_a_chord_that_is_executed_twice_is_counted_once(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    chord_of(life, 1, 2)
    task = life.next()
    with monkeypatch.context() as patched:
        patched.setattr(task.durakv_held.place, "settle", lambda held: None)  # as if it died before
        life.huey.execute(task, NOW)
    following = life.again()
    assert following.counts() == (2, 0)
    following.work_off()
    assert following.done == [1, 2, ("total", [1, 2])]
    assert following.huey.storage.database.exists(b"huey:huey:counters") == 0
    following.huey.close()


def test_a_chord_calls_back_though_its_last_member_died_before_it_could(
    life: Life, monkeypatch: pytest.MonkeyPatch
) -> None:
    chord_of(life, 1, 2)
    life.huey.execute(life.next(), NOW)
    task = life.next()
    with monkeypatch.context() as patched:
        patched.setattr(life.huey, "enqueue", _die)
        with pytest.raises(SystemExit):
            life.huey.execute(task, NOW)
    following = life.again()
    following.work_off()
    assert following.done == [2, ("total", [1, 2])]
    following.huey.close()


def _die(*_: object) -> None:
    raise SystemExit
