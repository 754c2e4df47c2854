"""The promise: a signal handler that raises while its thread waits to have the runner's lock back leaves nothing
claimed, nobody parked and no lock let go that another thread holds; what was done by then counts.

Method: another thread takes the lock, waits until the main thread wants it, and sends it a signal.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from durakv.durability import Durability
from durakv.engine import Engine
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.trace import Kind, Operation
from tests.support import open_engine, put

PATIENCE_SECONDS = 20.0
SYNCED = Durability.SYNCED
WANTS_THE_LOCK = ("_do", "_park", "_wake", "lock_again")


class Signalled(Exception):
    pass


@pytest.fixture
def handled() -> Iterator[threading.Event]:
    """Set once the signal was handled, by an exception."""
    raised = threading.Event()

    def leave(number: int, frame: FrameType | None) -> None:
        raised.set()
        raise Signalled

    before = signal.signal(signal.SIGUSR1, leave)
    yield raised
    signal.signal(signal.SIGUSR1, before)


class Gate:
    """A disk whose durable writes wait while it is shut."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk(during=self._stop)
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.opened.set()

    def _stop(self, operation: Operation) -> None:
        if operation.kind is Kind.WRITE_THROUGH:
            self.reached.set()
            assert self.opened.wait(PATIENCE_SECONDS), "the test left the gate shut"

    def shut(self) -> None:
        self.opened.clear()
        self.reached.clear()


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "the state that the test waits for never came"
        time.sleep(0.0005)


class Holder(threading.Thread):
    """Takes the lock when it is time, and has it until the main thread was interrupted waiting for it."""

    def __init__(self, engine: Engine, handled: threading.Event, *, wait: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.held = threading.Event()
        self.kept = False
        """Whether the lock was its own all the time."""
        self._lock = engine._runner.lock
        self._handled = handled
        self._wait = wait
        self._main = threading.get_ident()
        self.start()

    def run(self) -> None:
        self._wait()
        with self._lock:
            self.held.set()
            until(lambda: sys._current_frames()[self._main].f_code.co_name in WANTS_THE_LOCK)
            time.sleep(0.02)
            signal.pthread_kill(self._main, signal.SIGUSR1)
            assert self._handled.wait(PATIENCE_SECONDS)
            time.sleep(0.02)
            self.kept = self._lock.locked()


def assert_goes_on(engine: Engine, holder: Holder) -> None:
    """Nothing is claimed, nobody waits, and the next write ends well."""
    holder.join(PATIENCE_SECONDS)
    assert holder.kept, "the main thread let go of a lock that was not its own"
    commit = engine._commit
    assert (commit.writing, commit.syncing, commit.poison) == (False, False, None)
    assert not engine._runner._waiters
    engine.apply(put(9))
    assert engine.synced_seq == commit.applied_seq
    engine.close()


def test_a_performed_write_is_finished_all_the_same(handled: threading.Event) -> None:
    gate = Gate()
    engine = open_engine(gate.disk).engine
    gate.shut()
    holder = Holder(engine, handled, wait=gate.reached.wait)

    def let_go() -> None:
        assert holder.held.wait(PATIENCE_SECONDS)
        gate.opened.set()

    threading.Thread(target=let_go, daemon=True).start()
    with pytest.raises(Signalled):
        engine.apply(put(1))
    holder.join(PATIENCE_SECONDS)
    assert engine.synced_seq == 1
    assert_goes_on(engine, holder)


def test_who_was_parked_is_parked_no_more(handled: threading.Event) -> None:
    gate = Gate()
    engine = open_engine(gate.disk).engine
    gate.shut()
    first = threading.Thread(target=engine.apply, args=(put(1),), daemon=True)
    first.start()
    assert gate.reached.wait(PATIENCE_SECONDS)
    holder = Holder(engine, handled, wait=lambda: until(lambda: engine._runner._waiters))
    with pytest.raises(Signalled):
        engine.wait(1, SYNCED, timeout=0.1)
    gate.opened.set()
    first.join(PATIENCE_SECONDS)
    assert_goes_on(engine, holder)


def test_callbacks_were_called_once_each(handled: threading.Event) -> None:
    gate = Gate()
    engine = open_engine(gate.disk).engine
    called: list[int] = []
    inside = threading.Event()
    holder = Holder(engine, handled, wait=inside.wait)

    def first() -> None:
        called.append(1)
        inside.set()
        assert holder.held.wait(PATIENCE_SECONDS)

    seq = engine.submit(put(1), SYNCED).seq
    engine._runner.call_when(seq, SYNCED, first)
    engine._runner.call_when(seq, SYNCED, lambda: called.append(2))
    with pytest.raises(Signalled):
        engine.wait(seq, SYNCED)
    assert called == [1, 2]
    assert_goes_on(engine, holder)
