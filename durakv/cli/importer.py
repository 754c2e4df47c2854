"""From groups of commands to batches of the log, each with the place in the source up to which it goes.

What the state must come to is known beforehand if the source consists of keys: what there was, without the keys that
are replaced, and the keys themselves.  Once there are commands that build on what there is, it is not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import durakv
from durakv.cli.exits import CORRUPTION, Failure
from durakv.cli.output import Progress
from durakv.cli.resuming import PLACE_KEY, Journey, place_to_resume
from durakv.cli.sources import Source
from durakv.cli.streams import Group, Made
from durakv.durability import Durability
from durakv.errors import CommandError, Corruption, UnsupportedVersion
from durakv.keyspace.command import in_database, parse_database
from durakv.keyspace.decider import fewest_selects
from durakv.keyspace.digest import Digest, digest_of, digest_of_key
from durakv.keyspace.stock import IGNORED
from durakv.keyspace.values import DATABASE_COUNT
from durakv.machine import Command

BATCH_COMMANDS = 512
BATCH_BYTES = 256 << 10

Placed: TypeAlias = list[tuple[int, Command]]
"""Commands with the databases they run in."""


@dataclass(slots=True)
class _Waiting:
    """Groups that are to be one batch."""

    groups: list[tuple[Group, Placed, Command]] = field(default_factory=list[tuple[Group, Placed, Command]])
    """Each with the effect that says that it is in."""
    commands: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        return self.commands >= BATCH_COMMANDS or self.size >= BATCH_BYTES

    def add(self, group: Group, placed: Placed, place: Command) -> None:
        self.groups.append((group, placed, place))
        self.commands += len(placed)
        self.size += sum(sum(map(len, command)) for command in group.commands)


class Importer:
    """One import of one source into one database."""

    def __init__(
        self, db: durakv.Database, source: Source, durability: Durability, where: str, *, resume: bool
    ) -> None:
        self.commands = 0
        self.batches = 0
        self.source_digest: Digest | None = Digest()
        """What the source's keys sum up to; None once there were commands that make no key."""
        self._db = db
        self._keyspace = db.decider.keyspace
        self._source = source
        self._durability = durability
        self._where = where
        self._database = 0
        self._waiting = _Waiting()
        place = place_to_resume(self._keyspace, source, where, resume=resume)
        if place is not None and place.began_empty and source.is_snapshot:
            self._empty(keeping=place.effect)
        self._expected = self._digest_without_place()
        self._journey = Journey(source, place, began_empty=not self._expected.keys)

    def run(self, bar: Progress | None) -> Digest:
        """Take the whole source, or everything before the place where it is damaged; what the directory then holds.

        Raises what reading the source raises, CommandError for a command that is refused, and Failure with the code of
        a corruption if the state is not what it has to be.  Then, too, there is nothing to be gone on with.
        """
        try:
            self._take_all(bar)
        except (CommandError, Corruption, UnsupportedVersion):
            self._end()
            raise
        self._end()
        came = digest_of(self._keyspace)
        if self.source_digest is not None and came != self._expected:
            raise Failure(
                f"{self._where}: what came to be is not what was taken from {self._source.name}: {came.keys} keys with "
                f"the digest {came}, not {self._expected.keys} with {self._expected}. Do not use it, and report this",
                CORRUPTION,
            )
        return came

    # --- going through the source ---------------------------------------------------------------------------------

    def _take_all(self, bar: Progress | None) -> None:
        groups = self._source.groups
        while True:
            try:
                group = next(groups, None)
            except (CommandError, Corruption, UnsupportedVersion):
                self._take()
                raise
            if group is None:
                break
            waiting = self._waiting.groups
            if waiting and (waiting[-1][0].made is None) != (group.made is None):
                self._take()
            is_in = self._journey.passes(group)
            placed = self._place(group)
            if placed and group.made is None:
                self.source_digest = None
            if is_in:
                if group.made is not None:
                    self._expect(group.made)
                continue
            self._waiting.add(group, placed, self._journey.place.effect)
            if self._waiting.is_full:
                self._take()
                if bar is not None:
                    bar(group.offset, self._source.size)
        self._journey.arrive()
        self._take()

    def _place(self, group: Group) -> Placed:
        placed: Placed = []
        for command in group.commands:
            name = command[0].upper()
            if name == b"SELECT" and len(command) == 2:
                try:
                    self._database = parse_database(command[1])
                except CommandError as error:
                    self._take()
                    raise self._refused(group, error) from error
            elif PLACE_KEY in command[1:2] and self._database == 0:
                self._take()
                what = (
                    f"it holds the key {PLACE_KEY.decode()!r}, which imports use: it is an import that is not complete"
                )
                raise self._refused(group, CommandError(what))
            elif name not in IGNORED:
                placed.append((self._database, command))
        return placed

    def _expect(self, made: Made) -> None:
        """A key of the source is, or will be, in the state instead of what the state holds."""
        store = self._keyspace.store(made.database)
        held = store.value(made.key)
        if held is not None:
            self._expected.remove(digest_of_key(made.database, made.key, held, store.deadline(made.key)))
        self._expected.add(made.digest)
        if self.source_digest is not None:
            self.source_digest.add(made.digest)

    # --- batches --------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        """Commit what waits, as one batch; if a command is refused, group by group up to it."""
        waiting, self._waiting = self._waiting.groups, _Waiting()
        if not waiting:
            return
        everything = [command for _, placed, _ in waiting for command in placed]
        place = waiting[-1][2]
        if waiting[0][0].made is not None:
            # A key that comes twice is, the second time, expected instead of itself.
            for made in {(made.database, made.key): made for group, _, _ in waiting if (made := group.made)}.values():
                self._expect(made)
            self._log(everything, place)
            return
        try:
            self._commit(everything, place)
        except CommandError:
            for group, placed, place in waiting:
                try:
                    self._commit(placed, place)
                except CommandError as error:
                    raise self._refused(group, error) from error

    def _log(self, placed: Placed, place: Command) -> None:
        effects = [effect for database, command in placed for effect in in_database(database, [command])]
        self._db.engine.apply(fewest_selects([*effects, place]), self._durability)
        self._count(placed)

    def _commit(self, placed: Placed, place: Command) -> None:
        if placed:
            self._db.engine.transact(_and(self._db.decider.batch(placed), place), self._durability)
            self._count(placed)

    def _count(self, placed: Placed) -> None:
        self.commands += len(placed)
        self.batches += 1

    def _empty(self, *, keeping: Command) -> None:
        """Remove every key of an interrupted import, but not that it was one."""
        effects = [
            effect
            for number in range(DATABASE_COUNT)
            if len(self._keyspace.store(number))
            for effect in in_database(number, [(b"FLUSHDB",)])
        ]
        self._db.engine.apply([*effects, keeping], self._durability)

    def _end(self) -> None:
        """From here on nothing is left to be gone on with."""
        if self._keyspace.store(0).value(PLACE_KEY) is not None:
            self._db.engine.apply([(b"DEL", PLACE_KEY)], self._durability)

    def _digest_without_place(self) -> Digest:
        digest = digest_of(self._keyspace)
        store = self._keyspace.store(0)
        value = store.value(PLACE_KEY)
        if value is not None:
            digest.remove(digest_of_key(0, PLACE_KEY, value, store.deadline(PLACE_KEY)))
        return digest

    def _refused(self, group: Group, error: CommandError) -> CommandError:
        return CommandError(
            f"{self._source.name}: a command before byte {group.offset} was refused: {error}. "
            "Everything before it is in; leave it out and import the rest"
        )


def _and(
    decide: Callable[[], tuple[list[Command], Sequence[object]]], place: Command
) -> Callable[[], tuple[list[Command], None]]:
    """The same decision, and the place with its effects."""

    def decide_both() -> tuple[list[Command], None]:
        return [*decide()[0], place], None

    return decide_both
