"""``durakv inspect``: what a directory or one of its files holds, line by line."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import click
from msgspec.structs import asdict

from durakv.cli.output import json_option, print_json, print_lines, size
from durakv.cli.places import existing_place
from durakv.directory import LOCK_NAME, MANIFEST_NAME, is_ours
from durakv.errors import DirectoryError
from durakv_formats.describe import describe_log, describe_manifest, describe_rdb, describe_snapshot
from durakv_formats.errors import FormatError
from durakv_formats.frame import FrameDecoder, FrameError
from durakv_formats.manifest import decode_manifest
from durakv_formats.rdb import Entry, read_rdb
from durakv_formats.resp import CommandDecoder, decode_batch
from durakv_formats.snapshot import MAGIC, SnapshotDecoder


@click.command()
@click.argument("path", metavar="DIR|FILE")
@json_option
def inspect(path: str, as_json: bool) -> None:
    """Show what a data directory, a manifest, log segment or base in it, or an RDB file, holds; damage included.

    It reads only, and judges nothing: `durakv verify` does.  With --json a directory is one document, and a file one
    line for each record; values that are no UTF-8 are escaped.
    """
    if os.path.isdir(path):
        _inspect_directory(path, as_json=as_json)
        return
    with open(path, "rb") as file:
        if _is_rdb(file.read(9)):
            file.seek(0)
            _inspect_rdb(file.read, as_json=as_json)
            return
        file.seek(0)
        data = file.read()
    kind = _kind(os.path.basename(path), data)
    if as_json:
        for record in {"manifest": _manifest_records, "base": _base_records, "log": _log_records}[kind](data):
            print_json(record)
    else:
        print_lines({"manifest": describe_manifest, "base": describe_snapshot, "log": describe_log}[kind](data))


def _is_rdb(magic: bytes) -> bool:
    return magic.startswith((b"REDIS", b"VALKEY")) and magic[-3:].isdigit()


def _inspect_rdb(read: Callable[[int], bytes], *, as_json: bool) -> None:
    if not as_json:
        print_lines(describe_rdb(read))
        return
    try:
        for record in read_rdb(read):
            # Values are left out: a stream of a million entries is no line.
            facts = {name: _text(fact) if isinstance(fact, bytes) else fact for name, fact in asdict(record).items()}
            if isinstance(record, Entry):
                del facts["value"]
            print_json({"record": type(record).__name__.lower(), **facts})
    except FormatError as error:
        print_json({"offset": error.offset, "damage": error.reason})


def _kind(name: str, data: bytes) -> str:
    if data.startswith(MAGIC[:-1]):
        return "base"
    if name.endswith(".manifest") or data.startswith((b"#DKVM", b"file ")):
        return "manifest"
    return "log"


def _inspect_directory(path: str, *, as_json: bool) -> None:
    filesystem = existing_place(path)
    sizes: dict[str, int] = {}
    manifest = b""
    for name in filesystem.list():
        if not is_ours(name) and name != LOCK_NAME:
            continue  # it may be anything; what it is called is told below
        file = filesystem.open(name)
        try:
            sizes[name] = file.size()
            if name == MANIFEST_NAME:
                manifest = file.read_at(sizes[name], 0)
        finally:
            file.close()
    others = [name for name in filesystem.list() if name not in sizes]
    if MANIFEST_NAME not in sizes:
        raise DirectoryError(f"{filesystem.describe()} holds no {MANIFEST_NAME}")
    if as_json:
        documents = list(_manifest_records(manifest))
        print_json({"directory": filesystem.describe(), "manifest": documents, "sizes": sizes, "others": others})
        return
    click.echo(filesystem.describe())
    print_lines(describe_manifest(manifest))
    named = {record.get("name") for record in _manifest_records(manifest)}
    for name, count in sizes.items():
        counts = name in named or name in (MANIFEST_NAME, LOCK_NAME)
        click.echo(f"  {name}: {size(count)}{'' if counts else ', debris'}")
    for name in others:
        click.echo(f"  {name}: not in the store")


# --- records for programs ---------------------------------------------------------------------------------------------


def _manifest_records(data: bytes) -> Iterator[dict[str, Any]]:
    try:
        manifest = decode_manifest(data)
    except FormatError as error:
        yield {"offset": error.offset, "damage": error.reason}
        return
    identity = None if manifest.identity is None else manifest.identity.hex()
    yield {"identity": identity, "generation": manifest.generation, "synced_seq": manifest.synced_seq}
    for entry in manifest.files:
        yield {
            "name": entry.name,
            "number": entry.seq,
            "type": entry.kind,
            "first_seq": entry.first,
            "last_seq": entry.last,
            "bytes": entry.bytes,
        }


def _base_records(data: bytes) -> Iterator[dict[str, Any]]:
    decoder = SnapshotDecoder()
    decoder.feed(data)
    try:
        block = decoder.next_block()
        if (header := decoder.header) is not None:
            yield {
                "offset": 0,
                "identity": header.identity.hex(),
                "number": header.number,
                "seq": header.seq,
                "content": header.content,
                "slots": header.slot_count,
                "created_ms": header.created_ms,
            }
        while block is not None:
            yield {
                "offset": block.offset,
                "slot": block.slot,
                "count": block.count,
                "codec": block.codec.name.lower(),
                "raw_bytes": block.raw_bytes,
                "stored_bytes": len(block.stored),
            }
            block = decoder.next_block()
    except FormatError as error:
        yield {"offset": error.offset, "damage": error.reason}
        return
    if decoder.done:
        yield {"offset": decoder.offset, "end": True}
    else:
        yield {"offset": decoder.offset, "damage": "the file ends before its footer"}


def _log_records(data: bytes) -> Iterator[dict[str, Any]]:
    frames = FrameDecoder(None, None)
    frames.feed(data)
    offset = 0
    try:
        while (frame := frames.next_frame()) is not None:
            commands = [] if frame.is_opening else decode_batch(frame.payload, frame.count)
            yield {
                "offset": offset,
                "seq": frame.seq,
                "count": frame.count,
                "bytes": len(frame.payload),
                "synced_seq": frame.synced_seq,
                "identity": f"{frame.identity:016x}",
                "segment": frame.segment,
                "opening": frame.is_opening,
                "commands": [[_text(part) for part in command] for command in commands],
            }
            offset = frames.offset
        if offset < len(data):
            yield {"offset": offset, "damage": "the file ends inside a frame"}
    except FrameError as error:
        if error.kind == "foreign":
            yield from _foreign_records(data, error.offset)
        elif data[error.offset :].strip(b"\0"):
            yield {"offset": error.offset, "damage": error.reason}
        else:
            yield {"offset": error.offset, "zeros": len(data) - error.offset}
    except FormatError as error:
        yield {"offset": error.offset, "damage": error.reason}


def _foreign_records(data: bytes, offset: int) -> Iterator[dict[str, Any]]:
    decoder = CommandDecoder(offset)
    decoder.feed(memoryview(data)[offset:])
    try:
        while (command := decoder.next_command()) is not None:
            yield {"offset": offset, "foreign": [_text(part) for part in command]}
            offset = decoder.offset
    except FormatError as error:
        yield {"offset": error.offset, "damage": error.reason}
        return
    if offset < len(data):
        yield {"offset": offset, "damage": "the file ends inside a command"}


def _text(part: bytes) -> str:
    return part.decode("utf-8", "backslashreplace")
