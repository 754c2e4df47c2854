"""What a program did to a disk, and what it told its callers, in one order.

Every call has two sequence numbers, ``start`` and ``end``.  A crash at ``crash_seq`` happens between two events: what
has a smaller number happened, the rest did not.  So a call with ``start < crash_seq <= end`` was in flight (F7), and
a barrier guarantees what ended before its *start*, from its *end* on.

Only what can change the disk is recorded; reads are shown to fault plans and forgotten.

A trace with ``sites`` also remembers who called, and from where; recoveries that are only looked at do not pay for it.
``trace_file`` writes a trace down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from operator import itemgetter

from durakv_fuzz.choose import Choose
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.sites import calling_site, calling_task
from durakv_fuzz.tree import Tree

SECTOR_BYTES = 512
PAGE_BYTES = 4096


class Kind(StrEnum):
    """The calls of the door to the disk."""

    MAKE_ROOT = "make_root"
    CREATE = "create"
    WRITE = "write_at"
    WRITE_THROUGH = "write_through"
    TRUNCATE = "truncate"
    SYNC = "sync"
    RENAME = "rename"
    REMOVE = "remove"
    SYNC_DIRECTORY = "sync_directory"
    # Of recorded programs, whose files are in a tree of directories:
    MAKE_DIRECTORY = "make_directory"
    SYMLINK = "symlink"
    LINK = "link"
    EXCHANGE = "exchange"
    SET_NODE = "set_node"
    SYNC_ALL = "sync_all"
    # Never recorded:
    EXISTS_ROOT = "exists_root"
    LIST = "list"
    OPEN = "open"
    READ = "read_at"
    SIZE = "size"
    LOCK = "lock"
    FREE_BYTES = "free_bytes"


BARRIERS = frozenset({Kind.MAKE_ROOT, Kind.WRITE_THROUGH, Kind.SYNC, Kind.SYNC_DIRECTORY, Kind.SYNC_ALL})
"""Calls that promise something when they return."""

NAMING = frozenset({Kind.CREATE, Kind.RENAME, Kind.REMOVE, Kind.MAKE_DIRECTORY, Kind.SYMLINK, Kind.LINK, Kind.EXCHANGE})
"""Calls that change a directory."""

OF_TREES = frozenset({Kind.MAKE_DIRECTORY, Kind.SYMLINK, Kind.LINK, Kind.EXCHANGE, Kind.SET_NODE, Kind.SYNC_ALL})
"""Calls of programs that use more than one directory."""

_WRITES = frozenset({Kind.WRITE, Kind.WRITE_THROUGH})


@dataclass(slots=True, eq=False)
class Operation:
    """One call.  Plans see it before it starts; in a trace it is complete and is not changed any more."""

    kind: Kind
    name: str = ""
    """The name it was given; for calls on a file, the name that file was opened by.  Of a link, the new name."""

    new_name: str = ""
    """The second name of a rename or an exchange."""

    file: int = 0
    """Which file, directory or link: names move, this number stays.  0 where there is none, or the root is meant.

    Of a directory's sync, the directory; of a naming call, what the name stands for (an exchange: the first).
    """

    directory: int = 0
    """The number of the directory that ``name`` is in; 0 is the root."""

    new_directory: int = 0
    """Likewise for ``new_name``."""

    offset: int = 0
    size: int = 0
    """Bytes asked for; for a truncation the new size."""

    data: bytes = b""
    """Of a write: the bytes that took effect.  Of a symbolic link its target.

    Of ``set_node``, and of a file or directory that is made, its mode, owner and attributes (``tree.pack_status``).
    """

    start: int = -1
    end: int = -1
    started: float = 0.0
    ended: float = 0.0

    error: int = 0
    """The ``errno`` it failed with, or 0."""

    done: bool = True
    """Whether it took effect at all; a failed call may have."""

    after: str = ""
    """Of a failed barrier: what became of the data (``AfterFailedSync``)."""

    killed: bool = False
    """Its process ended in the middle: the call never returned and promises nothing."""

    site: str = ""
    """Where it was called (``sites``), if the trace was to remember that."""

    task: str = ""
    """The thread that called, or thread and task; likewise."""

    @property
    def key(self) -> str:
        """``name`` and the directory that it is in, as one word; of the root, the name alone."""
        return f"{self.directory}/{self.name}" if self.directory else self.name

    @property
    def new_key(self) -> str:
        """Likewise of ``new_name``; empty if there is none."""
        return f"{self.new_directory}/{self.new_name}" if self.new_directory else self.new_name

    def __str__(self) -> str:
        return self.describe(self.name, self.new_name)

    def describe(self, name: str, new_name: str) -> str:
        """For people, with other words for the names."""
        where = f" {name}" if name else ""
        if new_name:
            where += f" -> {new_name}"
        if self.kind in (Kind.WRITE, Kind.WRITE_THROUGH):
            where += f" [{self.offset}, {self.offset + len(self.data)})"
        elif self.kind is Kind.TRUNCATE:
            where += f" to {self.size}"
        return f"#{self.start} {self.kind}{where}" + (f" failed with errno {self.error}" if self.error else "")


@dataclass(frozen=True, slots=True)
class Note:
    """Something the program told its callers, or was told by them; an oracle reads it."""

    seq: int
    time: float
    kind: str
    payload: object


class Trace:
    """A recorded run that began on ``base``: an ``Image`` for programs of one directory, or a ``Tree``.

    ``seq`` is the next sequence number, so the run's own end.
    """

    def __init__(self, base: Image | Tree = NOTHING, *, now: Callable[[], float] = float, sites: bool = False) -> None:
        self.base = base
        self.sites = sites
        """Whether call sites and threads are recorded."""
        self.operations: list[Operation] = []
        self.notes: list[Note] = []
        self.seq = 0
        self._now = now

    def note(self, kind: str, payload: object = None) -> Note:
        """Record what a caller was told, at this point of the order."""
        note = Note(self._take_seq(), self._now(), kind, payload)
        self.notes.append(note)
        return note

    def start(self, operation: Operation) -> None:
        """Record that a call begins."""
        if self.sites:
            operation.site, operation.task = calling_site(), calling_task()
        operation.start, operation.started = self._take_seq(), self._now()
        self.operations.append(operation)

    def end(self, operation: Operation) -> None:
        """Record that a call returned or failed."""
        operation.end, operation.ended = self._take_seq(), self._now()

    def events(self) -> Iterator[tuple[Operation, bool]]:
        """Every start (True) and end (False), in order."""
        marks = [(operation.start, operation, True) for operation in self.operations]
        marks += [(operation.end, operation, False) for operation in self.operations if operation.end >= 0]
        for _, operation, begins in sorted(marks, key=itemgetter(0)):
            yield operation, begins

    def killed(self, crash_seq: int, choose: Choose, *, now: Callable[[], float] = float) -> Trace:
        """A copy up to a process crash, to be continued by the next process on the same machine."""
        cut = Trace(self.base, now=now, sites=self.sites)
        cut.seq = crash_seq
        cut.notes = [note for note in self.notes if note.seq < crash_seq]
        for operation in self.operations:
            if operation.start >= crash_seq:
                break
            if not 0 <= operation.end < crash_seq:
                operation = interrupt(operation, choose)
                operation.end, operation.ended = cut._take_seq(), operation.started
            cut.operations.append(operation)
        return cut

    def _take_seq(self) -> int:
        seq = self.seq
        self.seq = seq + 1
        return seq


def interrupt(operation: Operation, choose: Choose) -> Operation:
    """How far a call got whose process was killed inside it: a write, any number of its pages; the rest, all or not."""
    if operation.data and operation.kind in _WRITES:
        start, end = operation.offset, operation.offset + len(operation.data)
        stops = [start, *range(start - start % PAGE_BYTES + PAGE_BYTES, end, PAGE_BYTES), end]
        stop = stops[choose(len(stops), f"in flight {operation}")]
        return replace(operation, data=operation.data[: stop - start], killed=True)
    if operation.kind in BARRIERS:
        return replace(operation, killed=True)
    return replace(operation, done=operation.done and choose(2, f"in flight {operation}") == 1, killed=True)
