"""The promise: however busy the writers are, a rewrite gets its rotation, and the writers get theirs.

Method: threads that write without a pause, on a simulated disk that is as fast as memory, so that the roles of the
pipeline are hardly ever free.
"""

from __future__ import annotations

import threading
import time

import pytest

from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.options import Options
from durakv_fuzz.disk import SimulatedDisk
from tests.rewrite.machines import Plain, Slotted

PATIENCE_SECONDS = 30.0
ROTATIONS = 5


@pytest.mark.parametrize("writers", [1, 4])
@pytest.mark.parametrize("level", [Durability.WRITTEN, Durability.SYNCED])
def test_a_rotation_is_not_put_off_by_writers_that_never_pause(writers: int, level: Durability) -> None:
    disk = SimulatedDisk()
    machine = Plain()
    options = Options(fsync=FsyncPolicy.EVERYSEC, segment_bytes=1 << 20, rewrite_percentage=0)
    stop = threading.Event()
    counts = [0] * writers
    with Engine(None, machine, options=options, filesystem=disk) as engine:

        def write(number: int) -> None:
            while not stop.is_set():
                engine.apply([[b"set", b"key%d" % number, b"%d" % counts[number]]], level)
                counts[number] += 1

        threads = [threading.Thread(target=write, args=(number,)) for number in range(writers)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(ROTATIONS):
                started, before = time.monotonic(), sum(counts)
                seq = engine._runner.rotate()
                assert time.monotonic() - started < PATIENCE_SECONDS
                assert engine.synced_seq >= seq
                while sum(counts) == before:
                    assert time.monotonic() - started < PATIENCE_SECONDS, "the writers were not woken again"
                    time.sleep(0.001)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        expected = {b"key%d" % number: b"%d" % (counts[number] - 1) for number in range(writers)}
        assert machine.state == expected
    again = Plain()
    with Engine(None, again, options=options, filesystem=disk):
        assert again.state == expected


@pytest.mark.parametrize("machine", [Plain, Slotted], ids=["freeze", "merge"])
def test_rewrites_one_after_the_other_under_load_lose_nothing(machine: type[Plain]) -> None:
    disk = SimulatedDisk()
    options = Options(fsync=FsyncPolicy.ALWAYS, segment_bytes=1 << 16, rewrite_percentage=0, rewrite_segments_max=0)
    stop = threading.Event()
    told: list[int] = []
    opened = machine()
    with Engine(None, opened, options=options, filesystem=disk) as engine:

        def write() -> None:
            while not stop.is_set():
                number = len(told)
                engine.apply([[b"set", b"key%d" % (number % 50), b"%d" % number]])
                told.append(number)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            for _ in range(6):
                engine.rewrite()
        finally:
            stop.set()
            thread.join()
        assert engine.status().rewrites == 6
    again = machine()
    with Engine(None, again, options=options, filesystem=disk) as engine:
        assert again.state == opened.state
        assert again.state[b"key%d" % (told[-1] % 50)] == b"%d" % told[-1]
        assert not engine.report.debris
