"""One machine's view of a disk: what its programs see now, and what a power loss could leave of it.

It is driven by the events of a trace, ``begin`` and ``finish`` of every operation, by the simulated disk while a
program runs and by the timeline when a trace is played again.  Both so see the same, whatever happened in between.
"""

from __future__ import annotations

from dataclasses import dataclass

from durakv_fuzz.faults import AfterFailedSync
from durakv_fuzz.image import Image
from durakv_fuzz.pending import DataUnit, EntryUnit, Pending, resize
from durakv_fuzz.trace import BARRIERS, NAMING, SECTOR_BYTES, Kind, Operation

_STALE_COUNT_MAX = 3


@dataclass(frozen=True, slots=True, eq=False)
class FileState:
    """What is known about one file: content that is durable, then units, some of which are durable too."""

    durable: bytes
    units: tuple[DataUnit, ...]
    required: tuple[bool, ...]
    open_size_max: int
    """The largest size that the file had right after a unit that a power loss may drop."""

    @property
    def open_count(self) -> int:
        """How many units a power loss may drop."""
        return len(self.required) - sum(self.required)


class _KernelFile:
    def __init__(self, content: bytes) -> None:
        self.live = bytearray(content)
        self.durable = bytearray(content)
        self.pending: Pending[DataUnit] = Pending()
        self.resized_seq = -1
        """When its size last changed: the journal has that to commit, in the ordered profile."""

        self._state: FileState | None = None
        self._durable_bytes: bytes | None = bytes(content)

    def add(self, unit: DataUnit) -> None:
        self.pending.add(unit)
        self._state = None

    def settle(self, barrier: Operation) -> None:
        self._state = None
        for unit in self.pending.settle(barrier):
            unit.apply(self.durable)
            self._durable_bytes = None

    def fail(self, barrier: Operation) -> None:
        self._state = None
        if barrier.after == AfterFailedSync.STICKY:
            self.pending.sticky_error = barrier.error
        elif barrier.after == AfterFailedSync.REVERTED:
            self.pending.drop_open()
            self.live = bytearray(self.durable)
            for unit in self.pending.units:
                unit.apply(self.live)
        elif barrier.after == AfterFailedSync.KEPT:
            self.pending.doom()

    def state(self) -> FileState:
        if self._state is None:
            if self._durable_bytes is None:
                self._durable_bytes = bytes(self.durable)
            units, required = tuple(self.pending.units), self.pending.required()
            sizes = (unit.size_after for unit, durable in zip(units, required, strict=True) if not durable)
            self._state = FileState(self._durable_bytes, units, required, max(sizes, default=0))
        return self._state


class Kernel:
    """See the module.  Not thread-safe."""

    def __init__(self, image: Image) -> None:
        self.root = image.exists
        self.root_durable = image.exists
        self.names = {name: number for number, name in enumerate(sorted(image.files), 1)}
        self.files = {number: _KernelFile(image.files[name]) for name, number in self.names.items()}
        self.durable_names = dict(self.names)
        self.entries: Pending[EntryUnit] = Pending()
        self.stale: tuple[bytes, ...] = ()
        """Contents of dead files, the last ones: their space may be given to others, unwiped."""

        self.committed_seq = 0
        """In the ordered profile, the journal holds every directory operation that ended before this."""

        self.version = 0
        """Changes whenever what a power loss may leave has changed."""

    def begin(self, operation: Operation) -> None:
        """The operation starts; all it does to the cache is done."""
        if not operation.done:
            return
        if operation.kind in NAMING:
            self._begin_naming(operation)
        elif operation.kind is Kind.MAKE_ROOT:
            if not self.root:
                self.root = True
                self.version += 1
        elif operation.kind is Kind.TRUNCATE or operation.data:
            self._begin_data(operation)

    def finish(self, operation: Operation) -> None:
        """The operation returned or failed; a barrier takes effect."""
        if operation.kind not in BARRIERS or operation.killed:
            return
        self.version += 1
        if operation.kind is Kind.MAKE_ROOT:
            self.root_durable = self.root_durable or not operation.error
        elif operation.kind is Kind.SYNC_DIRECTORY:
            self._finish_sync_directory(operation)
        else:
            self._finish_sync(operation)

    def sticky_error(self, operation: Operation) -> int:
        """The error a barrier must fail with, because an earlier one did and the dirty data is still there."""
        if operation.kind is Kind.SYNC_DIRECTORY:
            return self.entries.sticky_error
        return self.files[operation.file].pending.sticky_error

    def used_bytes(self) -> int:
        """How much room the files with a name take."""
        return sum(len(self.files[number].live) for number in set(self.names.values()))

    def file_states(self) -> dict[int, FileState]:
        """The state of every file that ever was, by number."""
        return {number: file.state() for number, file in self.files.items()}

    def _begin_naming(self, operation: Operation) -> None:
        self.version += 1
        if operation.kind is Kind.CREATE:
            self.files[operation.file] = file = _KernelFile(b"")
            file.resized_seq = operation.start
        else:
            # The file that loses its last name: the removed one, or the one a rename covers.
            self._bury(self.names.get(operation.new_name or operation.name), operation)
        unit = EntryUnit(operation, f"entry {operation}")
        unit.apply(self.names)
        self.entries.add(unit)

    def _bury(self, number: int | None, operation: Operation) -> None:
        if number is None or (operation.kind is Kind.RENAME and number == operation.file):
            return
        content = bytes(self.files[number].live)
        if content.strip(b"\0"):
            self.stale = (*self.stale, content)[-_STALE_COUNT_MAX:]

    def _begin_data(self, operation: Operation) -> None:
        self.version += 1
        file = self.files[operation.file]
        live = file.live
        size_before = len(live)
        if operation.kind is Kind.TRUNCATE:
            start, patch = 0, b""
            resize(live, operation.size)
        else:
            end = operation.offset + len(operation.data)
            if len(live) < operation.offset:
                resize(live, operation.offset)
            live[operation.offset : end] = operation.data
            start = operation.offset - operation.offset % SECTOR_BYTES
            patch = bytes(live[start : end + -end % SECTOR_BYTES])
        if len(live) != size_before:
            file.resized_seq = operation.start
        file.add(DataUnit.of(operation, start, patch, len(live)))

    def _finish_sync(self, operation: Operation) -> None:
        file = self.files[operation.file]
        if operation.error:
            file.fail(operation)
            return
        file.settle(operation)
        if file.resized_seq >= self.committed_seq:
            self.committed_seq = operation.start

    def _finish_sync_directory(self, operation: Operation) -> None:
        if not operation.error:
            # A copy: snapshots share the old one.
            self.durable_names = dict(self.durable_names)
            for unit in self.entries.settle(operation):
                unit.apply(self.durable_names)
            self.committed_seq = operation.start
        elif operation.after == AfterFailedSync.STICKY:
            self.entries.sticky_error = operation.error
        elif operation.after != AfterFailedSync.DIRTY:
            self.entries.doom()
