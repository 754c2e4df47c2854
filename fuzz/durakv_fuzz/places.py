"""Where files and directories are while a trace is played, so that people read paths instead of numbers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.tree import ROOT

_DEPTH_MAX = 256


@lru_cache(1 << 16)
def place_of(key: str) -> tuple[int, str]:
    """The directory and the name of a key (``Operation.key``)."""
    directory, slash, name = key.partition("/")
    return (int(directory), name) if slash else (ROOT, key)


def key_of(directory: int, name: str) -> str:
    """The other way round."""
    return f"{directory}/{name}" if directory else name


class Places:
    """The last place that each number was at; of several links the last one made."""

    def __init__(self, names: Iterable[tuple[str, int]]) -> None:
        self._places = {number: place_of(key) for key, number in names}

    def path(self, directory: int, name: str) -> str:
        """The path of a name, as of now; of a directory that was removed, as it was."""
        parts = [name]
        while directory and len(parts) < _DEPTH_MAX:
            directory, name = self._places.get(directory, (ROOT, f"<directory {directory}>"))
            parts.append(name)
        return "/".join(reversed(parts))

    def path_of(self, number: int) -> str:
        """The path of a file, directory or link; ``.`` is the root."""
        if number == ROOT:
            return "."
        place = self._places.get(number)
        return f"<file {number}>" if place is None else self.path(*place)

    def describe(self, operation: Operation) -> str:
        """The operation with whole paths.  Ask before it is done, for what it does to names."""
        if operation.kind is Kind.SYNC_ALL:
            return str(operation)
        if operation.new_name:
            names = operation.directory, operation.name
            return operation.describe(self.path(*names), self.path(operation.new_directory, operation.new_name))
        if operation.name and operation.kind in _BY_NAME:
            return operation.describe(self.path(operation.directory, operation.name), "")
        return operation.describe(self.path_of(operation.file), "")

    def follow(self, operation: Operation, other: int) -> None:
        """A naming operation was done; ``other`` is what an exchange brought to the first name."""
        if operation.kind is Kind.REMOVE:
            return
        if operation.new_name:
            self._places[operation.file] = (operation.new_directory, operation.new_name)
        else:
            self._places[operation.file] = (operation.directory, operation.name)
        if other:
            self._places[other] = (operation.directory, operation.name)


_BY_NAME = frozenset({Kind.CREATE, Kind.REMOVE, Kind.MAKE_DIRECTORY, Kind.SYMLINK, Kind.LINK})
