"""The promise (C1, C3, C6): a crash at any point of a rewrite, of the process or of the power, leaves a directory that
opens with everything that was acknowledged, and with no debris after that open; the same when that open is cut off.

Method: a rewrite with writes between its steps on a simulated disk; then, for every event of its trace, the images
that a crash there may leave, each opened by the real engine.  Everything is acknowledged at SYNCED, so the state to
find is known exactly, except for a write under way.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.choose import Choose, Seeded, harshest, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from tests.rewrite.machines import Plain, Slotted
from tests.rewrite.test_steps import Opened

State = dict[bytes, bytes]
CHOICES: list[Choose] = [harshest, kindest, *(Seeded(seed) for seed in range(12))]


class Run:
    """A rewrite, and which states may be found after a crash at each event."""

    def __init__(self, machine: type[Plain]) -> None:
        self.machine = machine
        self.disk = SimulatedDisk()
        opened = self.opened = Opened(self.disk, machine())
        opened.fill(12)
        opened.engine.rewrite()
        opened.fill(4, b"second")
        self.begin = self.disk.trace.seq
        self.acknowledged: list[tuple[int, State]] = [(self.begin, dict(opened.machine.state))]
        handle = opened.engine._rewrite.request()
        while not handle.done():
            opened.engine.step()
            opened.put(b"set", b"during", b"%d" % len(self.acknowledged))
            self.acknowledged.append((self.disk.trace.seq, dict(opened.machine.state)))
        handle.result()
        assert opened.engine.status().rewrites == 2
        self.timeline = Timeline(self.disk.trace)

    def allowed(self, crash_seq: int) -> list[State]:
        """The last state that was acknowledged before the crash, and the one under way."""
        index = max(i for i, (seq, _) in enumerate(self.acknowledged) if seq <= crash_seq)
        return [state for _, state in self.acknowledged[index : index + 2]]

    def open(self, image: Image) -> tuple[SimulatedDisk, State]:
        disk = SimulatedDisk(image)
        opened = Opened(disk, self.machine())
        return disk, opened.machine.state


@pytest.fixture(scope="module", params=[Plain, Slotted], ids=["freeze", "merge"])
def run(request: pytest.FixtureRequest) -> Run:
    return Run(request.param)


@pytest.mark.parametrize("model", [Model.POWER_LOSS, Model.PROCESS_CRASH, Model.ORDERED])
def test_a_crash_at_any_event_loses_nothing_and_leaves_no_debris(run: Run, model: Model) -> None:
    seen: set[int] = set()
    for crash_seq in range(run.begin, run.disk.trace.seq + 1):
        for choose in CHOICES:
            image = crash_image(run.timeline, crash_seq, choose, model=model)
            if image.fingerprint() in seen:
                continue
            seen.add(image.fingerprint())
            disk, state = run.open(image)
            assert state in run.allowed(crash_seq), f"crash at event {crash_seq}"
            named = disk.image().files["appendonly.aof.manifest"].decode()
            for name in disk.list():
                assert name in named or name in ("appendonly.aof.manifest", "durakv.lock"), f"debris: {name}"
    assert len(seen) > 20, "too few crashes to mean anything"


def test_a_crash_in_the_open_after_a_crash_loses_nothing_either(run: Run) -> None:
    trace = run.disk.trace
    for crash_seq in range(run.begin, trace.seq + 1, 7):
        disk, state = run.open(crash_image(run.timeline, crash_seq, harshest))
        second = Timeline(disk.trace)
        for later in range(0, disk.trace.seq + 1, 3):
            image = crash_image(second, later, harshest)
            assert run.open(image)[1] == state, f"crash at event {crash_seq}, then at event {later} of the open"


def test_the_rewrite_after_a_crash_works(run: Run) -> None:
    for crash_seq in range(run.begin, run.disk.trace.seq + 1, 5):
        disk = SimulatedDisk(crash_image(run.timeline, crash_seq, harshest))
        opened = Opened(disk, run.machine())
        state = dict(opened.machine.state)
        opened.engine.rewrite()
        opened.engine.close()
        assert run.open(disk.image())[1] == state
