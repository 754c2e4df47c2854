"""The keyspace for asyncio: the facade of ``durakv.keyspace.database``, awaited.

    async with durakv.aio.open("data", fsync="always") as db:
        await asyncio.gather(*(db.incr(b"hits") for _ in range(100)))      # one fsync for all of them

A write returns when it has reached its durability level; writes of one turn of the loop share a commit.  A cancelled
task takes nothing back.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, TypeVar, overload

from durakv.aio.engine import AsyncEngine
from durakv.aio.opening import Opening, open_in_thread
from durakv.closing import ABORT_SECONDS
from durakv.durability import Durability
from durakv.errors import refuse_copy
from durakv.keyspace import database as sync
from durakv.keyspace.batch import Batch, batch_level
from durakv.keyspace.methods import Methods
from durakv.keyspace.methods.method import Awaited
from durakv.keyspace.methods.strings import get_request, set_request
from durakv.keyspace.replies import Reply
from durakv.keyspace.requests import Argument, Request, encode
from durakv.keyspace.view import View, deciding, looking
from durakv.machine import Command
from durakv.report import RecoveryReport, Status
from durakv_formats.limits import BULK_BYTES_MAX

R = TypeVar("R")
T = TypeVar("T")


def open(path: str | os.PathLike[str] | None, **settings: Any) -> Opening[AsyncDatabase]:
    """Open a data directory as a keyspace for the running loop; the settings are those of ``durakv.open``."""

    async def begin() -> AsyncDatabase:
        opened = await open_in_thread(lambda: sync.open(path, **settings))
        return AsyncDatabase(AsyncEngine(opened.engine), opened)

    return Opening(begin)


class AsyncBatch:
    """Commands that are collected now and run together when the ``async with`` block ends; see ``Batch``."""

    def __init__(
        self, batch: Batch, commit: Callable[[list[tuple[int, Command]], Durability], Awaitable[list[Reply]]]
    ) -> None:
        self._batch = batch
        self._commit = commit

    def __reduce__(self) -> NoReturn:
        refuse_copy(self, "collect the commands in a list of your own, and put them into a batch where the database is")

    async def __aenter__(self) -> Batch:
        return self._batch

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        commands = self._batch.end()
        if kind is None and commands:
            self._batch.settle(await self._commit(commands, self._batch.named))


class AsyncDatabase(Methods, Awaited):
    """One numbered database of an open keyspace, for one event loop; see ``durakv.Database`` for every method.

    Calls from another loop raise RuntimeError and log nothing.  ``database`` is the same for threads.
    """

    def __init__(self, engine: AsyncEngine, database: sync.Database) -> None:
        """Wrap an open database whose engine is ``engine``'s; ``open`` does all of it."""
        self.engine = engine
        self.database = database
        lane = database.lane
        self._append = None if lane is None else lane.append

    def select(self, number: int) -> AsyncDatabase:
        """Another numbered database of the same keyspace; closing either closes both."""
        return AsyncDatabase(self.engine, self.database.select(number))

    # --- any command ----------------------------------------------------------------------------------------------

    async def execute(
        self, *arguments: Argument, database: int | None = None, durability: Durability | None = None
    ) -> Reply:
        """Run any command and return its reply; see ``durakv.Database.execute``."""
        home = self.database if database is None else self.database.select(database)
        return await self._execute(home, encode(arguments), durability)

    def batch(self, *, durability: Durability | None = None) -> AsyncBatch:
        """Collect commands in an ``async with`` block and run them as one: all or nothing."""
        engine, decider = self.engine, self.database.decider

        async def commit(commands: list[tuple[int, Command]], named: Durability) -> list[Reply]:
            level = batch_level(engine.engine.fsync, durability, named)
            return await engine.transact(decider.batch(commands), level)

        return AsyncBatch(self.database.batch(durability=durability), commit)

    async def read(self, look: Callable[[View], R], *, durability: Durability | None = None) -> R:
        """Call ``look`` with the state of one moment, and return its answer; see ``durakv.Database.read``."""
        level = Durability.APPLIED if durability is None else durability
        return await self.engine.read(looking(self.database.decider, self.database.number, look), level)

    async def transact(self, decide: Callable[[View, Batch], R], *, durability: Durability | None = None) -> R:
        """Read, decide, and write as one batch, with no other write in between; see ``durakv.Database.transact``.

        If the log has to wait for the disk, ``decide`` is called again, in another thread.
        """
        return await self.engine.transact(deciding(self.database.decider, self.database.number, decide), durability)

    async def _execute(self, home: sync.Database, command: Command, durability: Durability | None) -> Reply:
        decider = home.decider
        if decider.is_write(command):
            return await self.engine.transact(decider.write(home.number, command), durability)
        level = Durability.APPLIED if durability is None else durability
        return await self.engine.read(decider.read(home.number, command), level)

    async def _run(self, request: Request[T]) -> T:
        return request.convert(await self._execute(self.database, request.command, request.durability))

    # --- the short ways -------------------------------------------------------------------------------------------

    async def get(self, key: bytes, *, durability: Durability | None = None) -> bytes | None:
        """What the key holds, or None."""
        if durability is None:
            return self.database.get(key)
        return await self._run(get_request(key, durability=durability))

    @overload
    async def set(
        self,
        key: bytes,
        value: bytes,
        *,
        nx: bool = ...,
        xx: bool = ...,
        get: Literal[False] = ...,
        keepttl: bool = ...,
        ex: int | None = ...,
        px: int | None = ...,
        exat: int | None = ...,
        pxat: int | None = ...,
        durability: Durability | None = ...,
    ) -> bool: ...

    @overload
    async def set(
        self,
        key: bytes,
        value: bytes,
        *,
        get: Literal[True],
        nx: bool = ...,
        xx: bool = ...,
        keepttl: bool = ...,
        ex: int | None = ...,
        px: int | None = ...,
        exat: int | None = ...,
        pxat: int | None = ...,
        durability: Durability | None = ...,
    ) -> bytes | None: ...

    async def set(
        self,
        key: bytes,
        value: bytes,
        *,
        nx: bool = False,
        xx: bool = False,
        get: bool = False,
        keepttl: bool = False,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
        durability: Durability | None = None,
    ) -> bool | bytes | None:
        """Set the key and drop its deadline, or give it a new one; return whether it was set."""
        plain = not (nx or xx or get or keepttl) and ex is None and px is None and exat is None and pxat is None
        self.engine.check_loop()
        if plain and self._append is not None:
            seq = self._append(key, value, durability)
            if seq is not None:
                await self.engine.until(seq, durability)
                return True
        if (
            plain
            and self.database.number == 0
            and type(key) is bytes
            and type(value) is bytes
            and len(key) <= BULK_BYTES_MAX >= len(value)
        ):
            # The command is its own effect: there is nothing to decide.
            await self.engine.apply(((b"SET", key, value),), durability)
            return True
        answer: bool | bytes | None = await self._run(
            set_request(
                key,
                value,
                nx=nx,
                xx=xx,
                get=get,
                keepttl=keepttl,
                ex=ex,
                px=px,
                exat=exat,
                pxat=pxat,
                durability=durability,
            )
        )
        return answer

    # --- all keys -------------------------------------------------------------------------------------------------

    async def scan_iter(
        self, match: bytes | None = None, *, count: int = sync.SCAN_COUNT, kind: bytes | None = None
    ) -> AsyncIterator[bytes]:
        """Go over the keys beside writers, giving way to other tasks after each step."""
        cursor = 0
        while True:
            cursor, keys = await self.scan(cursor, match=match, count=count, kind=kind)
            for key in keys:
                yield key
            if not cursor:
                return
            await asyncio.sleep(0)

    # --- the engine -----------------------------------------------------------------------------------------------

    @property
    def report(self) -> RecoveryReport:
        """What the open found and did (C13)."""
        return self.database.report

    async def sync(self) -> None:
        """Return when every write before this call survives a power loss (C3)."""
        await self.engine.sync()

    async def wait(self, seq: int, durability: Durability = Durability.SYNCED) -> None:
        """Return when a number has reached a level."""
        await self.engine.wait(seq, durability)

    def status(self) -> Status:
        """The exposure of now, and how log and base are doing (C4)."""
        return self.database.status()

    def counters(self) -> dict[str, int | float]:
        """The same as numbers under stable names; see ``Engine.counters``."""
        return self.database.counters()

    async def rewrite(self) -> None:
        """Rewrite the log into a new base; see ``Engine.rewrite``."""
        await self.engine.rewrite()

    async def close(self) -> None:
        """Write and sync everything, seal the log, and give up the directory; see ``AsyncEngine.close``."""
        self.engine.check_loop()
        self.database.decider.close()
        await self.engine.close()

    async def abort(self, *, timeout: float = ABORT_SECONDS) -> bool:
        """Close by force, without waiting for the disk; return whether the directory is free; see ``Engine.abort``."""
        self.engine.check_loop()
        self.database.decider.close()
        return await self.engine.abort(timeout=timeout)

    def __reduce__(self) -> NoReturn:
        refuse_copy(self, "pass the path on, and open that in the other process once this one has closed it")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
