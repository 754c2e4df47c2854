"""The door to the disk: two small protocols, and what each call leaves behind after which crash.

A filesystem is one flat directory.  Names are single path components; the root is chosen when the filesystem is made.
Every method may raise ``OSError`` (F5); what is true then is said where it matters.  *Process crash* and *power loss*
are the contract's words.
"""

from __future__ import annotations

from typing import Protocol


class Window(Protocol):
    """Bytes of a file that are written by being assigned."""

    def __setitem__(self, place: slice, data: bytes, /) -> None:
        """Write ``data`` to ``place``, which has its size.

        Survives a process crash at once, a power loss only after ``File.sync``, whose errors are also its own; a
        process that dies meanwhile leaves any part of it.
        """
        ...


class File(Protocol):
    """An open file.  Reads and writes name their offset; there is no position to get wrong."""

    @property
    def name(self) -> str:
        """The name it was opened by."""
        ...

    def read_at(self, size: int, offset: int, /) -> bytes:
        """Return up to ``size`` bytes; fewer only at the end of the file."""
        ...

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """Write all of it.  Survives a process crash at once, a power loss only after ``sync``.

        After an error any part of the range may hold any part of the data.
        """
        ...

    def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """Write all of it and make it durable: ``write_at`` and a data sync of this range in one call.

        It says nothing about earlier ``write_at`` calls.  After an error nothing may be taken as durable, and no
        later success is news about this range (C7).
        """
        ...

    def sync(self) -> None:
        """Make the file's data and its size durable (``fdatasync``); not its name.

        After an error the unsynced data may be gone although reads still show it; a later success proves nothing.
        """
        ...

    def window(self, size: int, /) -> Window | None:
        """A way to write the first ``size`` bytes of the file without a call, or None where there is none.

        Only for a file that has these bytes, written and synced, and is not cut while somebody writes.  It is given
        only where such a write needs no more room: one that could not be stored would end the process.
        """
        ...

    def truncate(self, size: int, /) -> None:
        """Cut or extend (with zeros) to ``size`` bytes.  Durable after ``sync``."""
        ...

    def size(self) -> int:
        """The size in bytes, as of now."""
        ...

    def close(self) -> None:
        """Release the descriptor; makes nothing durable.  Closing twice is allowed."""
        ...


class Lock(Protocol):
    """An advisory lock that is held until released or until its process ends (C10)."""

    def release(self) -> None:
        """Give it back.  Releasing twice is allowed."""
        ...


class Filesystem(Protocol):
    """One flat directory."""

    def describe(self) -> str:
        """Where this is, for messages: a path, or a name of the simulation."""
        ...

    def make_root(self) -> None:
        """Create the directory and its missing parents, if missing.

        When it returns the directory survives a power loss: each parent that gained an entry was synced, up to the
        first that existed before.
        """
        ...

    def exists_root(self) -> bool:
        """Whether the directory is there."""
        ...

    def list(self) -> list[str]:
        """The names in the directory, sorted."""
        ...

    def create(self, name: str, /) -> File:
        """Create a new, empty file, open for writing; ``FileExistsError`` if the name is taken.

        The name survives a power loss only after ``sync_directory``, whatever is synced into the file.
        """
        ...

    def open(self, name: str, /, *, writable: bool = False) -> File:
        """Open an existing file."""
        ...

    def rename(self, old: str, new: str, /) -> None:
        """Give a file another name, replacing a file of that name, atomically.

        A power loss before ``sync_directory`` leaves the old state or the new one, never neither.
        """
        ...

    def remove(self, name: str, /) -> None:
        """Remove a name.  Until ``sync_directory`` it may come back with the file's content."""
        ...

    def sync_directory(self) -> None:
        """Make every create, rename and remove that returned before this call durable."""
        ...

    def free_bytes(self) -> int:
        """How many bytes can still be written, as far as the system tells."""
        ...

    def lock(self, name: str, /) -> Lock:
        """Take the exclusive lock of that name, creating its file if need be; ``BlockingIOError`` if it is held."""
        ...
