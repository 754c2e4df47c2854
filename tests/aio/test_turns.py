"""The promise: tasks that write in one turn of the loop share one commit; a fast disk is synced inline, a slow one in a
thread while the loop goes on; a cancelled task takes nothing back, and no task is left waiting, whatever fails.

Method: count the syncs of a simulated disk, and make it slow, stuck or broken on purpose.
"""

from __future__ import annotations

import asyncio
import errno
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from durakv.aio.engine import AsyncEngine
from durakv.aio.turns import INLINE_SECONDS_MAX
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.errors import Closed, DiskFull, Poisoned
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.model import crash_image
from durakv_fuzz.trace import Kind, Operation
from tests.support import Journal, died, numbers, open_engine, put

APPLIED, WRITTEN, SYNCED = Durability.APPLIED, Durability.WRITTEN, Durability.SYNCED
PATIENCE_SECONDS = 20.0


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a test's coroutine; whoever is left waiting is a failure."""

    async def bounded() -> None:
        await asyncio.wait_for(main, PATIENCE_SECONDS)

    asyncio.run(bounded())


def opened(
    disk: SimulatedDisk, fsync: FsyncPolicy = FsyncPolicy.ALWAYS, *, segment_bytes: int = 1 << 16
) -> tuple[AsyncEngine, Journal]:
    engine, journal, _ = open_engine(disk, fsync=fsync, segment_bytes=segment_bytes)
    return AsyncEngine(engine), journal


def is_log_sync(operation: Operation) -> bool:
    return operation.kind in (Kind.SYNC, Kind.WRITE_THROUGH) and operation.name.endswith(".incr.aof")


async def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline, "the state that the test waits for never came"
        await asyncio.sleep(0.001)


def test_sixty_four_tasks_share_one_sync_a_turn() -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, journal = opened(disk, segment_bytes=1 << 18)

        async def work(lane: int) -> None:
            for turn in range(10):
                await engine.apply(put(lane * 100 + turn))

        await asyncio.gather(*(work(lane) for lane in range(64)))
        status = engine.status()
        assert status.synced_seq == 640
        assert status.syncs == 10
        assert status.writes == 10
        assert numbers(journal)[:64] == [lane * 100 for lane in range(64)]
        assert numbers(
            open_engine(SimulatedDisk(crash_image(disk.trace, disk.trace.seq, harshest))).journal
        ) == numbers(journal)
        await engine.close()

    run(main())


@pytest.mark.parametrize(
    ("policy", "level", "syncs", "writes"),
    [
        (FsyncPolicy.ALWAYS, None, 1, 1),
        (FsyncPolicy.NO, None, 0, 1),
        (FsyncPolicy.NO, SYNCED, 1, 1),
        (FsyncPolicy.NO, APPLIED, 0, 0),
        (FsyncPolicy.EVERYSEC, WRITTEN, 0, 1),
    ],
)
def test_a_turn_does_what_its_tasks_wait_for_and_no_more(
    policy: FsyncPolicy, level: Durability | None, syncs: int, writes: int
) -> None:
    async def main() -> None:
        engine, _ = opened(SimulatedDisk(), policy)
        results = await asyncio.gather(*(engine.apply(put(number), level) for number in range(20)))
        assert results == [[number + 1] for number in range(20)]
        assert (engine.status().syncs, engine.status().writes) == (syncs, writes)
        await engine.close()

    run(main())


def test_levels_mixed_in_one_turn_each_get_theirs() -> None:
    async def main() -> None:
        engine, _ = opened(SimulatedDisk(), FsyncPolicy.NO)
        await asyncio.gather(
            engine.apply(put(1), SYNCED), engine.apply(put(2), WRITTEN), engine.apply(put(3), APPLIED), engine.sync()
        )
        assert engine.engine.synced_seq >= 1
        assert engine.engine.written_seq >= 2
        await engine.sync()
        assert engine.engine.synced_seq == 3
        await engine.close()

    run(main())


def test_transactions_of_one_turn_see_each_other_and_share_the_commit() -> None:
    async def main() -> None:
        engine, journal = opened(SimulatedDisk())

        def decide() -> tuple[list[list[bytes]], int]:
            count = len(journal.commands)
            return put(count), count

        answers = await asyncio.gather(*(engine.transact(decide) for _ in range(30)))
        assert answers == list(range(30))
        assert engine.status().syncs == 1
        assert await engine.transact(lambda: ([], "nothing to do")) == "nothing to do"
        await engine.close()

    run(main())


