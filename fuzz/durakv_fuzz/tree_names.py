"""The names of a tree while a trace is read: whatever no file system would have done is refused."""

from __future__ import annotations

import os

from durakv_fuzz.trace import NAMING, Kind, Operation
from durakv_fuzz.trace_records import check
from durakv_fuzz.tree import EMPTY_DIRECTORY, ROOT, NodeKind, with_status

NAME_BYTES_MAX = 255
TARGET_BYTES_MAX = 4096
DEPTH_MAX = 256
NUMBER_MAX = (1 << 53) - 1
_MAKING = {Kind.CREATE: NodeKind.FILE, Kind.MAKE_DIRECTORY: NodeKind.DIRECTORY, Kind.SYMLINK: NodeKind.LINK}
_TWO = (Kind.RENAME, Kind.EXCHANGE)
_OF_FILES = (Kind.WRITE, Kind.WRITE_THROUGH, Kind.TRUNCATE, Kind.SYNC)


def check_component(name: str) -> str:
    """One component of a path; anything else is refused."""
    check(0 < len(os.fsencode(name)) <= NAME_BYTES_MAX, f"{name!r} cannot name a file: 1 to {NAME_BYTES_MAX} bytes can")
    check(name not in (".", "..") and "/" not in name and "\0" not in name, f"{name!r} cannot name a file")
    return name


class TreeNames:
    """What there is, and under which names.  Numbers are never used twice."""

    def __init__(self) -> None:
        self.kinds: dict[int, NodeKind] = {}
        self.entries: dict[tuple[int, str], int] = {}
        self._parents: dict[int, int] = {}
        """Of each directory that has a name, the one it is in."""
        self._counts: dict[int, int] = {}
        """How many names each directory holds."""

    def add(self, number: int, kind: NodeKind) -> None:
        """Something new, without a name so far."""
        check(0 <= number <= NUMBER_MAX, f"{number} cannot be a number of a file")
        check(number not in self.kinds, f"number {number} is there twice")
        check((number == ROOT) == (not self.kinds), "the first is the root, which is number 0, and no other")
        check(number != ROOT or kind is NodeKind.DIRECTORY, "the root is a directory")
        self.kinds[number] = kind

    def enter(self, directory: int, name: str, number: int) -> None:
        """A name for something that is there; directories have one."""
        self._check_directory(directory)
        place = directory, check_component(name)
        check(place not in self.entries, f"{name!r} is there already")
        check(number in self.kinds and number != ROOT, f"there is no file {number}")
        if self.kinds[number] is NodeKind.DIRECTORY:
            check(number not in self._parents, f"directory {number} has two names")
            check(not self._is_beneath(directory, number), f"directory {number} is inside itself")
            self._parents[number] = directory
        self.entries[place] = number
        self._counts[directory] = self._counts.get(directory, 0) + 1

    def leave(self, directory: int, name: str, number: int) -> None:
        """A name goes."""
        self._check_directory(directory)
        found = self.entries.get((directory, name))
        check(found is not None, f"there is no {name!r} in directory {directory}")
        check(found == number, f"{name!r} is number {found}, not {number}")
        del self.entries[directory, name]
        self._counts[directory] -= 1
        self._parents.pop(number, None)

    def check_all_reached(self) -> None:
        """Refuse names in a directory that cannot be reached."""
        for directory, count in self._counts.items():
            check(not count or self._is_beneath(directory, ROOT), f"directory {directory} cannot be reached")

    def play(self, operation: Operation) -> None:
        """A call is made; one that had no effect changes nothing."""
        kind, number = operation.kind, operation.file
        if kind in NAMING:
            check_component(operation.name)
        if kind in _TWO:
            check_component(operation.new_name)
        if kind in _MAKING:
            self._check_made(operation)
            if operation.done:
                self.add(number, _MAKING[kind])
                self.enter(operation.directory, operation.name, number)
        elif kind is Kind.LINK:
            check(self._kind(number) is not NodeKind.DIRECTORY, "a directory has no second name")
            if operation.done:
                self.enter(operation.directory, operation.name, number)
        elif kind is Kind.REMOVE:
            if operation.done:
                check(not self._counts.get(number), f"directory {number} is removed and not empty")
                self.leave(operation.directory, operation.name, number)
        elif kind in _TWO:
            if operation.done:
                self._move(operation)
        elif kind in _OF_FILES:
            check(self._kind(number) is NodeKind.FILE, f"number {number} is no file")
        elif kind is Kind.SYNC_DIRECTORY:
            self._check_directory(number)
        elif kind is Kind.SET_NODE:
            self._kind(number)
            with_status(EMPTY_DIRECTORY, operation.data)
        else:
            check(kind is Kind.SYNC_ALL, f"{kind} is not recorded of a tree")

    def _check_made(self, operation: Operation) -> None:
        if operation.kind is Kind.SYMLINK:
            check(0 < len(operation.data) <= TARGET_BYTES_MAX, "a link leads to a path of 1 to 4096 bytes")
        elif operation.data:
            with_status(EMPTY_DIRECTORY, operation.data)

    def _move(self, operation: Operation) -> None:
        old, new = (operation.directory, operation.name), (operation.new_directory, operation.new_name)
        number, other = operation.file, self.entries.get(new)
        if other == number and self.entries.get(old) == number:
            return
        self.leave(*old, number)
        if operation.kind is Kind.EXCHANGE:
            check(other is not None, f"there is no {operation.new_name!r} to exchange")
        if other is not None:
            if operation.kind is Kind.RENAME:
                is_directory = self.kinds[other] is NodeKind.DIRECTORY
                same = is_directory == (self._kind(number) is NodeKind.DIRECTORY)
                check(same, "a file replaces a directory, or a directory a file")
                check(not self._counts.get(other), f"directory {other} is replaced and not empty")
            self.leave(*new, other)
        self.enter(*new, number)
        if operation.kind is Kind.EXCHANGE:
            assert other is not None
            self.enter(*old, other)

    def _kind(self, number: int) -> NodeKind:
        kind = self.kinds.get(number)
        check(kind is not None, f"there is no file {number}")
        assert kind is not None
        return kind

    def _check_directory(self, number: int) -> None:
        check(self._kind(number) is NodeKind.DIRECTORY, f"number {number} is no directory")

    def _is_beneath(self, directory: int, above: int) -> bool:
        seen: set[int] = set()
        while directory != above:
            check(len(seen) < DEPTH_MAX, f"directories are nested deeper than {DEPTH_MAX}")
            if directory in seen or directory not in self._parents:
                return False
            seen.add(directory)
            directory = self._parents[directory]
        return True
