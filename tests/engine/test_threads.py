"""The promise: whatever threads do at once (write at every level, wait, give up, change the policy, rotate, rewrite,
close), every crash keeps what had been acknowledged before it (C1 to C3, C6).

Method: real threads and the engine's own thread on one simulated disk, which puts every call and every acknowledgement
into one order.  Afterwards the machine is crashed at many points of that order.  The schedule differs from run to run;
whatever it was, the trace is what happened.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import cast

import pytest

from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, DurakvError
from durakv_fuzz.choose import Choose, Seeded, harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Operation
from tests.support import open_engine

APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED
THREADS = 8
TURNS = 40
CRASHES = 60


class Lane(threading.Thread):
    """One caller; it notes each acknowledgement the moment it has it."""

    def __init__(self, engine: Engine, disk: SimulatedDisk, seed: int) -> None:
        super().__init__(daemon=True)
        self._engine, self._disk, self._dice = engine, disk, random.Random(seed)
        self._lane = seed
        self.failure: BaseException | None = None

    def run(self) -> None:
        try:
            for turn in range(TURNS):
                self._turn(turn)
        except Closed:
            pass
        except BaseException as failure:  # noqa: BLE001 - it is told by the test
            self.failure = failure

    def _turn(self, turn: int) -> None:
        engine, dice = self._engine, self._dice
        batch = [[b"put", b"%d:%d" % (self._lane, turn), b"x" * dice.choice((5, 200, 1500))]]
        level = dice.choice((WRITTEN, SYNCED))
        receipt = engine.submit(batch, level)
        way = dice.randrange(8)
        if way < 4:
            receipt.result()
            self._note(level, receipt.seq)
        elif way == 4:
            receipt.add_done_callback(
                lambda done: self._note(done.durability, done.seq) if done.done() else None,
            )
        elif way == 5:
            try:
                engine.wait(receipt.seq, level, timeout=dice.choice((0.0, 0.0005)))
            except TimeoutError:
                return
            self._note(level, receipt.seq)
        elif way == 6:
            before = engine.applied_seq
            engine.sync()
            self._note(SYNCED, before)
        else:
            engine.set_fsync(dice.choice(list(FsyncPolicy)))

    def _note(self, level: Durability, seq: int) -> None:
        self._disk.note("acknowledged", (level, seq))


@pytest.mark.parametrize("seed", range(6))
def test_whatever_threads_do_at_once_a_crash_keeps_what_was_acknowledged(seed: int) -> None:
    dice = random.Random(seed)

    def linger(operation: Operation) -> None:
        if dice.random() < 0.3:
            time.sleep(0.0003)  # lets others run while a barrier is under way

    disk = SimulatedDisk(during=linger)
    engine, journal, _ = open_engine(disk, background=True, segment_bytes=8192)
    lanes = [Lane(engine, disk, seed * 100 + lane) for lane in range(THREADS)]
    for lane in lanes:
        lane.start()
    if seed % 2:
        engine.rewrite()
    if seed % 3 == 2:
        while engine.applied_seq < THREADS * TURNS // 2:
            time.sleep(0.0005)
        engine.close()
    for lane in lanes:
        lane.join(60)
        assert not lane.is_alive(), "a caller waits for ever"
        assert lane.failure is None
    engine.close()
    expected = journal.commands
    assert len(expected) == engine.synced_seq
    assert open_engine(SimulatedDisk(disk.image())).journal.commands == expected

    timeline = Timeline(disk.trace)
    acknowledged = [cast("tuple[Durability, int]", note.payload) for note in disk.trace.notes]
    assert len(acknowledged) >= TURNS
    trials: list[tuple[Model, Choose]] = [
        (Model.POWER_LOSS, harshest),
        (Model.POWER_LOSS, Seeded(seed)),
        (Model.PROCESS_CRASH, harshest),
    ]
    for crash_seq in sorted(dice.sample(range(disk.trace.seq + 1), min(CRASHES, disk.trace.seq))):
        for model, choose in trials:
            image = crash_image(timeline, crash_seq, choose, model=model)
            recovered = open_engine(SimulatedDisk(image)).journal.commands
            assert recovered == expected[: len(recovered)]
            least = WRITTEN if model is Model.PROCESS_CRASH else SYNCED
            promised = [seq for level, seq in acknowledged[: timeline.notes_before(crash_seq)] if level >= least]
            assert len(recovered) >= max(promised, default=0)


def test_positions_only_rise_whoever_looks() -> None:
    engine, _, _ = open_engine(SimulatedDisk(), background=True, segment_bytes=1 << 14)
    seen: list[tuple[int, int, int]] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            status = engine.read(engine_positions)
            seen.append(status)

    def engine_positions() -> tuple[int, int, int]:
        return engine.synced_seq, engine.written_seq, engine.applied_seq

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    for number in range(200):
        engine.apply([[b"put", b"%d" % number]], (APPLIED, WRITTEN, SYNCED)[number % 3])
    stop.set()
    watcher.join(20)
    engine.close()
    assert all(synced <= written <= applied for synced, written, applied in seen)
    assert all(all(now >= then for now, then in zip(later, sooner, strict=True)) for sooner, later in pairwise(seen))


def test_a_write_from_inside_a_done_callback_of_another_thread_is_one_like_any_other() -> None:
    disk = SimulatedDisk()
    engine, journal, _ = open_engine(disk, background=True)
    finished = threading.Event()
    chain: list[int] = []

    def again(seq: int) -> None:
        chain.append(seq)
        if len(chain) == 50:
            finished.set()
            return
        write(b"%d" % len(chain))

    def write(name: bytes) -> None:
        receipt = engine.submit([[b"put", name]])
        callback: Callable[[object], None] = lambda _: again(receipt.seq)  # noqa: E731
        receipt.add_done_callback(callback)

    write(b"0")
    assert finished.wait(20)
    engine.close()
    assert chain == list(range(1, 51))
    assert [int(command[1]) for command in journal.commands] == list(range(50))


def test_errors_of_one_thread_are_its_own() -> None:
    engine, journal, _ = open_engine(SimulatedDisk(), background=True)
    failures: list[BaseException] = []

    def bad(index: int) -> None:
        for _ in range(20):
            try:
                if index % 2:
                    engine.apply([[b"put", b"1"]])
                else:
                    engine.apply([["no bytes"]])  # type: ignore[list-item]
            except (TypeError, DurakvError) as failure:
                failures.append(failure)

    threads = [threading.Thread(target=bad, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    engine.close()
    assert len(journal.commands) == 60
    assert len(failures) == 60
    assert all(isinstance(failure, TypeError) for failure in failures)
