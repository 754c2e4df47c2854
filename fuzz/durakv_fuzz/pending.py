"""The smallest things a power loss keeps or drops, and the list of those whose fate is open."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import islice
from typing import Generic, Protocol, TypeVar, overload

from durakv_fuzz.content import Buffer, resize
from durakv_fuzz.trace import SECTOR_BYTES, Kind, Operation


@dataclass(frozen=True, slots=True, eq=False)
class DataUnit:
    """One write or truncation of a file.

    ``patch`` holds the whole sectors it touched, as the page cache had them right after it: a sector reaches the disk
    as it is in the cache, with earlier unsynced writes to it, never as one of its writes without the other.
    """

    operation: Operation
    label: str
    offset: int
    patch: bytes
    """Of a truncation that cuts a page, what stood in it before the new end, and zeros up to its old end."""

    size_after: int
    """The file's size right after it, as its program saw it."""

    is_truncation: bool
    """Whether it sets the size and writes nothing."""

    ways: int
    """How it may survive: lost or kept; or, of more than a sector, lost, torn or kept.

    Torn is a truncation whose zeros came to the disk without the new size.
    """

    @classmethod
    def of(cls, operation: Operation, offset: int, patch: bytes, size_after: int, what: str) -> DataUnit:
        """The unit of an operation that just happened; ``what`` describes it."""
        is_truncation = operation.kind is Kind.TRUNCATE
        ways = _ways(patch, is_truncation=is_truncation)
        return cls(operation, f"data {what}", offset, patch, size_after, is_truncation, ways)

    def within(self, size: int) -> DataUnit:
        """What it does to the first so many bytes of a file; of a truncation, all."""
        if self.is_truncation or self.offset + len(self.patch) <= size:
            return self
        patch = self.patch[: size - self.offset]
        return replace(self, patch=patch, size_after=size, ways=_ways(patch, is_truncation=False))

    def apply(self, data: Buffer) -> None:
        """Do to ``data`` what it does to a file when all of it survives."""
        if self.is_truncation:
            resize(data, self.operation.size)
        elif self.patch:
            self.apply_part(data, 0, len(self.patch))

    def apply_part(self, data: Buffer, first: int, last: int) -> None:
        """The same for bytes ``first`` to ``last`` of the patch; a gap before them becomes zeros."""
        start = self.offset + first
        if len(data) < start:
            resize(data, start)
        data[start : self.offset + last] = self.patch[first:last]


def _ways(patch: bytes, *, is_truncation: bool) -> int:
    return 3 if len(patch) > SECTOR_BYTES or (is_truncation and patch) else 2


class Part(IntEnum):
    """What a unit does of its operation."""

    WHOLE = 0

    ARRIVAL = 1
    """Of a file's rename to another directory: it has its new name."""

    DEPARTURE = 2
    """And then it has its old one no more.  Each directory is one's own, and some file systems log only one."""


@dataclass(frozen=True, slots=True, eq=False)
class EntryUnit:
    """One change of names."""

    operation: Operation
    label: str

    other: int = 0
    """Of an exchange: what the second name stood for."""

    moves_directory: bool = False
    """Whether it puts a directory into another one."""

    part: Part = Part.WHOLE

    @property
    def home(self) -> int:
        """The directory whose sync makes it durable: the one that a name came to, or left."""
        operation = self.operation
        came = operation.new_name and self.part is not Part.DEPARTURE
        return operation.new_directory if came else operation.directory

    def apply(self, names: dict[str, int]) -> None:
        """Do to the names what it does when it survives."""
        operation = self.operation
        if operation.kind is Kind.REMOVE:
            names.pop(operation.key, None)
        elif operation.kind is Kind.RENAME:
            if self.part is not Part.ARRIVAL:
                names.pop(operation.key, None)
            if self.part is not Part.DEPARTURE:
                names[operation.new_key] = operation.file
        elif operation.kind is Kind.EXCHANGE:
            names[operation.key] = self.other
            names[operation.new_key] = operation.file
        else:
            names[operation.key] = operation.file


class _Unit(Protocol):
    @property
    def operation(self) -> Operation: ...


U = TypeVar("U", bound=_Unit)


class Mark(IntEnum):
    """What is known about one unit."""

    OPEN = 0
    """A power loss may drop it; a sync will settle it."""

    DURABLE = 1

    DOOMED = 2
    """A sync failed on it: a power loss may drop it, and no later sync will change that (F5)."""


T = TypeVar("T")

_COPIED_MAX = 64
"""Of longer lists, snapshots share one that only grows."""


class Prefix(Sequence[T]):
    """The beginning of a list that may grow meanwhile."""

    __slots__ = ("_count", "_items")

    def __init__(self, items: list[T], count: int) -> None:
        self._items = items
        self._count = count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self._items[position] for position in range(*index.indices(self._count))]
        return self._items[range(self._count)[index]]

    def __iter__(self) -> Iterator[T]:
        return islice(self._items, self._count)


class Pending(Generic[U]):
    """Units in the order they happened, from the first whose fate is open."""

    def __init__(self) -> None:
        self.units: list[U] = []
        self.marks: list[Mark] = []
        self.sticky_error = 0
        self._durable: list[bool] = []
        """Whether each unit is ``DURABLE``."""
        self._shared = False
        """Whether snapshots hold these lists."""
        self._snapshot: tuple[Sequence[U], Sequence[bool]] | None = None

    def add(self, unit: U) -> None:
        """A unit happened."""
        self.units.append(unit)
        self.marks.append(Mark.OPEN)
        self._durable.append(False)
        self._snapshot = None

    def settle(self, barrier: Operation, covers: Callable[[U], bool] | None = None) -> list[U]:
        """The barrier succeeded: return the units that need not be listed any more, in order.

        Of those that ended before it began, it is about all, or about those that it ``covers``.
        """
        own = barrier.kind is Kind.WRITE_THROUGH  # which says nothing about any other unit
        for index, unit in enumerate(self.units):
            covered = unit.operation is barrier if own else 0 <= unit.operation.end < barrier.start
            if covered and self.marks[index] is Mark.OPEN and (covers is None or covers(unit)):
                self.marks[index] = Mark.DURABLE
        count = next((i for i, mark in enumerate(self.marks) if mark is not Mark.DURABLE), len(self.marks))
        settled = self.units[:count]
        self._become(self.units[count:], self.marks[count:])
        return settled

    def doom(self) -> None:
        """A barrier failed, and the cache forgot that these are dirty."""
        self._become(self.units, [Mark.DOOMED if mark is Mark.OPEN else mark for mark in self.marks])

    def drop_open(self) -> None:
        """A barrier failed, and the cache went back to what was durable."""
        kept = [(unit, mark) for unit, mark in zip(self.units, self.marks, strict=True) if mark is not Mark.OPEN]
        self._become([unit for unit, _ in kept], [mark for _, mark in kept])

    def snapshot(self) -> tuple[Sequence[U], Sequence[bool]]:
        """The units as they are now, and for each whether every power loss keeps it."""
        if self._snapshot is None:
            count = len(self.units)
            if count <= _COPIED_MAX:
                self._snapshot = tuple(self.units), tuple(self._durable)
            else:
                self._shared = True
                self._snapshot = Prefix(self.units, count), Prefix(self._durable, count)
        return self._snapshot

    def _become(self, units: list[U], marks: list[Mark]) -> None:
        self.units = units.copy() if units is self.units and self._shared else units
        self.marks = marks
        self._durable = [mark is Mark.DURABLE for mark in marks]
        self._shared = False
        self._snapshot = None
