"""The work of the commit pipeline: what is claimed under its lock, and performed in system calls without it.

A piece of work knows the bytes and the place it was claimed with, and nothing of the positions: those are
``Commit``'s, which moves them when it is told the outcome.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

from durakv.directory import NO_SPACE, Directory, add_segment, next_segment_number, seal
from durakv.errors import DiskFull
from durakv.log.segment import Segment, prepare_segment


class Kind(Enum):
    """What a piece of work does."""

    WRITE = "write"
    WRITE_THROUGH = "write through"
    SYNC = "sync"
    ROTATE = "rotate"
    PREPARE = "prepare"
    TRIM = "trim"


class Work:
    """One claimed piece of work.

    Most attributes have their value from the class until somebody sets them: one is made for each durable write.
    """

    capacity = 0
    spare: Segment | None = None
    successor: Segment | None = None
    untrimmed: Segment | None = None
    """An earlier segment that a rotation has to trim, because nobody does it in the background."""
    synced = False
    healed = False
    performed = False
    """Whether ``perform`` came to its end, well or not."""
    called: OSError | bool = False
    """Whether its durable write was made elsewhere and went well, or what it failed with."""
    failure: OSError | DiskFull | None = None

    def __init__(
        self, kind: Kind, segment: Segment, target: int = 0, data: bytes = b"", offset: int = 0, logged_bytes: int = 0
    ) -> None:
        self.kind = kind
        self.segment = segment
        self.target = target
        """The number up to which it brings the log."""
        self.data = data
        self.offset = offset
        self.logged_bytes = logged_bytes

    def perform(self, directory: Directory) -> None:
        """Do it; a failure is kept in it for ``Commit.finish``.

        Any other exception, from a signal handler say, leaves it unperformed, and ``finish`` poisons the log.
        """
        try:
            if self.kind is Kind.WRITE_THROUGH:
                self._write(through=True)
            elif self.kind is Kind.WRITE:
                self._write(through=False)
            elif self.kind is Kind.SYNC:
                # Never retried: after a failure the kernel may have dropped the dirty pages and will report the
                # next fsync as fine; believing it would acknowledge data that is gone (C7).
                self.segment.file.sync()
                self.synced = True
            elif self.kind is Kind.PREPARE:
                self.successor = prepare_next(directory, self.capacity)
            elif self.kind is Kind.TRIM:
                self.segment.trim()
            else:
                self._rotate(directory)
        except (OSError, DiskFull) as failure:
            self.failure = failure
        self.performed = True

    def _write(self, *, through: bool) -> None:
        file = self.segment.file
        try:
            if isinstance(self.called, OSError):
                raise self.called
            if through:
                file.write_through(self.data, self.offset)
            else:
                file.write_at(self.data, self.offset)
        except OSError as failure:
            if failure.errno not in NO_SPACE:
                raise
            # The one failure that may heal in place (C7): cut back to the last good frame, write the same bytes
            # again, and let an fsync of the whole file prove that the log is whole.  The file gets its old size back
            # (a hole takes no room), so that later writes do not have to extend it.
            self.segment.window = None  # a store into the hole that comes now would need room
            file.truncate(self.offset)
            file.truncate(self.segment.capacity)
            file.write_at(self.data, self.offset)
            file.sync()
            self.healed = True
            self.synced = True
            return
        self.synced = through

    def _rotate(self, directory: Directory) -> None:
        """Seal the current segment and open its successor.

        The old segment is synced before the manifest names the new one: otherwise a power loss could keep writes of
        the new segment and lose earlier ones of the old (C1, C5).
        """
        old = self.segment
        if self.data:
            old.file.write_at(self.data, self.offset)
        old.file.sync()
        end = self.offset + len(self.data)
        new = self.spare
        if new is not None and new.capacity < self.capacity:
            new.file.close()
            directory.filesystem.remove(new.name)
            new = None
        self.synced = True
        if new is None:
            new = prepare_next(directory, self.capacity)
        self.spare = new
        new.start(seq=self.target, retired=0, synced_seq=self.target, identity=directory.identity)
        directory.swap(
            lambda manifest: add_segment(
                seal(manifest, old.name, last=self.target, size=end), new.number, first=new.first, capacity=new.capacity
            ),
            synced_seq=self.target,
        )
        self.spare, self.successor = None, new
        if self.untrimmed is not None:
            self.untrimmed.trim()


def prepare_next(directory: Directory, capacity: int) -> Segment:
    """A segment with the next free number."""
    filesystem = directory.filesystem
    return prepare_segment(filesystem, next_segment_number(filesystem, directory.manifest), capacity)


Claimed = tuple[int, bytes, int, int, int]
"""A durable write that was numbered, applied and claimed elsewhere: number, frame, offset, logged bytes, and how its
call ended: with this error, 0 if it has to be made again, -1 if all went well."""

Alone = tuple[int, list[Any], Work | None]
"""The number of a batch, what applying it returned, and the work that is left."""
