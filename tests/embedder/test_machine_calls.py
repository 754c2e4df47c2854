"""The promise (E1, E3): a machine is called under the engine's lock, never twice at once, with each command once and in
the order of the numbers, at every recovery as at the first time; its image is asked for under the lock and taken out of
it between writes.

Method: a machine that looks at the lock and at itself in every call, written to by threads at once, and rewritten while
they write; then the same commands are compared with those of a recovery.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from durakv.clock import SystemClock
from durakv.durability import Durability
from durakv.engine import Engine
from durakv.machine import Command
from durakv.options import Options
from durakv_fuzz.disk import SimulatedDisk
from tests.support import Journal, numbers

THREADS = 4
BATCHES = 40


class Suspicious(Journal):
    """A journal that believes nobody: every call has to hold the lock, and to be alone."""

    def __init__(self) -> None:
        super().__init__()
        self.lock: threading.Lock | None = None
        self.alone = threading.Lock()
        self.complaints: list[str] = []
        self.calls: dict[str, int] = {}

    def check(self, call: str) -> None:
        self.calls[call] = self.calls.get(call, 0) + 1
        if self.lock is not None and not self.lock.locked():
            self.complaints.append(f"{call} without the lock")
        if not self.alone.acquire(blocking=False):
            self.complaints.append(f"{call} beside another call")
            return
        self.alone.release()

    def apply(self, command: Command) -> int:
        self.check("apply")
        with self.alone:
            return super().apply(command)

    def freeze(self) -> Iterator[bytes]:
        self.check("freeze")
        with self.alone:
            chunks = list(super().freeze())
        return self.taken([chunk[at : at + 16] for chunk in chunks for at in range(0, len(chunk), 16)])

    def taken(self, chunks: list[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.check("next")
            yield chunk

    def restore(self, chunks: Iterable[bytes]) -> None:
        self.calls["restore"] = self.calls.get("restore", 0) + 1
        super().restore(chunks)


def open_on(disk: SimulatedDisk, machine: Suspicious) -> Engine:
    options = Options(segment_bytes=1 << 16, rewrite_percentage=0, rewrite_segments_max=0)
    engine = Engine(None, machine, options=options, filesystem=disk, clock=SystemClock())
    machine.lock = engine._runner.lock
    return engine


def write(engine: Engine, thread: int, told: dict[int, int]) -> None:
    for index in range(BATCHES):
        number = thread * BATCHES + index
        told[engine.submit([[b"put", b"%d" % number]], Durability.APPLIED).seq] = number


def test_a_machine_is_called_alone_under_the_lock_and_in_order() -> None:
    disk, machine = SimulatedDisk(), Suspicious()
    engine = open_on(disk, machine)
    told: dict[int, int] = {}
    threads = [threading.Thread(target=write, args=(engine, thread, told)) for thread in range(THREADS)]
    for thread in threads:
        thread.start()
    engine.rewrite()
    for thread in threads:
        thread.join()
    engine.rewrite()
    engine.close()
    assert machine.complaints == []
    assert machine.calls["apply"] == THREADS * BATCHES, "each command once"
    assert machine.calls["freeze"] in (1, 2), "the first rewrite may have come before every write"
    assert machine.calls["next"] > 0
    assert numbers(machine) == [told[seq] for seq in sorted(told)], "in the order of their numbers"

    again = Suspicious()
    open_on(SimulatedDisk(disk.image()), again).close()
    assert again.commands == machine.commands
    assert again.calls["restore"] == 1


def test_a_recovery_applies_each_command_once_and_in_the_same_order() -> None:
    disk, machine = SimulatedDisk(), Suspicious()
    engine = open_on(disk, machine)
    for number in range(30):
        engine.apply([[b"put", b"%d" % number], [b"put", b"%d" % number]])
    engine.close()
    again = Suspicious()
    open_on(SimulatedDisk(disk.image()), again).close()
    assert again.commands == machine.commands
    assert again.calls == {"apply": 60}


def test_the_suspicion_is_heard() -> None:
    machine = Suspicious()
    machine.lock = threading.Lock()
    machine.apply([b"put", b"1"])
    with machine.lock, machine.alone:
        machine.check("freeze")
    assert machine.complaints == ["apply without the lock", "freeze beside another call"]
