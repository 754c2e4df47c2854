"""The promise: huey's own consumer works with ours as its threads work with any: every task once, and prompt.

Method: a real consumer of several threads in this process, on a real directory; what it did is compared with what it
was given, and the directory is opened again behind it.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import host

host("huey")

from huey.api import chord  # noqa: E402
from huey.exceptions import ConfigurationError  # noqa: E402

from durakv.adapters.huey import DurakvHuey  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 30.0


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def huey(tmp_path: Path) -> Iterator[DurakvHuey]:
    with DurakvHuey("app", path=tmp_path / "tasks", fsync="everysec", read_timeout=0.2) as made:
        yield made


def test_what_many_threads_enqueue_is_executed_once_and_nothing_is_left(tmp_path: Path, huey: DurakvHuey) -> None:
    done: Counter[int] = Counter()
    double = huey.task(name="double", retries=1)(lambda number: done.update([number]) or number * 2)
    handles: dict[int, Any] = {}

    def send(first: int) -> None:
        for number in range(first, first + 50):
            handles[number] = double(number)

    with huey.consuming(workers=4):
        threads = [threading.Thread(target=send, args=(first,)) for first in (0, 50, 100, 150)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        answers = {number: handle.get(blocking=True, timeout=30) for number, handle in handles.items()}
    assert answers == {number: number * 2 for number in range(200)}
    assert done == Counter(range(200))
    huey.close()
    with DurakvHuey("app", path=tmp_path / "tasks") as again:
        assert again.storage.database.dbsize() == 0


def test_a_result_is_there_at_once_and_not_at_the_next_poll(huey: DurakvHuey) -> None:
    echo = huey.task(name="echo")(lambda number: number)
    with huey.consuming(workers=4):
        echo(0).get(blocking=True, timeout=30)
        seconds: list[float] = []
        for number in range(20):
            began = time.monotonic()
            assert echo(number).get(blocking=True, timeout=30) == number
            seconds.append(time.monotonic() - began)
    assert sorted(seconds)[10] < 0.05, "huey's default wait begins with 50 ms"


def test_a_consumer_schedules_retries_chains_and_calls_back(huey: DurakvHuey, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "huey")
    failures = iter([ValueError("as asked")])

    def fragile() -> str:
        for failure in failures:
            raise failure
        return "done"

    try_hard = huey.task(name="fragile", retries=2, retry_delay=1)(fragile)
    add = huey.task(name="add")(lambda one, two: one + two)
    total = huey.task(name="total")(sum)
    with huey.consuming(workers=4):
        later = add.schedule((1, 2), delay=1)
        try_hard()
        chain = huey.enqueue(add.s(1, 1).then(add, 5))
        called = huey.enqueue(chord([add.s(number, 1) for number in range(5)], total))
        assert chain.get(blocking=True, timeout=30) == [2, 7]
        assert called.get(blocking=True, timeout=30) == 15
        assert later.get(blocking=True, timeout=30) == 3
        wait_until(lambda: not huey.scheduled_count() and not huey.pending_count())
    assert next(failures, None) is None
    assert huey.storage.database.zcard(b"huey:app:queue") == 0


def test_tasks_wait_for_a_consumer_and_the_important_ones_go_first(huey: DurakvHuey) -> None:
    order: list[int] = []
    note = huey.task(name="note")(lambda number: order.append(number))
    for number in (1, 5, 3, 9):
        note.s(number)
        huey.enqueue(note.s(number, priority=number))
    with huey.consuming(workers=1):
        wait_until(lambda: len(order) == 4)
    assert order == [9, 5, 3, 1]


def test_a_consumer_beside_other_things_leaves_the_signals_alone_and_works_in_any_thread(huey: DurakvHuey) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    echo = huey.task(name="echo")(lambda number: number)
    got: list[int] = []

    def consume() -> None:
        with huey.consuming():
            assert [signal.getsignal(number) for number in SIGNALS] == before
            got.append(echo(1).get(blocking=True, timeout=30))

    thread = threading.Thread(target=consume)
    thread.start()
    thread.join()
    assert got == [1]
    assert not [thread for thread in threading.enumerate() if "Worker" in thread.name or "huey" in thread.name]


def test_a_consumer_that_has_a_process_for_itself_takes_the_signals(huey: DurakvHuey) -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    echo = huey.task(name="echo")(lambda number: number)
    consumer = huey.create_consumer(workers=1)
    try:
        consumer.start()
        assert signal.getsignal(signal.SIGTERM) != before[signal.SIGTERM]
        assert echo(1).get(blocking=True, timeout=30) == 1
    finally:
        consumer.stop(graceful=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def test_a_worker_that_a_task_has_ended_is_replaced_and_the_task_is_kept(
    tmp_path: Path, huey: DurakvHuey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "huey")

    def end() -> None:
        raise SystemExit

    ending, echo = huey.task(name="end")(end), huey.task(name="echo")(lambda number: number)
    with huey.consuming(workers=1, health_check_interval=0.1):
        ending()
        assert echo(1).get(blocking=True, timeout=30) == 1
    huey.close()
    with DurakvHuey("app", path=tmp_path / "tasks") as again:
        assert again.pending_count() == 1


def test_other_kinds_of_workers_are_refused_beside_too(huey: DurakvHuey) -> None:
    with pytest.raises(ConfigurationError, match="worker_type='process'"):
        with huey.consuming(worker_type="process"):
            pass
