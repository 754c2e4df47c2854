"""One commit per turn of the event loop.

Every task that runs in a turn appends its batch at once; the first of them schedules the commit, which runs in the
next turn and so covers them all with one write and one sync.  While the disk is fast the commit is done inline: the
hand-over to a thread would cost more than the sync.  When it is slow it is done in a thread, and batches that arrive
meanwhile share the next one; now and then one is done inline to see whether the disk is fast again.  How long a commit
takes is only measured inline: in a thread the interpreter's own hand-over is most of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, TypeVar

from durakv.durability import Durability
from durakv.engine import Engine
from durakv.errors import Closed

R = TypeVar("R")

Waiting = list[tuple[int, Durability, asyncio.Future[None]]]

INLINE_SECONDS_MAX = 0.002
"""A commit that takes longer than this, smoothed, is not done inline: it would hold up the loop."""

SMOOTHING = 0.1

PROBE_TURNS_MIN = 16
PROBE_TURNS_MAX = 1024
"""After how many commits in the thread one is tried inline; the number doubles each time it proves slow."""


class Turns:
    """Commits for the tasks of one event loop.  Not thread-safe: everything happens in the loop's thread."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._loop = asyncio.get_running_loop()
        self._waiting: Waiting = []
        self._served: Waiting = []
        """Those whose commit is under way in the thread."""
        self._calls: set[asyncio.Future[Any]] = set()
        """Those whose call is, or waits there for its turn."""
        self._scheduled = False
        self._seconds = 0.0
        self._probe_turns = PROBE_TURNS_MIN
        self._turns_to_probe = PROBE_TURNS_MIN
        self._executor: ThreadPoolExecutor | None = None
        self._closed = False

    def check_loop(self) -> None:
        """Raise RuntimeError in another loop: what is awaited there would never be told."""
        if asyncio.get_running_loop() is not self._loop:
            ended = ", which has ended" if self._loop.is_closed() else ""
            raise RuntimeError(
                f"this database or engine belongs to another event loop{ended}; nothing was logged. Give each loop an "
                "AsyncEngine of its own over one Engine, use durakv.Database from other threads, or open it in here"
            )

    def wait(self, seq: int, level: Durability) -> asyncio.Future[None]:
        """A future that resolves when ``seq`` has reached ``level``.  Cancelling it takes nothing back."""
        future = self._loop.create_future()
        self._waiting.append((seq, level, future))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)
        return future

    def call(self, function: Callable[..., R], *arguments: Any) -> asyncio.Future[R]:
        """Call what would hold up the loop in the thread, behind the commits already there."""
        told: asyncio.Future[R] = self._loop.create_future()
        job = self._loop.run_in_executor(self._thread(), function, *arguments)
        self._calls.add(told)

        def tell(done: asyncio.Future[R]) -> None:
            self._calls.discard(told)
            failure = done.exception()
            if told.done():
                return
            if failure is None:
                told.set_result(done.result())
            else:
                told.set_exception(failure)

        job.add_done_callback(tell)
        return told

    async def close(self) -> None:
        """Serve whoever waits already, and give up the thread, if there is one."""
        await asyncio.gather(self.wait(0, Durability.APPLIED), return_exceptions=True)
        self._closed = True
        executor, self._executor = self._executor, None
        if executor is not None:
            await asyncio.to_thread(executor.shutdown)  # a call may have come behind those who were served

    def abort(self) -> None:
        """Tell everybody who waits that nothing comes any more; a commit that hangs in the thread is left to itself."""
        self._closed = True
        self._scheduled = False  # whoever still comes is told in a turn of its own
        served, self._served = self._served, []
        waiting, self._waiting = self._waiting, []
        forced = Closed("the engine was closed by force; what was waited for may survive")
        self._resolve([*served, *waiting], forced)
        for told in self._calls:
            if not told.done():
                told.set_exception(forced)
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)

    def _turn(self) -> None:
        waiting, self._waiting = self._waiting, []
        if self._closed or (self._is_inline() and not self._engine.committing):
            started = perf_counter()
            failure = self._commit(waiting)
            self._learn(perf_counter() - started)
            self._scheduled = False
            self._resolve(waiting, failure)
            return
        self._served = waiting
        job = self._loop.run_in_executor(self._thread(), self._commit, waiting)
        job.add_done_callback(lambda done: self._finish(waiting, done))

    def _is_inline(self) -> bool:
        if self._seconds <= INLINE_SECONDS_MAX:
            return True
        self._turns_to_probe -= 1
        return self._turns_to_probe <= 0

    def _learn(self, seconds: float) -> None:
        if self._seconds <= INLINE_SECONDS_MAX:
            self._seconds += SMOOTHING * (seconds - self._seconds)
        elif seconds <= INLINE_SECONDS_MAX:
            self._seconds = seconds
            self._probe_turns = PROBE_TURNS_MIN
        else:
            self._probe_turns = min(2 * self._probe_turns, PROBE_TURNS_MAX)
        self._turns_to_probe = self._probe_turns

    def _thread(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="durakv-commit")
        return self._executor

    def _commit(self, waiting: Waiting) -> BaseException | None:
        """Bring everybody's number to its level; the failure is kept, to be told to each of them.

        A number is checked where a caller names one.  Here it may be a retired one: after a crash ``applied_seq`` is,
        until something is written, and whoever waits for all there is waits for that.
        """
        written = synced = 0
        for seq, level, _ in waiting:
            if level is Durability.SYNCED:
                synced = max(synced, seq)
            else:
                written = max(written, seq)
        try:
            if synced:
                self._engine.reach(synced, Durability.SYNCED)
            if written:
                self._engine.reach(written, Durability.WRITTEN)
        except Exception as failure:  # noqa: BLE001 - it is told to each of them; one that is not would wait for ever
            return failure
        return None

    def _finish(self, waiting: Waiting, job: asyncio.Future[BaseException | None]) -> None:
        self._served = []
        self._resolve(waiting, job.exception() or job.result())
        if self._waiting:
            self._loop.call_soon(self._turn)
        else:
            self._scheduled = False

    @staticmethod
    def _resolve(waiting: Waiting, failure: BaseException | None) -> None:
        for _, _, future in waiting:
            if future.done():
                continue
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)
