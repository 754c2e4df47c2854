"""``durakv import``: a stream of commands into a directory, in batches."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

import click

import durakv
from durakv.cli import exits
from durakv.cli.output import Progress, json_option, print_json, progress
from durakv.cli.places import place_of
from durakv.cli.rdb_source import Joined, copied, rdb_groups
from durakv.cli.streams import CommandStream, Group
from durakv.clock import SystemClock
from durakv.collector import without_collections
from durakv.durability import Durability
from durakv.errors import CommandError, DurakvError
from durakv.keyspace.command import in_database, parse_database
from durakv.keyspace.decider import fewest_selects
from durakv.keyspace.stock import IGNORED
from durakv.keyspace.values import DATABASE_COUNT
from durakv.machine import Command
from durakv.stock_base import MAGIC_BYTES, is_rdb
from durakv.storage.posix import PosixFilesystem

BATCH_COMMANDS = 512
BATCH_BYTES = 256 << 10


@click.command(name="import")
@click.argument("directory", metavar="DIR")
@click.argument("file", default="-")
@click.option(
    "--durability",
    type=click.Choice([level.name.lower() for level in Durability]),
    default=Durability.WRITTEN.name.lower(),
    show_default=True,
    help="What each batch waits for.  Whatever it is, everything is synced when the command ends.",
)
@json_option
@click.pass_context
def import_(ctx: click.Context, directory: str, file: str, durability: str, as_json: bool) -> None:
    """Run the commands of FILE, or of standard input (-), in DIR, which is created if it is missing.

    FILE is RESP: what `durakv export` and `redis-cli --pipe` speak, a stock server's append-only file, or a log
    segment of durakv; or it is an RDB file (commands may follow it), which is looked through before anything is taken.
    Commands are taken in batches of some hundred; MULTI to EXEC is never divided.  At the first command that is refused
    the import ends: everything before it is in, nothing of its group is.
    """
    filesystem = PosixFilesystem(place_of(directory))
    name = "standard input" if file == "-" else file
    with _source(file) as given, _groups(given, name) as (groups, size):
        first = next(groups, None)  # what cannot be taken at all is refused before the directory is made
        with durakv.open(None, filesystem=filesystem) as db:
            importer = _Importer(db, Durability[durability.upper()], name)
            with without_collections(), progress("import", quiet=as_json) as bar:
                importer.run(chain([] if first is None else [first], groups), bar, size)
            keys = sum(db.select(number).dbsize() for number in range(DATABASE_COUNT))
    where = filesystem.describe()
    if as_json:
        print_json({"directory": where, "commands": importer.commands, "batches": importer.batches, "keys": keys})
    else:
        click.echo(f"{where}: {importer.commands} commands in {importer.batches} batches, {keys} keys now")
    ctx.exit(exits.TOLD if db.report.cut is not None else exits.OK)


Placed = list[tuple[int, Command]]
"""Commands with the databases they run in."""


@dataclass(slots=True)
class _Importer:
    db: durakv.Database
    durability: Durability
    name: str
    commands: int = 0
    batches: int = 0
    _database: int = 0
    _waiting: list[tuple[Group, Placed]] = field(default_factory=list[tuple[Group, Placed]])
    _waiting_commands: int = 0
    _taken: int = 0

    def run(self, stream: Iterator[Group], bar: Progress | None, size: int) -> None:
        """Take the whole stream, or everything before the place where it is damaged."""
        while True:
            try:
                group = next(stream, None)
            except DurakvError:
                self._take()
                raise
            if group is None:
                break
            if self._waiting and self._waiting[-1][0].are_effects != group.are_effects:
                self._take()
            placed = self._place(group)
            self._waiting.append((group, placed))
            self._waiting_commands += len(placed)
            if self._waiting_commands >= BATCH_COMMANDS or group.offset - self._taken >= BATCH_BYTES:
                self._take()
                if bar is not None:
                    bar(group.offset, size)
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
            elif name not in IGNORED:
                placed.append((self._database, command))
        return placed

    def _take(self) -> None:
        """Commit what waits, as one batch; if a command is refused, group by group up to it."""
        waiting, self._waiting, self._waiting_commands = self._waiting, [], 0
        everything = [command for _, placed in waiting for command in placed]
        try:
            if waiting and waiting[0][0].are_effects:
                self._log(everything)
            else:
                self._commit(everything)
        except CommandError:
            for group, placed in waiting:
                try:
                    self._commit(placed)
                except CommandError as error:
                    raise self._refused(group, error) from error
        if waiting:
            self._taken = waiting[-1][0].offset

    def _log(self, placed: Placed) -> None:
        if placed:
            effects = [effect for database, command in placed for effect in in_database(database, [command])]
            self.db.engine.apply(fewest_selects(effects), self.durability)
            self.commands += len(placed)
            self.batches += 1

    def _commit(self, placed: Placed) -> None:
        if placed:
            self.db.engine.transact(self.db.decider.batch(placed), self.durability)
            self.commands += len(placed)
            self.batches += 1

    def _refused(self, group: Group, error: CommandError) -> CommandError:
        return CommandError(
            f"{self.name}: a command before byte {group.offset} was refused: {error}. "
            "Everything before it is in; leave it out and import the rest"
        )


@contextlib.contextmanager
def _groups(source: BinaryIO, name: str) -> Generator[tuple[Iterator[Group], int], None, None]:
    """What is to be taken, and how many bytes it comes from."""
    size = _size(source)
    magic = source.read(MAGIC_BYTES)
    whole = Joined(magic, source)
    now_ms = SystemClock().time_ms()
    if not is_rdb(magic):
        yield iter(CommandStream(whole, name)), size
    elif source.seekable():
        yield rdb_groups(source, name, now_ms), size
    else:
        with copied(whole) as file:
            yield rdb_groups(file, name, now_ms), size


@contextlib.contextmanager
def _source(file: str) -> Generator[BinaryIO, None, None]:
    if file == "-":
        yield sys.stdin.buffer
        return
    with open(file, "rb") as source:
        yield source


def _size(source: BinaryIO) -> int:
    try:
        status = os.fstat(source.fileno())
    except (OSError, ValueError):
        return 0
    return status.st_size if stat.S_ISREG(status.st_mode) else 0
