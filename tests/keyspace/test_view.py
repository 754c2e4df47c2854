"""The promise: several reads see one moment, and a transaction is decided with no other write in between.

Method: real directories, threads that would disturb, tasks of a loop, a log that has no room, and a look at what was
logged.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

import durakv
import durakv.aio
from durakv.clock import ManualClock


def test_reads_of_one_look_see_the_same_moment(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                with db.batch() as batch:
                    batch.set(b"a", b"%d" % number)
                    batch.set(b"b", b"%d" % number)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            for _ in range(500):
                first, second = db.read(lambda state: (state.get(b"a"), state.get(b"b")))
                assert first == second
        finally:
            stop.set()
            writer.join()


def test_threads_that_decide_from_what_they_read_do_not_overwrite_each_other(tmp_path: Path) -> None:
    def add(state: durakv.View, batch: durakv.Batch) -> int:
        total = int(state.get(b"total") or 0) + 1
        batch.set(b"total", b"%d" % total)
        batch.rpush(b"seen", b"%d" % total)
        return total

    with durakv.open(tmp_path / "data") as db:
        threads = [threading.Thread(target=lambda: [db.transact(add) for _ in range(50)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert db.get(b"total") == b"200"
        assert db.lrange(b"seen", 0, -1) == [b"%d" % number for number in range(1, 201)]


def test_a_transaction_is_one_batch_and_one_that_writes_nothing_logs_nothing(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        before = db.engine.applied_seq
        assert db.transact(lambda state, batch: state.get(b"k")) is None
        assert db.engine.applied_seq == before
        counts = db.transact(lambda _, batch: (batch.incr(b"n"), batch.incr(b"n")))
        assert [count.value for count in counts] == [1, 2]


def test_an_exception_discards_the_transaction(tmp_path: Path) -> None:
    def change_ones_mind(_: durakv.View, batch: durakv.Batch) -> None:
        batch.set(b"k", b"v")
        raise RuntimeError("changed my mind")

    def refused(_: durakv.View, batch: durakv.Batch) -> None:
        batch.set(b"k", b"v")
        batch.incr(b"k")

    with durakv.open(tmp_path / "data") as db:
        before = db.engine.applied_seq
        with pytest.raises(RuntimeError, match="changed my mind"):
            db.transact(change_ones_mind)
        with pytest.raises(durakv.CommandError, match="not an integer"):
            db.transact(refused)
        assert db.get(b"k") is None
        assert db.engine.applied_seq == before


def test_a_view_only_reads_and_a_batch_has_no_level_or_end_of_its_own(tmp_path: Path) -> None:
    def with_a_level(_: durakv.View, batch: durakv.Batch) -> None:
        batch.set(b"k", b"v", durability=durakv.Durability.SYNCED)

    def with_an_end(_: durakv.View, batch: durakv.Batch) -> None:
        with batch:
            batch.set(b"k", b"v")

    with durakv.open(tmp_path / "data") as db:
        with pytest.raises(durakv.CommandError, match="only reads"):
            db.read(lambda state: state.incr(b"n"))
        with pytest.raises(durakv.CommandError, match="only reads"):
            db.read(lambda state: state.execute(b"SET", b"k", b"v"))
        with pytest.raises(ValueError, match="durability="):
            db.transact(with_a_level)
        with pytest.raises(RuntimeError, match="without `with`"):
            db.transact(with_an_end)
        assert db.dbsize() == 0


def test_databases_are_told_apart(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        other = db.select(5)
        other.transact(lambda _, batch: batch.set(b"k", b"five"))
        assert other.read(lambda state: (state.get(b"k"), state.execute(b"GET", b"k"))) == (b"five", b"five")
        assert db.read(lambda state: state.get(b"k")) is None


def test_a_transaction_reaches_its_level(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="no") as db:
        db.transact(lambda _, batch: batch.set(b"k", b"v"))
        assert db.status().unsynced_commands > 0
        db.transact(lambda _, batch: batch.set(b"k", b"w"), durability=durakv.Durability.SYNCED)
        assert db.status().unsynced_commands == 0
        db.set(b"k", b"x")
        assert db.read(lambda state: state.get(b"k"), durability=durakv.Durability.SYNCED) == b"x"
        assert db.status().unsynced_commands == 0


def test_tasks_look_and_decide_and_share_syncs(tmp_path: Path) -> None:
    def add(state: durakv.View, batch: durakv.Batch) -> int:
        total = int(state.get(b"total") or 0) + 1
        batch.set(b"total", b"%d" % total)
        return total

    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data", fsync="always") as db:
            before = db.status().syncs
            assert sorted(await asyncio.gather(*(db.transact(add) for _ in range(100)))) == list(range(1, 101))
            assert db.status().syncs - before <= 4
            look = await db.read(lambda state: state.get(b"total"), durability=durakv.Durability.SYNCED)
            assert look == b"100"

    asyncio.run(main())


class TickingClock(ManualClock):
    """A clock on which time passes whenever somebody looks at it."""

    def time_ms(self) -> int:
        self.advance(0.004)
        return super().time_ms()


def test_a_deadline_does_not_pass_between_the_reads_of_a_look_or_before_what_was_decided(tmp_path: Path) -> None:
    def both(state: durakv.View) -> tuple[int, bytes | None, bytes | None]:
        return state.exists(b"k"), state.get(b"k"), state.execute(b"GET", b"k")  # type: ignore[return-value]

    def move(state: durakv.View, batch: durakv.Batch) -> bool:
        if state.get(b"k") is None:
            return False
        batch.rename(b"k", b"there")
        return True

    with durakv.open(tmp_path / "data", clock=TickingClock(), background=False) as db:
        for milliseconds in range(1, 40):
            db.set(b"k", b"v", px=milliseconds)
            assert db.read(both) in ((1, b"v", b"v"), (0, None, None))
            db.set(b"k", b"v", px=milliseconds)
            db.transact(move)  # a key that is gone when it is renamed would be refused
        assert db.exists(b"there")


def test_a_read_in_a_view_has_no_level_of_its_own(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        db.hset(b"h", {b"f": b"v"})
        with pytest.raises(ValueError, match="durability="):
            db.read(lambda state: state.hget(b"h", b"f", durability=durakv.Durability.SYNCED))
        with pytest.raises(ValueError, match="durability="):
            db.transact(lambda state, _: state.hget(b"h", b"f", durability=durakv.Durability.APPLIED))


def test_a_view_and_a_batch_that_were_kept_are_refused_afterwards(tmp_path: Path) -> None:
    kept: list[tuple[durakv.View, durakv.Batch]] = []

    def fail(state: durakv.View, batch: durakv.Batch) -> None:
        kept.append((state, batch))
        raise RuntimeError("changed my mind")

    with durakv.open(tmp_path / "data") as db:
        views = [db.read(lambda state: state)]
        db.transact(lambda state, batch: kept.append((state, batch)))
        with pytest.raises(RuntimeError, match="changed my mind"):
            db.transact(fail)
        for view in [*views, *(state for state, _ in kept)]:
            with pytest.raises(RuntimeError, match="this moment is over"):
                view.get(b"k")
        for _, batch in kept:
            with pytest.raises(RuntimeError, match="the batch has ended"):
                batch.set(b"k", b"v")
