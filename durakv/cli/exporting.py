"""``durakv export``: the state as commands or as an RDB file, which any server loads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

import click

import durakv
from durakv.cli import exits
from durakv.cli.loading import load_keyspace
from durakv.cli.output import json_option, print_json, progress, size, tell
from durakv.cli.places import existing_place
from durakv.clock import SystemClock
from durakv.keyspace.kinds import effects_of
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.rdb import to_entry
from durakv.keyspace.values import DATABASE_COUNT, Value
from durakv.storage.posix import PosixFilesystem
from durakv.storage.replace import atomic_replace
from durakv_formats.rdb import Aux, CannotCarry, RdbWriter, Target
from durakv_formats.resp import encode_command

_PART_BYTES_MIN = 256 << 10
_LOSSES_NAMED = 20


@click.command()
@click.argument("directory", metavar="DIR")
@click.argument("file", default="-")
@click.option(
    "--to", type=click.Choice(["aof", "rdb"]), default="aof", show_default=True, help="Commands, or an RDB file."
)
@click.option(
    "--target",
    type=click.Choice([str(target) for target in Target]),
    help="Who is to load the RDB file; by default every server from Redis 5.0 on, and every Valkey.",
)
@click.option(
    "--until",
    type=int,
    metavar="UNIX",
    help="The state before the first later time (in seconds) that a stock server noted in its log.",
)
@click.option("--allow-loss", is_flag=True, help="Leave out what an RDB file for the target cannot carry, and tell it.")
@json_option
@click.pass_context
def export(
    ctx: click.Context,
    directory: str,
    file: str,
    to: str,
    target: str | None,
    until: int | None,
    allow_loss: bool,
    as_json: bool,
) -> None:
    """Write the state to FILE, or to standard output (-), as RESP commands or as an RDB file.

    Commands are per database SELECT, then for every key what makes it again: `redis-cli --pipe` takes them, and so
    does any server as its append-only file.  An RDB file is what a server loads as its dump.rdb.  Expired keys are
    left out.  DIR is only read, a torn tail is left where it is.  FILE gets its content all at once, or not at all; a
    file of that name is replaced.
    """
    if (target is not None or allow_loss) and to != "rdb":
        raise click.UsageError("--target and --allow-loss are about RDB files: add --to rdb")
    filesystem = existing_place(directory)
    keyspace, report = load_keyspace(filesystem, quiet=as_json, until=until)
    keys = _Keys(keyspace, SystemClock().time_ms())
    losses = _Losses() if allow_loss else None
    written = _rdb(keys, Target(target or Target.ANY), losses) if to == "rdb" else _commands(keys)
    counted = _Counted(written)
    if file == "-":
        for part in counted.parts():
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    else:
        place, name = os.path.split(os.path.abspath(file))
        with progress("export", quiet=as_json) as bar:
            atomic_replace(PosixFilesystem(place), name, f".{name}.durakv-{os.getpid()}", counted.parts())
            if bar is not None:
                bar(counted.bytes, counted.bytes)
    if as_json and file != "-":
        print_json({"file": file, "keys": keys.count, "bytes": counted.bytes, "last_seq": report.last_seq})
    else:
        tell(f"exported {keys.count} keys, {size(counted.bytes)}, up to number {report.last_seq}")
    if losses is not None:
        losses.tell()
    ctx.exit(exits.TOLD if report.cut is not None or (losses is not None and losses.count) else exits.OK)


class _Losses:
    """What was left out, told once it is known how much."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[str] = []

    def __call__(self, key: bytes, what: str) -> None:
        self.count += 1
        if len(self._first) < _LOSSES_NAMED:
            self._first.append(f"{key[:64]!r}: {what}")

    def tell(self) -> None:
        """Name the first of them, and how many there are."""
        for loss in self._first:
            tell(f"left out: {loss}")
        if self.count > len(self._first):
            tell(f"left out: {self.count - len(self._first)} things more")


class _Keys:
    """Every key that has not expired, database by database, and how many there were."""

    def __init__(self, keyspace: Keyspace, now_ms: int) -> None:
        self._keyspace = keyspace
        self._now_ms = now_ms
        self.count = 0

    def __iter__(self) -> Iterator[tuple[int, bytes, Value, int | None]]:
        for number in range(DATABASE_COUNT):
            store = self._keyspace.store(number)
            for slot in range(store.slot_count if len(store) else 0):
                for key, value, deadline in store.columns(slot):
                    if deadline is None or deadline >= self._now_ms:
                        self.count += 1
                        yield number, key, value, deadline


def _commands(keys: _Keys) -> Iterator[bytes]:
    database = -1
    for number, key, value, deadline in keys:
        if number != database:
            database = number
            yield encode_command((b"SELECT", b"%d" % number))
        for effect in effects_of(key, value, deadline):
            yield encode_command(effect)


def _rdb(keys: _Keys, target: Target, losses: _Losses | None) -> Iterator[bytes]:
    writer = RdbWriter(target, on_loss=losses)
    yield writer.begin([Aux(b"durakv-ver", durakv.__version__.encode())])
    for number, key, value, deadline in keys:
        try:
            yield writer.entry(to_entry(number, key, value, deadline))
        except CannotCarry as error:
            raise exits.Failure(f"{error}, or allow it to be left out with --allow-loss", exits.FAILED) from error
    yield writer.end()


class _Counted:
    """What is written, in pieces worth a write each, and how much of it there was."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = pieces
        self.bytes = 0

    def parts(self) -> Iterator[bytes]:
        """All of it."""
        part: list[bytes] = []
        size = 0
        for piece in self._pieces:
            part.append(piece)
            size += len(piece)
            if size >= _PART_BYTES_MIN:
                self.bytes += size
                yield b"".join(part)
                part.clear()
                size = 0
        self.bytes += size
        yield b"".join(part)
