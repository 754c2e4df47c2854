"""An RDB file as a source of commands: looked through before anything is taken from it.

The checksum of such a file stands at its end, and what cannot be taken may stand anywhere.  So a file is read twice;
what cannot be read twice is copied first.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from durakv.cli.output import tell
from durakv.cli.streams import CommandStream, Group, Made, Readable
from durakv.errors import Corruption, UnsupportedVersion
from durakv.keyspace.digest import digest_of_key
from durakv.keyspace.kinds import rebuild
from durakv.keyspace.rdb import from_entry
from durakv.keyspace.values import DATABASE_COUNT, Value
from durakv.machine import Command
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.rdb import Entry, Function, Kind, ModuleData, Record, read_rdb

_REMEDY = "Nothing was taken; restore the file from a copy"
_NAMED_MAX = 3
_COPY_BYTES = 1 << 20


class Joined:
    """Bytes that were read already, and the file they came from."""

    def __init__(self, head: bytes, file: Readable) -> None:
        self._head = head
        self._file = file

    def read(self, size: int, /) -> bytes:
        """See :class:`Readable`."""
        if self._head:
            part, self._head = self._head[:size], self._head[size:]
            return part
        return self._file.read(size)


class KeyGroups:
    """Makes groups of keys, one after the other."""

    def __init__(self) -> None:
        self.database = 0
        """The one that is selected behind the last group."""

    def group(self, database: int, key: bytes, value: Value, deadline: int | None, offset: int) -> Group:
        """The group that makes one key."""
        commands: list[Command] = []
        if database != self.database:
            self.database = database
            commands.append((b"SELECT", b"%d" % database))
        commands += rebuild(key, value, deadline)
        return Group(commands, offset, Made(database, key, digest_of_key(database, key, value, deadline)))


@contextmanager
def copied(source: Readable) -> Generator[BinaryIO]:
    """A copy that can be read twice; it is gone afterwards."""
    with tempfile.TemporaryFile() as copy:
        while part := source.read(_COPY_BYTES):
            copy.write(part)
        yield copy


def rdb_groups(source: BinaryIO, name: str, now_ms: int, only: int | None = None) -> Iterator[Group]:
    """The commands that make what the file holds, a group for each key, and those that follow it in the file.

    Raises Corruption or UnsupportedVersion before the first group, if the file is damaged or holds what this version
    does not know.  Keys that have expired are left out, as a stock server does, and if ``only`` one database is wanted,
    those of the others.
    """
    _look_through(source, name)
    source.seek(0)
    grouped = KeyGroups()
    records = read_rdb(source.read)
    while True:
        try:
            record = next(records)
        except StopIteration as end:
            rest: bytes = end.value.rest()
            break
        if (
            not isinstance(record, Entry)
            or (record.deadline_ms is not None and record.deadline_ms < now_ms)
            or only not in (None, record.database)
        ):
            continue
        value = from_entry(record)
        if value is not None:
            yield grouped.group(record.database, record.key, value, record.deadline_ms, record.offset)
    begin = source.tell() - len(rest)
    if grouped.database:
        yield Group([(b"SELECT", b"0")], begin)
    for group in CommandStream(Joined(rest, source), name):
        yield Group(group.commands, begin + group.offset)


def _look_through(source: BinaryIO, name: str) -> None:
    foreign: Counter[str] = Counter()
    examples: list[str] = []
    left_out: Counter[str] = Counter()
    source.seek(0)
    try:
        for record in read_rdb(source.read):
            what = _foreign(record)
            if what:
                foreign[what] += 1
                if isinstance(record, Entry) and len(examples) < _NAMED_MAX:
                    examples.append(repr(record.key[:64])[1:])
            elif isinstance(record, Function):
                left_out["libraries of functions"] += 1
            elif isinstance(record, ModuleData):
                left_out[f"data of the module {record.module}"] += 1
    except UnsupportedVersionError as error:
        where = f"{error.version} (byte {error.offset})"
        raise UnsupportedVersion(name, where, "Nothing was taken; export it with a server that knows it") from error
    except FormatError as error:
        raise Corruption(name, error.offset, error.reason, _REMEDY) from error
    if foreign:
        kinds = ", ".join(f"{count} {what}" for what, count in sorted(foreign.items()))
        named = ", ".join(examples)
        raise UnsupportedVersion(
            name, f"with what has no place here ({kinds}; {named})", "Nothing was taken; export it without these"
        )
    for what, count in left_out.items():
        tell(f"{name}: left out: {what} ({count})")


def _foreign(record: Record) -> str:
    if not isinstance(record, Entry):
        return ""
    if record.database >= DATABASE_COUNT:
        return f"in a database beyond {DATABASE_COUNT - 1}"
    if record.kind is Kind.MODULE:
        assert isinstance(record.value, bytes), "of a module only the name was read"
        return f"values of the module {record.value.decode()}"
    return ""
