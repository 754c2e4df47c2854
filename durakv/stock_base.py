"""The base of a stock server's directory: an RDB file, plain commands, or the one followed by the other.

What it is, is told by its first bytes and not by its name: a single file of Redis 5 or 6 keeps its name when a later
server, or ours, takes it over as a base.  The RDB part has a checksum and is verified; whatever of it cannot be held
is refused by name, never left out.
"""

from __future__ import annotations

from collections.abc import Callable

from durakv.errors import Corruption, UnsupportedVersion
from durakv.storage.filesystem import File
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.rdb import Entry, Function, Kind, ModuleData, Record, read_rdb

MAGIC_BYTES = 9
_REMEDY = "Restore the file from a copy; `durakv repair` shows what can be kept"
_EXPORT = "Import it with `durakv import`, which leaves that out and says so, or export it with a server that knows it"


def is_rdb(magic: bytes) -> bool:
    """Whether a file with these first bytes is an RDB file of whatever version."""
    return magic.startswith((b"REDIS", b"VALKEY")) and magic[-3:].isdigit()


def read_rdb_part(
    file: File, take: Callable[[Entry], None], progress: Callable[[int], None] | None = None
) -> tuple[int, int]:
    """Read the RDB file at the beginning of a base; return how many keys it holds and where it ends.

    Both are 0 if the base begins with something else.  ``take`` gets the keys as they come: nothing vouches for them
    until this function returns.  Raises Corruption, UnsupportedVersion or ``OSError``, and what ``take`` raises.
    """
    if not is_rdb(file.read_at(MAGIC_BYTES, 0)):
        return 0, 0
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        data = file.read_at(size, position)
        position += len(data)
        if progress is not None:
            progress(position)
        return data

    keys = 0
    records = read_rdb(read)
    try:
        while True:
            try:
                record = next(records)
            except StopIteration as end:
                return keys, position - len(end.value.rest())
            foreign = _foreign(record)
            if foreign:
                raise UnsupportedVersion(file.name, foreign, _EXPORT)
            if isinstance(record, Entry):
                keys += 1
                take(record)
    except UnsupportedVersionError as error:
        where = f"{error.version} (byte {error.offset})"
        raise UnsupportedVersion(file.name, where, "Open it with a version, or a server, that knows it") from error
    except FormatError as error:
        raise Corruption(file.name, error.offset, error.reason, _REMEDY) from error


def _foreign(record: Record) -> str:
    """What a record holds that no keyspace does."""
    if isinstance(record, Function):
        return "a library of functions"
    if isinstance(record, ModuleData):
        return f"data of the module {record.module}"
    if isinstance(record, Entry) and record.kind is Kind.MODULE:
        assert isinstance(record.value, bytes), "of a module only the name was read"
        return f"a value of the module {record.value.decode()}, of key {record.key[:64]!r}"
    return ""
