"""What our own decoders find in a file."""

from __future__ import annotations

from typing import Any

from durakv_formats import (
    HEADER_BYTES,
    CommandDecoder,
    FormatError,
    Frame,
    FrameDecoder,
    FrameError,
    SnapshotDecoder,
    SnapshotEncoder,
    StoredBlock,
    decode_batch,
    decode_columns,
    decode_manifest,
    encode_frame,
)
from durakv_formats.checksum import crc32c
from durakv_formats.snapshot_v1 import BLOCK, FOOTER
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


class OwnReader:
    """Reads with ``durakv_formats``.  Checksums, which our decoders compare and do not return, are computed again."""

    def log(self, data: bytes, identity: int, segment: int) -> LogFacts:
        decoder = FrameDecoder(identity, segment)
        decoder.feed(data)
        frames: list[FrameFacts] = []
        try:
            while (frame := decoder.next_frame()) is not None:
                facts = _frame_facts(frame, decoder.offset)
                if facts is None:
                    start = decoder.offset - HEADER_BYTES - len(frame.payload)
                    return LogFacts(tuple(frames), (), "bad", start)
                frames.append(facts)
        except FrameError as failure:
            if failure.kind != "foreign":
                return LogFacts(tuple(frames), (), failure.kind, failure.offset)
            return _with_unframed(tuple(frames), data, failure.offset)
        except FormatError as failure:
            return LogFacts(tuple(frames), (), "bad", failure.offset)
        return LogFacts(tuple(frames), (), "end" if decoder.offset == len(data) else "torn", decoder.offset)

    def snapshot(self, data: bytes) -> SnapshotFacts:
        decoder = SnapshotDecoder()
        decoder.feed(data)
        stored: list[StoredBlock] = []
        ends: list[int] = []
        failed = False
        try:
            while (block := decoder.next_block()) is not None:
                stored.append(block)
                ends.append(decoder.offset)
        except FormatError:
            failed = True
        header = decoder.header
        ending = "bad" if failed else "end" if decoder.done else "torn"
        if header is None:
            return SnapshotFacts(None, (), None, ending, decoder.offset)
        encoder = SnapshotEncoder(header)
        crc = int.from_bytes(encoder.header_bytes()[-4:], "little")
        facts = HeaderFacts(
            header.identity, header.number, header.slot_count, header.seq, header.created_ms, header.content, crc
        )
        # A footer is not returned by the decoder but compared with the one that our encoder makes of the same blocks.
        sealed = [encoder.copy_block(block) for block in stored]
        footer = FooterFacts(*FOOTER.unpack(encoder.footer())[1:]) if decoder.done else None
        blocks = [_block_facts(*each, header.content) for each in zip(stored, ends, sealed, strict=True)]
        return SnapshotFacts(facts, tuple(blocks), footer, ending, decoder.offset)

    def manifest(self, data: bytes) -> ManifestFacts | None:
        try:
            manifest = decode_manifest(data)
        except FormatError:
            return None
        return ManifestFacts(
            manifest.identity,
            manifest.generation,
            manifest.synced_seq,
            None if manifest.foreign else crc32c(data[83:], crc32c(data[:74])),
            tuple(
                FileFacts(
                    name=file.name.encode("utf-8", "surrogateescape"),
                    seq=file.seq,
                    kind=file.kind,
                    first=file.first,
                    last=file.last,
                    bytes=file.bytes,
                    capacity=file.capacity,
                )
                for file in manifest.files
            ),
        )


def _frame_facts(frame: Frame, end: int) -> FrameFacts | None:
    """None if the payload is no batch, for all its checksum."""
    try:
        commands = [] if frame.is_opening else decode_batch(frame.payload, frame.count)
    except FormatError:
        return None
    again = encode_frame(
        frame.payload,
        seq=frame.seq,
        count=frame.count,
        synced_seq=frame.synced_seq,
        identity=frame.identity,
        segment=frame.segment,
    )
    return FrameFacts(
        offset=end - len(again),
        end=end,
        seq=frame.seq,
        count=frame.count,
        length=len(frame.payload),
        synced_seq=frame.synced_seq,
        identity=frame.identity,
        segment=frame.segment,
        crc32c=int(again[84:92], 16),
        commands=tuple(map(tuple, commands)),
    )


def _with_unframed(frames: tuple[FrameFacts, ...], data: bytes, offset: int) -> LogFacts:
    """Commands without frames, and other programs' comments between them; no frame follows those."""
    commands: list[Words] = []
    end = offset
    while True:
        decoder = CommandDecoder(offset)
        decoder.feed(data[offset:])
        try:
            while (command := decoder.next_command()) is not None:
                commands.append(tuple(command))
                end = decoder.offset
        except FormatError:
            offset = decoder.offset
            line = data[offset:].partition(b"\n")
            if not line[0].startswith(b"#") or line[0].startswith(b"#DKV") or (line[1] and len(line[0]) + 1 == 94):
                return LogFacts(frames, tuple(commands), "bad", offset)
            offset += len(line[0]) + 1
            if line[1]:
                continue
        return LogFacts(frames, tuple(commands), "end" if end == len(data) else "torn", end)


def columns_of(payload: bytes) -> tuple[Any, ...]:
    """The columns of a payload; raises FormatError if it holds anything else."""
    return plain_columns([(c.kind, c.database, c.keys, c.values) for c in decode_columns(payload)])


def _block_facts(block: StoredBlock, end: int, sealed: bytes, content: str) -> BlockFacts:
    payload = block.payload()
    return BlockFacts(
        offset=block.offset,
        end=end,
        codec=block.codec,
        slot=block.slot,
        count=block.count,
        raw_bytes=block.raw_bytes,
        stored_bytes=len(block.stored),
        crc32c=BLOCK.unpack_from(sealed)[-1],
        payload=payload,
        columns=columns_of(payload) if content in COLUMNS else None,
    )
