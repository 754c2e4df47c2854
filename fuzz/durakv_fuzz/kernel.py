"""One machine's view of a disk: what its programs see now, and what a power loss could leave of it.

It is driven by the events of a trace, ``begin`` and ``finish`` of every operation, by the simulated disk while a
program runs and by the timeline when a trace is played again.  Both so see the same, whatever happened in between.

Names are kept by ``Operation.key``, all directories in one mapping; of a program with one directory keys are names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from durakv_fuzz.content import Buffer, Content, freeze, is_blank, resize, thaw
from durakv_fuzz.faults import AfterFailedSync
from durakv_fuzz.image import Image
from durakv_fuzz.layers import with_layer
from durakv_fuzz.pending import DataUnit, EntryUnit, Part, Pending
from durakv_fuzz.places import Places, key_of
from durakv_fuzz.trace import BARRIERS, NAMING, PAGE_BYTES, SECTOR_BYTES, Kind, Operation
from durakv_fuzz.tree import EMPTY_DIRECTORY, Node, NodeKind, Tree, with_data, with_status

_STALE_COUNT_MAX = 3
_FILE = Node(NodeKind.FILE)


@dataclass(frozen=True, slots=True, eq=False)
class FileState:
    """What is known about one file: content that is durable, then units, some of which are durable too."""

    durable: bytes | Content
    """``Content`` in a tree; ``bytes`` where there is one directory, whose files are small."""
    units: Sequence[DataUnit]
    required: Sequence[bool]
    open_size_max: int
    """The largest size that the file had right after a unit that a power loss may drop."""

    @property
    def open_count(self) -> int:
        """How many units a power loss may drop."""
        return len(self.required) - sum(self.required)


class _KernelFile:
    def __init__(self, content: bytes | Content) -> None:
        self.live = thaw(content)
        self.durable = thaw(content)
        self.pending: Pending[DataUnit] = Pending()
        self.resized_seq = -1
        """When its size last changed: the journal has that to commit, in the ordered profile."""

        self._state: FileState | None = None
        self._durable_bytes: bytes | Content | None = content
        self._open_size_max: int | None = 0

    def add(self, unit: DataUnit) -> None:
        self.pending.add(unit)
        self._state = None
        if self._open_size_max is not None:
            self._open_size_max = max(self._open_size_max, unit.size_after)

    def settle(self, barrier: Operation) -> None:
        self._state = self._open_size_max = None
        for unit in self.pending.settle(barrier):
            unit.apply(self.durable)
            self._durable_bytes = None

    def fail(self, barrier: Operation) -> None:
        self._state = self._open_size_max = None
        if barrier.after == AfterFailedSync.STICKY:
            self.pending.sticky_error = barrier.error
        elif barrier.after == AfterFailedSync.REVERTED:
            self.pending.drop_open()
            self.live = thaw(freeze(self.durable))
            for unit in self.pending.units:
                unit.apply(self.live)
        elif barrier.after == AfterFailedSync.KEPT:
            self.pending.doom()

    def state(self) -> FileState:
        if self._state is None:
            if self._durable_bytes is None:
                self._durable_bytes = freeze(self.durable)
            units, required = self.pending.snapshot()
            if self._open_size_max is None:
                sizes = (unit.size_after for unit, durable in zip(units, required, strict=True) if not durable)
                self._open_size_max = max(sizes, default=0)
            self._state = FileState(self._durable_bytes, units, required, self._open_size_max)
        return self._state


class Kernel:
    """See the module.  Not thread-safe."""

    def __init__(self, base: Image | Tree) -> None:
        self.nodes: Mapping[int, Node] | None = None
        """Of a tree: everything but the content of files in ``unsettled``; as of ``file_states``."""

        if isinstance(base, Tree):
            self.root = self.root_durable = True
            self.names = {key_of(*place): number for place, number in base.entries.items()}
            is_file = {number: node.kind is NodeKind.FILE for number, node in base.nodes.items()}
            contents: Mapping[int, bytes | Content] = {
                number: Content.of(base.nodes[number].data) for number in sorted(is_file) if is_file[number]
            }
            self.nodes = {n: replace(node, data=b"") if is_file[n] else node for n, node in base.nodes.items()}
            self._places: Places | None = Places(self.names.items())
            self._nothing: bytes | Content = Content()
        else:
            self.root = self.root_durable = base.exists
            self.names = {name: number for number, name in enumerate(sorted(base.files), 1)}
            contents = {number: bytes(base.files[name]) for name, number in self.names.items()}
            self._places = None
            self._nothing = b""
        self.files = {number: _KernelFile(content) for number, content in contents.items()}
        self._changed = set(self.files)
        """Files that may have another state than when somebody last looked."""

        self._states: Mapping[int, FileState] = {}
        self.unsettled: tuple[int, ...] = ()
        """Files with units, by number; as of ``file_states``."""

        self.open_counts: dict[int, int] = {}
        """For each file with units that a power loss may drop, how many; as of ``file_states``."""

        self.durable_names = dict(self.names)
        self.entries: Pending[EntryUnit] = Pending()
        self.stale: tuple[bytes | Content, ...] = ()
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
        elif operation.kind is Kind.SET_NODE:
            self._set_node(operation)
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
            self._finish_sync_directory(operation, lambda unit: unit.home == operation.file)
        elif operation.kind is Kind.SYNC_ALL:
            for number, file in self.files.items():
                if file.pending.units:
                    self._finish_sync(operation, number)
            self._finish_sync_directory(operation, None)
        else:
            self._finish_sync(operation, operation.file)

    def sticky_error(self, operation: Operation) -> int:
        """The error a barrier must fail with, because an earlier one did and the dirty data is still there."""
        if operation.kind is Kind.SYNC_DIRECTORY:
            return self.entries.sticky_error
        return self.files[operation.file].pending.sticky_error

    def used_bytes(self) -> int:
        """How much room the files with a name take."""
        return sum(len(self.files[number].live) for number in set(self.names.values()))

    def file_states(self) -> Mapping[int, FileState]:
        """The state of every file that ever was, by number."""
        if self._changed:
            fresh = {number: self.files[number].state() for number in sorted(self._changed)}
            self._changed.clear()
            for number, state in fresh.items():
                if count := state.open_count:
                    self.open_counts[number] = count
                else:
                    self.open_counts.pop(number, None)
            settled = {number for number, state in fresh.items() if not state.units}
            self.unsettled = tuple(sorted({*self.unsettled, *fresh} - settled))
            self._states = with_layer(self._states, fresh)
            if self.nodes is not None and settled:
                self.nodes = with_layer(self.nodes, {n: _settled(self.nodes[n], fresh[n]) for n in settled})
        return self._states

    def describe(self, operation: Operation) -> str:
        """The operation, in a tree with whole paths."""
        return str(operation) if self._places is None else self._places.describe(operation)

    def _begin_naming(self, operation: Operation) -> None:
        kind = operation.kind
        if self._places is not None and kind is Kind.RENAME and self.names.get(operation.new_key) == operation.file:
            return  # two links of one file, or onto itself: a rename that does nothing
        self.version += 1
        other, moves_directory = 0, False
        if kind is Kind.CREATE:
            self.files[operation.file] = file = _KernelFile(self._nothing)
            file.resized_seq = operation.start
            self._changed.add(operation.file)
        elif kind in (Kind.RENAME, Kind.REMOVE):
            # The file that loses its last name: the removed one, or the one a rename covers.
            self._bury(self.names.get(operation.new_key or operation.key), operation)
        label = f"entry {self.describe(operation)}"
        if self._places is not None:
            self._make_node(operation)
            if kind is Kind.EXCHANGE:
                other = self.names[operation.new_key]
            moved = (operation.file, other) if other else (operation.file,)
            moves_directory = operation.directory != operation.new_directory and self._moves(operation, moved)
            self._places.follow(operation, other)
        if kind is Kind.RENAME and operation.directory != operation.new_directory and not moves_directory:
            units = [
                EntryUnit(operation, label, part=Part.ARRIVAL),
                EntryUnit(operation, f"{label}, the old name", part=Part.DEPARTURE),
            ]
        else:
            units = [EntryUnit(operation, label, other, moves_directory)]
        for unit in units:
            unit.apply(self.names)
            self.entries.add(unit)

    def _make_node(self, operation: Operation) -> None:
        if operation.kind is Kind.SYMLINK:
            node = Node(NodeKind.LINK, operation.data, mode=0o777)
        elif operation.kind in (Kind.CREATE, Kind.MAKE_DIRECTORY):
            node = _FILE if operation.kind is Kind.CREATE else EMPTY_DIRECTORY
            node = with_status(node, operation.data) if operation.data else node
        else:
            return
        assert self.nodes is not None
        self.nodes = with_layer(self.nodes, {operation.file: node})

    def _moves(self, operation: Operation, numbers: Sequence[int]) -> bool:
        assert self.nodes is not None
        is_move = operation.kind in (Kind.RENAME, Kind.EXCHANGE)
        return is_move and any(self.nodes[number].kind is NodeKind.DIRECTORY for number in numbers)

    def _set_node(self, operation: Operation) -> None:
        assert self.nodes is not None, "a trace of one directory has no modes"
        self.version += 1
        node = with_status(self.nodes[operation.file], operation.data)
        self.nodes = with_layer(self.nodes, {operation.file: node})

    def _bury(self, number: int | None, operation: Operation) -> None:
        if number is None:
            return
        file = self.files.get(number)
        if file is None or (operation.kind is Kind.RENAME and number == operation.file):
            return
        if self._places is not None and list(self.names.values()).count(number) > 1:
            return
        content = freeze(file.live)
        if not is_blank(content):
            self.stale = (*self.stale, content)[-_STALE_COUNT_MAX:]

    def _begin_data(self, operation: Operation) -> None:
        self.version += 1
        file = self.files[operation.file]
        live = file.live
        size_before = len(live)
        if operation.kind is Kind.TRUNCATE:
            start, patch = _cut_page(live, operation.size)
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
        file.add(DataUnit.of(operation, start, patch, len(live), self.describe(operation)))
        self._changed.add(operation.file)

    def _finish_sync(self, operation: Operation, number: int) -> None:
        file = self.files[number]
        self._changed.add(number)
        if operation.error:
            file.fail(operation)
            return
        file.settle(operation)
        if file.resized_seq >= self.committed_seq:
            self.committed_seq = operation.start

    def _finish_sync_directory(self, operation: Operation, covers: Callable[[EntryUnit], bool] | None) -> None:
        if not operation.error:
            settled = self.entries.settle(operation, covers)
            if settled:
                # A copy: snapshots share the old one.
                self.durable_names = dict(self.durable_names)
                for unit in settled:
                    unit.apply(self.durable_names)
            self.committed_seq = operation.start
        elif operation.after == AfterFailedSync.STICKY:
            self.entries.sticky_error = operation.error
        elif operation.after != AfterFailedSync.DIRTY:
            self.entries.doom()


def _settled(node: Node, state: FileState) -> Node:
    assert isinstance(state.durable, Content)
    return with_data(node, state.durable)


def _cut_page(data: Buffer, size: int) -> tuple[int, bytes]:
    """The page in which a file is cut, from the new end's sector on, with zeros for what is cut off."""
    end = min(len(data), size + -size % PAGE_BYTES)
    if end <= size:
        return 0, b""
    start = size - size % SECTOR_BYTES
    return start, bytes(data[start:size]) + bytes(end - size)
