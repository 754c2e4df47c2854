"""An open under way, which can be awaited or used in ``async with``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar


class Closable(Protocol):
    """What is open, and blocks while it is closed."""

    def close(self) -> None:
        """Give up what was opened."""
        ...


class Closing(Protocol):
    """What is closed when its ``async with`` block ends."""

    async def close(self) -> None:
        """Give up what was opened."""
        ...


C = TypeVar("C", bound=Closable)
T = TypeVar("T", bound=Closing)


async def open_in_thread(begin: Callable[[], C]) -> C:
    """Open in a thread.  If whoever awaits it is cancelled, what comes open all the same is closed again.

    A thread cannot be cancelled, and an open directory that nobody knows of would be locked until the process ends.
    """
    lock = threading.Lock()
    opened: list[C] = []
    abandoned = False

    def run() -> None:
        found = begin()
        with lock:
            if not abandoned:
                opened.append(found)
                return
        found.close()

    try:
        await asyncio.to_thread(run)
    except BaseException:
        with lock:
            abandoned = True
        for found in opened:  # it was open already, and nobody had been told
            asyncio.get_running_loop().run_in_executor(None, found.close)
        raise
    return opened[0]


class Opening(Generic[T]):
    """Await it for what is opened, or use it in ``async with``, which also closes that."""

    def __init__(self, begin: Callable[[], Awaitable[T]]) -> None:
        self._begin = begin
        self._opened: T | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        return self._begin().__await__()

    async def __aenter__(self) -> T:
        self._opened = await self._begin()
        return self._opened

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.close()
