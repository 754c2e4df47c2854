"""The promise: what huey stores is kept over a close, waits wake at once, deadlines hold, and misuse is told apart.

Method: a storage on a real directory, closed and opened again; a second opener, a forked process and a consumer of
processes are tried.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import durakv
from durakv.clock import ManualClock
from tests.hosts import host

host("huey")

from huey.constants import EmptyData  # noqa: E402
from huey.exceptions import ConfigurationError, TaskLockedException  # noqa: E402
from huey.storage import MemoryStorage  # noqa: E402

from durakv.adapters.huey import DurakvHuey, DurakvStorage  # noqa: E402

PROMPT_SECONDS = 5.0
"""Sooner than anything that polls or times out here."""


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[DurakvStorage]:
    made = DurakvStorage("app", tmp_path / "tasks", fsync="no", read_timeout=60)
    yield made
    made.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def timed(tmp_path: Path, clock: ManualClock) -> Iterator[DurakvStorage]:
    with durakv.open(tmp_path / "timed", clock=clock, background=False) as db:
        yield DurakvStorage("app", database=db, blocking=False, expire_time=60)


def test_everything_is_there_after_a_close(tmp_path: Path, storage: DurakvStorage) -> None:
    storage.enqueue(b"low", -1)
    storage.enqueue(b"first")
    storage.enqueue(b"high", 7.5)
    storage.enqueue(b"second")
    storage.add_to_schedule(b"due", datetime(2026, 1, 1))
    storage.put_data("key", b"value")
    storage.put_data(b"empty", b"")
    storage.incr("count", 3)
    assert storage.close()
    assert not storage.close()
    again = DurakvStorage("app", tmp_path / "tasks", blocking=False)
    again.enqueue(b"third")
    assert again.enqueued_items() == [b"high", b"first", b"second", b"third", b"low"]
    assert again.enqueued_items(2) == [b"high", b"first"]
    assert again.enqueued_items(0) == []
    assert again.scheduled_items() == [b"due"]
    assert again.result_items() == {"key": b"value", "empty": b""}
    assert again.peek_many(["key", "none"]) == {"key": b"value"}
    assert again.peek_many([]) == {}
    assert again.pop_data("empty") == b""
    assert again.pop_data("empty") is EmptyData
    assert again.incr("count", 0) == 3
    again.flush_all()
    assert (again.queue_size(), again.schedule_size(), again.result_store_size()) == (0, 0, 0)
    assert again.database.dbsize() == 0
    again.close()


def test_hueys_of_two_names_share_a_database_and_nothing_else(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "shared") as db:
        one, two = (DurakvStorage(name, database=db, blocking=False) for name in ("one", "two"))
        one.enqueue(b"task")
        two.put_data("key", b"value")
        one.flush_all()
        assert two.dequeue() is None
        assert two.peek_data("key") == b"value"
        one.close()
        assert db.dbsize() == 1
        with pytest.raises(durakv.Closed):
            one.enqueue(b"task")


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "shared") as db:
        storages = [DurakvStorage(name, database=db) for name in ("a*", "ab", "[ab]", "\\\\", "?", "a-b", "^")]
        for storage in storages:
            storage.put_data("key", storage.name.encode())
        for storage in storages:
            assert storage.result_items() == {"key": storage.name.encode()}
            storage.flush_results()
        assert db.dbsize() == 0


def test_moments_are_kept_to_the_microsecond(storage: DurakvStorage) -> None:
    storage.add_to_schedule(b"task", datetime(2026, 1, 1, 0, 0, 0, 1))
    assert storage.read_schedule(datetime(2026, 1, 1)) == []
    assert storage.read_schedule(datetime(2026, 1, 1, 0, 0, 0, 1)) == [b"task"]
    storage.add_to_schedule(b"old", datetime.fromtimestamp(0))
    storage.add_to_schedule(b"oldest", datetime(1, 1, 1))
    assert storage.read_schedule(datetime(2026, 1, 1)) == [b"oldest", b"old"]
    with pytest.raises(TypeError, match="offset-naive"):
        storage.add_to_schedule(b"task", datetime(2026, 1, 1, tzinfo=UTC))


# --- waiting ----------------------------------------------------------------------------------------------------------


def wake(wait: Any, act: Any) -> tuple[Any, float]:
    """What a thread that waits gets, and how long after the act."""
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append((wait(), time.monotonic())))
    thread.start()
    time.sleep(0.05)
    acted = time.monotonic()
    act()
    thread.join(60)
    answer, at = got[0]
    return answer, at - acted


def test_a_worker_that_waits_wakes_when_a_task_comes(storage: DurakvStorage) -> None:
    answer, seconds = wake(storage.dequeue, lambda: storage.enqueue(b"task"))
    assert (answer, seconds < PROMPT_SECONDS) == (b"task", True)


def test_who_waits_for_a_result_wakes_when_it_comes(storage: DurakvStorage) -> None:
    answer, seconds = wake(lambda: storage.wait_result("key"), lambda: storage.put_data("key", b"1", is_result=True))
    assert (answer, seconds < PROMPT_SECONDS) == (True, True)
    assert storage.wait_result("key", timeout=0)
    assert not storage.wait_result("other", timeout=0.01)


def test_who_waits_is_told_that_the_storage_was_closed(storage: DurakvStorage) -> None:
    def wait() -> str:
        with pytest.raises(durakv.Closed, match="storage is closed"):
            storage.dequeue()
        return "told"

    answer, seconds = wake(wait, storage.close)
    assert (answer, seconds < PROMPT_SECONDS) == ("told", True)


def test_an_empty_queue_is_waited_for_as_long_as_was_said(tmp_path: Path) -> None:
    storage = DurakvStorage("app", tmp_path / "tasks", read_timeout=0.1)
    began = time.monotonic()
    assert storage.dequeue() is None
    assert time.monotonic() - began >= 0.1
    storage.blocking = False
    assert storage.dequeue() is None
    storage.close()


def test_each_of_many_tasks_goes_to_one_of_many_workers(storage: DurakvStorage) -> None:
    storage.read_timeout = 0.3
    got: list[bytes] = []

    def work() -> None:
        while (task := storage.hold_next()) is not None:
            got.append(task)
            task.held.place.settle(task.held)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    sent = [b"%d" % number for number in range(200)]
    for task in sent:
        storage.enqueue(task)
    for thread in threads:
        thread.join(60)
    assert sorted(got) == sorted(sent)
    assert storage.database.zcard(b"huey:app:queue") == 0


# --- deadlines and locks ----------------------------------------------------------------------------------------------


def test_results_expire_and_other_data_do_not(timed: DurakvStorage, clock: ManualClock) -> None:
    timed.put_data("result", b"1", is_result=True)
    timed.put_data("revocation", b"2")
    clock.advance(59)
    assert timed.peek_data("result") == b"1"
    clock.advance(2)
    assert timed.peek_data("result") is EmptyData
    assert timed.pop_data("result") is EmptyData
    assert timed.peek_data("revocation") == b"2"
    assert timed.result_items() == {"revocation": b"2"}


def test_a_result_that_is_stored_again_lives_as_long_again(timed: DurakvStorage, clock: ManualClock) -> None:
    timed.put_data("key", b"1", is_result=True)
    clock.advance(50)
    timed.put_data("key", b"2", is_result=True)
    clock.advance(50)
    assert timed.peek_data("key") == b"2"
    timed.put_data("key", b"3")
    clock.advance(1000)
    assert timed.peek_data("key") == b"3"


def test_a_lock_with_a_deadline_is_free_after_it(timed: DurakvStorage, clock: ManualClock) -> None:
    assert timed.put_if_empty("lock", b"1", ttl=10)
    assert not timed.put_if_empty("lock", b"2", ttl=1000)
    clock.advance(11)
    assert timed.put_if_empty("lock", b"3")
    clock.advance(1000)
    assert not timed.put_if_empty("lock", b"4")


def test_a_lock_that_a_dead_process_held_is_free_in_the_next_life(tmp_path: Path) -> None:
    huey = DurakvHuey("app", path=tmp_path / "tasks")
    huey.storage.put_data("app.locks", b"no lock")
    huey.lock_task("only-one").acquire()
    with pytest.raises(TaskLockedException):
        huey.lock_task("only-one").acquire()
    huey.close()
    huey = DurakvHuey("app", path=tmp_path / "tasks")
    assert not huey.is_locked("only-one")
    assert huey.storage.result_items() == {"app.locks": b"no lock"}
    huey.close()


# --- misuse -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "path=.*or database="),
        ({"path": "a", "database": "b"}, "path=.*or database="),
        ({"database": "b", "fsync": "always"}, "opened with its own"),
        ({"path": "a", "expire_time": 0}, "expire_time=0"),
    ],
)
def test_bad_arguments_are_refused_with_what_to_give(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        DurakvHuey("app", **options)


def test_a_second_process_is_refused_and_told_what_to_do(tmp_path: Path, storage: DurakvStorage) -> None:
    source = "import sys; from durakv.adapters.huey import DurakvHuey; DurakvHuey('app', path=sys.argv[1])"
    arguments = [sys.executable, "-c", source, str(tmp_path / "tasks")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode
    assert "Locked" in done.stderr
    assert "worker_type='thread'" in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_is_refused_and_told_what_to_do(storage: DurakvStorage) -> None:
    with storage.store.lock:  # as another thread of the parent may have it at that moment
        child = os.fork()
        if not child:
            code = 1
            try:
                storage.enqueue(b"task")
            except durakv.Locked as refusal:
                code = 0 if "worker_type='thread'" in str(refusal) else 2
            finally:
                os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert storage.queue_size() == 0


@pytest.mark.parametrize("kind", ["process", "greenlet", "gevent"])
def test_a_consumer_of_anything_but_threads_is_refused(tmp_path: Path, kind: str) -> None:
    with DurakvHuey("app", path=tmp_path / "tasks") as huey:
        with pytest.raises(ConfigurationError, match=f"'{kind}'.*worker_type='thread'"):
            huey.create_consumer(worker_type=kind)


def test_the_immediate_mode_comes_and_goes_and_the_directory_stays_open(tmp_path: Path) -> None:
    with DurakvHuey("app", path=tmp_path / "tasks", blocking=False) as huey:
        work = huey.task(name="work")(lambda: 1)
        work()
        huey.immediate = True
        assert isinstance(huey.storage, MemoryStorage)
        assert work().get() == 1
        assert huey.dequeue() is None
        assert huey.read_schedule() == []
        huey.immediate = False
        assert huey.pending_count() == 1


def test_a_level_can_be_named_that_is_not_the_policy_s(tmp_path: Path) -> None:
    with DurakvHuey("app", path=tmp_path / "tasks", fsync="no", durability=durakv.Durability.SYNCED) as huey:
        huey.storage.enqueue(b"task")
        assert huey.storage.database.status().unsynced_commands == 0
    with DurakvHuey("app", path=tmp_path / "tasks", fsync="no") as huey:
        huey.storage.enqueue(b"task")
        assert huey.storage.database.status().unsynced_commands > 0


def test_a_level_that_is_none_is_refused_before_a_task_can_be_stored(tmp_path: Path) -> None:
    word: Any = "synced"
    with pytest.raises(TypeError, match=r"durability= is a durakv\.Durability, such as .*, not 'synced'"):
        DurakvHuey("app", path=tmp_path / "tasks", durability=word)
    assert not (tmp_path / "tasks").exists()
