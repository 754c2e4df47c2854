"""A LangGraph checkpointer on durakv: threads of graphs that go on after a crash, for threads and for asyncio.

    with DurakvSaver.open("checkpoints") as saver:                 or ``async with``, or DurakvSaver(db)
        graph = builder.compile(checkpointer=saver)
        graph.invoke({"question": "?"}, {"configurable": {"thread_id": "1"}})

**What is promised.**  Every call that stores or deletes is one batch of the log: after any crash all of it is there or
nothing (C1).  ``put`` stores the checkpoint, the values that are new, and the index in one batch; ``put_writes`` all
writes of a task; ``put_with_writes`` a checkpoint together with writes that wait for it.  LangGraph calls the first
two one after the other, and each is whole by itself.  A call returns when its batch has reached the saver's level, by
default SYNCED under every policy: then it survives a loss of power (C3).  A config that names another level, as
``{"configurable": {"thread_id": "1", "durakv_durability": "written"}}``, gets that one, for a run or a call.  Tasks
that store in one turn of an event loop share a sync, threads that store at once do too.

**How it is stored.**  A channel's value is stored once for each of its versions, and checkpoints name it, as
LangGraph's InMemorySaver does it.  A graph whose state holds a document of a megabyte and changes a counter in each of
100 steps so logs and keeps one megabyte rather than a hundred, and durakv keeps its state in memory.  Values, metadata
and checkpoints are what the saver's ``serde`` makes of them; see ``_langgraph_keys`` and ``_langgraph_store``.

**Given up.**  Memory holds all checkpoints of all threads: prune.  A value of more than 512 MiB, or a call whose batch
is larger than 1 GiB, is refused with ``Limit``, and nothing of it is stored or, for copies, copied; the deletion of a
thread names only its keys, so a thread of millions of entries is still one batch.  ``delete_for_runs`` looks at every
checkpoint there is.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any

from durakv.adapters._extras import not_installed

try:
    from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata, CheckpointTuple
except ImportError as error:
    raise not_installed("langgraph", error) from error
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.serde.base import SerializerProtocol

import durakv
import durakv.aio
from durakv.adapters._langgraph_config import DURABILITY_KEY, level_of
from durakv.adapters._langgraph_serde import Putting, TaskWrites
from durakv.adapters._langgraph_steps import Step, copy, deletion, prunings, run_deletions
from durakv.adapters._langgraph_sync import SyncSaver

__all__ = ["DURABILITY_KEY", "DurakvSaver", "TaskWrites"]


class DurakvSaver(SyncSaver):
    """Checkpoints in a durakv database that is open in this process; see the module for what is promised.

    Any thread may call any method, and any event loop any of those that begin with ``a``; they need no disk to read,
    and await it to write.  Several savers may share a database, and a database may hold other things: all keys here
    begin with ``langgraph:``.
    """

    def __init__(
        self,
        db: durakv.Database,
        *,
        durability: durakv.Durability | str = durakv.Durability.SYNCED,
        serde: SerializerProtocol | None = None,
    ) -> None:
        """Use an open database, which stays the caller's to close; ``DurakvSaver.open`` does both.

        ``durability`` is what a call waits for unless its config names a level: SYNCED survives a loss of power (C3),
        WRITTEN the death of the process (C2), APPLIED nothing.  Raises ``durakv.UnsupportedVersion`` for checkpoints
        that a newer version has stored.
        """
        super().__init__(db, durability=durability, serde=serde)
        self._loops: dict[asyncio.AbstractEventLoop, durakv.aio.AsyncDatabase] = {}
        self._loops_lock = threading.Lock()

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        *,
        durability: durakv.Durability | str = durakv.Durability.SYNCED,
        serde: SerializerProtocol | None = None,
        fsync: durakv.FsyncPolicy | str = durakv.FsyncPolicy.ALWAYS,
        **settings: Any,
    ) -> Opening:
        """A saver with a directory of its own, closed at the end of the block; other settings are ``durakv.open``'s."""

        def make(db: durakv.Database) -> DurakvSaver:
            return cls(db, durability=durability, serde=serde)

        return Opening(path, {"fsync": fsync, **settings}, make)

    # --- asyncio ------------------------------------------------------------------------------------------------------

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """``get_tuple``: the state is in memory, so there is nothing to wait for."""
        return self.get_tuple(config)

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """``list``, giving way to other tasks after each checkpoint."""
        for found in self.list(config, filter=filter, before=before, limit=limit):
            yield found
            await asyncio.sleep(0)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """``put``, awaited; tasks that store in one turn of the loop share a sync."""
        return await self.aput_with_writes(config, checkpoint, metadata, new_versions, ())

    async def aput_with_writes(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
        tasks: Sequence[TaskWrites],
    ) -> RunnableConfig:
        """``put_with_writes``, awaited."""
        level = level_of(config, self.durability)
        putting = Putting(self.serde, config, checkpoint, metadata, new_versions, tasks)
        while missing := await self.here().transact(putting.decide, durability=level):
            putting.pack(missing)
        return putting.config

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """``put_writes``, awaited."""
        decide, level = self._put_writes(config, writes, task_id, task_path)
        await self.here().transact(decide, durability=level)

    async def adelete_thread(self, thread_id: str) -> None:
        """``delete_thread``, awaited."""
        await self._achange([deletion(thread_id)])

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """``delete_for_runs``, awaited."""
        await self._achange(run_deletions(self.db, run_ids))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """``prune``, awaited."""
        await self._achange(prunings(thread_ids, strategy))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """``copy_thread``, awaited."""
        await self._achange([copy(source_thread_id, target_thread_id)])

    async def _achange(self, steps: Sequence[Step]) -> None:
        for number, step in enumerate(steps, 1):
            level = self.durability if number == len(steps) else durakv.Durability.APPLIED
            await self.here().transact(step, durability=level)

    def here(self) -> durakv.aio.AsyncDatabase:
        """The database for the running event loop; one for each loop, so that its tasks share syncs."""
        loop = asyncio.get_running_loop()
        known = self._loops.get(loop)
        if known is None:
            with self._loops_lock:
                for ended in [other for other in self._loops if other.is_closed()]:
                    del self._loops[ended]
                known = self._loops[loop] = durakv.aio.AsyncDatabase(durakv.aio.AsyncEngine(self.db.engine), self.db)
        return known


class Opening:
    """A saver with a directory of its own: use it in ``with``, or in ``async with``."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: dict[str, Any],
        make: Callable[[durakv.Database], DurakvSaver],
    ) -> None:
        self._path = path
        self._settings = settings
        self._make = make
        self._saver: DurakvSaver | None = None

    def __enter__(self) -> DurakvSaver:
        db = durakv.open(self._path, **self._settings)
        try:
            self._saver = self._make(db)
        except BaseException:
            db.close()
            raise
        return self._saver

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._saver is not None:
            self._saver.db.close()

    async def __aenter__(self) -> DurakvSaver:
        db = await durakv.aio.open(self._path, **self._settings)
        try:
            self._saver = self._make(db.database)
        except BaseException:
            await db.close()
            raise
        return self._saver

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._saver is not None:
            await self._saver.here().close()
