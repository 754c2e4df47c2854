"""The promise: a caller does its own work when it is alone, callers that wait share one commit, and whoever leaves (by
time-out, by an exception, because it got what it wanted) never takes the lead with it.

Method: real threads on a simulated disk whose barriers stop until the test lets them go.  Nothing here proves anything
by sleeping: the test waits for a state, and a state that never comes is a failure after a bounded time.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, DurakvError
from durakv.receipt import Receipt
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.trace import Kind, Operation
from tests.support import numbers, open_engine, put

PATIENCE_SECONDS = 20.0
WRITTEN, SYNCED = Durability.WRITTEN, Durability.SYNCED


def until(what: Callable[[], object]) -> None:
    """Wait for a state that must come."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "the state that the test waits for never came"
        time.sleep(0.0005)


class Gate:
    """Stops every barrier of a log segment while it is shut."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk(during=self._stop)
        self.held: list[Operation] = []
        self.threads: list[int] = []
        self._open = threading.Event()
        self._open.set()

    def shut(self) -> None:
        self._open.clear()

    def open(self) -> None:
        self._open.set()

    def _stop(self, operation: Operation) -> None:
        if operation.kind in (Kind.SYNC, Kind.WRITE_THROUGH) and operation.name.endswith(".incr.aof"):
            self.threads.append(threading.get_ident())
            self.held.append(operation)
            assert self._open.wait(PATIENCE_SECONDS), "the test left the gate shut"
            self.held.remove(operation)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


class Caller(threading.Thread):
    """A thread that makes one call and keeps what came of it."""

    def __init__(self, call: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._call = call
        self.outcome: object = None
        self.failure: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = self._call()
        except (DurakvError, OSError) as failure:
            self.failure = failure

    def end(self) -> None:
        self.join(PATIENCE_SECONDS)
        assert not self.is_alive(), "the call never returned"


def parked(engine: Engine) -> int:
    return len(engine._runner._waiters)


def writer(engine: Engine, number: int, durability: Durability = SYNCED) -> Caller:
    return Caller(lambda: engine.apply(put(number), durability))


def test_a_lone_writer_does_its_own_work(gate: Gate) -> None:
    engine = open_engine(gate.disk).engine
    gate.threads.clear()
    for number in range(5):
        engine.apply(put(number))
    assert gate.threads == [threading.get_ident()] * 5
    assert engine.status().syncs == 5
    engine.close()


def test_all_who_wait_share_the_next_commit(gate: Gate) -> None:
    engine = open_engine(gate.disk, segment_bytes=1 << 16).engine
    gate.shut()
    first = writer(engine, 1)
    until(lambda: gate.held)
    followers = [writer(engine, number) for number in range(2, 40)]
    until(lambda: engine.applied_seq == 39)
    assert engine.synced_seq == 0
    gate.open()
    for caller in (first, *followers):
        caller.end()
        assert caller.failure is None
    assert engine.synced_seq == 39
    assert engine.status().syncs == 2
    assert engine.status().writes == 2
    engine.close()


def test_many_threads_write_everything_once_and_in_the_order_of_their_numbers() -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk, segment_bytes=1 << 14, background=True)
    receipts: list[tuple[int, int]] = []

    def work(lane: int) -> None:
        for index in range(25):
            number = lane * 1000 + index
            receipt = engine.submit(put(number), (WRITTEN, SYNCED)[index % 2])
            if index % 3:
                receipt.result()
            receipts.append((receipt.seq, number))

    callers = [Caller(lambda lane=lane: work(lane)) for lane in range(16)]  # type: ignore[misc]
    for caller in callers:
        caller.end()
        assert caller.failure is None
    engine.close()
    assert sorted(seq for seq, _ in receipts) == list(range(1, 401))
    assert numbers(journal) == [number for _, number in sorted(receipts)]
    again = open_engine(disk)
    assert numbers(again.journal) == numbers(journal)
    again.engine.close()


def test_a_wait_that_runs_out_of_time_says_so_and_the_write_goes_on(gate: Gate) -> None:
    engine = open_engine(gate.disk, background=True).engine
    gate.shut()
    first = writer(engine, 1)
    until(lambda: gate.held)
    receipt = engine.submit(put(2))
    with pytest.raises(TimeoutError, match=r"number 2 has not reached SYNCED in 0\.02 seconds; it still may"):
        receipt.result(timeout=0.02)
    with pytest.raises(TimeoutError):
        engine.wait(1, SYNCED, timeout=0)
    assert parked(engine) == 0
    assert not receipt.done()
    gate.open()
    first.end()
    assert receipt.result(timeout=PATIENCE_SECONDS) == [2]
    assert receipt.done()
    engine.close()


def test_a_task_that_fails_is_told_once_and_ends_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    """Without its thread everysec would owe syncs for ever."""
    disk = SimulatedDisk()
    engine = open_engine(disk, fsync=FsyncPolicy.EVERYSEC, background=True).engine
    steps = threading.Semaphore(0)

    class Failing:
        def step(self) -> bool:
            steps.release()
            raise RuntimeError("a mistake of the embedder's")

    with caplog.at_level(logging.WARNING, logger="durakv"):
        engine.add_task(Failing())
        for _ in range(3):
            assert steps.acquire(timeout=PATIENCE_SECONDS)
        receipt = engine.submit(put(1), SYNCED)
        called = threading.Event()
        receipt.add_done_callback(lambda receipt: called.set())
        assert called.wait(PATIENCE_SECONDS)
    engine.close()
    assert [record.message for record in caplog.records] == ["in the background: a mistake of the embedder's"]


def test_close_serves_those_who_wait_and_refuses_those_who_come(gate: Gate) -> None:
    engine = open_engine(gate.disk).engine
    gate.shut()
    first = writer(engine, 1)
    until(lambda: gate.held)
    waiting = [writer(engine, number) for number in range(2, 6)]
    until(lambda: parked(engine) == 4)
    closer = Caller(engine.close)
    until(lambda: engine._runner._closed)
    late = writer(engine, 9)
    late.end()
    assert isinstance(late.failure, Closed)
    gate.open()
    for caller in (first, *waiting, closer):
        caller.end()
        assert caller.failure is None
    assert sorted(numbers(open_engine(gate.disk).journal)) == [1, 2, 3, 4, 5]


def test_threads_that_close_at_once_close_once(gate: Gate) -> None:
    engine = open_engine(gate.disk, background=True).engine
    engine.apply(put(1))
    generation = engine._directory.manifest.generation
    closers = [Caller(engine.close) for _ in range(6)]
    for closer in closers:
        closer.end()
        assert closer.failure is None
    assert engine._directory.manifest.generation == generation + 1
    again = open_engine(gate.disk)
    assert again.engine.report.clean
    again.engine.close()


def test_a_callback_may_close_the_engine() -> None:
    for background in (False, True):
        disk = SimulatedDisk()
        engine = open_engine(disk, background=background).engine
        closed = threading.Event()

        def close(receipt: Receipt, engine: Engine = engine, closed: threading.Event = closed) -> None:
            engine.close()
            closed.set()

        engine.submit(put(1)).add_done_callback(close)
        if not background:
            assert engine.step()
        assert closed.wait(PATIENCE_SECONDS)
        assert numbers(open_engine(disk).journal) == [1]


class Signalled(Exception):
    pass


def test_who_leaves_by_an_exception_does_not_take_the_lead_with_it(gate: Gate) -> None:
    """The main thread is parked first in line when a signal handler raises; the one behind it must be served."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise Signalled

    engine = open_engine(gate.disk).engine
    gate.shut()
    first = writer(engine, 1)
    until(lambda: gate.held)
    main = threading.get_ident()

    def send() -> None:
        until(lambda: parked(engine) == 1)
        followers.append(writer(engine, 3))
        until(lambda: parked(engine) == 2)
        signal.pthread_kill(main, signal.SIGUSR1)

    followers: list[Caller] = []
    before = signal.signal(signal.SIGUSR1, leave)
    try:
        sender = Caller(send)
        with pytest.raises(Signalled):
            engine.apply(put(2))
    finally:
        signal.signal(signal.SIGUSR1, before)
    sender.end()
    assert parked(engine) == 1
    gate.open()
    first.end()
    followers[0].end()
    assert followers[0].failure is None
    assert engine.synced_seq == 3, "the batch of the one that left is logged all the same"
    engine.close()


