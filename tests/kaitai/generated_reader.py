"""What the parsers that Kaitai Struct generated find in a file, and what they leave to their user to do.

Nothing of ``durakv_formats`` is used here: checksums, the order of slots, totals, decompression by the lz4 library, and
the meaning of a manifest's pairs are done again, from the pages alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import lz4.block
from kaitaistruct import BytesIO, EndOfStreamError, KaitaiStream, KaitaiStructError

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
from tests.kaitai.generated.durakv_log import DurakvLog
from tests.kaitai.generated.durakv_manifest import DurakvManifest
from tests.kaitai.generated.durakv_payload import DurakvPayload
from tests.kaitai.generated.durakv_snapshot import DurakvSnapshot

_decompress = cast("Callable[..., bytes]", lz4.block.decompress)


class _RefusedError(Exception):
    """What the generated parser has no words for is wrong."""


class GeneratedReader:
    """Reads with the generated parsers, record by record, so that what stands before damage is not lost."""

    def log(self, data: bytes, identity: int, segment: int) -> LogFacts:
        stream = KaitaiStream(BytesIO(data))
        frames: list[FrameFacts] = []
        unframed: list[Words] = []
        offset = end = 0
        ending = "end"
        while offset < len(data):
            try:
                record = DurakvLog.Record(stream)
            except EndOfStreamError:
                ending = "torn"
                break
            except KaitaiStructError:
                ending = "bad"
                break
            body = record.body
            if record.kind is DurakvLog.Kind.zeros:
                ending = "bad" if unframed else "zeros"
                break
            if record.kind is DurakvLog.Kind.frame:
                wanted = checksum(body.payload.raw, checksum(data[offset : offset + 84]))
                if unframed or (body.identity, body.segment, body.crc32c) != (identity, segment, wanted):
                    ending = "bad"
                    break
                try:
                    frames.append(_frame_facts(body, offset, stream.pos()))
                except KaitaiStructError:  # also where the payload ends early: the frame itself is all here
                    ending = "bad"
                    break
            elif record.kind is DurakvLog.Kind.command:
                unframed.append(_words(body))
            offset = stream.pos()
            if record.kind is not DurakvLog.Kind.comment:
                end = offset
        if ending == "end" and end < len(data):
            ending = "torn"
        return LogFacts(tuple(frames), tuple(unframed), ending, end if ending in ("end", "torn") else offset)

    def snapshot(self, data: bytes) -> SnapshotFacts:
        stream = KaitaiStream(BytesIO(data))
        header: HeaderFacts | None = None
        blocks: list[BlockFacts] = []
        footer: FooterFacts | None = None
        offset = 0
        try:
            header = _header_facts(data, DurakvSnapshot.Header(stream))
            seed = checksum(header.identity + header.number.to_bytes(4, "little"))
            while footer is None:
                offset = stream.pos()
                part = DurakvSnapshot.Part(header.slot_count, stream)
                if part.tag is DurakvSnapshot.Tag.footer:
                    footer = _footer_facts(part.body, data[offset : offset + 40], seed, header, blocks)
                else:
                    wanted = checksum(part.body.stored, checksum(data[offset : offset + 16], seed))
                    slot_before = blocks[-1].slot if blocks else 0
                    if part.body.crc32c != wanted or part.body.slot < slot_before:
                        raise _RefusedError
                    blocks.append(_block_facts(part.body, offset, stream.pos(), header.content))
            offset = stream.pos()
            ending = "end" if stream.is_eof() else "bad"
        except EndOfStreamError:
            ending = "torn"
        except (KaitaiStructError, _RefusedError):
            ending = "bad"
        return SnapshotFacts(header, tuple(blocks), footer, ending, offset)

    def manifest(self, data: bytes) -> ManifestFacts | None:
        try:
            return _manifest_facts(data, DurakvManifest.from_bytes(data))
        except (KaitaiStructError, _RefusedError):
            return None


# --- the log ----------------------------------------------------------------------------------------------------------


def _words(command: Any) -> Words:
    return tuple(argument.data for argument in command.arguments)


def _frame_facts(frame: Any, offset: int, end: int) -> FrameFacts:
    return FrameFacts(
        offset=offset,
        end=end,
        seq=frame.seq,
        count=frame.count,
        length=frame.length,
        synced_seq=frame.synced_seq,
        identity=frame.identity,
        segment=frame.segment,
        crc32c=frame.crc32c,
        commands=() if frame.is_opening else tuple(map(_words, frame.payload.batch.commands)),
    )


# --- snapshots --------------------------------------------------------------------------------------------------------


def _header_facts(data: bytes, header: Any) -> HeaderFacts:
    if checksum(data[:80]) != header.crc32c:
        raise _RefusedError
    return HeaderFacts(
        identity=header.identity,
        number=header.number,
        slot_count=header.slot_count,
        seq=header.seq,
        created_ms=header.created_ms,
        content=header.content.text,
        crc32c=header.crc32c,
    )


def columns_of(payload: bytes) -> tuple[Any, ...]:
    """The columns of a payload; raises KaitaiStructError if it holds anything else."""
    return plain_columns(
        [
            (int(column.kind), column.database, [key.data for key in column.keys], list(map(_value, column.values)))
            for column in DurakvPayload.from_bytes(payload).columns
        ]
    )


def _block_facts(block: Any, offset: int, end: int, content: str) -> BlockFacts:
    payload: bytes = block.stored
    if block.codec is DurakvSnapshot.Codec.lz4:
        payload = _decompress(block.stored, uncompressed_size=block.raw_bytes)
    return BlockFacts(
        offset=offset,
        end=end,
        codec=int(block.codec),
        slot=block.slot,
        count=block.count,
        raw_bytes=block.raw_bytes,
        stored_bytes=block.stored_bytes,
        crc32c=block.crc32c,
        payload=payload,
        columns=columns_of(payload) if content in COLUMNS else None,
    )


def _value(value: Any) -> Any:
    if value.is_bytes:
        return value.data
    if value.is_integer:
        return value.integer
    if value.is_float:
        return value.real
    if value.is_array:
        return list(map(_value, value.items))
    if value.is_map:
        return {_value(pair.name): _value(pair.content) for pair in value.pairs}
    assert value.is_nil
    return None


def _footer_facts(
    footer: Any, head: bytes, seed: int, header: HeaderFacts, blocks: Sequence[BlockFacts]
) -> FooterFacts:
    checksums = [header.crc32c, *(block.crc32c for block in blocks)]
    sums = (
        checksum(b"".join(crc.to_bytes(4, "little") for crc in checksums), seed),
        len(blocks),
        sum(block.count for block in blocks),
        sum(block.raw_bytes for block in blocks),
        84 + sum(20 + block.stored_bytes for block in blocks) + 44,
        checksum(head, seed),
    )
    said = (footer.chain, footer.block_count, footer.count, footer.raw_bytes, footer.file_bytes, footer.crc32c)
    if said != sums:
        raise _RefusedError
    return FooterFacts(*said)


# --- the manifest -----------------------------------------------------------------------------------------------------


def _manifest_facts(data: bytes, manifest: Any) -> ManifestFacts:
    header = manifest.header if manifest.is_ours else None
    first_line = data.split(b"\n", 1)[0]
    if b"\0" in data or (header is None and first_line.startswith(b"#") and len(first_line) == 82):
        raise _RefusedError
    if header is not None and header.crc32c != checksum(data[83:], checksum(data[:74])):
        raise _RefusedError
    files = [_file_facts(line.content) for line in manifest.lines if not line.content.is_comment]
    if header is None:
        if not files or any((file.first, file.last, file.bytes, file.capacity) != (None,) * 4 for file in files):
            raise _RefusedError
        return ManifestFacts(None, 0, 0, None, tuple(files))
    identity = bytes(octet.byte for octet in header.identity)
    return ManifestFacts(identity, header.generation, header.synced_seq, header.crc32c, tuple(files))


def _file_facts(line: Any) -> FileFacts:
    words = [_word(piece) for piece in line.pieces if not piece.is_space]
    pairs = dict(zip([word.lower() for word in words[::2]], words[1::2], strict=False))
    if len(words) % 2 or not {b"file", b"seq", b"type"} <= pairs.keys() or len(pairs) != len(words) // 2:
        raise _RefusedError
    numbers = [pairs.get(key) for key in (b"dkv-first", b"dkv-last", b"dkv-bytes", b"dkv-capacity")]
    first, last, size, capacity = (None if digits is None else _number(digits) for digits in numbers)
    return FileFacts(
        pairs[b"file"], _number(pairs[b"seq"]), pairs[b"type"].decode("latin-1"), first, last, size, capacity
    )


def _word(piece: Any) -> bytes:
    if piece.is_quoted:
        return bytes(character.meaning for character in piece.quoted.characters[:-1])
    return bytes(character.byte for character in piece.bare.characters)


def _number(digits: bytes) -> int:
    if not digits.isdigit() or (digits.startswith(b"0") and digits != b"0"):
        raise _RefusedError
    return int(digits)
