"""What a file holds, line by line, for people.  Damage is described like everything else and never raised.

Nothing reads these lines back: they may change in any version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from durakv_formats.column_kinds import KIND_EXPIRY, KIND_STRING
from durakv_formats.columns import decode_columns
from durakv_formats.errors import FormatError
from durakv_formats.frame import Frame, FrameDecoder, FrameError, find_frames
from durakv_formats.manifest import decode_manifest
from durakv_formats.rdb import Aux, Block, Entry, Function, Header, ModuleData, Stream, read_rdb
from durakv_formats.rdb import Kind as RdbKind
from durakv_formats.resp import CommandDecoder, decode_batch
from durakv_formats.snapshot import SnapshotDecoder, StoredBlock

_SHOWN_BYTES_MAX = 40
_SHOWN_ARGUMENTS_MAX = 16
_KIND_NAMES = {KIND_STRING: "strings", KIND_EXPIRY: "deadlines"}


def describe_log(data: bytes, offset: int = 0) -> Iterator[str]:
    """The frames, the unframed commands and the damage of a log segment from ``offset`` on."""
    view = memoryview(data)
    place: tuple[int, int] | None = None
    while offset < len(data):
        decoder = FrameDecoder(None, None, offset)
        decoder.feed(view[offset:])
        try:
            while (frame := decoder.next_frame()) is not None:
                place = (frame.identity, frame.segment)
                yield from _describe_frame(offset, frame)
                offset = decoder.offset
            if decoder.offset < len(data):
                yield f"{decoder.offset}: {len(data) - decoder.offset} bytes that are no whole frame"
            return
        except FrameError as failure:
            offset = failure.offset
            if failure.kind == "foreign":
                commands = CommandDecoder(offset)
                commands.feed(view[offset:])
                yield from _describe_foreign(commands, data)
                if commands.offset > offset:
                    offset = commands.offset
                    continue
            elif failure.kind == "zeros":
                zeros = len(data) - offset - len(data[offset:].lstrip(b"\0"))
                yield f"{offset}: {zeros} zero bytes"
                offset += zeros
            else:
                yield f"{offset}: {failure.reason}"
        except FormatError as failure:
            yield f"{failure.offset}: {failure.reason}"
            offset = failure.offset
        found = next(find_frames(data, identity=place[0], segment=place[1], start=offset), None) if place else None
        if found is None:
            if offset < len(data):
                yield f"{offset}: {len(data) - offset} bytes in which no frame was found"
            return
        if found[0] > offset:
            yield f"{offset}: {found[0] - offset} bytes up to the next whole frame"
        offset = found[0]


def describe_snapshot(data: bytes) -> Iterator[str]:
    """The header, the blocks and the footer of a snapshot."""
    decoder = SnapshotDecoder()
    decoder.feed(data)
    try:
        block = decoder.next_block()
        if (header := decoder.header) is not None:
            yield (
                f"0: snapshot {header.number} of directory {header.identity.hex()}: {header.content} up to seq"
                f" {header.seq}, {header.slot_count} slots, made at {header.created_ms} ms"
            )
        while block is not None:
            yield from _describe_block(block, columns=header is not None and header.content == "keyspace")
            block = decoder.next_block()
    except FormatError as failure:
        yield f"{failure.offset}: {failure.reason}"
        return
    if decoder.done:
        yield f"{decoder.offset}: end, whole and verified"
    else:
        yield f"{decoder.offset}: the file ends before its footer"


def describe_rdb(read: Callable[[int], bytes]) -> Iterator[str]:
    """The records of an RDB file, and at its end whether they are vouched for."""
    try:
        for record in read_rdb(read):
            if isinstance(record, Header):
                yield f"0: RDB of {'Valkey' if record.is_valkey else 'Redis'}, version {record.version}"
            elif isinstance(record, Entry):
                until = "" if record.deadline_ms is None else f", until {record.deadline_ms} ms"
                what = f"{_describe_bytes(record.key)}: {_summary(record)}{until}"
                yield f"{record.offset}: database {record.database}, {what}"
            elif isinstance(record, Aux):
                yield f"fact {_describe_bytes(record.key)}: {_describe_bytes(record.value)}"
            elif isinstance(record, Block):
                yield f"block {record.number} ends at {record.end}, verified"
            elif isinstance(record, Function):
                yield f"library of functions, {len(record.source)} bytes"
            elif isinstance(record, ModuleData):
                yield f"data of the module {record.module}, passed over"
            else:
                checked = "verified" if record.is_checked else "without a checksum"
                yield f"end: {record.keys} keys, whole and {checked}"
    except FormatError as failure:
        yield f"{failure.offset}: {failure.reason}"


def _summary(entry: Entry) -> str:
    value = entry.value
    if isinstance(value, Stream):
        return f"stream of {len(value.entries)} entries, {len(value.groups)} groups"
    if isinstance(value, bytes):
        module = entry.kind is RdbKind.MODULE
        return f"of the module {value.decode()}, passed over" if module else f"string of {len(value)} bytes"
    return f"{entry.kind} of {len(value)}"


def describe_manifest(data: bytes) -> Iterator[str]:
    """The header and the files of a manifest."""
    try:
        manifest = decode_manifest(data)
    except FormatError as failure:
        yield f"{failure.offset}: {failure.reason}"
        return
    if manifest.identity is None:
        yield "manifest of a stock server"
    else:
        yield (
            f"manifest {manifest.generation} of directory {manifest.identity.hex()}, synced up to seq"
            f" {manifest.synced_seq}"
        )
    for file in manifest.files:
        kind = {"b": "base", "i": "log", "h": "history"}[file.kind]
        first = "" if file.first is None else f" from seq {file.first}"
        last = "" if file.last is None else f" up to seq {file.last}"
        size = "" if file.bytes is None else f", {file.bytes} bytes"
        yield f"{kind} {file.seq}: {file.name}{first}{last}{size}"


def _describe_frame(offset: int, frame: Frame) -> Iterator[str]:
    if frame.is_opening:
        yield (
            f"{offset}: opening of segment {frame.segment} of directory {frame.identity:016x} after seq {frame.seq},"
            f" {frame.count} numbers retired, synced {frame.synced_seq}"
        )
        return
    yield (
        f"{offset}: seq {frame.first_seq}..{frame.seq}, {frame.count} commands, {len(frame.payload)} bytes,"
        f" synced {frame.synced_seq}"
    )
    try:
        commands = decode_batch(frame.payload, frame.count)
    except FormatError as failure:
        yield f"    the payload at {failure.offset}: {failure.reason}"
        return
    for command in commands:
        yield f"    {_describe_command(command)}"


def _describe_foreign(commands: CommandDecoder, data: bytes) -> Iterator[str]:
    start = commands.offset
    try:
        while (command := commands.next_command()) is not None:
            yield f"{start}: unframed {_describe_command(command)}"
            start = commands.offset
        if start < len(data):
            yield f"{start}: a command that is not whole"
    except FormatError as failure:
        # A comment line or a frame ends the unframed commands, which is no damage.
        if data[start : start + 1] != b"#":
            yield f"{failure.offset}: {failure.reason}"


def _describe_block(block: StoredBlock, *, columns: bool) -> Iterator[str]:
    yield (
        f"{block.offset}: slot {block.slot}, count {block.count}, {block.raw_bytes} bytes stored in"
        f" {len(block.stored)} ({block.codec.name.lower()})"
    )
    if not columns:
        return
    try:
        decoded = decode_columns(block.payload())
    except FormatError as failure:
        yield f"    the payload: {failure.reason}"
        return
    for column in decoded:
        yield f"    database {column.database}: {len(column.keys)} {_KIND_NAMES[column.kind]}"


def _describe_command(command: Sequence[bytes]) -> str:
    words = [_describe_bytes(word) for word in command[:_SHOWN_ARGUMENTS_MAX]]
    if len(command) > _SHOWN_ARGUMENTS_MAX:
        words.append(f"and {len(command) - _SHOWN_ARGUMENTS_MAX} more")
    return " ".join(words)


def _describe_bytes(word: bytes) -> str:
    shown = repr(word[:_SHOWN_BYTES_MAX])[1:]
    return shown if len(word) <= _SHOWN_BYTES_MAX else f"{shown}... ({len(word)} bytes)"
