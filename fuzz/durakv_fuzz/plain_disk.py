"""A disk in memory that remembers nothing: for a recovery that only has to be looked at.

Most recoveries of a campaign are judged and forgotten.  What they did to the disk, call by call, matters only where
they are crashed in turn, on a ``SimulatedDisk``; here a call is what it does and no more.  The files of the image are
shared until something is written to them.

A third implementation of the door to the disk, for one thread and one owner.
"""

from __future__ import annotations

import errno
import os
from typing import NoReturn

from durakv.storage.names import check_name
from durakv_fuzz.image import NOTHING, Image

_FREE_BYTES = 1 << 40


class _Content:
    """What a file holds, whatever it is called: names move, and a removed file stays open."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data
        """The image's own bytes, until they are changed for the first time."""


class PlainDisk:
    """A ``Filesystem`` over memory, beginning with an image."""

    def __init__(self, image: Image = NOTHING) -> None:
        self.base = image
        """What it began with."""
        self._root = image.exists
        self._files = {name: _Content(data) for name, data in image.files.items()}
        self._locked: set[str] = set()

    def image(self) -> Image:
        """What is there now."""
        return Image({name: bytes(content.data) for name, content in self._files.items()}, exists=self._root)

    def names(self) -> set[str]:
        """The names that are there now."""
        return set(self._files)

    def content(self, name: str) -> bytes:
        """What the file of that name holds now."""
        return bytes(self._files[name].data)

    def describe(self) -> str:
        """See :class:`Filesystem`; a refusal reads the same whichever disk in memory it is about."""
        return "simulated disk"

    def make_root(self) -> None:
        """See :class:`Filesystem`."""
        self._root = True

    def exists_root(self) -> bool:
        """See :class:`Filesystem`."""
        return self._root

    def list(self) -> list[str]:
        """See :class:`Filesystem`."""
        self._check_root("")
        return sorted(self._files)

    def create(self, name: str, /) -> PlainFile:
        """See :class:`Filesystem`."""
        self._check_root(check_name(name))
        if name in self._files:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), name)
        self._files[name] = content = _Content(b"")
        return PlainFile(content, name, writable=True)

    def open(self, name: str, /, *, writable: bool = False) -> PlainFile:
        """See :class:`Filesystem`."""
        return PlainFile(self._find(name), name, writable=writable)

    def rename(self, old: str, new: str, /) -> None:
        """See :class:`Filesystem`."""
        content = self._find(old)
        check_name(new)
        del self._files[old]
        self._files[new] = content

    def remove(self, name: str, /) -> None:
        """See :class:`Filesystem`."""
        self._find(name)
        del self._files[name]

    def sync_directory(self) -> None:
        """See :class:`Filesystem`; nothing here is ever lost."""
        self._check_root("")

    def free_bytes(self) -> int:
        """See :class:`Filesystem`."""
        return _FREE_BYTES

    def lock(self, name: str, /) -> PlainLock:
        """See :class:`Filesystem`."""
        self._check_root(check_name(name))
        if name in self._locked:
            raise BlockingIOError(errno.EAGAIN, "the lock is held", name)
        if name not in self._files:
            self._files[name] = _Content(b"")
        self._locked.add(name)
        return PlainLock(self._locked, name)

    def _check_root(self, name: str) -> None:
        if not self._root:
            raise FileNotFoundError(errno.ENOENT, "the directory is missing", name)

    def _find(self, name: str) -> _Content:
        content = self._files.get(name)
        if content is None:
            self._check_root(check_name(name))
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return content


class PlainFile:
    """A ``File`` of a plain disk."""

    def __init__(self, content: _Content, name: str, *, writable: bool) -> None:
        self.name = name
        """The name it was opened by."""
        self._content = content
        self._writable = writable
        self._closed = False

    def read_at(self, size: int, offset: int, /) -> bytes:
        """See :class:`File`."""
        if self._closed:
            self._refuse()
        # All of a shared file is the file itself, without a copy.
        return bytes(self._content.data[offset : offset + size])

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """See :class:`File`."""
        written = bytes(data)
        if not self._content.data and not offset:
            self._check_writable()
            self._content.data = written
            return
        content = self._own(offset if written else 0)
        content[offset : offset + len(written)] = written

    def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """See :class:`File`."""
        self.write_at(data, offset)

    def sync(self) -> None:
        """See :class:`File`; nothing here is ever lost."""
        if self._closed:
            self._refuse()

    def window(self, size: int, /) -> None:
        """See :class:`File`; here every write is a call."""

    def truncate(self, size: int, /) -> None:
        """See :class:`File`."""
        content = self._own(size)
        del content[size:]

    def size(self) -> int:
        """See :class:`File`."""
        if self._closed:
            self._refuse()
        return len(self._content.data)

    def close(self) -> None:
        """See :class:`File`."""
        self._closed = True

    def _own(self, size_min: int) -> bytearray:
        """The content, free to be changed, and at least so long."""
        self._check_writable()
        data = self._content.data
        if not isinstance(data, bytearray):
            data = self._content.data = bytearray(data)
        if len(data) < size_min:
            data.extend(bytes(size_min - len(data)))
        return data

    def _check_writable(self) -> None:
        if self._closed or not self._writable:
            self._refuse()

    def _refuse(self) -> NoReturn:
        reason = "the file is closed" if self._closed else "it is open for reading"
        raise OSError(errno.EBADF, reason, self.name)


class PlainLock:
    """A ``Lock`` of a plain disk."""

    def __init__(self, locked: set[str], name: str) -> None:
        self._locked: set[str] | None = locked
        self._name = name

    def release(self) -> None:
        """See :class:`Lock`."""
        locked, self._locked = self._locked, None
        if locked is not None:
            locked.discard(self._name)
