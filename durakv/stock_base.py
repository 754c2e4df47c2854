"""The base of a stock server's directory: an RDB file, plain commands, or the one followed by the other.

What it is, is told by its first bytes and not by its name: a single file of Redis 5 or 6 keeps its name when a later
server, or ours, takes it over as a base.  The RDB part has a checksum and is verified; whatever of it cannot be held
is refused by name, never left out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from durakv.errors import Corruption, UnsupportedVersion
from durakv.storage.filesystem import File
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.limits import SEQ_MAX

if TYPE_CHECKING:  # otherwise where it is used: most programs never meet an RDB file
    from durakv_formats.rdb import Aux, Entry, Record

MAGIC_BYTES = 9
_IDENTITY, _NUMBER, _SEQ = b"durakv-identity", b"durakv-number", b"durakv-seq"
_REMEDY = "Restore the file from a copy; `durakv repair` shows what can be kept"
_EXPORT = "Import it with `durakv import`, which leaves that out and says so, or export it with a server that knows it"


def is_rdb(magic: bytes) -> bool:
    """Whether a file with these first bytes is an RDB file of whatever version."""
    return magic.startswith((b"REDIS", b"VALKEY")) and magic[-3:].isdigit()


class RdbPart(msgspec.Struct):
    """The RDB file at the beginning of a base; everything is 0 if there is none."""

    keys: int = 0
    end: int = 0
    """Where it ends."""
    seq: int = 0
    """The last number that is in it, if a rewrite of ours made it."""
    identity: str = ""
    """The directory's for which a rewrite of ours made it."""
    number: int = 0
    """Which base it is, likewise."""

    def expect(self, name: str, *, identity: bytes, number: int) -> None:
        """Raise Corruption if a rewrite of ours made it as another base, or for another directory (C11)."""
        if self.identity and (self.identity, self.number) != (identity.hex(), number):
            reason = f"it was made as base {self.number} of directory {self.identity}, not {number} of {identity.hex()}"
            raise Corruption(name, 0, reason, _REMEDY)


def rdb_facts(*, identity: bytes, number: int, seq: int) -> list[Aux]:
    """What a base of ours says about itself; stock servers pass over it."""
    from durakv_formats.rdb import Aux

    return [
        Aux(_IDENTITY, identity.hex().encode()),
        Aux(_NUMBER, b"%d" % number),
        Aux(_SEQ, b"%d" % seq),
        Aux(b"aof-base", b"1"),
    ]


def read_rdb_part(file: File, take: Callable[[Entry], None], progress: Callable[[int], None] | None = None) -> RdbPart:
    """Read the RDB file that a base may begin with.

    ``take`` gets the keys as they come: nothing vouches for them
    until this function returns.  Raises Corruption, UnsupportedVersion or ``OSError``, and what ``take`` raises.
    """
    if not is_rdb(file.read_at(MAGIC_BYTES, 0)):
        return RdbPart()
    from durakv_formats.rdb import Aux, Entry, Kind, read_rdb

    part = RdbPart()
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        data = file.read_at(size, position)
        position += len(data)
        if progress is not None:
            progress(position)
        return data

    records = read_rdb(read)
    try:
        while True:
            try:
                record = next(records)
            except StopIteration as end:
                part.end = position - len(end.value.rest())
                return part
            if isinstance(record, Entry) and record.kind is not Kind.MODULE:
                part.keys += 1
                take(record)
            elif isinstance(record, Aux):
                _note(part, record, file.name)
            elif foreign := _foreign(record):
                raise UnsupportedVersion(file.name, foreign, _EXPORT)
    except UnsupportedVersionError as error:
        where = f"{error.version} (byte {error.offset})"
        raise UnsupportedVersion(file.name, where, "Open it with a version, or a server, that knows it") from error
    except FormatError as error:
        raise Corruption(file.name, error.offset, error.reason, _REMEDY) from error


def _note(part: RdbPart, fact: Aux, name: str) -> None:
    if fact.key not in (_IDENTITY, _NUMBER, _SEQ):
        return
    text = fact.value.decode("ascii", "replace")
    if fact.key == _IDENTITY:
        part.identity = text
        return
    if not text.isdigit() or int(text) > SEQ_MAX:
        raise Corruption(name, 0, f"its {fact.key.decode()} is {text[:32]!r}, which is no number", _REMEDY)
    if fact.key == _NUMBER:
        part.number = int(text)
    else:
        part.seq = int(text)


def _foreign(record: Record) -> str:
    """What a record holds that no keyspace does."""
    from durakv_formats.rdb import Entry, Function, Kind, ModuleData

    if isinstance(record, Function):
        return "a library of functions"
    if isinstance(record, ModuleData):
        return f"data of the module {record.module}"
    if isinstance(record, Entry) and record.kind is Kind.MODULE:
        assert isinstance(record.value, bytes), "of a module only the name was read"
        return f"a value of the module {record.value.decode()}, of key {record.key[:64]!r}"
    return ""
