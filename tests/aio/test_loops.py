"""The promise: an asyncio facade belongs to one loop and says so elsewhere, before anything is logged; one engine may
serve several loops and threads; a close goes on when it is cancelled, and a forced one waits for nothing.

Method: real loops in real threads on real directories, and a disk whose syncs hang until they are let go.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import durakv
import durakv.aio
from durakv.aio.engine import AsyncEngine
from durakv.errors import Closed, Locked
from durakv.keyspace import database
from tests.hanging import PATIENCE_SECONDS, Hanging
from tests.support import numbers, open_engine, put


def in_a_thread(run: Callable[[], object]) -> None:
    """Run it in another thread, and raise here what it raised there."""
    raised: list[BaseException] = []

    def body() -> None:
        try:
            run()
        except BaseException as failure:  # noqa: BLE001 - raised below
            raised.append(failure)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive(), "it hangs"
    if raised:
        raise raised[0]


async def open_database(path: Path) -> durakv.aio.AsyncDatabase:
    return await durakv.aio.open(path)


def doors(db: durakv.aio.AsyncDatabase) -> list[Callable[[], Coroutine[Any, Any, object]]]:
    return [
        lambda: db.set(b"elsewhere", b"1"),
        lambda: db.set(b"elsewhere", b"1", ex=10),
        lambda: db.incr(b"elsewhere"),
        lambda: db.execute(b"SET", b"elsewhere", b"1"),
        lambda: db.select(1).set(b"elsewhere", b"1"),
        db.sync,
        lambda: db.wait(1),
        lambda: db.engine.apply([[b"SET", b"elsewhere", b"1"]]),
        lambda: db.engine.read(lambda: None, durakv.Durability.SYNCED),
        lambda: db.get(b"here", durability=durakv.Durability.SYNCED),
        db.close,
        db.abort,
    ]


def test_another_loop_is_refused_before_anything_is_logged(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data") as db:
            await db.set(b"here", b"1")
            before = db.engine.engine.applied_seq
            for door in doors(db):

                def elsewhere(door: Callable[[], Coroutine[Any, Any, object]] = door) -> None:
                    with pytest.raises(RuntimeError, match="belongs to another event loop; nothing was logged"):
                        asyncio.run(door())

                await asyncio.to_thread(in_a_thread, elsewhere)
            assert db.engine.engine.applied_seq == before
            await db.set(b"here", b"2")

    asyncio.run(main())
    with durakv.open(tmp_path / "data") as again:
        assert again.keys() == [b"here"]
        assert again.report.clean


def test_a_second_run_is_refused_and_told_why_and_the_directory_can_still_be_closed(tmp_path: Path) -> None:
    db = asyncio.run(open_database(tmp_path / "data"))
    for door in doors(db):
        with pytest.raises(RuntimeError, match="another event loop, which has ended"):
            asyncio.run(door())
    db.database.close()
    with durakv.open(tmp_path / "data") as again:
        assert again.keys() == []


def test_each_run_may_open_the_directory_again(tmp_path: Path) -> None:
    async def main() -> int:
        async with durakv.aio.open(tmp_path / "data") as db:
            return await db.incr(b"runs")

    assert [asyncio.run(main()) for _ in range(3)] == [1, 2, 3]


def test_two_loops_may_have_a_directory_each(tmp_path: Path) -> None:
    def run(name: str) -> None:
        async def main() -> None:
            async with durakv.aio.open(tmp_path / name, fsync="always") as db:
                await asyncio.gather(*(db.incr(b"hits") for _ in range(50)))
                assert await db.get(b"hits") == b"50"

        asyncio.run(main())

    threads = [threading.Thread(target=in_a_thread, args=(lambda name=name: run(name),)) for name in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    for name in ("one", "two"):
        with durakv.open(tmp_path / name) as db:
            assert db.get(b"hits") == b"50"


def test_one_engine_serves_two_loops_and_threads_at_once(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "data", fsync="always")
    failures: list[BaseException] = []

    def loop() -> None:
        async def main() -> None:
            shared = durakv.aio.AsyncDatabase(AsyncEngine(db.engine), db)
            await asyncio.gather(*(shared.incr(b"hits") for _ in range(50)))

        try:
            asyncio.run(main())
        except BaseException as failure:  # noqa: BLE001 - looked at below
            failures.append(failure)

    def plain() -> None:
        for _ in range(50):
            db.incr(b"hits")

    threads = [threading.Thread(target=target) for target in (loop, loop, plain, plain)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert failures == []
    db.close()
    with durakv.open(tmp_path / "data") as again:
        assert again.get(b"hits") == b"200"


def test_a_close_that_is_cancelled_goes_on(tmp_path: Path) -> None:
    async def main() -> None:
        db = await open_database(tmp_path / "data")
        await db.set(b"key", b"value")
        closing = asyncio.create_task(db.close())
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await db.close()  # waits for the same
        await db.close()
        with durakv.open(tmp_path / "data") as again:
            assert again.report.clean
            assert again.get(b"key") == b"value"

    asyncio.run(main())


def test_a_cancelled_program_closes_what_it_has_open(tmp_path: Path) -> None:
    async def serve() -> None:
        async with durakv.aio.open(tmp_path / "data") as db:
            await db.set(b"key", b"value")
            await asyncio.sleep(PATIENCE_SECONDS)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(serve(), 0.5)

    asyncio.run(main())
    with durakv.open(tmp_path / "data") as again:
        assert again.report.clean


def test_a_forced_close_tells_tasks_at_once_although_their_commit_hangs() -> None:
    hanging = Hanging()

    async def main() -> None:
        engine = AsyncEngine(open_engine(hanging.disk).engine)
        await engine.apply(put(1))
        engine._turns._seconds = 1.0  # the disk has been slow, so commits are done in the thread
        hanging.hang()
        tasks = [asyncio.create_task(engine.apply(put(number))) for number in (2, 3)]
        await asyncio.to_thread(hanging.hung.wait, PATIENCE_SECONDS)
        late = asyncio.create_task(engine.apply(put(4)))
        await asyncio.sleep(0)
        started = time.monotonic()
        assert not await engine.abort(timeout=0.05)
        outcomes = await asyncio.gather(*tasks, late, return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Closed] * 3
        assert time.monotonic() - started < PATIENCE_SECONDS / 2
        await engine.close()  # hangs no more than that
        with pytest.raises(Locked):
            open_engine(hanging.disk)
        hanging.let_go()
        assert await engine.abort(timeout=PATIENCE_SECONDS)
        again, journal, _ = open_engine(hanging.disk)
        assert numbers(journal)[:1] == [1]
        again.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_SECONDS))


@pytest.mark.parametrize("late", [False, True])
def test_an_open_that_is_cancelled_leaves_nothing_open(
    late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go, opened = threading.Event(), threading.Event(), threading.Event()
    really_open = database.open

    def slow(*arguments: Any, **settings: Any) -> durakv.Database:
        begun.set()
        assert go.wait(PATIENCE_SECONDS)
        db = really_open(*arguments, **settings)
        opened.set()
        return db

    async def main() -> None:
        async def use() -> None:
            async with durakv.aio.open(tmp_path / "data"):
                raise AssertionError("it was cancelled")

        using = asyncio.create_task(use())
        await asyncio.to_thread(begun.wait)
        if late:  # it is open, and the loop has not been told
            go.set()
            assert opened.wait(PATIENCE_SECONDS)
        using.cancel()
        with pytest.raises(asyncio.CancelledError):
            await using
        go.set()

    monkeypatch.setattr(database, "open", slow)
    asyncio.run(main())  # and waits for its threads
    monkeypatch.undo()
    durakv.open(tmp_path / "data").close()


@pytest.mark.parametrize("by_the_engine", [False, True], ids=["in the loop", "from a thread"])
def test_a_close_that_a_forced_one_ends_says_so(*, by_the_engine: bool) -> None:
    hanging = Hanging()

    async def main() -> None:
        engine = AsyncEngine(open_engine(hanging.disk).engine)
        await engine.apply(put(1))
        engine._turns._seconds = 1.0  # the disk has been slow, so commits are done in the thread
        hanging.hang()
        waiting = asyncio.create_task(engine.apply(put(2)))
        await asyncio.to_thread(hanging.hung.wait, PATIENCE_SECONDS)
        closing = asyncio.create_task(engine.close())
        await asyncio.sleep(0.01)
        if by_the_engine:
            await asyncio.to_thread(lambda: engine.engine.abort(timeout=0))
            hanging.let_go()
        else:
            assert not await engine.abort(timeout=0.05)
        with pytest.raises(Closed, match="by force"):
            await closing
        hanging.let_go()
        with pytest.raises(Closed):
            await waiting
        assert await engine.abort(timeout=PATIENCE_SECONDS)
        await engine.close()  # it was told

    asyncio.run(asyncio.wait_for(main(), PATIENCE_SECONDS))


def test_a_forced_close_tells_who_waits_behind_a_hung_commit_to_log(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = Hanging()

    async def main() -> None:
        engine = AsyncEngine(open_engine(hanging.disk).engine)
        await engine.apply(put(1))
        engine._turns._seconds = 1.0
        hanging.hang()
        waiting = asyncio.create_task(engine.apply(put(2)))
        await asyncio.to_thread(hanging.hung.wait, PATIENCE_SECONDS)
        submit = engine.engine.submit

        def blocks(commands: Any, durability: Any = None, *, blocking: bool = True) -> Any:
            if not blocking:
                raise BlockingIOError
            return submit(commands, durability)

        monkeypatch.setattr(engine.engine, "submit", blocks)
        behind = asyncio.create_task(engine.apply(put(3)))
        await asyncio.sleep(0.01)
        assert not await engine.abort(timeout=0.05)
        done, _ = await asyncio.wait([waiting, behind], timeout=1.0)
        assert done == {waiting, behind}, "it waits for the disk"
        assert [type(task.exception()) for task in (waiting, behind)] == [Closed, Closed]
        hanging.let_go()
        assert await engine.abort(timeout=PATIENCE_SECONDS)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_SECONDS))


def test_a_close_does_not_hold_up_the_loop_for_a_call_that_came_late(tmp_path: Path) -> None:
    go = threading.Event()

    async def main() -> None:
        db = await open_database(tmp_path / "data")
        await db.set(b"key", b"value")
        closing = asyncio.create_task(db.close())
        await asyncio.sleep(0)
        late = db.engine._turns.call(go.wait, PATIENCE_SECONDS)
        started = time.monotonic()
        await asyncio.sleep(0.05)
        assert time.monotonic() - started < PATIENCE_SECONDS / 2, "the loop stood still"
        go.set()
        await late
        await closing

    asyncio.run(main())
