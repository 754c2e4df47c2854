"""A keyspace without an engine: commands are decided, what they log is kept and applied at once."""

from __future__ import annotations

from collections.abc import Iterable

from durakv.errors import CommandError
from durakv.keyspace import Keyspace, Reply, decide
from durakv.keyspace.requests import Argument, encode
from durakv.keyspace.values import DATABASE_COUNT
from durakv.machine import Command
from tests.keyspace.contents import comparable

NOW_MS = 1_700_000_000_000

Dump = dict[int, dict[bytes, tuple[object, int | None]]]


class World:
    """A keyspace, a clock that stands still, and the log."""

    def __init__(self) -> None:
        self.keyspace = Keyspace()
        self.now_ms = NOW_MS
        self.log: list[list[Command]] = []

    def run(self, *arguments: Argument, database: int = 0) -> Reply:
        """The reply of a command; its effects are logged and applied."""
        effects, reply = decide(self.keyspace, database, encode(arguments), self.now_ms)
        if effects:
            self.log.append(effects)
            for effect in effects:
                self.keyspace.apply(effect)
        return reply

    def refusal(self, *arguments: Argument, database: int = 0) -> str:
        """The words with which a command is refused; it must leave nothing behind."""
        before = len(self.log), dump(self.keyspace)
        try:
            reply = self.run(*arguments, database=database)
        except CommandError as error:
            assert (len(self.log), dump(self.keyspace)) == before, "a refused command left something behind"
            return str(error)
        raise AssertionError(f"{arguments!r} was not refused but answered {reply!r}")

    def effects(self, *arguments: Argument, database: int = 0) -> list[bytes]:
        """What a command logs, each effect as its words in one line."""
        logged = len(self.log)
        self.run(*arguments, database=database)
        return [b" ".join(effect) for batch in self.log[logged:] for effect in batch]


def dump(keyspace: Keyspace) -> Dump:
    """Everything a keyspace holds: by database and key, the value in a form to compare, and the deadline."""
    contents: Dump = {}
    for number in range(DATABASE_COUNT):
        store = keyspace.store(number)
        for slot in range(store.slot_count if len(store) else 0):
            for key in store.keys(slot):
                contents.setdefault(number, {})[key] = comparable(store.value(key)), store.deadline(key)
    return contents


def replayed(commands: Iterable[Command]) -> Keyspace:
    """A new keyspace to which commands of a log were applied."""
    keyspace = Keyspace()
    for command in commands:
        keyspace.apply(list(command))
    return keyspace
