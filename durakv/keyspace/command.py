"""What a command is, and what it sees while it is decided.

Deciding is pure: a command reads the state, answers, and says which effects it wants; nothing changes before these
are in the log.  Its function gets a ``Call`` and the whole command, name included, and returns the reply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

import msgspec

from durakv.errors import CommandError
from durakv.keyspace.integers import parse_small_integer
from durakv.keyspace.replies import Reply, wrong_type
from durakv.keyspace.store import Store
from durakv.keyspace.values import DATABASE_COUNT, REBUILD_ITEMS, Container, Value
from durakv.machine import Command

NO_CLOCK = -(1 << 63)
"""The time of a replay: before every deadline, so that nothing expires."""


C = TypeVar("C", bound=Container)


class Stores(Protocol):
    """The numbered databases as they are, or as they will be after effects that are not logged yet."""

    def store(self, number: int, /) -> Store:
        """The store of one database."""
        ...


class Call(msgspec.Struct):
    """One command being decided: where, when, and the effects so far.

    The effects begin and end with the call's own database selected.
    """

    databases: Stores
    database: int
    now_ms: int
    name: bytes
    store: Store
    effects: list[Command]

    def find(self, key: bytes) -> Value | None:
        """What the key holds; None if it is absent or has expired."""
        value = self.store.value(key)
        if value is None:
            return None
        deadline = self.store.deadline(key)
        return None if deadline is not None and deadline < self.now_ms else value

    def meet(self, key: bytes) -> Value | None:
        """``find`` for a change in place: a key that is found expired is deleted first, so that a replay, which has
        no clock, starts from the same nothing."""
        value = self.store.value(key)
        if value is None:
            return None
        deadline = self.store.deadline(key)
        if deadline is not None and deadline < self.now_ms:
            self.effects.append((b"DEL", key))
            return None
        return value

    def find_container(self, key: bytes, kind: type[C]) -> C | None:
        """``find``, for a command on one kind of container."""
        return _container(self.find(key), kind)

    def meet_container(self, key: bytes, kind: type[C]) -> C | None:
        """``meet``, for a command on one kind of container."""
        return _container(self.meet(key), kind)

    def find_string(self, key: bytes) -> bytes | None:
        """``find``, for a command on strings."""
        return _string(self.find(key))

    def meet_string(self, key: bytes) -> bytes | None:
        """``meet``, for a command on strings."""
        return _string(self.meet(key))

    def log(self, *effect: bytes) -> None:
        """Ask for one effect."""
        self.effects.append(effect)

    def log_each(self, name: bytes, key: bytes, elements: Sequence[bytes]) -> None:
        """Ask for one effect on each of these elements, in commands of a bounded length."""
        for start in range(0, len(elements), REBUILD_ITEMS):
            self.effects.append((name, key, *elements[start : start + REBUILD_ITEMS]))

    def elsewhere(self, database: int) -> Call:
        """A call in another database, with effects of its own."""
        return msgspec.structs.replace(self, database=database, store=self.databases.store(database), effects=[])

    def include(self, other: Call) -> None:
        """Take over the effects of a call in another database."""
        if other.effects:
            self.effects += in_database(other.database, other.effects, back=self.database)


def in_database(database: int, effects: Sequence[Command], *, back: int = 0) -> list[Command]:
    """The effects, between the commands that select their database and go back to the other one."""
    if database == back or not effects:
        return list(effects)
    return [(b"SELECT", b"%d" % database), *effects, (b"SELECT", b"%d" % back)]


def parse_database(text: bytes) -> int:
    """A database's number; raises CommandError when there is none of that number."""
    number = parse_small_integer(text)
    if not 0 <= number < DATABASE_COUNT:
        raise CommandError("ERR DB index is out of range")
    return number


def _string(value: Value | None) -> bytes | None:
    if value is not None and type(value) is not bytes:
        raise wrong_type()
    return value


def _container(value: Value | None, kind: type[C]) -> C | None:
    if value is not None and type(value) is not kind:
        raise wrong_type()
    return value


class CommandSpec(msgspec.Struct, frozen=True):
    """A row of the command table."""

    name: bytes
    """In lower case, as errors have it."""

    arity: int
    """How many byte strings it takes, its name included; negative: at least so many."""

    decide: Callable[[Call, Command], Reply]

    writes: bool
    """Whether it may have effects."""

    is_random: bool = False
    """Whether it does something else each time; a log never holds such a command."""

    keys: tuple[int, int, int] = (1, 1, 1)
    """Where its keys are: first, last (negative: from the end) and step; (0, 0, 0) if it names none."""

    reaches_further: bool = False
    """Whether options can name it another key to read or write, or it goes to another database."""

    @property
    def touches_one_key(self) -> bool:
        """Whether its effects concern the one key it names, in the database it is called in."""
        return self.keys in ((1, 1, 1), (2, 2, 1)) and not self.reaches_further


NO_KEYS = (0, 0, 0)
ALL_KEYS = (1, -1, 1)
