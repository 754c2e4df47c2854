"""Breaks of the evidence: where a log ends, why that may be, and a byte or a record to either side of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import durakv.commit
import durakv.log.reader
import durakv.recovery
import durakv.work
import durakv_formats.frame
import durakv_formats.snapshot
from durakv.directory import seal
from durakv.log.reader import Record, SegmentEnd, read_segment
from durakv.log.segment import Segment
from durakv.recovery import Recovered
from durakv.storage.filesystem import File
from durakv_formats.checksum import crc32c
from durakv_formats.frame import Frame, encode_frame
from durakv_formats.manifest import Manifest, ManifestFile
from durakv_formats.snapshot import StoredBlock
from durakv_formats.snapshot_outline import SnapshotOutline
from durakv_formats.snapshot_v1 import BLOCK, CRC_BYTES, Codec
from durakv_fuzz.mutants.mutant import Mutants, Patch
from durakv_fuzz.trace import SECTOR_BYTES

mutants = Mutants()

_FRAME_HEAD_BYTES = 84
_BLOCK_HEAD_BYTES = BLOCK.size - CRC_BYTES
"""What the checksum covers before the content."""


@mutants("stock append-only files: no checksum, so that a flipped bit inside a value loads silently")
def checksum_without_the_payload() -> list[Patch]:
    """A frame's checksum covers its header alone."""

    def broken(data: bytes, seed: int = 0) -> int:
        return crc32c(data) if len(data) == _FRAME_HEAD_BYTES else seed

    return [Patch(durakv_formats.frame, "crc32c", broken)]


@mutants("snapshots whose checksum is switched off for speed (rdbchecksum no), or written and never compared")
def block_of_a_base_not_checked() -> list[Patch]:
    """The checksum of a block leaves out what is stored in it."""

    def broken(data: bytes, seed: int = 0) -> int:
        return crc32c(data, seed) if seed == 0 or len(data) == _BLOCK_HEAD_BYTES else seed

    return [Patch(durakv_formats.snapshot, "crc32c", broken)]


@mutants("stores that verify their files when they open them, and read them unverified later")
def slot_not_checked_when_it_is_needed() -> list[Patch]:
    """After a lazy open a slot is taken as it stands in the base, whatever its checksum says."""

    def unverified(self: SnapshotOutline, index: int, data: bytes) -> StoredBlock:
        _tag, codec, slot, count, raw_bytes, _stored_bytes, _crc = BLOCK.unpack_from(data)
        return StoredBlock(slot, count, Codec(codec), data[BLOCK.size :], raw_bytes, self.place(index)[0])

    return [Patch(SnapshotOutline, "verify", unverified)]


@mutants("logs without a commit mark: what lies behind the damage is never asked")
def nothing_looked_for_behind_damage() -> list[Patch]:
    """Valid frames behind a bad one are no evidence that it was promised."""

    def broken(_data: bytes, *, identity: int, segment: int) -> Iterator[tuple[int, Frame]]:
        del identity, segment
        return iter(())

    return [Patch(durakv.log.reader, "find_frames", broken)]


@mutants("etcd's torn-write rule: a sector of zeros in the last segment drops all that follows it")
def zeroed_sector_taken_for_the_end() -> list[Patch]:
    """A bad frame with a sector of zeros behind it is the end of the log, whatever follows."""
    look = durakv.log.reader._look_behind  # pyright: ignore[reportPrivateUsage]

    def broken(file: File, end: SegmentEnd, identity: int | None, number: int, limit: int) -> None:
        look(file, end, identity, number, limit)
        first = -(-end.offset // SECTOR_BYTES) * SECTOR_BYTES
        starts = range(first, end.offset + end.damage_bytes - SECTOR_BYTES + 1, SECTOR_BYTES)
        if any(file.read_at(SECTOR_BYTES, start) == bytes(SECTOR_BYTES) for start in starts):
            end.kind, end.promise = "zeros", 0

    return [Patch(durakv.log.reader, "_look_behind", broken)]


@mutants("records that carry no promise, so that torn and corrupt look the same")
def frames_promise_nothing() -> list[Patch]:
    """No frame says how far the log was synced when it was written."""

    def broken(payload: bytes, *, seq: int, count: int, synced_seq: int, identity: int, segment: int) -> bytes:
        del synced_seq
        return encode_frame(payload, seq=seq, count=count, synced_seq=0, identity=identity, segment=segment)

    return [Patch(durakv.commit, "encode_frame", broken)]


@mutants("off by one: an end that is counted without its last byte")
def sealed_one_byte_short() -> list[Patch]:
    """A rotation seals the segment one byte before its end."""

    def broken(manifest: Manifest, name: str, *, last: int, size: int) -> Manifest:
        return seal(manifest, name, last=last, size=size - 1)

    return [Patch(durakv.work, "seal", broken)]


@mutants("off by one: a truncation to a size that was taken before the last append")
def trimmed_one_byte_too_far() -> list[Patch]:
    """When the zeros behind a sealed segment are given back, its last byte goes with them."""
    trim = Segment.trim

    def broken(self: Segment) -> None:
        self.offset -= 1
        trim(self)

    return [Patch(Segment, "trim", broken)]


@mutants("repairs that cut at the last record that looks whole, and take it along")
def one_record_too_many_cut() -> list[Patch]:
    """Behind a torn tail the last good batch is cut as well."""
    judge = durakv.recovery._judge  # pyright: ignore[reportPrivateUsage]
    ends: dict[int, list[tuple[int, int]]] = {}

    def broken_read(
        file: File,
        *,
        identity: int | None,
        number: int,
        prior: int,
        stop: int | None = None,
        start: int = 0,
        until: int | None = None,
    ) -> Generator[Record, None, SegmentEnd]:
        records = read_segment(file, identity=identity, number=number, prior=prior, stop=stop, start=start, until=until)
        found = ends[number] = [(prior, 0)]
        while True:
            try:
                record = next(records)
            except StopIteration as finished:
                end: SegmentEnd = finished.value
                return end
            found.append((record.seq, record.offset))
            yield record

    def broken_judge(found: Recovered, segments: list[tuple[ManifestFile, SegmentEnd]]) -> None:
        judge(found, segments)
        for segment, _ in segments:
            before = ends[segment.seq]
            if found.report.cut is not None and found.report.cut.name == segment.name and len(before) > 2:
                found.sealed[segment.name] = before[-2]

    return [Patch(durakv.recovery, "read_runs", broken_read), Patch(durakv.recovery, "_judge", broken_judge)]


@mutants("repairs that leave the first bytes of the torn record, and append behind them")
def one_byte_too_little_cut() -> list[Patch]:
    """Of a torn tail the first byte stays."""
    judge = durakv.recovery._judge  # pyright: ignore[reportPrivateUsage]

    def broken(found: Recovered, segments: list[tuple[ManifestFile, SegmentEnd]]) -> None:
        judge(found, segments)
        cut = found.report.cut
        if cut is not None:
            last, size = found.sealed[cut.name]
            found.sealed[cut.name] = (last, size + 1)

    return [Patch(durakv.recovery, "_judge", broken)]
