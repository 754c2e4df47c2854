"""durakv under load: a keyspace for each policy, from threads and batches, and another one from asyncio tasks.

Rewrites by itself are off, so that none falls into the turn of one contestant by chance; what they cost is measured
by ``interference``.  A log that has grown is rewritten between turns, on nobody's time.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle
from pathlib import Path
from time import perf_counter_ns
from typing import Protocol, cast

import durakv.aio
from durakv import __version__
from durakv.bench.kernel import process_write_bytes
from durakv.bench.latency import back_to_back
from durakv.bench.load import Sample
from durakv.bench.load_tasks import tasks
from durakv.bench.results import Counters, Promise
from durakv.bench.store import Pair, Session, Setting, Store
from durakv.bench.workload import groups
from durakv.durability import FsyncPolicy
from durakv.engine import Engine
from durakv.keyspace.database import Database
from durakv.keyspace.database import open as open_database
from durakv.options import Options

NAME = "durakv"
LOG_BYTES_MAX = 128 << 20
"""Between two turns a log larger than this is rewritten."""


class Windowed(Store, Protocol):
    """A store whose writes can be made first and waited for later."""

    def window(self, pairs: Sequence[Pair], width: int, seconds: float, /) -> Sample:
        """One thread: so many writes of their own, then a wait for the last."""
        ...


class Tasked(Store, Protocol):
    """A store that has an event loop of its own."""

    def tasks(self, pairs: Sequence[Pair], width: int, seconds: float, offered_rate: float | None, /) -> Sample:
        """So many tasks of one event loop, each waiting for its own writes."""
        ...


def options(policy: FsyncPolicy) -> Options:
    """Those of every durakv that is measured."""
    return Options(fsync=policy, rewrite_percentage=0, rewrite_segments_max=0)


def promise(policy: FsyncPolicy) -> Promise:
    """What an acknowledgement means under a policy that syncs before it, or not."""
    return Promise.POWER if policy is FsyncPolicy.ALWAYS else Promise.PROCESS


def settings(policies: Sequence[FsyncPolicy] = tuple(FsyncPolicy)) -> list[Setting]:
    """One for each policy, for threads, windows and batches."""
    return [
        Setting(NAME, str(policy), promise(policy), partial(DurakvStore, policy=policy), __version__)
        for policy in policies
    ]


def task_settings(policies: Sequence[FsyncPolicy] = tuple(FsyncPolicy)) -> list[Setting]:
    """One for each policy, for asyncio tasks."""
    return [
        Setting(NAME, str(policy), promise(policy), partial(DurakvTasks, policy=policy), __version__)
        for policy in policies
    ]


class _Session:
    """Any thread may write to a database, so there is nothing to hold."""

    def __init__(self, database: Database) -> None:
        # The method itself: a wrapper that drops what it returns would be timed with it.
        self.put = cast("Callable[[bytes, bytes], None]", database.set)
        self._apply = database.engine.apply

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        """One atomic batch of the SETs that ``Database.set`` would log one by one."""
        self._apply([(b"SET", key, value) for key, value in pairs])

    def close(self) -> None:
        """See :class:`durakv.bench.store.Session`."""


class DurakvStore:
    """A keyspace, opened with ``durakv.open``."""

    name = NAME
    many = "batch"

    def __init__(self, directory: Path, policy: FsyncPolicy) -> None:
        self.setting = str(policy)
        self.promise = promise(policy)
        self.database = open_database(directory, options=options(policy))
        self._log = _Log(self.database.engine)

    def session(self) -> Session:
        """See :class:`durakv.bench.store.Store`."""
        return _Session(self.database)

    def window(self, pairs: Sequence[Pair], width: int, seconds: float, /) -> Sample:
        """See :class:`Windowed`."""
        submit = self.database.engine.submit
        ends = array("Q")
        keep, clock = ends.append, perf_counter_ns
        began = clock()
        deadline = began + int(seconds * 1e9)
        for group in cycle(groups(pairs, width)):
            receipts = [submit(((b"SET", key, value),)) for key, value in group]
            receipts[-1].result()
            now = clock()
            keep(now)
            if now >= deadline:
                break
        starts, latencies = back_to_back(began, ends)
        return Sample(began, (ends[-1] - began) / 1e9, width * len(ends), starts, latencies)

    def settle(self) -> None:
        """See :class:`durakv.bench.store.Store`."""
        self.database.sync()
        if self._log.is_long:
            self._log.rewriting(self.database.rewrite)

    def counters(self) -> Counters:
        """See :class:`durakv.bench.store.Store`."""
        return self._log.counters()

    def close(self) -> None:
        """See :class:`durakv.bench.store.Store`."""
        self.database.close()


class DurakvTasks:
    """A keyspace, opened with ``durakv.aio.open``, and the event loop that it is used in."""

    name = NAME
    many = "batch"

    def __init__(self, directory: Path, policy: FsyncPolicy) -> None:
        self.setting = str(policy)
        self.promise = promise(policy)
        self._runner = asyncio.Runner()
        try:
            self._database = self._runner.run(_opened(directory, policy))
        except BaseException:
            self._runner.close()
            raise
        self._log = _Log(self._database.engine.engine)

    def session(self) -> Session:
        """See :class:`durakv.bench.store.Store`; a way in beside the event loop."""
        return _Session(self._database.database)

    def tasks(self, pairs: Sequence[Pair], width: int, seconds: float, offered_rate: float | None = None, /) -> Sample:
        """See :class:`Tasked`."""
        return self._runner.run(tasks(self._database.set, pairs, width, seconds, offered_rate))

    def settle(self) -> None:
        """See :class:`durakv.bench.store.Store`."""
        self._runner.run(self._database.sync())
        if self._log.is_long:
            self._log.rewriting(lambda: self._runner.run(self._database.rewrite()))

    def counters(self) -> Counters:
        """See :class:`durakv.bench.store.Store`."""
        return self._log.counters()

    def close(self) -> None:
        """See :class:`durakv.bench.store.Store`."""
        try:
            self._runner.run(self._database.close())
        finally:
            self._runner.close()


async def _opened(directory: Path, policy: FsyncPolicy) -> durakv.aio.AsyncDatabase:
    return await durakv.aio.open(directory, options=options(policy))


class _Log:
    """Totals of an engine's log across rewrites, which begin it anew."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._dropped_bytes = 0

    @property
    def is_long(self) -> bool:
        """Whether it should be rewritten before it fills the disk."""
        return self._engine.status().log_bytes > LOG_BYTES_MAX

    def rewriting(self, rewrite: Callable[[], object]) -> None:
        """Rewrite, and remember what was in the log before."""
        before = self._engine.status().log_bytes
        rewrite()
        self._dropped_bytes += before - self._engine.status().log_bytes

    def counters(self) -> Counters:
        """Its counters so far; memory is not told, for other contestants live in the same process."""
        status = self._engine.status()
        return Counters(
            user_bytes=0,
            syncs=status.syncs,
            log_writes=status.writes,
            log_bytes=self._dropped_bytes + status.log_bytes,
            process_write_bytes=process_write_bytes(),
        )
