"""``durakv export``: the state as a stream of commands that any server loads."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import click

from durakv.cli import exits
from durakv.cli.loading import load_keyspace
from durakv.cli.output import json_option, print_json, progress, size, tell
from durakv.cli.places import existing_place
from durakv.clock import SystemClock
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.values import DATABASE_COUNT
from durakv.storage.posix import PosixFilesystem
from durakv.storage.replace import atomic_replace
from durakv_formats.resp import encode_command

_PART_BYTES_MIN = 256 << 10


@click.command()
@click.argument("directory", metavar="DIR")
@click.argument("file", default="-")
@json_option
@click.pass_context
def export(ctx: click.Context, directory: str, file: str, as_json: bool) -> None:
    """Write the state as RESP commands to FILE, or to standard output (-).

    Per database SELECT, then SET and PEXPIREAT for every key: `redis-cli --pipe` takes it, and so does any server as
    its append-only file.  Expired keys are left out.  DIR is only read, a torn tail is left where it is.  FILE gets
    its content all at once, or not at all; a file of that name is replaced.
    """
    filesystem = existing_place(directory)
    keyspace, report = load_keyspace(filesystem, quiet=as_json)
    counted = _Counted(keyspace, SystemClock().time_ms())
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
        print_json({"file": file, "keys": counted.keys, "bytes": counted.bytes, "last_seq": report.last_seq})
    else:
        tell(f"exported {counted.keys} keys, {size(counted.bytes)}, up to number {report.last_seq}")
    ctx.exit(exits.TOLD if report.cut is not None else exits.OK)


class _Counted:
    """The stream, and how much of it there was."""

    def __init__(self, keyspace: Keyspace, now_ms: int) -> None:
        self._keyspace = keyspace
        self._now_ms = now_ms
        self.keys = 0
        self.bytes = 0

    def parts(self) -> Iterator[bytes]:
        """The stream, in pieces worth a write each."""
        part: list[bytes] = []
        size = 0
        for command in self._commands():
            part.append(command)
            size += len(command)
            if size >= _PART_BYTES_MIN:
                self.bytes += size
                yield b"".join(part)
                part.clear()
                size = 0
        self.bytes += size
        yield b"".join(part)

    def _commands(self) -> Iterator[bytes]:
        for number in range(DATABASE_COUNT):
            store = self._keyspace.store(number)
            selected = False
            for slot in range(store.slot_count if len(store) else 0):
                for key, value, deadline in store.columns(slot):
                    if deadline is not None and deadline < self._now_ms:
                        continue
                    if not selected:
                        selected = True
                        yield encode_command((b"SELECT", b"%d" % number))
                    assert isinstance(value, bytes), "this version holds strings only"
                    yield encode_command((b"SET", key, value))
                    if deadline is not None:
                        yield encode_command((b"PEXPIREAT", key, b"%d" % deadline))
                    self.keys += 1
