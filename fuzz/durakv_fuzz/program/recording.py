"""What records a program's work on a disk, whatever the disk is: a tree in memory, or a real file system."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable


class Recording(Protocol):
    """A directory in which a program may work while everything it does to the disk is remembered."""

    directory: Path
    """Where: empty, or as it was loaded."""

    def note(self, kind: str, payload: int | str) -> None:
        """Remember, at this point of the order, what somebody was told.  From any thread; returns at once."""
        ...

    def settle(self) -> None:
        """Take everything so far for durable."""
        ...


@runtime_checkable
class ToldOfSyncs(Protocol):
    """A recording that does not see ``sync(2)`` and ``syncfs(2)`` by itself."""

    def sync_all(self, thread: int) -> None:
        """Everything so far becomes durable, because this thread asks for it; returns when it is."""
        ...
