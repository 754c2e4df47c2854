"""What the load generator asks of a store: open it once, write from some threads, say what an acknowledgement means.

Everything is bytes.  A store is opened in a directory of its own, on the disk that is measured, and is used in every
round; whatever it started (servers, threads) ends with ``close``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from durakv.bench.results import Counters, Promise

Pair = tuple[bytes, bytes]


class Session(Protocol):
    """One thread's way to a store; used by the thread that made it, and closed by it."""

    def put(self, key: bytes, value: bytes, /) -> None:
        """Write one key; returning is the acknowledgement."""
        ...

    def put_many(self, pairs: Sequence[Pair], /) -> None:
        """Write many keys as cheaply as the store can, atomically where it can; returning acknowledges all."""
        ...

    def close(self) -> None:
        """Give up what the session holds."""
        ...


class Store(Protocol):
    """An open store with one setting."""

    name: str
    setting: str
    promise: Promise
    many: str
    """What ``put_many`` is: ``batch`` (atomic) or ``pipeline``."""

    def session(self) -> Session:
        """A session for the calling thread."""
        ...

    def settle(self) -> None:
        """Make everything durable, so that the next contestant does not pay for this one."""
        ...

    def counters(self) -> Counters:
        """Totals since it was opened, of the process that does the store's work; ``user_bytes`` is 0."""
        ...

    def close(self) -> None:
        """Close it and end what it started; the directory is removed by the caller."""
        ...


class Setting(NamedTuple):
    """A store that could be opened: what the matrix is made of."""

    name: str
    setting: str
    promise: Promise
    open: Callable[[Path], Store]
    version: str
    note: str = ""
    """What must be known to read its figures; said beside them."""


class Missing(NamedTuple):
    """A store that cannot be measured here, and why."""

    name: str
    reason: str
