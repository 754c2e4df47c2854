"""A disk in memory that remembers everything: the second implementation of the door to the disk.

Programs see the page cache, as after a process crash they would; what a power loss leaves is asked of the trace
later, as often as one likes (``model``, ``enumerate``).  ``faults`` decides which calls fail (F5), ``during`` runs
while a barrier is under way, when a second thread or a slow disk would let other things happen.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable

from durakv.clock import ManualClock
from durakv.storage.names import check_name
from durakv_fuzz.choose import Choose, kindest
from durakv_fuzz.content import Buffer
from durakv_fuzz.faults import AfterFailedSync, Fault, FaultPlan
from durakv_fuzz.image import NOTHING, Image
from durakv_fuzz.kernel import Kernel
from durakv_fuzz.trace import BARRIERS, Kind, Operation, Trace

_FREE_BYTES = 1 << 40


class SimulatedDisk:
    """A ``Filesystem`` over memory, beginning with an image.

    Locks live in this object: a crash image has none.  Threads may share it: each change is atomic, and a barrier
    covers what returned before it began.  ``capacity_bytes`` may be changed at any time.
    """

    windows = False
    """Whether its files can be written through windows."""

    def __init__(
        self,
        image: Image = NOTHING,
        *,
        faults: FaultPlan | None = None,
        during: Callable[[Operation], None] | None = None,
        clock: ManualClock | None = None,
        capacity_bytes: int | None = None,
        sites: bool = False,
    ) -> None:
        self.trace = Trace(image, now=clock.monotonic if clock is not None else float, sites=sites)
        self.faults = faults
        self.during = during
        self.capacity_bytes = capacity_bytes
        self._clock = clock
        self._kernel = Kernel(image)
        self._locked: set[str] = set()
        self._guard = threading.RLock()

    @classmethod
    def resume(
        cls,
        trace: Trace,
        crash_seq: int,
        choose: Choose = kindest,
        *,
        faults: FaultPlan | None = None,
        during: Callable[[Operation], None] | None = None,
        clock: ManualClock | None = None,
    ) -> SimulatedDisk:
        """The same machine after a process crash (C2): its cache lives on, open files and locks do not.

        The new disk's trace continues a copy of the old one.  So, unlike an image, it still knows what a power loss
        in its second life could take back from the first.  ``choose`` settles how far calls in flight got.
        """
        if not isinstance(trace.base, Image):
            raise TypeError("a simulated disk has one directory: it cannot go on from a trace of a tree")
        disk = cls(trace.base, faults=faults, during=during, clock=clock)
        disk.trace = trace.killed(crash_seq, choose, now=clock.monotonic if clock is not None else float)
        for operation, begins in disk.trace.events():
            (disk._kernel.begin if begins else disk._kernel.finish)(operation)
        return disk

    def note(self, kind: str, payload: object = None) -> None:
        """Record what a caller was told, at this point of the trace."""
        with self._guard:
            self.trace.note(kind, payload)

    def image(self) -> Image:
        """What programs see now, all of it; the image of a process crash at this instant."""
        with self._guard:
            kernel = self._kernel
            files = {name: bytes(kernel.files[number].live[:]) for name, number in kernel.names.items()}
            return Image(files, exists=kernel.root)

    def describe(self) -> str:
        """See :class:`Filesystem`."""
        return "simulated disk"

    def make_root(self) -> None:
        """See :class:`Filesystem`; the directory's own entry can be lost until this returned once."""
        self.perform(Operation(Kind.MAKE_ROOT))

    def exists_root(self) -> bool:
        """See :class:`Filesystem`."""
        self.ask(Kind.EXISTS_ROOT)
        return self._kernel.root

    def list(self) -> list[str]:
        """See :class:`Filesystem`."""
        self.ask(Kind.LIST)
        with self._guard:
            self._check_root("")
            return sorted(self._kernel.names)

    def create(self, name: str, /) -> SimulatedFile:
        """See :class:`Filesystem`."""
        operation = Operation(Kind.CREATE, check_name(name))
        self.perform(operation)
        return SimulatedFile(self, operation.file, name, writable=True)

    def open(self, name: str, /, *, writable: bool = False) -> SimulatedFile:
        """See :class:`Filesystem`."""
        self.ask(Kind.OPEN, check_name(name))
        with self._guard:
            return SimulatedFile(self, self._find(name), name, writable=writable)

    def rename(self, old: str, new: str, /) -> None:
        """See :class:`Filesystem`."""
        self.perform(Operation(Kind.RENAME, check_name(old), check_name(new)))

    def remove(self, name: str, /) -> None:
        """See :class:`Filesystem`."""
        self.perform(Operation(Kind.REMOVE, check_name(name)))

    def sync_directory(self) -> None:
        """See :class:`Filesystem`."""
        self.perform(Operation(Kind.SYNC_DIRECTORY))

    def free_bytes(self) -> int:
        """See :class:`Filesystem`."""
        self.ask(Kind.FREE_BYTES)
        with self._guard:
            return self._free_bytes()

    def lock(self, name: str, /) -> SimulatedLock:
        """See :class:`Filesystem`."""
        self.ask(Kind.LOCK, check_name(name))
        with self._guard:
            self._check_root(name)
            if name not in self._kernel.names:
                self.perform(Operation(Kind.CREATE, name))
            if name in self._locked:
                raise BlockingIOError(errno.EAGAIN, "the lock is held", name)
            self._locked.add(name)
        return SimulatedLock(lambda: self._locked.discard(name))

    def live(self, number: int) -> Buffer:
        """For files of this disk: the content as programs see it."""
        return self._kernel.files[number].live

    def ask(self, kind: Kind, name: str = "", number: int = 0, offset: int = 0, size: int = 0) -> None:
        """For files of this disk: let the plan fail a call that changes nothing."""
        if self.faults is not None:
            operation = Operation(kind, name, file=number, offset=offset, size=size)
            fault = self.faults(operation)
            self._spend(fault)
            _raise(fault.error if fault is not None else 0, operation)

    def perform(self, operation: Operation, *, fails: bool = True) -> None:
        """For files of this disk: do it, record it, and raise what it failed with, if it can fail."""
        fault = self.faults(operation) if fails and self.faults is not None else None
        with self._guard:
            self._prepare(operation, fault)
            self.trace.start(operation)
            self._kernel.begin(operation)
            if operation.kind not in BARRIERS:
                self._finish(operation, fault)
        if operation.kind in BARRIERS:
            # Unguarded: what others do now is not covered by the barrier, and may be lost.
            if self.during is not None:
                self.during(operation)
            with self._guard:
                self._finish(operation, fault)
        _raise(operation.error, operation)

    def _finish(self, operation: Operation, fault: Fault | None) -> None:
        self._spend(fault)
        self.trace.end(operation)
        self._kernel.finish(operation)

    def _prepare(self, operation: Operation, fault: Fault | None) -> None:
        """Refuse what cannot be done at all, and settle how much of the rest will be."""
        kind = operation.kind
        if kind is not Kind.MAKE_ROOT:
            self._check_root(operation.name)
        if kind in (Kind.RENAME, Kind.REMOVE):
            operation.file = self._find(operation.name)
        elif kind is Kind.CREATE:
            if operation.name in self._kernel.names:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), operation.name)
            operation.file = max(self._kernel.files, default=0) + 1
        if fault is None or not fault.error:
            fault = self._find_fault(operation)
        if fault is not None:
            operation.error = fault.error
            operation.after = fault.after if kind in BARRIERS else ""
            operation.data = operation.data[: fault.done]
            operation.done = fault.done > 0

    def _find_fault(self, operation: Operation) -> Fault | None:
        """What fails although no plan says so."""
        barrier = operation.kind in BARRIERS and operation.kind is not Kind.MAKE_ROOT
        if barrier and (error := self._kernel.sticky_error(operation)):
            return Fault(error, done=len(operation.data), after=AfterFailedSync.STICKY)
        if operation.data:
            room = max(0, len(self.live(operation.file)) + self._free_bytes() - operation.offset)
            if room < len(operation.data):
                return Fault(errno.ENOSPC, done=room, after=AfterFailedSync.DIRTY)
        return None

    def _free_bytes(self) -> int:
        if self.capacity_bytes is None:
            return _FREE_BYTES
        return max(0, self.capacity_bytes - self._kernel.used_bytes())

    def _check_root(self, name: str) -> None:
        if not self._kernel.root:
            raise FileNotFoundError(errno.ENOENT, "the directory is missing", name)

    def _find(self, name: str) -> int:
        self._check_root(name)
        number = self._kernel.names.get(name)
        if number is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return number

    def _spend(self, fault: Fault | None) -> None:
        if fault is not None and fault.seconds and self._clock is not None:
            self._clock.advance(fault.seconds)


