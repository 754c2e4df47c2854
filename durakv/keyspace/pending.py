"""What a merge keeps of a key's history: no more than its end depends on.

    whole      the last effect that replaced the key, after which nothing earlier matters
    deadline   the last PEXPIREAT or PERSIST before any change in place; without effect if the key is absent
    changes    what was done in place since, increments added up, tails joined, repeated ranges written once
    expiry     the last PEXPIREAT or PERSIST since; changes in place leave deadlines alone, so the last one counts

Applied in this order they come to what the history comes to, for every state it could have begun with.  A stock
server's commands with conditions depend on what is there, so from the first one on a key's history is kept as it is.
"""

from __future__ import annotations

from collections.abc import Iterator

from durakv.keyspace.integers import INTEGER_MAX, parse_integer
from durakv.machine import Command


class Increments:
    """A run of INCRBY as one number, which may be beyond 64 bits."""

    __slots__ = ("total",)

    def __init__(self) -> None:
        self.total = 0

    def add(self, command: Command) -> None:
        """Take one more."""
        self.total += parse_integer(command[2])

    def commands(self, key: bytes) -> Iterator[Command]:
        """The same in steps of 64 bits, all in one direction: none can overflow where the end does not."""
        left = self.total
        while abs(left) > INTEGER_MAX:
            step = INTEGER_MAX if left > 0 else -INTEGER_MAX
            yield b"INCRBY", key, b"%d" % step
            left -= step
        yield b"INCRBY", key, b"%d" % left


class Tails:
    """A run of APPEND as one."""

    __slots__ = ("tail",)

    def __init__(self) -> None:
        self.tail = bytearray()

    def add(self, command: Command) -> None:
        """Take one more."""
        self.tail += command[2]

    def commands(self, key: bytes) -> Iterator[Command]:
        """One APPEND."""
        yield b"APPEND", key, bytes(self.tail)


class Ranges:
    """A run of SETRANGE; of several with the same range only the last."""

    __slots__ = ("parts",)

    def __init__(self) -> None:
        self.parts: dict[tuple[int, int], bytes] = {}

    def add(self, command: Command) -> None:
        """Take one more."""
        part = command[3]
        place = parse_integer(command[2]), len(part)
        # The order is that of the last writes: a part that overlaps others must come after those it overwrote.
        self.parts.pop(place, None)
        self.parts[place] = part

    def commands(self, key: bytes) -> Iterator[Command]:
        """The ranges that are left, in order."""
        for (start, _size), part in self.parts.items():
            yield b"SETRANGE", key, b"%d" % start, part


class Replacement:
    """A SET that keeps the deadline; nothing before it in the run matters."""

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value

    def commands(self, key: bytes) -> Iterator[Command]:
        """The SET."""
        yield b"SET", key, self.value, b"KEEPTTL"


_RUNS: dict[bytes, type[Increments | Tails | Ranges]] = {b"INCRBY": Increments, b"APPEND": Tails, b"SETRANGE": Ranges}
_SIZES = {b"INCRBY": 3, b"APPEND": 3, b"SETRANGE": 4, b"PEXPIREAT": 3, b"PERSIST": 2}


class Pending:
    """The history of one key that was not only replaced."""

    __slots__ = ("_changes", "_deadline", "_expiry", "_key", "_verbatim", "_whole")

    def __init__(self, key: bytes, whole: Command | None) -> None:
        self._key = key
        self._whole = whole
        self._deadline: Command | None = None
        self._changes: list[Increments | Tails | Ranges | Replacement] = []
        self._expiry: Command | None = None
        self._verbatim: list[Command] | None = None

    def add(self, command: Command) -> None:
        """Take the next command on this key; its name is in upper case."""
        name = command[0]
        if self._verbatim is not None:
            self._verbatim.append(command)
        elif name == b"SET" and len(command) == 4 and command[3] == b"KEEPTTL":
            self._changes = [Replacement(command[2])]
        elif len(command) != _SIZES.get(name):
            self._verbatim = [*self.commands(), command]
        elif name in _RUNS:
            self._change(name, command)
        elif self._changes:
            self._expiry = command
        else:
            self._deadline = command

    def _change(self, name: bytes, command: Command) -> None:
        if name == b"SETRANGE" and not command[3]:
            return  # writes nothing, and does not even make the key
        kind = _RUNS[name]
        last = self._changes[-1] if self._changes else None
        if not isinstance(last, kind):
            last = kind()
            self._changes.append(last)
        last.add(command)

    def commands(self) -> Iterator[Command]:
        """Commands that come to the same."""
        if self._verbatim is not None:
            yield from self._verbatim
            return
        if self._whole is not None:
            yield self._whole
        if self._deadline is not None:
            yield self._deadline
        for change in self._changes:
            yield from change.commands(self._key)
        if self._expiry is not None:
            yield self._expiry


def is_whole(command: Command) -> bool:
    """Whether this command, its name in upper case, replaces its key whatever was there."""
    size = len(command)
    if command[0] == b"SET":
        return size == 3 or (size == 5 and command[3] == b"PXAT")
    return size == 2 and command[0] == b"DEL"