def test_who_waited_only_for_room_passes_the_lead_on(gate: Gate) -> None:
    """A writer that stood still because of a stall wants no commit of its own when it is woken to lead one."""
    engine, _, clock = open_engine(gate.disk, fsync=FsyncPolicy.EVERYSEC, stall_seconds=0.3)
    engine.apply(put(1))
    gate.shut()
    syncer = Caller(engine.sync)
    until(lambda: gate.held)
    engine.apply(put(2))
    waiting = Caller(lambda: engine.wait(2, SYNCED))
    clock.advance(0.5)
    stalled = writer(engine, 3, Durability.APPLIED)
    until(lambda: parked(engine) == 2)
    engine._runner._waiters.reverse()
    gate.open()
    for caller in (syncer, waiting, stalled):
        caller.end()
        assert caller.failure is None
    assert engine.synced_seq >= 2
    engine.close()


def test_callbacks_come_once_each_and_may_call_the_engine() -> None:
    disk = SimulatedDisk()
    engine = open_engine(disk).engine
    called: list[tuple[int, list[int]]] = []

    def note(receipt: Receipt) -> None:
        called.append((receipt.seq, receipt.result()))

    def write_more(receipt: Receipt) -> None:
        engine.submit(put(9)).add_done_callback(note)

    engine.submit(put(1)).add_done_callback(note)
    engine.submit(put(2)).add_done_callback(write_more)
    assert called == [], "nobody has paid for it yet"
    while engine.step():
        pass
    assert called == [(1, [1]), (3, [3])]
    engine.submit(put(4), Durability.APPLIED).add_done_callback(note)
    assert called[-1] == (4, [4]), "it is there at once"
    engine.close()
    assert len(called) == 3