def test_a_cancelled_task_takes_nothing_back_and_disturbs_nobody() -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, _ = opened(disk)
        tasks = [asyncio.create_task(engine.apply(put(number))) for number in range(6)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [True, False] * 3
        assert outcomes[1::2] == [[2], [4], [6]]
        assert engine.engine.synced_seq == 6, "its batch is logged and applied"
        assert numbers(open_engine(SimulatedDisk(disk.image())).journal) == list(range(6))
        await engine.close()

    run(main())


def test_a_failed_sync_is_told_to_every_task_that_waits_and_to_every_later_one() -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, journal = opened(disk)
        await engine.apply(put(0))
        disk.faults = fail_nth(0, Fault(errno.EIO), kinds={Kind.WRITE_THROUGH})
        outcomes = await asyncio.gather(*(engine.apply(put(number)) for number in range(1, 9)), return_exceptions=True)
        assert all(isinstance(outcome, Poisoned) for outcome in outcomes)
        for later in (engine.apply(put(9)), engine.sync(), engine.wait(3), engine.transact(lambda: (put(9), None))):
            with pytest.raises(Poisoned):
                await later
        assert engine.status().poisoned
        assert len(numbers(journal)) == 9, "reads go on"
        await engine.wait(1)
        with pytest.raises(Poisoned):
            await engine.close()

    run(main())


def slow(seconds: float) -> SimulatedDisk:
    def stall(operation: Operation) -> None:
        if is_log_sync(operation):
            time.sleep(seconds)

    return SimulatedDisk(during=stall)


def test_a_fast_disk_is_synced_inline_and_a_slow_one_in_a_thread() -> None:
    async def main() -> None:
        threads: list[str] = []
        delay = 0.0

        def note(operation: Operation) -> None:
            if is_log_sync(operation):
                threads.append(threading.current_thread().name)
                time.sleep(delay)

        disk = SimulatedDisk(during=note)
        engine, _ = opened(disk)
        threads.clear()
        await engine.apply(put(0))
        assert threads == ["MainThread"], "no hand-over before the disk was found to be slow"
        delay = 20 * INLINE_SECONDS_MAX
        for number in range(10):
            await engine.apply(put(number))
        assert sum(name.startswith("durakv-commit") for name in threads) >= 8
        await engine.close()

    run(main())


async def slow_down(engine: AsyncEngine, disk: SimulatedDisk) -> None:
    """Make the engine see a slow disk, so that it uses its thread from now on."""
    before = disk.during
    disk.during = slow(20 * INLINE_SECONDS_MAX).during
    for number in range(3):
        await engine.apply(put(1000 + number))
    disk.during = before


def test_the_loop_goes_on_while_the_disk_is_slow_and_what_arrives_shares_the_next_commit() -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, _ = opened(disk)
        await slow_down(engine, disk)
        gate, held = threading.Event(), threading.Event()

        def stop(operation: Operation) -> None:
            if is_log_sync(operation):
                held.set()
                assert gate.wait(PATIENCE_SECONDS)

        disk.during = stop
        before = engine.status().syncs
        first = asyncio.create_task(engine.apply(put(1)))
        await until(held.is_set)
        others = [asyncio.create_task(engine.apply(put(number))) for number in range(2, 50)]
        await asyncio.sleep(0)
        assert engine.engine.applied_seq == 3 + 49, "the loop is free, and they are all applied"
        assert not first.done()
        gate.set()
        await asyncio.gather(first, *others)
        assert engine.status().syncs == before + 2
        await engine.close()

    run(main())


@pytest.mark.parametrize("thread", [False, True])
def test_tasks_that_wait_when_the_engine_is_closed_are_served(thread: bool) -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, _ = opened(disk)
        if thread:
            await slow_down(engine, disk)
            disk.during = slow(3 * INLINE_SECONDS_MAX).during
        before = engine.engine.applied_seq
        tasks = [asyncio.create_task(engine.apply(put(number))) for number in range(20)]
        await asyncio.sleep(0)
        await engine.close()
        outcomes = await asyncio.gather(*tasks)
        assert outcomes == [[before + number + 1] for number in range(20)]
        assert len(open_engine(disk).journal.commands) == before + 20

    run(main())


@pytest.mark.parametrize("thread", [False, True])
def test_whoever_comes_too_late_is_told_and_nobody_waits_for_ever(thread: bool) -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, _ = opened(disk)
        if thread:
            await slow_down(engine, disk)
        last = engine.engine.applied_seq

        async def write_on(lane: int) -> int:
            done = 0
            while True:
                try:
                    await engine.apply(put(lane))
                except Closed:
                    return done
                done += 1

        lanes = [asyncio.create_task(write_on(lane)) for lane in range(8)]
        await until(lambda: engine.engine.applied_seq > last + 30)
        await engine.close()
        done = sum(await asyncio.gather(*lanes))
        assert len(open_engine(disk).journal.commands) == last + done, "acknowledged or refused, nothing between"
        with pytest.raises(Closed):
            await engine.apply(put(1))
        await engine.wait(last)
        await engine.close()

    run(main())


def test_room_in_the_log_is_made_in_the_thread_and_the_order_is_kept() -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, journal = opened(disk, segment_bytes=4096)
        await asyncio.gather(*(engine.apply(put(number, 900)) for number in range(40)))
        assert sorted(numbers(journal)) == list(range(40))
        assert engine.status().rotations >= 9
        await engine.close()
        assert numbers(open_engine(disk).journal) == numbers(journal)

    run(main())


def test_a_full_disk_is_told_to_the_task_that_met_it() -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        engine, journal = opened(disk, segment_bytes=4096)
        await engine.apply(put(1, 3000))
        disk.capacity_bytes = sum(map(len, disk.image().files.values()))
        outcomes = await asyncio.gather(engine.apply(put(2, 3000)), engine.apply(put(3, 10)), return_exceptions=True)
        assert isinstance(outcomes[0], DiskFull)
        assert outcomes[1] == [2]
        disk.capacity_bytes = None
        await engine.apply(put(4, 3000))
        assert numbers(journal) == [1, 3, 4]
        await engine.close()

    run(main())


def test_a_number_that_was_never_given_out_cannot_be_waited_for() -> None:
    async def main() -> None:
        engine, _ = opened(SimulatedDisk())
        await engine.apply(put(1))
        with pytest.raises(ValueError, match=r"number 2 was never given out; the last one is 1"):
            await engine.wait(2)
        await engine.wait(1)
        await engine.close()

    run(main())


def test_it_is_a_context_manager_and_opens_in_a_thread() -> None:
    async def main() -> None:
        disk = SimulatedDisk()
        async with AsyncEngine.open(None, Journal(), filesystem=disk, background=False) as engine:
            assert engine.report.created
            calls: list[Awaitable[object]] = [engine.apply(put(number)) for number in range(3)]
            await asyncio.gather(*calls)
            await engine.sync()
        with pytest.raises(Closed):
            await engine.apply(put(3))
        async with await AsyncEngine.open(None, Journal(), filesystem=disk, background=False) as engine:
            assert not engine.report.created
        assert numbers(open_engine(disk).journal) == [0, 1, 2]

    run(main())


def test_right_after_a_crash_nobody_is_left_waiting_for_the_numbers_that_it_retired() -> None:
    disk = SimulatedDisk()
    open_engine(disk).engine.apply(put(1))

    async def main() -> None:
        engine, journal = opened(died(disk))
        assert engine.report.retired
        await engine.sync()
        assert await engine.read(lambda: len(journal.commands), SYNCED) == 1
        assert await engine.transact(lambda: ([], len(journal.commands)), SYNCED) == 1
        with pytest.raises(ValueError, match="retired"):
            await engine.wait(engine.engine.applied_seq)
        await engine.close()

    run(main())


def test_whatever_goes_wrong_in_a_commit_is_told_to_whoever_waits() -> None:
    class Mistaken(Engine):
        mistaken = True

        def reach(self, seq: int, durability: Durability) -> None:
            if self.mistaken:
                raise RuntimeError("a mistake of ours")
            super().reach(seq, durability)

    async def main() -> None:
        engine = Mistaken(None, Journal(), filesystem=SimulatedDisk(), background=False, fsync="always")
        tasks = AsyncEngine(engine)
        with pytest.raises(RuntimeError, match="a mistake of ours"):
            await tasks.apply(put(1))
        engine.mistaken = False
        await tasks.close()

    run(main())


def test_a_read_waits_for_what_its_answer_may_depend_on() -> None:
    async def main() -> None:
        engine, journal = opened(SimulatedDisk(), fsync=FsyncPolicy.NO)
        await engine.apply(put(1))
        assert await engine.read(lambda: len(journal.commands)) == 1
        assert engine.engine.synced_seq == 0
        assert await engine.read(lambda: len(journal.commands), Durability.SYNCED) == 1
        assert engine.engine.synced_seq == 1
        await engine.close()

    run(main())
