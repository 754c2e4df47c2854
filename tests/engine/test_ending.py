"""The promise: however an engine ends, the directory is another owner's only when no call of this one is under way.

Method: a disk whose calls hang until they are let go, callers in threads of their own, interrupts, engines thrown away.
"""

from __future__ import annotations

import contextlib
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import durakv
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, Locked
from durakv.runner import Runner
from durakv_fuzz.disk import SimulatedDisk
from tests.hanging import PATIENCE_SECONDS, Caller, Hanging
from tests.support import Journal, numbers, open_engine, put

WRITTEN, SYNCED = Durability.WRITTEN, Durability.SYNCED
AT_ONCE_SECONDS = 5.0


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    hanging = Hanging()
    yield hanging
    hanging.let_go()


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.002)


def test_a_close_that_is_ended_does_not_free_the_directory_under_the_sync_of_another(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waited already may claim work between the moment when all is at rest and the last sync of the close."""
    engine, _, _ = open_engine(hanging.disk, fsync=FsyncPolicy.NO, background=False)
    receipt = engine.submit(put(1), SYNCED)
    flush = Runner.flush
    waiting: list[Caller] = []

    def late(runner: Runner) -> None:
        hanging.hang()
        waiting.append(Caller(receipt.result))
        assert hanging.hung.wait(PATIENCE_SECONDS)
        flush(runner)

    monkeypatch.setattr(Runner, "flush", late)
    closing = Caller(engine.close)
    wait_until(hanging.hung.is_set)
    assert not engine.abort(timeout=0.05)
    assert isinstance(closing.outcome(), Closed)
    with pytest.raises(Locked):
        open_engine(hanging.disk)
    hanging.let_go()
    assert isinstance(waiting[0].outcome(), Closed)
    assert engine.abort(timeout=PATIENCE_SECONDS)
    monkeypatch.undo()
    open_engine(hanging.disk).engine.close()


@pytest.mark.parametrize("background", [False, True])
def test_a_close_that_waits_for_the_call_of_another_is_told_at_once(hanging: Hanging, background: bool) -> None:
    engine, _, _ = open_engine(hanging.disk, fsync=FsyncPolicy.EVERYSEC, background=background)
    hanging.hang()
    leader = Caller(lambda: engine.apply(put(1), WRITTEN if background else SYNCED))
    assert hanging.hung.wait(PATIENCE_SECONDS)
    closing = Caller(engine.close)
    wait_until(lambda: engine._closing.begun)
    assert not engine.abort(timeout=0.05)
    closing.join(AT_ONCE_SECONDS)
    assert not closing.is_alive(), "it hangs in a call that is not its own"
    assert isinstance(closing.raised, Closed)
    with pytest.raises(Locked):
        open_engine(hanging.disk)
    hanging.let_go()
    leader.outcome()
    assert engine.abort(timeout=PATIENCE_SECONDS)
    open_engine(hanging.disk).engine.close()


def test_an_interrupted_close_does_not_free_the_directory_under_the_call_of_another(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _, _ = open_engine(hanging.disk, fsync=FsyncPolicy.NO, background=True)
    hanging.hang()
    leader = Caller(lambda: engine.apply(put(1), SYNCED))
    assert hanging.hung.wait(PATIENCE_SECONDS)

    park = Runner._park_for_role

    def interrupted(runner: Runner) -> None:
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        park(runner)

    with monkeypatch.context() as patched:
        patched.setattr(Runner, "_park_for_role", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.close()
    with pytest.raises(Locked):
        open_engine(hanging.disk)
    hanging.let_go()
    assert isinstance(leader.outcome(), Closed)
    assert engine.abort(timeout=PATIENCE_SECONDS)
    open_engine(hanging.disk).engine.close()


def test_it_waits_for_nobody_who_holds_the_lock(hanging: Hanging) -> None:
    """Who decides may read from a disk that hangs, after a lazy open."""
    engine, _, _ = open_engine(hanging.disk, background=True)
    inside, go = threading.Event(), threading.Event()

    def decide() -> tuple[list[list[bytes]], None]:
        inside.set()
        assert go.wait(PATIENCE_SECONDS)
        return put(1), None

    caller = Caller(lambda: engine.transact(decide))
    assert inside.wait(PATIENCE_SECONDS)
    aborting = Caller(lambda: engine.abort(timeout=0.05))
    aborting.join(AT_ONCE_SECONDS)
    try:
        assert not aborting.is_alive(), "it waits for who holds the lock"
        with pytest.raises(Locked):
            open_engine(hanging.disk)
    finally:
        go.set()
    assert isinstance(caller.outcome(), Closed), "nothing is acknowledged after a forced close"
    assert engine.abort(timeout=PATIENCE_SECONDS)
    open_engine(hanging.disk).engine.close()


def test_without_a_thread_to_be_had_it_waits_no_longer_than_it_may(
    hanging: Hanging, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _, _ = open_engine(hanging.disk, background=False)
    hanging.hang()
    leader = Caller(lambda: engine.apply(put(1), SYNCED))
    assert hanging.hung.wait(PATIENCE_SECONDS)
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "durakv-abort":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    aborting = Caller(lambda: engine.abort(timeout=0.05))
    aborting.join(AT_ONCE_SECONDS)
    assert not aborting.is_alive(), "it hangs"
    with pytest.raises(Locked):
        open_engine(hanging.disk)
    hanging.let_go()
    leader.outcome()
    assert engine.abort(timeout=PATIENCE_SECONDS), "whoever asks again tries again"
    open_engine(hanging.disk).engine.close()


def test_a_handler_that_raises_does_not_keep_it_from_ending(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, background=True)

    def raises(*_arguments: object, **_values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("durakv.journal.warning", raises)
        with pytest.raises(KeyboardInterrupt):
            engine.abort()
    assert engine.abort(timeout=PATIENCE_SECONDS)
    open_engine(disk).engine.close()


def test_an_engine_thrown_away_keeps_the_directory_while_something_of_it_can_write(tmp_path: Path) -> None:
    path = tmp_path / "data"
    engine = Engine(path, Journal(), fsync="no", background=False)
    receipt = engine.submit(put(1), SYNCED)
    del engine
    gc.collect()
    with pytest.raises(Locked):
        Engine(path, Journal(), background=False)
    receipt.result()
    del receipt
    gc.collect()
    journal = Journal()
    with Engine(path, journal, background=False):
        assert numbers(journal) == [1]


def test_the_background_of_an_engine_thrown_away_ends_and_only_then_is_the_directory_free(tmp_path: Path) -> None:
    path = tmp_path / "data"
    engine: Engine | None = Engine(path, Journal(), fsync="everysec")
    assert engine is not None
    assert engine._runner._background is not None
    thread = engine._runner._background._thread
    engine.apply(put(1))
    del engine
    gc.collect()
    until = time.monotonic() + PATIENCE_SECONDS
    journal = Journal()
    while True:
        with contextlib.suppress(Locked), Engine(path, journal, background=False):
            assert not thread.is_alive(), "it might still write into the directory of the next owner"
            break
        assert time.monotonic() < until, "its thread never ended"
        journal = Journal()
    assert numbers(journal) == [1]


def test_a_database_thrown_away_is_collected_and_its_directory_free(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "data", background=False)
    db.set(b"key", b"value")
    del db
    gc.collect()
    with durakv.open(tmp_path / "data", background=False) as again:
        assert again.get(b"key") == b"value"


def test_after_a_clean_close_a_forced_one_changes_nothing() -> None:
    engine, _, _ = open_engine(SimulatedDisk())
    engine.close()
    assert engine.abort()
    with pytest.raises(Closed, match="the engine is closed"):
        engine.apply(put(1))


def test_an_interrupted_close_of_a_quiet_engine_leaves_the_directory_free(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, background=True)
    engine.apply(put(1))

    def interrupted(_runner: Runner) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Runner, "flush", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.close()
    again, journal, _ = open_engine(disk)
    assert numbers(journal) == [1]
    again.close()
