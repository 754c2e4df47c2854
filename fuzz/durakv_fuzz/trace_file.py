"""A trace written down: by the simulated disk, or by a recorder of a real program.  See formats/trace-v1.md.

    file := header LF body        header: one line of JSON        body: zlib( record LF ... )

Whoever reads one believes nothing of it: sizes have bounds, the checksum comes first, and then every record has to fit
those before it, so that what is loaded can be played.  Notes become plain data, for only their writer knows more.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeAlias, cast

import msgspec

from durakv.storage.names import check_name
from durakv_fuzz.image import Image
from durakv_fuzz.trace import NAMING, OF_TREES, Kind, Note, Operation, Trace

FORMAT = "durakv-trace"
VERSION = 1
HEADER_BYTES_MAX = 4096
BODY_BYTES_MAX = 1 << 30
RECORD_BYTES_MAX = 64 << 20
FILE_BYTES_MAX = 1 << 30
"""Playing a trace makes its files in memory."""
_NAMED = frozenset({*(NAMING - OF_TREES), Kind.WRITE, Kind.WRITE_THROUGH, Kind.TRUNCATE, Kind.SYNC})
_RECORDED = _NAMED | {Kind.MAKE_ROOT, Kind.SYNC_DIRECTORY}
_AFTERS = frozenset({"", "dirty", "kept", "reverted", "sticky"})


class BadTraceFile(ValueError):
    """The bytes are no trace, or a damaged one; the message names the file and says why."""


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


class _Operation(msgspec.Struct, tag_field="record", tag="operation", forbid_unknown_fields=True, omit_defaults=True):
    """The fields of :class:`Operation`."""

    kind: str
    start: int
    end: int = -1
    name: str = ""
    new_name: str = ""
    file: int = 0
    offset: int = 0
    size: int = 0
    data: bytes = b""
    started: float = 0.0
    ended: float = 0.0
    error: int = 0
    done: bool = True
    after: str = ""
    killed: bool = False
    site: str = ""
    task: str = ""


class _Note(msgspec.Struct, tag_field="record", tag="note", forbid_unknown_fields=True, omit_defaults=True):
    seq: int
    time: float
    kind: str
    payload: Any = None


_Record: TypeAlias = _Run | _File | _Operation | _Note
_decoder: msgspec.json.Decoder[_Record] = msgspec.json.Decoder(_Record)
_FIELDS = _Operation.__struct_fields__


def dump_trace(trace: Trace) -> bytes:
    """The trace as the bytes of a file."""
    assert isinstance(trace.base, Image), "trees come with version 2"
    records: list[_Record] = [_Run(trace.seq, trace.base.exists, trace.sites)]
    records += [_File(name, bytes(data)) for name, data in sorted(trace.base.files.items())]
    for operation in trace.operations:
        words: dict[str, Any] = {field: getattr(operation, field) for field in _FIELDS}
        words |= {"kind": str(operation.kind), "after": str(operation.after)}
        records.append(_Operation(**words))
    records += [_Note(note.seq, note.time, note.kind, plain(note.payload)) for note in trace.notes]
    body = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
    if len(body) > BODY_BYTES_MAX:
        raise ValueError(f"a trace of {len(body)} bytes is too long to be written down: at most {BODY_BYTES_MAX}")
    header = _Header(FORMAT, VERSION, len(body), len(records), zlib.crc32(body))
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
    if version != VERSION:
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
    return _Loading(lines).trace


class _Loading:
    """Puts records together, and refuses the first that does not fit."""

    def __init__(self, lines: list[bytes]) -> None:
        records = [self._decode(line) for line in lines]
        run = records[0]
        if not isinstance(run, _Run) or run.seq < 0:
            raise BadTraceFile("its first record is not about the run")
        files: dict[str, bytes] = {}
        self.trace = Trace(sites=run.sites)
        self._files = 0
        self._taken: set[int] = set()
        for index, record in enumerate(records[1:], 2):
            try:
                if isinstance(record, _File):
                    _check(not self.trace.operations, "a file comes after the first call")
                    _check(run.root and check_name(record.name) not in files, "no directory has that file")
                    files[record.name] = record.data
                    self._files = len(files)
                elif isinstance(record, _Operation):
                    self._operation(record, run)
                elif isinstance(record, _Note):
                    self._take(record.seq, run)
                    self.trace.notes.append(Note(record.seq, record.time, record.kind, record.payload))
                else:
                    raise BadTraceFile("a second run begins")
            except ValueError as cause:
                raise BadTraceFile(f"record {index}: {cause}") from cause
        self.trace.base = Image(files, exists=run.root)
        self.trace.seq = run.seq

    def _decode(self, line: bytes) -> _Record:
        if len(line) > RECORD_BYTES_MAX:
            raise BadTraceFile(f"a record has {len(line)} bytes, at most {RECORD_BYTES_MAX} are possible")
        return _decoder.decode(line)

    def _operation(self, record: _Operation, run: _Run) -> None:
        operations = self.trace.operations
        kind = Kind(record.kind)
        _check(kind in _RECORDED, f"{kind} changes nothing and is not recorded")
        _check(not operations or operations[-1].start < record.start, "the calls are not in order")
        _check(record.end == -1 or record.end > record.start, "the call ends before it starts")
        _check(min(record.offset, record.size, record.error) >= 0, "a number is negative")
        _check(record.offset + len(record.data) <= FILE_BYTES_MAX >= record.size, "no file is that large")
        _check(record.after in _AFTERS, f"{record.after!r} is nothing that a failed sync leaves")
        for seq in (record.start, record.end) if record.end >= 0 else (record.start,):
            self._take(seq, run)
        if kind in _NAMED:
            check_name(record.name)
            if kind is Kind.CREATE and record.done:
                self._files += 1
                _check(record.file == self._files, f"the next new file is {self._files}, not {record.file}")
            elif kind is not Kind.CREATE:
                _check(0 < record.file <= self._files, f"there is no file {record.file}")
        if kind is Kind.RENAME:
            check_name(record.new_name)
        words: dict[str, Any] = {field: getattr(record, field) for field in _FIELDS}
        words["kind"] = kind
        operations.append(Operation(**words))

    def _take(self, seq: int, run: _Run) -> None:
        _check(0 <= seq < run.seq, f"number {seq} is not of this run")
        _check(seq not in self._taken, f"number {seq} is there twice")
        self._taken.add(seq)


def _check(good: bool, reason: str) -> None:
    if not good:
        raise BadTraceFile(reason)