def test_a_callback_that_raises_hurts_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    engine = open_engine(SimulatedDisk()).engine
    called: list[int] = []

    def fail(receipt: Receipt) -> None:
        raise RuntimeError("a bug of the caller's")

    receipts = [engine.submit(put(number)) for number in range(3)]
    receipts[0].add_done_callback(fail)
    receipts[1].add_done_callback(lambda receipt: called.append(receipt.seq))
    with caplog.at_level(logging.ERROR, logger="durakv"):
        assert engine.apply(put(3)) == [4]
    assert called == [2]
    assert "a callback for number 1 failed" in caplog.text
    engine.close()


def test_the_background_thread_serves_callbacks_without_being_asked(gate: Gate) -> None:
    engine = open_engine(gate.disk, fsync=FsyncPolicy.NO, background=True).engine
    called = threading.Event()
    engine.submit(put(1), SYNCED).add_done_callback(lambda receipt: called.set())
    assert called.wait(PATIENCE_SECONDS)
    assert engine.synced_seq == 1
    engine.close()


def test_the_background_thread_writes_what_nobody_waits_for() -> None:
    engine = open_engine(SimulatedDisk(), fsync=FsyncPolicy.NO, background=True).engine
    engine.submit(put(1), Durability.APPLIED)
    until(lambda: engine.written_seq == 1)
    engine.close()


def test_behind_a_segment_that_was_filled_the_next_one_is_made_ready_at_once() -> None:
    """Before the new one is half full, and without waiting for a tick that many more segments could be filled in."""
    engine, _, _ = open_engine(SimulatedDisk(), background=True, segment_bytes=1 << 16)
    commit, number = engine._commit, 0
    while engine.status().rotations == 0:
        number += 1
        engine.apply(put(number, 500))
    until(lambda: commit.supply.spare is not None)
    assert commit.segment.reserved * 2 < commit.segment.capacity
    engine.close()
