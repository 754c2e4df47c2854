"""The promise: the keyspace under asyncio is the keyspace, awaited; tasks of one turn share a commit.

Method: open real directories, run real loops, and look at the answers and at the number of syncs.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import durakv
import durakv.aio
from durakv_fuzz.disk import SimulatedDisk
from tests.support import died


def test_what_tasks_wrote_is_there_after_reopening(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data", fsync="always") as db:
            assert sorted(await asyncio.gather(*(db.incr(b"hits") for _ in range(100)))) == list(range(1, 101))
            assert await db.set(b"page", b"<html>", ex=100)
            assert await db.get(b"page") == b"<html>"
            assert await db.ttl(b"page") in (99, 100)
            await db.select(3).set(b"page", b"other")

    asyncio.run(main())
    with durakv.open(tmp_path / "data") as db:
        assert db.get(b"hits") == b"100"
        assert db.get(b"page") == b"<html>"
        assert db.select(3).get(b"page") == b"other"


def test_tasks_of_one_turn_share_syncs(tmp_path: Path) -> None:
    async def main() -> int:
        async with durakv.aio.open(tmp_path / "data", fsync="always") as db:
            before = db.status().syncs
            await asyncio.gather(*(db.set(b"key:%d" % number, b"v") for number in range(256)))
            status = db.status()
            assert status.unsynced_commands == 0
            return status.syncs - before

    assert asyncio.run(main()) <= 4


def test_a_batch_is_all_or_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data") as db:
            async with db.batch() as batch:
                batch.set(b"from", b"90")
                total = batch.incr(b"transfers")
            assert total.value == 1
            with pytest.raises(RuntimeError, match="changed my mind"):
                async with db.batch() as batch:
                    batch.set(b"from", b"0")
                    raise RuntimeError("changed my mind")
            with pytest.raises(durakv.CommandError):
                async with db.batch() as batch:
                    batch.set(b"from", b"0")
                    batch.execute(b"INCR", b"from", b"extra")
            assert await db.get(b"from") == b"90"

    asyncio.run(main())


def test_opening_can_be_awaited_and_scanned(tmp_path: Path) -> None:
    async def main() -> None:
        db = await durakv.aio.open(tmp_path / "data")
        try:
            await db.mset({b"key:%d" % number: b"v" for number in range(500)})
            assert len([key async for key in db.scan_iter(b"key:*", count=10)]) == 500
            assert await db.delete(b"key:1", b"key:2") == 2
            assert await db.dbsize() == 498
            assert await db.execute(b"EXISTS", b"key:3") == 1
            await db.flushdb()
            await db.sync()
            assert db.status().unsynced_commands == 0
        finally:
            await db.close()
        with pytest.raises(durakv.Closed):
            await db.set(b"a", b"b")

    asyncio.run(main())


def test_a_read_right_after_a_crash_can_wait_for_what_it_saw() -> None:
    disk = SimulatedDisk()
    durakv.open(None, filesystem=disk, background=False, fsync="always").set(b"a", b"1")

    async def main() -> None:
        async with durakv.aio.open(None, filesystem=died(disk), background=False) as db:
            assert db.report.retired
            assert await db.get(b"a", durability=durakv.Durability.SYNCED) == b"1"
            await asyncio.wait_for(db.sync(), 20)

    asyncio.run(main())


def test_a_read_can_wait_for_what_it_saw(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "data", fsync="no") as db:
            await db.set(b"a", b"1")
            assert db.status().unsynced_commands == 1
            assert await db.get(b"a", durability=durakv.Durability.SYNCED) == b"1"
            assert db.status().unsynced_commands == 0

    asyncio.run(main())
