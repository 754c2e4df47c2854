"""Writing a base under a temporary name, gently.

The file is synced after every few blocks: a sync of megabytes keeps the disk busy for ten milliseconds and more, and
the log's own syncs wait behind it.  Where nobody writes to the log there is nothing to wait, and a sync carries more.

When ``finish`` returns the content survives a power loss.  The name does not: whoever publishes the base renames it
and syncs the directory.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from durakv.snapshot.codec import BaseCodec, BlockEncoder
from durakv.storage.filesystem import File, Filesystem
from durakv_formats.snapshot import SnapshotEncoder, SnapshotHeader, StoredBlock

STEP_BYTES = 64 << 10
"""About how much is written and synced at a time."""

STEP_BYTES_ALONE = 1 << 20
"""The same while nobody writes to the log.  Larger steps gain no time, and a writer may come during any of them."""


def always() -> bool:
    """Somebody may be writing at any time."""
    return True


class BaseFile:
    """The file of a base being written, in whatever format.

    After an error of any method only ``abort`` may be called: a sync that failed is never repeated, for its success
    would prove nothing (C7).
    """

    def __init__(
        self, filesystem: Filesystem, temporary_name: str, head: bytes, busy: Callable[[], bool] = always
    ) -> None:
        """Create the file; ``FileExistsError`` if the name is taken.  ``busy``: does somebody write to the log?"""
        self.name = temporary_name
        self._filesystem = filesystem
        self._busy = busy
        self._parts = [head]
        self._waiting = len(head)
        self._offset = 0
        self._file: File = filesystem.create(temporary_name)

    @property
    def size(self) -> int:
        """The size of what was given so far."""
        return self._offset + self._waiting

    def add(self, data: bytes) -> None:
        """Write this behind what was written, perhaps later."""
        self._parts.append(data)
        self._waiting += len(data)
        if self._waiting >= STEP_BYTES and (self._waiting >= STEP_BYTES_ALONE or self._busy()):
            self._write()

    def finish(self, tail: bytes) -> int:
        """Write the end, make the content durable, close the file and return its size."""
        self.add(tail)
        self._write()
        self._file.close()
        return self._offset

    def abort(self) -> None:
        """Close and remove the file, as far as the disk lets us; what stays is debris for the next open."""
        with contextlib.suppress(OSError):
            self._file.close()
        with contextlib.suppress(OSError):
            self._filesystem.remove(self.name)

    def _write(self) -> None:
        data = memoryview(self._parts[0] if len(self._parts) == 1 else b"".join(self._parts))
        self._parts.clear()
        self._waiting = 0
        while data:
            # Asked before each: a writer may have come since so much was gathered, and a block may be large.
            size = STEP_BYTES if self._busy() else STEP_BYTES_ALONE
            # What is left over would be a sync for a few bytes.
            size = len(data) if len(data) < 2 * size else size
            self._file.write_at(data[:size], self._offset)
            self._file.sync()
            self._offset += size
            data = data[size:]


class BaseWriter:
    """One base in our own format being written; errors as those of ``BaseFile``."""

    def __init__(
        self,
        filesystem: Filesystem,
        temporary_name: str,
        header: SnapshotHeader,
        busy: Callable[[], bool] = always,
        codec: BaseCodec | None = None,
    ) -> None:
        """Create the file; ``FileExistsError`` if the name is taken, FormatError for a header out of bounds."""
        self._encoder: BlockEncoder = SnapshotEncoder(header) if codec is None else codec.encoder(header)
        self._file = BaseFile(filesystem, temporary_name, self._encoder.header_bytes(), busy)

    @property
    def size(self) -> int:
        """The size of what was given so far."""
        return self._file.size

    def block(self, slot: int, payload: bytes, count: int) -> None:
        """Add a block; slots must not decrease."""
        self._file.add(self._encoder.block(slot, payload, count))

    def copy(self, block: StoredBlock) -> None:
        """Add a block of another base as it is stored there."""
        self._file.add(self._encoder.copy_block(block))

    def finish(self) -> int:
        """Write the footer, make the content durable, close the file and return its size."""
        return self._file.finish(self._encoder.footer())

    def abort(self) -> None:
        """Close and remove the file, as far as the disk lets us; what stays is debris for the next open."""
        self._file.abort()
