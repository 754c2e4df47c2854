"""A trace written down: by the simulated disk, or by a recorder of a real program.

Programs with one directory have version 1 (formats/trace-v1.md), others version 2 (formats/trace-v2.md).

    file := header LF body        header: one line of JSON        body: zlib( record LF ... )

Whoever reads one believes nothing of it: sizes have bounds, the checksum comes first, and then every record has to fit
those before it, so that what is loaded can be played.  Notes become plain data, for only their writer knows more.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias, cast

import msgspec

from durakv.storage.names import check_name
from durakv_fuzz.image import Image
from durakv_fuzz.trace import NAMING, OF_TREES, Kind, Trace
from durakv_fuzz.trace_records import (
    BODY_BYTES_MAX,
    RECORD_BYTES_MAX,
    BadTraceFile,
    NoteRecord,
    OperationRecord,
    Order,
    check,
)
from durakv_fuzz.trace_trees import load_tree_trace, records_of
from durakv_fuzz.tree import Tree

__all__ = [
    "BODY_BYTES_MAX",
    "FORMAT",
    "RECORD_BYTES_MAX",
    "VERSION",
    "BadTraceFile",
    "NewerTraceFile",
    "dump_trace",
    "load_trace",
    "plain",
    "read_trace",
    "write_trace",
]

FORMAT = "durakv-trace"
VERSION = 2
"""The newest that is read.  Written is the first that can say it."""

HEADER_BYTES_MAX = 4096
FILE_BYTES_MAX = 1 << 30
"""Playing a trace makes its files in memory."""
_NAMED = frozenset({*(NAMING - OF_TREES), Kind.WRITE, Kind.WRITE_THROUGH, Kind.TRUNCATE, Kind.SYNC})
_RECORDED = _NAMED | {Kind.MAKE_ROOT, Kind.SYNC_DIRECTORY}


class NewerTraceFile(BadTraceFile):
    """A trace of a later version, which this one does not read."""


class _Header(msgspec.Struct):
    format: str
    version: int
    bytes: int
    """Of the body before compression."""
    records: int
    crc32: int
    """Of the body before compression."""


class _Run(msgspec.Struct, tag_field="record", tag="run", forbid_unknown_fields=True):
    """The first record."""

    seq: int
    root: bool
    sites: bool = False


class _File(msgspec.Struct, tag_field="record", tag="file", forbid_unknown_fields=True):
    name: str
    data: bytes


_Record: TypeAlias = _Run | _File | OperationRecord | NoteRecord
_decoder: msgspec.json.Decoder[_Record] = msgspec.json.Decoder(_Record)
_FIELDS = OperationRecord.__struct_fields__


def dump_trace(trace: Trace) -> bytes:
    """The trace as the bytes of a file."""
    if isinstance(trace.base, Tree):
        version, records = 2, [*records_of(trace, trace.base)]
    else:
        version, records = 1, [*_records_of(trace, trace.base)]
    records += [NoteRecord(note.seq, note.time, note.kind, plain(note.payload)) for note in trace.notes]
    lines = [msgspec.json.encode(record) + b"\n" for record in records]
    if (longest := max(map(len, lines))) > RECORD_BYTES_MAX:
        raise ValueError(f"a record of {longest} bytes is too long to be written down: at most {RECORD_BYTES_MAX}")
    body = b"".join(lines)
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"a trace of {len(body)} bytes is too long to be written down: at most {BODY_BYTES_MAX}")
    header = _Header(FORMAT, version, len(body), len(records), zlib.crc32(body))
    return msgspec.json.encode(header) + b"\n" + zlib.compress(body, 6)


def load_trace(data: bytes, name: str = "the trace") -> Trace:
    """The other way round; raises :class:`BadTraceFile` with that name."""
    try:
        return _load(data)
    except NewerTraceFile as refusal:
        raise NewerTraceFile(f"{name}: {refusal}") from None
    except (ValueError, msgspec.MsgspecError, zlib.error) as cause:
        raise BadTraceFile(f"{name}: {cause}") from cause


def write_trace(trace: Trace, path: Path) -> None:
    """Write it to a file."""
    path.write_bytes(dump_trace(trace))


def read_trace(path: Path) -> Trace:
    """Read it from a file."""
    if (size := path.stat().st_size) > BODY_BYTES_MAX:
        raise BadTraceFile(f"{path}: it has {size} bytes, a trace at most {BODY_BYTES_MAX}")
    return load_trace(path.read_bytes(), str(path))


def plain(value: object) -> Any:
    """The value as JSON can say it: a dataclass as its fields, bytes as text (latin-1), sets in order."""
    if isinstance(value, Enum):
        return plain(value.value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("latin-1")
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(item) for key, item in cast(Mapping[object, object], value).items()}
    if isinstance(value, Set):
        return sorted((plain(item) for item in cast(Set[object], value)), key=msgspec.json.encode)
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in cast(list[object], value)]
    return str(value)


def _load(data: bytes) -> Trace:
    line, separator, _ = data[: HEADER_BYTES_MAX + 1].partition(b"\n")
    if not separator:
        raise BadTraceFile("its first line is no header of a trace")
    words = msgspec.json.decode(line, type=dict[str, Any])
    if words.get("format") != FORMAT:
        raise BadTraceFile("it is no trace: the format's name is missing")
    version = words.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerTraceFile(f"it has version {version}, this durakv reads version {VERSION}")
    if version not in (1, 2):
        raise BadTraceFile(f"it has version {version!r}, which never was")
    header = msgspec.convert(words, _Header)
    if not 0 < header.bytes <= BODY_BYTES_MAX:
        raise BadTraceFile(f"it says that it holds {header.bytes} bytes; from 1 to {BODY_BYTES_MAX} are possible")
    unpack = zlib.decompressobj()
    body = unpack.decompress(data[len(line) + 1 :], header.bytes + 1)
    if len(body) != header.bytes or not unpack.eof or unpack.unused_data:
        raise BadTraceFile("it is longer or shorter than its header says")
    if zlib.crc32(body) != header.crc32:
        raise BadTraceFile("it is damaged: the checksum is wrong")
    lines = body.split(b"\n")
    if lines.pop() or len(lines) != header.records or not lines:
        raise BadTraceFile(f"it has {len(lines)} records, its header says {header.records}")
    for index, record in enumerate(lines, 1):
        if len(record) > RECORD_BYTES_MAX:
            raise BadTraceFile(f"record {index} has {len(record)} bytes, at most {RECORD_BYTES_MAX} are possible")
    return load_tree_trace(lines) if version == 2 else _Loading(lines).trace


def _records_of(trace: Trace, base: Image) -> Iterator[msgspec.Struct]:
    yield _Run(trace.seq, base.exists, trace.sites)
    for name, data in sorted(base.files.items()):
        yield _File(name, bytes(data))
    for operation in trace.operations:
        words: dict[str, Any] = {field: getattr(operation, field) for field in _FIELDS}
        words |= {"kind": str(operation.kind), "after": str(operation.after)}
        yield OperationRecord(**words)


class _Loading:
    """Puts records together, and refuses the first that does not fit."""

    def __init__(self, lines: list[bytes]) -> None:
        records = [_decoder.decode(line) for line in lines]
        run = records[0]
        if not isinstance(run, _Run):
            raise BadTraceFile("its first record is not about the run")
        files: dict[str, bytes] = {}
        self.trace = Trace(sites=run.sites)
        self._order = Order(self.trace, run.seq, FILE_BYTES_MAX)
        self._files = 0
        for index, record in enumerate(records[1:], 2):
            try:
                if isinstance(record, _File):
                    check(not self.trace.operations, "a file comes after the first call")
                    check(run.root and check_name(record.name) not in files, "no directory has that file")
                    files[record.name] = record.data
                    self._files = len(files)
                elif isinstance(record, OperationRecord):
                    self._operation(record)
                elif isinstance(record, NoteRecord):
                    self._order.note(record)
                else:
                    raise BadTraceFile("a second run begins")
            except ValueError as cause:
                raise BadTraceFile(f"record {index}: {cause}") from cause
        self.trace.base = Image(files, exists=run.root)
        self.trace.seq = run.seq

    def _operation(self, record: OperationRecord) -> None:
        operation = self._order.operation(record)
        kind = operation.kind
        check(kind in _RECORDED, f"{kind} changes nothing and is not recorded")
        if kind in _NAMED:
            check_name(record.name)
            if kind is Kind.CREATE and record.done:
                self._files += 1
                check(record.file == self._files, f"the next new file is {self._files}, not {record.file}")
            elif kind is not Kind.CREATE:
                check(0 < record.file <= self._files, f"there is no file {record.file}")
        if kind is Kind.RENAME:
            check_name(record.new_name)
