"""The segments beside the one that is written: the next, made ready ahead of need, and full ones to be trimmed.

Like the positions it is looked at and changed under the pipeline's lock alone; what it hands out is work.
"""

from __future__ import annotations

from collections import deque

from durakv.errors import DiskFull
from durakv.log.segment import Segment
from durakv.options import Options
from durakv.storage.filesystem import Filesystem
from durakv.work import Kind, Work

CAPACITY_GROWTH = 4
"""How many times as large as its predecessor a segment may be."""

UNTRIMMED_MAX = 4
"""How many sealed segments may wait, open, to be trimmed."""


class Supply:
    """What a commit pipeline has besides its current segment."""

    __slots__ = ("_no_room_behind", "_options", "_untrimmed", "preparing", "spare")

    def __init__(self, options: Options) -> None:
        self.preparing = False
        self.spare: Segment | None = None
        """Made ready, and named by no manifest."""
        self._options = options
        self._untrimmed: deque[Segment] = deque()
        self._no_room_behind: Segment | None = None

    def claim_preparation(self, segment: Segment, *, early: bool) -> Work | None:
        """Make the successor of ``segment`` ready; None if one is ready, under way, or not needed yet."""
        # On a full disk it is tried once, else the background would do nothing else; the rotation tries again.
        wanted = early or (segment.reserved * 2 > segment.capacity and self._no_room_behind is not segment)
        if self.spare is not None or self.preparing or not wanted:
            return None
        self.preparing = True
        work = Work(Kind.PREPARE, segment)
        work.capacity = self._next_capacity(segment)
        return work

    def prepared(self, work: Work, failure: Exception | None) -> None:
        """Take the outcome of a preparation."""
        self.preparing = False
        if failure is None:
            self.spare = work.successor
        elif isinstance(failure, DiskFull):
            self._no_room_behind = work.segment

    def equip(self, rotation: Work, needed: int) -> None:
        """Give a rotation its successor's size, at least ``needed``, what is ready of it, and what it has to trim."""
        rotation.capacity = max(self._next_capacity(rotation.segment), needed)
        rotation.spare, self.spare = self.spare, None
        if len(self._untrimmed) >= UNTRIMMED_MAX:
            rotation.untrimmed = self._untrimmed.popleft()

    def rotated(self, rotation: Work) -> None:
        """Take the outcome of a rotation: a segment to trim, or what it had made ready and could not use."""
        if rotation.successor is not None:
            self._untrimmed.append(rotation.segment)
        else:
            self.spare = rotation.spare
            self._no_room_behind = rotation.segment

    def is_full_behind(self, segment: Segment) -> bool:
        """Whether there was no room for the successor of ``segment`` when it was last looked for."""
        return self._no_room_behind is segment

    def look_again(self) -> None:
        """Let the room for a successor be looked for once more."""
        self._no_room_behind = None

    def claim_trim(self) -> Work | None:
        """Give back the room behind the end of a sealed segment; None if there is none."""
        return Work(Kind.TRIM, self._untrimmed.popleft()) if self._untrimmed else None

    def close(self, filesystem: Filesystem) -> None:
        """Give up what was made ready, and trim what was not yet."""
        spare, self.spare = self.spare, None
        if spare is not None:
            spare.file.close()
            filesystem.remove(spare.name)
        while self._untrimmed:
            self._untrimmed.popleft().trim()

    def abandon(self) -> None:
        """Release the descriptors and leave the files as they are, to the next owner."""
        spare, self.spare = self.spare, None
        if spare is not None:
            spare.file.close()
        while self._untrimmed:
            self._untrimmed.popleft().file.close()

    def _next_capacity(self, segment: Segment) -> int:
        """Of the next segment: the first of an open is small, and the zeros of a much larger one would not be there
        before it is full."""
        return min(self._options.segment_bytes, CAPACITY_GROWTH * segment.capacity)