class SimulatedFile:
    """A ``File`` of a simulated disk."""

    def __init__(self, disk: SimulatedDisk, number: int, name: str, *, writable: bool) -> None:
        self._disk = disk
        self._number = number
        self._name = name
        self._writable = writable
        self._closed = False

    @property
    def name(self) -> str:
        """The name it was opened by."""
        return self._name

    def read_at(self, size: int, offset: int, /) -> bytes:
        """See :class:`File`."""
        self._check_open()
        self._disk.ask(Kind.READ, self._name, self._number, offset, size)
        return bytes(self._disk.live(self._number)[offset : offset + size])

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """See :class:`File`."""
        self._change(Kind.WRITE, offset, bytes(data))

    def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        """See :class:`File`."""
        self._change(Kind.WRITE_THROUGH, offset, bytes(data))

    def sync(self) -> None:
        """See :class:`File`."""
        self._check_open()
        self._disk.perform(Operation(Kind.SYNC, self._name, file=self._number))

    def window(self, size: int, /) -> SimulatedWindow | None:
        """See :class:`File`."""
        self._check_open(writing=True)
        return SimulatedWindow(self._store) if self._disk.windows else None

    def truncate(self, size: int, /) -> None:
        """See :class:`File`."""
        self._check_open(writing=True)
        self._disk.perform(Operation(Kind.TRUNCATE, self._name, file=self._number, size=size))

    def size(self) -> int:
        """See :class:`File`."""
        self._check_open()
        self._disk.ask(Kind.SIZE, self._name, self._number)
        return len(self._disk.live(self._number))

    def close(self) -> None:
        """See :class:`File`."""
        self._closed = True

    def _store(self, offset: int, data: bytes) -> None:
        self._disk.perform(self._changing(Kind.WRITE, offset, data), fails=False)

    def _change(self, kind: Kind, offset: int, data: bytes) -> None:
        self._disk.perform(self._changing(kind, offset, data))

    def _changing(self, kind: Kind, offset: int, data: bytes) -> Operation:
        self._check_open(writing=True)
        return Operation(kind, self._name, file=self._number, offset=offset, size=len(data), data=data)

    def _check_open(self, *, writing: bool = False) -> None:
        if self._closed or (writing and not self._writable):
            raise OSError(errno.EBADF, "the file is closed" if self._closed else "it is open for reading", self._name)


class SimulatedWindow:
    """A ``Window`` of a simulated disk: a write that is no call, so that it cannot fail, and can be half done."""

    def __init__(self, write: Callable[[int, bytes], None]) -> None:
        self._write = write

    def __setitem__(self, place: slice, data: bytes, /) -> None:
        self._write(place.start, data)


class SimulatedLock:
    """A ``Lock`` of a simulated disk."""

    def __init__(self, free: Callable[[], None]) -> None:
        self._free: Callable[[], None] | None = free

    def release(self) -> None:
        """See :class:`Lock`."""
        free, self._free = self._free, None
        if free is not None:
            free()


def _raise(error: int, operation: Operation) -> None:
    if error:
        raise OSError(error, os.strerror(error), operation.name or None)
