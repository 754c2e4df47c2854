"""``durakv export``: the state as commands or as an RDB file, which any server loads, or into a running server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator

import click

import durakv
from durakv.cli import exits
from durakv.cli.importing import timeout_option
from durakv.cli.keys import Key, Summed, keys_of
from durakv.cli.loading import load_keyspace
from durakv.cli.output import json_option, print_json, progress, size, tell
from durakv.cli.places import existing_place
from durakv.cli.sending import send
from durakv.client.redis_url import is_url, parse_url
from durakv.clock import SystemClock
from durakv.keyspace.digest import Digest
from durakv.keyspace.kinds import effects_of
from durakv.keyspace.rdb import to_entry
from durakv.report import RecoveryReport
from durakv.storage.posix import PosixFilesystem
from durakv.storage.replace import atomic_replace
from durakv_formats.rdb import Aux, CannotCarry, RdbWriter, Target
from durakv_formats.resp import encode_command

_PART_BYTES_MIN = 256 << 10
_LOSSES_NAMED = 20


@click.command()
@click.argument("directory", metavar="DIR")
@click.argument("target", metavar="TARGET", default="-")
@click.option(
    "--to", type=click.Choice(["aof", "rdb"]), default="aof", show_default=True, help="Commands, or an RDB file."
)
@click.option(
    "--target",
    "version",
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
@click.option("--replace", is_flag=True, help="Write into a server that holds keys, over those of the same name.")
@timeout_option
@json_option
@click.pass_context
def export(
    ctx: click.Context,
    directory: str,
    target: str,
    to: str,
    version: str | None,
    until: int | None,
    allow_loss: bool,
    replace: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Write the state to TARGET: a file, standard output (-), or a running server.

    Commands are per database SELECT, then for every key what makes it again: `redis-cli --pipe` takes them, and so
    does any server as its append-only file.  An RDB file is what a server loads as its dump.rdb.  Expired keys are
    left out.  DIR is only read, a torn tail is left where it is.  A file gets its content all at once, or not at all; a
    file of that name is replaced.

    A server is redis://[user:password@]host[:port][/db] or unix:///path/socket, Redis 7.0 or Valkey at least; a
    password may be in REDISCLI_AUTH instead.  With /db only this database is written.  The server has to be empty,
    unless --replace allows to write over keys; others stay.  It gets the keys one after the other, with nothing undone
    if it refuses one, so an export that did not end is started again with --replace.  Then every key is read back and
    compared; a difference is told as corruption.

    At the end the number of keys and their digest are shown, as `durakv stats --digest` has it.
    """
    is_server = is_url(target)
    if (version is not None or allow_loss) and to != "rdb":
        raise click.UsageError("--target and --allow-loss are about RDB files: add --to rdb")
    if is_server and to == "rdb":
        raise click.UsageError("a running server takes commands and no RDB file: leave --to rdb out")
    if replace and not is_server:
        raise click.UsageError("--replace is about running servers; a file is replaced anyway")
    url = parse_url(target) if is_server else None
    filesystem = existing_place(directory)
    keyspace, report = load_keyspace(filesystem, quiet=as_json, until=until)
    now_ms = SystemClock().time_ms()
    if url is not None:
        with progress("export", quiet=as_json) as bar:
            digest = send(url, lambda: keys_of(keyspace, now_ms, url.database), bar, replace=replace, timeout=timeout)
        _tell(url.name, None, digest, report, as_json=as_json)
        ctx.exit(exits.TOLD if report.cut is not None else exits.OK)
    keys = Summed(keys_of(keyspace, now_ms))
    losses = _Losses() if allow_loss else None
    written = _rdb(keys, Target(version or Target.ANY), losses) if to == "rdb" else _commands(keys)
    counted = _Counted(written)
    if target == "-":
        for part in counted.parts():
            sys.stdout.buffer.write(part)
        sys.stdout.buffer.flush()
    else:
        place, name = os.path.split(os.path.abspath(target))
        with progress("export", quiet=as_json) as bar:
            atomic_replace(PosixFilesystem(place), name, f".{name}.durakv-{os.getpid()}", counted.parts())
            if bar is not None:
                bar(counted.bytes, counted.bytes)
    _tell(target, counted.bytes, keys.digest, report, as_json=as_json and target != "-")
    if losses is not None:
        losses.tell()
    ctx.exit(exits.TOLD if report.cut is not None or (losses is not None and losses.count) else exits.OK)


def _tell(target: str, size_bytes: int | None, digest: Digest, report: RecoveryReport, *, as_json: bool) -> None:
    if as_json:
        where = {"server": target} if size_bytes is None else {"file": target, "bytes": size_bytes}
        print_json({**where, "keys": digest.keys, "digest": str(digest), "last_seq": report.last_seq})
    else:
        much = "" if size_bytes is None else f", {size(size_bytes)}"
        checked = ", each read back" if size_bytes is None else ""
        tell(f"exported {digest.keys} keys{much}, up to number {report.last_seq}, digest {digest}{checked}")


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


def _commands(keys: Iterable[Key]) -> Iterator[bytes]:
    database = -1
    for number, key, value, deadline in keys:
        if number != database:
            database = number
            yield encode_command((b"SELECT", b"%d" % number))
        for effect in effects_of(key, value, deadline):
            yield encode_command(effect)


def _rdb(keys: Iterable[Key], target: Target, losses: _Losses | None) -> Iterator[bytes]:
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
