"""An open file of the real disk.

``write_through`` is one ``pwritev2(RWF_DSYNC)`` where the kernel and the file system know it: as durable as a write
and an ``fdatasync``, with one call less and one release of the interpreter lock less.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import sys
from collections.abc import Callable

from durakv.storage.filesystem import Window
from durakv.storage.in_place import writes_in_place

_RWF_DSYNC: int = getattr(os, "RWF_DSYNC", 0)
_UNSUPPORTED = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class PosixFile:
    """See :class:`durakv.storage.filesystem.File`.  It must not be closed while another thread is inside a call."""

    __slots__ = ("_descriptor", "_dsync", "_name", "_window")

    def __init__(self, descriptor: int, name: str, *, dsync: bool = True) -> None:
        self._descriptor = descriptor
        self._name = name
        self._window: mmap.mmap | None = None
        self._dsync = dsync and _RWF_DSYNC != 0 and hasattr(os, "pwritev")

    @property
    def name(self) -> str:
        """The name it was opened by."""
        return self._name

    def read_at(self, size: int, offset: int, /) -> bytes:
        """See :class:`File`."""
        data = os.pread(self._descriptor, size, offset)
        if len(data) == size or not data:
            return data
        # Short: the end of the file, or a read larger than one call may return.
        parts = [data]
        while data and (size := size - len(data)):
            offset += len(data)
            data = os.pread(self._descriptor, size, offset)
            parts.append(data)
        return b"".join(parts)

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """See :class:`File`."""
        written = os.pwrite(self._descriptor, data, offset)
        if written != _size(data):
            self._write_rest(os.pwrite, data, offset, written)

    def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """See :class:`File`."""
        if self._dsync:
            try:
                written = os.pwritev(self._descriptor, [data], offset, _RWF_DSYNC)
            except OSError as failure:
                # Refused before anything was written; an error of the disk has another number.  If the arguments
                # are what is wrong, the plain write below says so again.
                if failure.errno not in _UNSUPPORTED:
                    raise
                self._dsync = False
            else:
                if written != _size(data):
                    self._write_rest(_write_dsync, data, offset, written)
                return
        self.write_at(data, offset)
        self.sync()

    def sync(self) -> None:
        """See :class:`File`."""
        sync_descriptor(self._descriptor, data_only=True)

    def window(self, size: int, /) -> Window | None:
        """See :class:`File`; there is one where a page of the file is never given room of its own when written."""
        if not writes_in_place(self._descriptor):
            return None
        try:
            self._window = mmap.mmap(self._descriptor, size, mmap.MAP_SHARED, mmap.PROT_WRITE)
        except (OSError, ValueError):
            return None  # no room in the address space, a system that forbids it, a shorter file: writes are calls
        return self._window

    def truncate(self, size: int, /) -> None:
        """See :class:`File`."""
        os.ftruncate(self._descriptor, size)

    def size(self) -> int:
        """See :class:`File`."""
        return os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """See :class:`File`; every later call but this fails with ``EBADF``."""
        descriptor, self._descriptor = self._descriptor, -1
        if self._window is not None:
            self._window.close()
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()

    def _write_rest(
        self,
        write: Callable[[int, memoryview, int], int],
        data: bytes | bytearray | memoryview,
        offset: int,
        written: int,
    ) -> None:
        descriptor = self._descriptor
        write_all(lambda rest, at: write(descriptor, rest, at), memoryview(data).cast("B")[written:], offset + written)


def write_all(write: Callable[[memoryview, int], int], data: memoryview, offset: int) -> None:
    """Call ``write`` until it has taken all of the data; it may take any part, but not nothing."""
    while data:
        written = write(data, offset)
        if written <= 0:
            raise OSError(errno.EIO, f"a write of {len(data)} bytes wrote nothing and named no error")
        data = data[written:]
        offset += written


def sync_descriptor(descriptor: int, *, data_only: bool = False) -> None:
    """Make what is behind the descriptor durable, as far as the system can.

    Interrupted calls are repeated by the interpreter; that is no retry after a failure, nothing was reported.
    """
    if sys.platform == "darwin":
        # fsync there stops at the drive's volatile cache.
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    elif data_only:
        os.fdatasync(descriptor)
    else:
        os.fsync(descriptor)


def _write_dsync(descriptor: int, data: bytes | bytearray | memoryview, offset: int) -> int:
    return os.pwritev(descriptor, [data], offset, _RWF_DSYNC)


def _size(data: bytes | bytearray | memoryview) -> int:
    # len() of a memoryview counts its elements, which need not be bytes.
    return data.nbytes if isinstance(data, memoryview) else len(data)
