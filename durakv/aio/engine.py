"""The engine for asyncio: the same log and the same promises, awaited."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

from durakv.aio.opening import Opening, open_in_thread
from durakv.aio.turns import Turns
from durakv.closing import ABORT_SECONDS
from durakv.durability import Durability, check_level
from durakv.engine import Engine
from durakv.errors import Closed, refuse_copy
from durakv.machine import Batch, StateMachine
from durakv.report import RecoveryReport, Status
from durakv.runner import ABORTED

R = TypeVar("R")

_POLL_SECONDS = 0.01


class AsyncEngine:
    """A durable state machine for one event loop.

    Tasks that write in the same turn of the loop share one commit.  A task that is cancelled while it waits takes
    nothing back: its batch is logged and applied, and may survive.

    It belongs to the loop in which it was made: calls from another one raise RuntimeError, and log nothing.  Several
    loops may each have one over the same ``Engine``, beside threads that use that one directly; closing any closes it.
    """

    def __init__(self, engine: Engine) -> None:
        """Take over an open engine.  Call it inside the running loop; ``AsyncEngine.open`` does both."""
        self.engine = engine
        self._turns = Turns(engine)
        self._close: asyncio.Task[None] | None = None
        self.check_loop = self._turns.check_loop
        """Raises RuntimeError in another loop."""

    @classmethod
    def open(cls, path: str | os.PathLike[str] | None, machine: StateMachine, **settings: Any) -> Opening[Self]:
        """Open the directory in a thread; await it, or use it in ``async with``.  Settings are those of ``Engine``."""

        async def begin() -> Self:
            return cls(await open_in_thread(lambda: Engine(path, machine, **settings)))

        return Opening(begin)

    @property
    def report(self) -> RecoveryReport:
        """What the open found and did (C13)."""
        return self.engine.report

    async def apply(self, commands: Batch, durability: Durability | None = None) -> list[Any]:
        """Log and apply a batch and wait for its level; see ``Engine.apply``."""
        self.check_loop()
        try:
            receipt = self.engine.submit(commands, durability, blocking=False)
        except BlockingIOError:
            receipt = await self._turns.call(self.engine.submit, commands, durability)
        if receipt.durability is not Durability.APPLIED:
            await self._turns.wait(receipt.seq, receipt.durability)
        return receipt.results

    async def transact(self, decide: Callable[[], tuple[Batch, R]], durability: Durability | None = None) -> R:
        """Read, decide, log and apply with no other write in between; see ``Engine.transact``."""
        self.check_loop()
        try:
            receipt = self.engine.submit_decided(decide, durability, blocking=False)
        except BlockingIOError:
            receipt = await self._turns.call(self.engine.submit_decided, decide, durability)
        if receipt.durability is not Durability.APPLIED:
            await self._turns.wait(receipt.seq, receipt.durability)
        answer: R = receipt.results[0]
        return answer

    async def read(self, look: Callable[[], R], durability: Durability = Durability.APPLIED) -> R:
        """Call ``look`` with the state at rest, and return its answer once what it may depend on has reached the level.

        See ``Engine.read`` (C14).
        """
        self.check_loop()
        level = check_level(durability)
        answer, seq = self.engine.read(lambda: (look(), self.engine.applied_seq))
        if level is not Durability.APPLIED:
            await self._turns.wait(seq, level)
        return answer

    async def wait(self, seq: int, durability: Durability = Durability.SYNCED) -> None:
        """Return when number ``seq`` has reached a level; see ``Engine.wait``."""
        self.check_loop()
        self.engine.check_number(seq)
        await self._turns.wait(seq, check_level(durability))

    def until(self, seq: int, durability: Durability | None) -> asyncio.Future[None]:
        """What resolves when a number that was given out just now has reached a level, by default the policy's."""
        return self._turns.wait(seq, self.engine._level(durability))

    async def sync(self) -> None:
        """Return when every batch submitted before this call survives a power loss (C3)."""
        self.check_loop()
        await self._turns.wait(self.engine.applied_seq, Durability.SYNCED)

    async def rewrite(self) -> None:
        """Rewrite the log into a new base; see ``Engine.rewrite``."""
        await asyncio.to_thread(self.engine.rewrite)

    def status(self) -> Status:
        """The state of now; see ``Engine.status``."""
        return self.engine.status()

    def counters(self) -> dict[str, int | float]:
        """The same as numbers under stable names; see ``Engine.counters``."""
        return self.engine.counters()

    async def close(self) -> None:
        """Write and sync everything, seal the log, and give up the directory; tasks that wait are served first.

        A close that was begun goes on although whoever awaits it is cancelled.
        """
        self.check_loop()
        if self._close is None:
            self._close = asyncio.get_running_loop().create_task(self._end())
        if not (self._close.done() and self._close.exception() is not None):  # it has been told
            await asyncio.shield(self._close)

    async def _end(self) -> None:
        forced = self.engine._closing.aborted
        try:
            await self._turns.close()
        finally:
            await asyncio.to_thread(self.engine.close)
        if self.engine._closing.aborted and not forced:
            raise Closed(ABORTED)  # it came in between, and the log was not completed

    async def abort(self, *, timeout: float = ABORT_SECONDS) -> bool:
        """Close by force, without waiting for the disk; return whether the directory is free; see ``Engine.abort``.

        Tasks that wait get Closed at once, also where a commit hangs in the thread.
        """
        self.check_loop()
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        free = self.engine.abort(timeout=0)
        self._turns.abort()
        while not free and loop.time() < until:
            await asyncio.sleep(_POLL_SECONDS)
            free = self.engine.abort(timeout=0)
        return free

    def __reduce__(self) -> NoReturn:
        refuse_copy(self, "pass the path on, and open that in the other process once this one has closed it")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
