"""An open under way, which can be awaited or used in ``async with``."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar


class Closing(Protocol):
    """What is closed when its ``async with`` block ends."""

    async def close(self) -> None:
        """Give up what was opened."""
        ...


class Closable(Protocol):
    """What a thread opens."""

    def close(self) -> None:
        """Give up what was opened."""
        ...


T = TypeVar("T", bound=Closing)
S = TypeVar("S", bound=Closable)


async def open_in_a_thread(make: Callable[[], S]) -> S:
    """What ``make`` opens, in a thread.  It cannot be called back: who is cancelled leaves it to close it again."""
    guard = threading.Lock()
    made: list[S] = []
    wanted = True

    def run() -> None:
        opened = make()
        with guard:
            if wanted:
                made.append(opened)
                return
        opened.close()

    try:
        await asyncio.to_thread(run)
    except BaseException:
        with guard:
            wanted = False
        if made:
            asyncio.get_running_loop().run_in_executor(None, made[0].close)
        raise
    return made[0]


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
