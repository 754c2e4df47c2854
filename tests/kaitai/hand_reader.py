"""A third reader, of slices and ``struct`` formats, in which every choice can be made wrongly.

It verifies nothing: what it says of a good file is right if its layout is.  A reader with a wrong layout is broken on
purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Any, cast

import lz4.block
import msgspec

from tests.kaitai.checksum import checksum
from tests.kaitai.facts import (
    COLUMNS,
    BlockFacts,
    FileFacts,
    FooterFacts,
    FrameFacts,
    HeaderFacts,
    LogFacts,
    ManifestFacts,
    SnapshotFacts,
    Words,
    plain_columns,
)

_decompress = cast("Callable[..., bytes]", lz4.block.decompress)


class Layout(msgspec.Struct, frozen=True):
    """Where the fields stand; the defaults are those of the pages."""

    base: int = 16
    seq: slice = slice(6, 22)
    count: slice = slice(23, 31)
    length: slice = slice(32, 40)
    synced_seq: slice = slice(41, 57)
    identity: slice = slice(58, 74)
    segment: slice = slice(75, 83)
    crc32c: slice = slice(84, 92)
    frame_header_bytes: int = 94
    checked_bytes: int = 84
    bracket: int = 1
    """How many commands of a batch of several stand before and behind those that count."""

    header: str = "<8s16sIIQQ32sI"
    header_fields: str = "magic identity number slot_count seq created_ms content crc32c"
    block: str = "<BBHIIII"
    block_fields: str = "tag codec slot count raw_bytes stored_bytes crc32c"
    footer: str = "<4xIQQQQI"
    footer_fields: str = "chain block_count count raw_bytes file_bytes crc32c"
    lz4_size_in_front: bool = False
    column_fields: str = "kind database keys values"

    manifest_identity: slice = slice(7, 39)
    generation: slice = slice(40, 56)
    manifest_synced_seq: slice = slice(57, 73)
    manifest_crc32c: slice = slice(74, 82)
    manifest_header_bytes: int = 83
    keys: str = "file seq type dkv-first dkv-last dkv-bytes dkv-capacity"
    unquotes: bool = True


class HandReader:
    """Reads good files by a layout; on others, or by a wrong layout, it may raise whatever Python raises."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def log(self, data: bytes, identity: int, segment: int) -> LogFacts:
        layout = self._layout
        frames: list[FrameFacts] = []
        offset = 0
        while data.startswith(b"#", offset):
            if data.startswith(b"#TS:", offset):
                offset = data.index(b"\n", offset) + 1
                continue
            head = data[offset : offset + layout.frame_header_bytes]
            names = ("seq", "count", "length", "synced_seq", "identity", "segment", "crc32c")
            fields = {name: int(head[getattr(layout, name)], layout.base) for name in names}
            start = offset + layout.frame_header_bytes
            end = start + fields["length"]
            payload = data[start:end]
            if checksum(payload, checksum(head[: layout.checked_bytes])) != fields["crc32c"]:
                return LogFacts(tuple(frames), (), "bad", offset)
            commands = _commands(payload)
            if len(commands) > 1:
                commands = commands[layout.bracket : -1]
            frames.append(FrameFacts(offset=offset, end=end, commands=tuple(commands), **fields))
            offset = end
        if data.startswith(b"\0", offset):
            return LogFacts(tuple(frames), (), "zeros", offset)
        return LogFacts(tuple(frames), tuple(_commands(data[offset:])), "end", len(data))

    def snapshot(self, data: bytes) -> SnapshotFacts:
        layout = self._layout
        struct = Struct(layout.header)
        fields = dict(zip(layout.header_fields.split(), struct.unpack_from(data), strict=True))
        del fields["magic"]
        header = HeaderFacts(**{**fields, "content": fields["content"].rstrip(b"\0").decode()})
        blocks: list[BlockFacts] = []
        offset = struct.size
        while data[offset : offset + 1] == b"B":
            blocks.append(self._block(data, offset, header.content))
            offset = blocks[-1].end
        struct = Struct(layout.footer)
        footer = FooterFacts(**dict(zip(layout.footer_fields.split(), struct.unpack_from(data, offset), strict=True)))
        return SnapshotFacts(header, tuple(blocks), footer, "end", offset + struct.size)

    def manifest(self, data: bytes) -> ManifestFacts | None:
        layout = self._layout
        identity = bytes.fromhex(data[layout.manifest_identity].decode())
        numbers = (layout.generation, layout.manifest_synced_seq, layout.manifest_crc32c)
        generation, synced_seq, crc = (int(data[place], layout.base) for place in numbers)
        lines = data[layout.manifest_header_bytes :].split(b"\n")[:-1]
        return ManifestFacts(identity, generation, synced_seq, crc, tuple(map(self._file, lines)))

    def _block(self, data: bytes, offset: int, content: str) -> BlockFacts:
        layout = self._layout
        struct = Struct(layout.block)
        fields = dict(zip(layout.block_fields.split(), struct.unpack_from(data, offset), strict=True))
        del fields["tag"]
        start = offset + struct.size
        end = start + fields["stored_bytes"]
        payload = data[start:end]
        if fields["codec"]:
            size = {} if layout.lz4_size_in_front else {"uncompressed_size": fields["raw_bytes"]}
            payload = _decompress(payload, **size)
        columns = None
        if content in COLUMNS:
            order = list(map(layout.column_fields.split().index, ("kind", "database", "keys", "values")))
            found: list[Any] = msgspec.msgpack.decode(payload)
            columns = plain_columns([(column[0], *(column[place] for place in order[1:])) for column in found])
        return BlockFacts(offset=offset, end=end, payload=payload, columns=columns, **fields)

    def _file(self, line: bytes) -> FileFacts:
        prefix, name, rest = b"file ", line[5:], b""
        assert line.startswith(prefix)
        if name.startswith(b'"'):
            quoted, rest = name[1:].rsplit(b'" ', 1)
            # Python's escapes are those of the page.
            name = quoted.decode("unicode_escape").encode("latin-1") if self._layout.unquotes else quoted
        else:
            name, rest = name.split(b" ", 1)
        words = rest.split()
        pairs = dict(zip(words[::2], words[1::2], strict=True))
        _, seq, kind, *optional = self._layout.keys.encode().split()
        numbers = [int(pairs[key]) if key in pairs else None for key in optional]
        return FileFacts(name, int(pairs[seq]), pairs[kind].decode(), *numbers)


def _commands(payload: bytes) -> list[Words]:
    commands: list[Words] = []
    at = 0
    while at < len(payload):
        line_end = payload.index(b"\r\n", at)
        words: list[bytes] = []
        count, at = int(payload[at + 1 : line_end]), line_end + 2
        for _ in range(count):
            line_end = payload.index(b"\r\n", at)
            size = int(payload[at + 1 : line_end])
            words.append(payload[line_end + 2 : line_end + 2 + size])
            at = line_end + 2 + size + 2
        commands.append(tuple(words))
    return commands
