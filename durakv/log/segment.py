"""A log segment being written: one preallocated file, and where the next frame goes.

A segment is filled with zeros and synced before the manifest names it, so that a durable write into it changes
neither its size nor its extents, and whatever follows the last frame reads as zeros.  Its first line is an opening
frame: the last number given out before it, and how many numbers it retires.

    segment := opening frame, frame*, zeros up to the capacity
"""

from __future__ import annotations

from durakv.directory import NO_SPACE, segment_name
from durakv.errors import DiskFull
from durakv.storage.filesystem import File, Filesystem
from durakv.storage.preallocate import create_zeroed
from durakv_formats.frame import HEADER_BYTES, encode_frame
from durakv_formats.limits import COMMAND_BYTES_MIN

OPENING_BYTES_MAX = 1 << 20
"""How much room the segment that an open makes has at most; the next ones are prepared in the background.  A program
that opens a directory and writes little shall not wait for zeros that it never uses."""

TRIM_BYTES = 1 << 20
"""How much of a file is given back at once."""


class Segment:
    """One segment open for appending.

    Not thread-safe: the commit pipeline is the only caller.  ``reserved`` is the offset at which the next batch will
    start once everything admitted is written; ``offset`` is the end of what was handed to the operating system.
    """

    __slots__ = ("capacity", "file", "first", "name", "number", "offset", "reserved", "retired", "window")

    def __init__(self, file: File, *, number: int, capacity: int) -> None:
        self.file = file
        self.window = file.window(capacity)
        """A way to write without a call, where there is one."""
        self.number = number
        self.name = segment_name(number)
        self.capacity = capacity
        self.offset = 0
        self.reserved = 0
        self.first = 0
        self.retired = 0

    @property
    def is_worthless(self) -> bool:
        """Whether it holds no batch and retires no number."""
        return self.reserved <= HEADER_BYTES and self.retired == 0

    def start(self, *, seq: int, retired: int, synced_seq: int, identity: int) -> None:
        """Write the opening frame durably; the first command of this segment is ``seq + 1``."""
        frame = encode_frame(b"", seq=seq, count=retired, synced_seq=synced_seq, identity=identity, segment=self.number)
        self.file.write_through(frame, 0)
        self.offset = self.reserved = len(frame)
        self.first = seq + 1
        self.retired = retired

    def trim(self) -> None:
        """Cut the zeros off and close it, once it is sealed; a crash before leaves that to the next open.

        It is no part of the rotation, and done in small steps, because emptying the page cache of megabytes takes the
        kernel milliseconds in which writers may not run.
        """
        size = self.capacity
        while size > self.offset:
            size = max(self.offset, size - TRIM_BYTES)
            self.file.truncate(size)
        self.file.close()


def prepare_segment(filesystem: Filesystem, number: int, capacity: int) -> Segment:
    """A segment that survives a power loss as a file of zeros; nothing names it yet.  Raises DiskFull."""
    try:
        file = create_zeroed(filesystem, segment_name(number), capacity)
    except OSError as failure:
        if failure.errno in NO_SPACE:
            raise DiskFull(
                f"{filesystem.describe()}: no room for another log segment of {capacity} bytes; "
                "free some space and try again"
            ) from failure
        raise
    return Segment(file, number=number, capacity=capacity)


def numbers_given_out_max(*, first: int, capacity: int) -> int:
    """The highest number that a writer of this segment can have told anybody.

    A batch is given its numbers only once its bytes are reserved in the segment, and no command takes fewer than
    ``COMMAND_BYTES_MIN`` bytes, so the capacity bounds the numbers, whatever a crash left of the content.
    """
    return first - 1 + capacity // COMMAND_BYTES_MIN + 1
