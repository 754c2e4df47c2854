"""What can still be had of a single file of a stock server, an RDB file or an append-only one; reads only.

A file is a sequence of stretches. Of each is known where it is, how many keys or commands it holds, and how well that
is known:

    proven      a checksum covers it: the file's own, a block's (RDB files of ours), a frame's (logs of ours)
    readable    it reads as it should, and nothing vouches for it
    lost        nothing can be made of it

Behind damage an RDB file is read on where a block begins, which only files of ours have; an append-only file where
commands begin that read as such up to the end or to the next damage.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum

from durakv.storage.filesystem import File
from durakv_formats.errors import FormatError
from durakv_formats.rdb import Block, End, Entry, Header, Record, read_rdb, resume_rdb
from durakv_formats.rdb.blocks import MARK, decode_mark
from durakv_formats.rdb.reader import CHECKSUM_REASON
from durakv_formats.rdb.source import Source

_WINDOW_BYTES = 1 << 20
_MARK_TEXT = re.compile(re.escape(MARK) + rb"(.)([0-9 ]{1,60}[0-9a-f]{8})", re.DOTALL)


class Worth(StrEnum):
    """How well a stretch is known."""

    PROVEN = "proven"
    READABLE = "readable"
    LOST = "lost"


@dataclass(slots=True)
class Stretch:
    """A part of a file."""

    start: int
    end: int
    worth: Worth
    count: int = 0
    """How many keys or commands."""
    holds: str = "keys"
    """Keys, of an RDB file, or commands, of an append-only one."""
    reason: str = ""
    """Why it is lost, or why nothing vouches for it."""
    database: int = 0
    """The one that is selected where it begins."""


def survey_rdb(file: File, size: int) -> list[Stretch]:
    """The stretches of an RDB file, which may end before ``size``; nothing is kept in memory but their places.

    Raises FormatError for a file whose header cannot be read, and ``OSError``.
    """
    survey = _RdbSurvey(file, size)
    survey.run()
    return survey.stretches


def entries_of(file: File, stretch: Stretch) -> Iterator[Entry]:
    """The keys of a stretch that was surveyed."""
    records = read_rdb(_reader(file, 0)) if stretch.start == 0 else _resumed(file, stretch.start, stretch.database)
    left = stretch.count
    while left:
        record = next(records)
        if isinstance(record, Entry):
            left -= 1
            yield record


def _resumed(file: File, start: int, database: int) -> Generator[Record, None, Source]:
    return resume_rdb(_reader(file, start), _header(file), database, start)


def _header(file: File) -> Header:
    header = next(read_rdb(_reader(file, 0)))
    assert isinstance(header, Header), "it comes first"
    return header


def _reader(file: File, position: int) -> Callable[[int], bytes]:
    def read(size: int) -> bytes:
        nonlocal position
        data = file.read_at(size, position)
        position += len(data)
        return data

    return read


class _RdbSurvey:
    """One pass over an RDB file, with a new beginning behind each damage."""

    def __init__(self, file: File, size: int) -> None:
        self.stretches: list[Stretch] = []
        self._file = file
        self._size = size
        """Where the file ends, or, once that is known, the RDB part of it."""

    def run(self) -> None:
        """Find all stretches."""
        self._go(read_rdb(_reader(self._file, 0)), 0, 0)
        while (last := self.stretches[-1]).worth is Worth.LOST and last.end < self._size:
            self._go(_resumed(self._file, last.end, last.database), last.end, last.database)

    def _go(self, records: Generator[Record, None, Source], start: int, database: int) -> None:
        """Read from a place on, until the end or the next damage."""
        count = 0
        is_checked = False
        try:
            while True:
                try:
                    record = next(records)
                except StopIteration as end:
                    self._size = end.value.offset
                    self._finish(start, count, database, is_checked=is_checked)
                    return
                if isinstance(record, Entry):
                    count += 1
                elif isinstance(record, Block):
                    self._add(start, record.end, Worth.PROVEN, count, "", database)
                    start, count, database = record.end, 0, record.database
                elif isinstance(record, End):
                    is_checked = record.is_checked
        except FormatError as error:
            self._damage(start, count, database, error)

    def _finish(self, start: int, count: int, database: int, *, is_checked: bool) -> None:
        if is_checked or not count:
            self._add(start, self._size, Worth.PROVEN, count, "", database)
        else:
            self._add(start, self._size, Worth.READABLE, count, "no checksum covers it", database)

    def _damage(self, start: int, count: int, database: int, error: FormatError) -> None:
        found = self._next_mark(start)
        if found is None and error.reason.startswith(CHECKSUM_REASON) and count:
            # Everything reads, and the checksum of it all is wrong: the damage may be anywhere.
            self._add(start, self._size, Worth.READABLE, count, error.reason, database)
            return
        if count and found is None:
            self._add(start, error.offset, Worth.READABLE, count, "no checksum covers it alone", database)
            start = error.offset
        end, database = (self._size, 0) if found is None else found
        self._add(start, end, Worth.LOST, 0, f"{error.reason} (byte {error.offset})", database)

    def _add(self, start: int, end: int, worth: Worth, count: int, reason: str, database: int) -> None:
        if end > start or worth is Worth.LOST:
            self.stretches.append(Stretch(start, end, worth, count, reason=reason, database=database))

    def _next_mark(self, position: int) -> tuple[int, int] | None:
        """Where the block that ends next behind this place has its end, and which database is selected there."""
        while position < self._size:
            window = self._file.read_at(_WINDOW_BYTES, position)
            for match in _MARK_TEXT.finditer(window):
                text = match[2][: match[1][0]]
                mark = decode_mark(text)
                if mark is not None:
                    return position + match.start(2) + len(text), mark.database
            if len(window) < _WINDOW_BYTES:
                break
            position += _WINDOW_BYTES - 128
        return None
