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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.hosts import host

host("huey")

from huey.api import chord  # noqa: E402

from durakv.adapters.huey import DurakvHuey  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def consumer(huey: DurakvHuey, workers: int = 4) -> Iterator[Any]:
    """A consumer at work; huey's takes over the signals, which are given back."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    made = huey.create_consumer(workers=workers)
    made.start()
    try:
        yield made
    finally:
        made.stop(graceful=True)
        for number, handler in before.items():
            signal.signal(number, handler)


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

    with consumer(huey):
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
    with consumer(huey):
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
    with consumer(huey):
        later = add.schedule((1, 2), delay=1)
        try_hard()
        chain = huey.enqueue(add.s(1, 1).then(add, 5))
        called = huey.enqueue(chord([add.s(number, 1) for number in range(5)], total))
        assert chain.get(blocking=True, timeout=30) == [2, 7]
        assert called.get(blocking=True, timeout=30) == 15
        assert later.get(blocking=True, timeout=30) == 3
        deadline = time.monotonic() + 30
        while huey.scheduled_count() or huey.pending_count():
            assert time.monotonic() < deadline
            time.sleep(0.02)
    assert next(failures, None) is None
    assert huey.storage.database.zcard(b"huey:app:queue") == 0


def test_tasks_wait_for_a_consumer_and_the_important_ones_go_first(huey: DurakvHuey) -> None:
    order: list[int] = []
    note = huey.task(name="note")(lambda number: order.append(number))
    for number in (1, 5, 3, 9):
        note.s(number)
        huey.enqueue(note.s(number, priority=number))
    with consumer(huey, workers=1):
        deadline = time.monotonic() + 30
        while len(order) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert order == [9, 5, 3, 1]
