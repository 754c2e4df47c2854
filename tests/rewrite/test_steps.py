"""The promise: a rewrite changes nothing but the files; writers go on meanwhile; it begins when the log has grown, or
when asked; and when it fails, everything is as it was, the reason is told, and it is tried again later and later.

Method: the real engine without a thread on a simulated disk with a clock that moves by hand, so that every step is
taken by the test; then the directory is opened again and compared with what was written.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from typing import TypeVar

import pytest

from durakv.clock import ManualClock
from durakv.directory import base_name, segment_name
from durakv.engine import Engine
from durakv.errors import Closed, Corruption, DiskFull, DurakvError, Poisoned
from durakv.options import Options
from durakv.snapshot.reader import read_base
from durakv.snapshot.writer import STEP_BYTES, STEP_BYTES_ALONE
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault
from durakv_fuzz.trace import Kind, Operation
from tests.rewrite.machines import Plain, Slotted
from tests.support import IDENTITY

MachineT = TypeVar("MachineT", bound=Plain)

OFF = {"rewrite_percentage": 0, "rewrite_segments_max": 0}


class Opened:
    """An engine, its machine and its parts."""

    def __init__(self, disk: SimulatedDisk, machine: Plain, **options: int) -> None:
        self.disk = disk
        self.machine = machine
        self.clock = ManualClock()
        self.engine = Engine(
            None,
            machine,
            options=Options(fsync="always", **(OFF | {"segment_bytes": 4096} | options)),  # type: ignore[arg-type]
            filesystem=disk,
            clock=self.clock,
            background=False,
            entropy=lambda size: IDENTITY[:size],
        )

    def put(self, *words: bytes) -> None:
        self.engine.apply([list(words)])

    def fill(self, count: int = 30, value: bytes = b"value") -> None:
        for index in range(count):
            self.put(b"set", b"key%d" % index, value)

    def steps(self) -> int:
        """Take background steps until there is nothing to do; return how many."""
        count = 0
        while self.engine.step():
            count += 1
            assert count < 10_000, "it never ends"
        return count

    def bases(self) -> list[str]:
        return [name for name in self.disk.list() if ".base." in name]


def new_disk() -> SimulatedDisk:
    return SimulatedDisk()


def reopened(disk: SimulatedDisk, machine: type[MachineT]) -> tuple[MachineT, tuple[str, ...]]:
    """The state that a new owner of what is on the disk finds, and the debris it met."""
    copy = SimulatedDisk(disk.image())
    opened = Opened(copy, machine())
    opened.engine.close()
    again = Opened(copy, machine())
    assert not again.engine.report.debris, "debris after the next open"
    assert isinstance(again.machine, machine)
    return again.machine, opened.engine.report.debris


@pytest.fixture(params=[Plain, Slotted], ids=["freeze", "merge"])
def machine(request: pytest.FixtureRequest) -> type[Plain]:
    chosen: type[Plain] = request.param
    return chosen


# --- what it does -----------------------------------------------------------------------------------------------------


def test_a_rewrite_leaves_one_base_one_empty_segment_and_the_same_state(machine: type[Plain]) -> None:
    opened = Opened(new_disk(), machine())
    opened.fill()
    opened.put(b"del", b"key3")
    before = dict(opened.machine.state)
    opened.engine.rewrite()
    assert opened.machine.state == before
    assert opened.bases() == [base_name(1)]
    assert len(opened.disk.list()) == 4, "base, segment, manifest, lock"
    status = opened.engine.status()
    assert (status.rewrites, status.rewrite_failures, status.rewriting, status.segments) == (1, 0, False, 1)
    assert status.base_bytes == opened.disk.open(base_name(1)).size()
    assert status.log_bytes == 94
    assert reopened(opened.disk, machine)[0].state == before


def test_a_base_from_memory_is_synced_in_larger_steps_while_nobody_writes() -> None:
    noise = random.Random(5)
    opened = Opened(new_disk(), Plain(), segment_bytes=8 << 20)
    for index in range(200):
        opened.put(b"set", b"key%d" % index, noise.randbytes(20_000))

    def most_unsynced(write: bool) -> int:
        before = len(opened.disk.trace.operations)
        handle = opened.engine._rewrite.request()
        opened.clock.advance(1.0)
        while not handle.done():
            opened.engine.step()
            opened.clock.advance(0.3)
            if write:
                opened.put(b"set", b"another", b"value")
        most = unsynced = 0
        for operation in opened.disk.trace.operations[before:]:
            if ".base." in operation.name and operation.kind in (Kind.WRITE, Kind.SYNC):
                unsynced = unsynced + operation.size if operation.kind is Kind.WRITE else 0
                most = max(most, unsynced)
        return most

    opened.put(b"set", b"key0", b"")
    assert most_unsynced(write=True) < 2 * STEP_BYTES
    opened.put(b"set", b"key0", b"")
    assert STEP_BYTES_ALONE <= most_unsynced(write=False) < 2 * STEP_BYTES_ALONE


def test_a_second_rewrite_replaces_the_base(machine: type[Plain]) -> None:
    opened = Opened(new_disk(), machine())
    for count in (20, 3, 40):
        opened.fill(count, b"round %d" % count)
        opened.engine.rewrite()
    assert opened.bases() == [base_name(3)]
    assert reopened(opened.disk, machine)[0].state == opened.machine.state


def test_writes_between_any_two_steps_are_kept_and_are_no_part_of_the_base(machine: type[Plain]) -> None:
    opened = Opened(new_disk(), machine())
    opened.fill()
    handle = opened.engine._rewrite.request()
    states: dict[int, dict[bytes, bytes]] = {}
    while not handle.done():
        states[opened.engine.applied_seq] = dict(opened.machine.state)
        opened.engine.step()
        opened.put(b"set", b"key1", b"during %d" % len(states))
        opened.put(b"append", b"key%d" % (len(states) % 30), b"+")
    handle.result()
    with read_base(opened.disk, base_name(1)) as reader:
        seq = reader.header.seq
        base = machine()
        if isinstance(base, Slotted):
            for block in reader:
                base.restore_slot(block.slot, block.payload())
        else:
            base.restore(block.payload() for block in reader)
    assert base.state == states[seq], "the base is not the state of one moment"
    assert seq < opened.engine.applied_seq - 5
    assert reopened(opened.disk, machine)[0].state == opened.machine.state


def test_progress_rises_from_nothing_to_the_end() -> None:
    opened = Opened(new_disk(), Slotted())
    for _ in range(20):
        opened.engine.apply([[b"set", b"%d" % index, b"x" * 5000] for index in range(20)])
    handle = opened.engine._rewrite.request()
    seen: list[float] = []
    while not handle.done():
        opened.engine.step()
        seen.append(opened.engine.status().rewrite_progress)
    assert seen[:-1] == sorted(seen[:-1])
    assert len(set(seen)) > 4
    assert max(seen) > 0.8
    assert (seen[-1], opened.engine.status().rewriting) == (0.0, False)


def test_a_request_during_a_rewrite_is_answered_by_the_next_one(machine: type[Plain]) -> None:
    opened = Opened(new_disk(), machine())
    opened.fill()
    first = opened.engine._rewrite.request()
    while opened.engine.status().rotations == 0:
        opened.engine.step()
    opened.put(b"set", b"late", b"1")
    second = opened.engine._rewrite.request()
    while not first.done():
        opened.engine.step()
    assert not second.done()
    opened.steps()
    second.result()
    assert opened.engine.status().rewrites == 2
    with read_base(opened.disk, base_name(2)) as reader:
        assert reader.header.seq == opened.engine.applied_seq


def test_there_is_nothing_to_do_without_a_log(machine: type[Plain]) -> None:
    opened = Opened(new_disk(), machine())
    opened.engine.rewrite()
    assert (opened.engine.status().rewrites, opened.bases()) == (0, [])
    opened.fill()
    opened.engine.rewrite()
    opened.engine.rewrite()
    assert (opened.engine.status().rewrites, opened.bases()) == (1, [base_name(1)])


def test_what_cannot_be_merged_comes_from_the_live_machine_and_is_merged_the_next_time() -> None:
    opened = Opened(new_disk(), Slotted())
    opened.fill()
    opened.put(b"rename", b"key1", b"other")
    opened.engine.rewrite()
    assert opened.engine._rewrite.maker.merged is None
    with read_base(opened.disk, opened.bases()[0]) as reader:
        assert reader.header.content == Slotted.content
    opened.put(b"append", b"other", b"!")
    opened.engine.rewrite()
    assert opened.engine._rewrite.maker.merged is not None
    assert opened.engine._rewrite.maker.merged.rebuilt == 1
    assert opened.engine.status().rewrite_failures == 0
    assert reopened(opened.disk, Slotted)[0].state == opened.machine.state


def test_an_image_may_be_empty_and_have_empty_chunks() -> None:
    class Blank(Plain):
        def freeze(self):  # type: ignore[no-untyped-def]
            return iter([b"", b""])

        def restore(self, chunks):  # type: ignore[no-untyped-def]
            assert list(chunks) == [b"", b""], "the chunks were cut in other places"
            self.state = {b"restored": b""}

    opened = Opened(new_disk(), Blank())
    opened.put(b"set", b"a", b"1")
    opened.engine.rewrite()
    assert reopened(opened.disk, Blank)[0].state == {b"restored": b""}


# --- when -------------------------------------------------------------------------------------------------------------


def rewrites(opened: Opened) -> int:
    opened.steps()
    return opened.engine.status().rewrites


def test_it_begins_by_itself_when_base_and_log_are_large_and_the_log_has_grown() -> None:
    opened = Opened(new_disk(), Slotted(), rewrite_percentage=100, rewrite_bytes_min=20_000)
    while opened.engine.status().log_bytes < 19_000:
        opened.put(b"set", b"big", b"x" * 1000)
        assert rewrites(opened) == 0, "below the minimum size"
    opened.put(b"set", b"big", b"x" * 1000)
    opened.put(b"set", b"big", b"x" * 1000)
    assert rewrites(opened) == 1, "without a base the minimum size decides"
    base = opened.engine.status().base_bytes
    assert base < 2000
    for index in range(25):
        opened.put(b"set", b"many%d" % index, random.Random(index).randbytes(1000))
    assert rewrites(opened) == 2
    base = opened.engine.status().base_bytes
    assert base > 20_000
    while opened.engine.status().log_bytes < base - 2000:
        opened.put(b"set", b"big", b"x" * 1000)
        assert rewrites(opened) == 2, "the log is smaller than the base"
    for _ in range(3):
        opened.put(b"set", b"big", b"x" * 1000)
    assert rewrites(opened) == 3


def test_it_begins_by_itself_when_there_are_too_many_segments() -> None:
    opened = Opened(new_disk(), Slotted(), rewrite_segments_max=3)
    while opened.engine.status().segments <= 3:
        assert rewrites(opened) == 0
        opened.put(b"set", b"big", b"x" * 1000)
    assert rewrites(opened) == 1
    assert opened.engine.status().segments == 1


def test_it_never_begins_by_itself_when_that_is_switched_off() -> None:
    opened = Opened(new_disk(), Slotted(), rewrite_bytes_min=0)
    for _ in range(30):
        opened.put(b"set", b"big", b"x" * 1000)
    assert rewrites(opened) == 0


# --- when it fails ----------------------------------------------------------------------------------------------------


class Failing:
    """A plan that fails calls of these kinds on bases while it is armed."""

    def __init__(self, kinds: tuple[Kind, ...] = (Kind.CREATE,), error: int = errno.EIO) -> None:
        self.armed = False
        self.asked = 0
        self._kinds = kinds
        self._error = error

    def __call__(self, operation: Operation) -> Fault | None:
        if not self.armed or operation.kind not in self._kinds or ".base." not in operation.name:
            return None
        self.asked += 1
        return Fault(self._error)


def test_failures_back_off_as_stock_servers_do_and_a_request_does_not_wait() -> None:
    failing = Failing()
    opened = Opened(SimulatedDisk(faults=failing), Slotted(), rewrite_percentage=1, rewrite_bytes_min=0)
    failing.armed = True
    opened.put(b"set", b"a", b"1")
    opened.steps()
    status = opened.engine.status()
    assert (failing.asked, status.rewrite_failures) == (3, 3), "the first failures are tried again at once"
    assert "EIO" in (status.rewrite_error or "") or "Input/output" in (status.rewrite_error or "")
    for minutes in (1, 2, 4, 8, 16, 32, 60, 60, 60):
        opened.clock.advance(60 * minutes - 1)
        assert opened.steps() == 0, "it did not wait"
        opened.clock.advance(2)
        before = failing.asked
        opened.steps()
        assert failing.asked == before + 1
    with pytest.raises(DurakvError, match="everything is as it was"):
        opened.engine.rewrite()
    failing.armed = False
    opened.engine.rewrite()
    assert (opened.engine.status().rewrite_failures, opened.engine.status().rewrite_error) == (0, None)
    assert opened.engine.status().rewrites == 1


def test_it_is_refused_up_front_when_the_disk_cannot_hold_both() -> None:
    opened = Opened(new_disk(), Slotted())
    opened.fill()
    opened.disk.capacity_bytes = sum(map(len, opened.disk.image().files.values())) + 9000
    with pytest.raises(DiskFull, match="nothing was begun"):
        opened.engine.rewrite()
    assert opened.bases() == []
    assert opened.engine.status().rotations == 0
    opened.disk.capacity_bytes = None
    opened.engine.rewrite()


def test_a_disk_that_fills_up_in_the_middle_costs_nothing(machine: type[Plain]) -> None:
    failing = Failing((Kind.WRITE,), errno.ENOSPC)
    opened = Opened(SimulatedDisk(faults=failing), machine())
    opened.fill()
    failing.armed = True
    with pytest.raises(DiskFull):
        opened.engine.rewrite()
    assert opened.bases() == []
    opened.put(b"set", b"after", b"1")
    assert reopened(opened.disk, machine)[0].state == opened.machine.state


class Once:
    """Fails the n-th call after it was armed, once; remembers which it was."""

    def __init__(self, error: int, *, done: int = 0) -> None:
        self.left: int | None = None
        self.failed: Operation | None = None
        self._fault = Fault(error, done=done)

    def __call__(self, operation: Operation) -> Fault | None:
        if self.left is None or self.failed is not None:
            return None
        self.left -= 1
        if self.left >= 0:
            return None
        self.failed = operation
        return self._fault


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EMFILE], ids=["EIO", "ENOSPC", "EMFILE"])
@pytest.mark.parametrize("done", [0, 1 << 30], ids=["undone", "done"])
def test_any_call_may_fail_once_and_nothing_is_lost(machine: type[Plain], error: int, done: int) -> None:
    tried: set[str] = set()
    for index in range(200):
        plan = Once(error, done=done)
        opened = Opened(SimulatedDisk(faults=plan), machine())
        opened.fill(12)
        opened.engine.rewrite()
        opened.fill(3, b"second")
        plan.left = index
        failure: DurakvError | None = None
        try:
            opened.engine.rewrite()
        except DurakvError as raised:
            failure = raised
        if plan.failed is None:
            assert failure is None
            break
        tried.add(f"{plan.failed.kind}{' base' if 'base' in plan.failed.name else ''}")
        if opened.engine.status().poisoned is None:
            opened.put(b"set", b"after", b"1")
            assert (opened.engine.status().rewrite_error is None) == (failure is None)
        else:
            assert ".base." not in plan.failed.name, "a base that nothing named yet, or no more, poisoned it"
            with pytest.raises(Poisoned):
                opened.engine.rewrite()
        assert reopened(opened.disk, machine)[0].state == opened.machine.state, plan.failed
    else:
        raise AssertionError("the rewrite never came to its end")
    assert {"create base", "write_at base", "sync base", "rename base", "remove base", "sync_directory"} <= tried


def test_damage_in_what_is_merged_is_told_and_nothing_is_replaced() -> None:
    for name, where in ((base_name(1), 100), (segment_name(2), 100)):
        opened = Opened(new_disk(), Slotted())
        opened.fill()
        opened.engine.rewrite()
        opened.fill(3, b"second")
        name = name if name in opened.disk.list() else next(n for n in opened.disk.list() if n.endswith(".incr.aof"))
        file = opened.disk.open(name, writable=True)
        file.write_at(bytes([file.read_at(1, where)[0] ^ 1]), where)
        manifest = opened.disk.image().files["appendonly.aof.manifest"]
        with pytest.raises(Corruption) as caught:
            opened.engine.rewrite()
        assert caught.value.name == name
        assert opened.bases() == [base_name(1)]
        assert opened.engine.status().poisoned is None
        now = opened.disk.image().files["appendonly.aof.manifest"]
        assert base_name(1).encode() in now
        assert manifest.count(b"type i") + 1 == now.count(b"type i"), "only the rotation may have changed it"


def test_a_machine_that_breaks_while_it_is_frozen_breaks_nothing_else() -> None:
    class Broken(Plain):
        broken: Callable[[], object] | None = None

        def freeze(self):  # type: ignore[no-untyped-def]
            yield b"one"
            raise RuntimeError("no image today")

    opened = Opened(new_disk(), Broken())
    opened.fill()
    with pytest.raises(DurakvError, match="no image today"):
        opened.engine.rewrite()
    assert opened.bases() == []
    opened.put(b"set", b"after", b"1")
    assert opened.engine.status().poisoned is None


def test_closing_ends_a_rewrite_and_leaves_nothing(machine: type[Plain]) -> None:
    for count in range(1, 40):
        opened = Opened(new_disk(), machine())
        opened.fill()
        handle = opened.engine._rewrite.request()
        for _ in range(count):
            opened.engine.step()
        ended = handle.done()
        opened.engine.close()
        if ended:
            handle.result()
        else:
            with pytest.raises(Closed):
                handle.result()
        state, debris = reopened(opened.disk, machine)
        assert (state.state, debris) == (opened.machine.state, ())
        if ended:
            break
    else:
        raise AssertionError("it never ends")
    with pytest.raises(Closed):
        opened.engine._rewrite.request()


def test_a_poisoned_engine_refuses_a_rewrite_and_ends_the_waiting_for_one() -> None:
    opened = Opened(new_disk(), Slotted())
    opened.fill()
    handle = opened.engine._rewrite.request()
    opened.engine.step()
    opened.engine._runner.poison(OSError(errno.EIO, "elsewhere"))
    assert handle.done()
    with pytest.raises(Poisoned):
        handle.result()
    with pytest.raises(Poisoned):
        opened.engine._rewrite.request()
    assert not opened.engine.step()
