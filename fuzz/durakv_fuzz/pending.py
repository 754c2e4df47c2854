"""The smallest things a power loss keeps or drops, and the list of those whose fate is open."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

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
    size_after: int
    """The file's size right after it, as its program saw it."""

    is_truncation: bool
    """Whether it sets the size and writes nothing."""

    ways: int
    """How it may survive: lost or kept; or, of more than a sector, lost, torn or kept."""

    @classmethod
    def of(cls, operation: Operation, offset: int, patch: bytes, size_after: int) -> DataUnit:
        """The unit of an operation that just happened."""
        is_truncation = operation.kind is Kind.TRUNCATE
        ways = 2 if len(patch) <= SECTOR_BYTES else 3
        return cls(operation, f"data {operation}", offset, patch, size_after, is_truncation, ways)

    def apply(self, data: bytearray) -> None:
        """Do to ``data`` what it does to a file when all of it survives."""
        if self.is_truncation:
            resize(data, self.operation.size)
        elif self.patch:
            self.apply_part(data, 0, len(self.patch))

    def apply_part(self, data: bytearray, first: int, last: int) -> None:
        """The same for bytes ``first`` to ``last`` of the patch; a gap before them becomes zeros."""
        start = self.offset + first
        if len(data) < start:
            data.extend(bytes(start - len(data)))
        data[start : self.offset + last] = self.patch[first:last]


@dataclass(frozen=True, slots=True, eq=False)
class EntryUnit:
    """One create, rename or remove."""

    operation: Operation
    label: str

    def apply(self, names: dict[str, int]) -> None:
        """Do to a directory what it does when it survives."""
        operation = self.operation
        if operation.kind is Kind.REMOVE:
            names.pop(operation.name, None)
        elif operation.kind is Kind.CREATE:
            names[operation.name] = operation.file
        else:
            names.pop(operation.name, None)
            names[operation.new_name] = operation.file


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


class Pending(Generic[U]):
    """Units in the order they happened, from the first whose fate is open."""

    def __init__(self) -> None:
        self.units: list[U] = []
        self.marks: list[Mark] = []
        self.sticky_error = 0

    def add(self, unit: U) -> None:
        """A unit happened."""
        self.units.append(unit)
        self.marks.append(Mark.OPEN)

    def settle(self, barrier: Operation) -> list[U]:
        """The barrier succeeded: return the units that need not be listed any more, in order."""
        own = barrier.kind is Kind.WRITE_THROUGH  # which says nothing about any other unit
        for index, unit in enumerate(self.units):
            covered = unit.operation is barrier if own else 0 <= unit.operation.end < barrier.start
            if covered and self.marks[index] is Mark.OPEN:
                self.marks[index] = Mark.DURABLE
        count = next((i for i, mark in enumerate(self.marks) if mark is not Mark.DURABLE), len(self.marks))
        settled = self.units[:count]
        del self.units[:count], self.marks[:count]
        return settled

    def doom(self) -> None:
        """A barrier failed, and the cache forgot that these are dirty."""
        self.marks = [Mark.DOOMED if mark is Mark.OPEN else mark for mark in self.marks]

    def drop_open(self) -> None:
        """A barrier failed, and the cache went back to what was durable."""
        kept = [(unit, mark) for unit, mark in zip(self.units, self.marks, strict=True) if mark is not Mark.OPEN]
        self.units = [unit for unit, _ in kept]
        self.marks = [mark for _, mark in kept]

    def required(self) -> tuple[bool, ...]:
        """For each unit, whether every power loss keeps it."""
        return tuple(mark is Mark.DURABLE for mark in self.marks)


def resize(data: bytearray, size: int) -> None:
    """Cut or extend with zeros."""
    if len(data) > size:
        del data[size:]
    else:
        data.extend(bytes(size - len(data)))
