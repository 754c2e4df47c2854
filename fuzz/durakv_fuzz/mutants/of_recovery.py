"""Breaks of opening: what is believed, what is cut, and what is done before anything is promised again."""

from __future__ import annotations

import re
from collections.abc import Generator

import msgspec

import durakv.log.reader
import durakv.recovery
import durakv.takeover
from durakv.directory import debris, read_manifest
from durakv.judgement import Verdict, judge
from durakv.log.reader import Record, SegmentEnd
from durakv.report import RecoveryReport
from durakv.storage.filesystem import File, Filesystem
from durakv_formats.frame import HEADER_BYTES, FrameDecoder, find_frames
from durakv_formats.manifest import Manifest, ManifestFile
from durakv_formats.resp import decode_batch
from durakv_fuzz.mutants.mutant import Mutants, Patch

mutants = Mutants()


@mutants("redis#5177, RediSearch#394: NUL bytes at the end after a power loss, and no start")
def tail_zeros_taken_for_corruption() -> list[Patch]:
    """Space that was never written is taken for damage."""

    def broken(manifest: Manifest, segment: ManifestFile, end: SegmentEnd, *, promise: int, is_last: bool) -> Verdict:
        if end.kind == "zeros":
            return Verdict(corruption="zeros stand at its end")
        return judge(manifest, segment, end, promise=promise, is_last=is_last)

    return [Patch(durakv.recovery, "judge", broken)]


@mutants("persist-queue 1.1.0: the last item is half there after a power cut, and the queue does not open")
def torn_tail_taken_for_corruption() -> list[Patch]:
    """A tail that nobody promised is taken for damage."""

    def broken(manifest: Manifest, segment: ManifestFile, end: SegmentEnd, *, promise: int, is_last: bool) -> Verdict:
        verdict = judge(manifest, segment, end, promise=promise, is_last=is_last)
        return Verdict(corruption=end.reason) if verdict.torn else verdict

    return [Patch(durakv.recovery, "judge", broken)]


@mutants("logs cut at the first bad record, wherever it is: acknowledged data gone, and called a repair")
def corruption_taken_for_a_torn_tail() -> list[Patch]:
    """Damage to promised data is cut off like any torn tail."""

    def broken(manifest: Manifest, segment: ManifestFile, end: SegmentEnd, *, promise: int, is_last: bool) -> Verdict:
        verdict = judge(manifest, segment, end, promise=promise, is_last=is_last)
        return Verdict(torn=verdict.corruption, clean=False, settle=True) if verdict.corruption else verdict

    def no_promise(*_arguments: object) -> int:
        return 0

    return [Patch(durakv.recovery, "judge", broken), Patch(durakv.recovery, "highest_promise", no_promise)]


@mutants("replication offsets that begin again behind a cut: two histories under one number")
def seq_reused_after_a_cut() -> list[Patch]:
    """Numbers go on where the surviving log ends."""

    def broken(**_bounds: int) -> int:
        return 0

    return [Patch(durakv.recovery, "numbers_given_out_max", broken)]


@mutants("fsyncgate for whoever opens next: pages that a failed fsync marked clean look fine, and are lost")
def tail_not_written_again() -> list[Patch]:
    """What a dead owner wrote is vouched for after a sync alone, which proves nothing if its own sync had failed."""

    def broken(*_arguments: object) -> None:
        return

    return [Patch(durakv.takeover, "_rewrite_tail", broken)]


@mutants("a restart that trusts what it read, which was the page cache, until the power goes")
def tail_sealed_before_it_is_synced() -> list[Patch]:
    """The manifest seals what a dead owner wrote while it is only in the page cache."""

    def broken(*_arguments: object) -> None:
        return

    return [Patch(durakv.takeover, "_sync", broken)]


@mutants("recycled log files whose old records are read as new, or a file of another server's backup")
def identity_not_checked() -> list[Patch]:
    """Frames of any directory and of any segment are replayed."""

    def broken(_identity: int | None, _segment: int | None, offset: int = 0) -> FrameDecoder:
        return FrameDecoder(None, None, offset)

    return [Patch(durakv.log.reader, "FrameDecoder", broken)]


@mutants("recovery that takes every file whose name matches, abandoned ones included")
def unpublished_debris_replayed() -> list[Patch]:
    """Every segment that is there is replayed, whether the manifest names it or not."""
    read = read_manifest

    def broken(filesystem: Filesystem) -> Manifest | None:
        manifest = read(filesystem)
        if manifest is None:
            return None
        files = list(manifest.files)
        for name in debris(filesystem, manifest):
            match = re.fullmatch(r"appendonly\.aof\.(\d+)\.incr\.aof", name)
            if match is not None:
                files.append(ManifestFile(name, int(match[1]), "i", first=1))
        return msgspec.structs.replace(manifest, files=tuple(files))

    return [Patch(durakv.recovery, "read_manifest", broken)]


@mutants("Redis appendonly no, and yes again: a stale log is loaded in the place of newer data")
def outdated_manifest_followed() -> list[Patch]:
    """A manifest of an earlier time is followed, and what it does not name is removed."""

    def broken(*_arguments: object) -> int:
        return 0

    return [Patch(durakv.recovery, "refuse_outdated", broken)]


@mutants("LevelDB's log reader, RocksDB kSkipAnyCorruptedRecords: bad records passed over in the middle")
def bad_record_skipped() -> list[Patch]:
    """Replay skips what it cannot read, and goes on with the next frame that it can."""

    def broken(
        file: File,
        *,
        identity: int,
        number: int,
        prior: int,
        stop: int | None = None,
        start: int = 0,
        until: int | None = None,
    ) -> Generator[Record, None, SegmentEnd]:
        size = file.size()
        end = SegmentEnd(last=prior, size=size)
        data = file.read_at(size if stop is None else min(stop, size), 0)
        for offset, frame in find_frames(data, identity=identity, segment=number):
            end.offset = offset + HEADER_BYTES + len(frame.payload)
            end.last = frame.seq
            end.promise = max(end.promise, frame.synced_seq)
            if frame.is_opening:
                end.first = frame.seq + 1
            else:
                yield Record(frame.seq, decode_batch(frame.payload, frame.count), end.offset)
        return end

    return [Patch(durakv.recovery, "read_runs", broken)]


@mutants("stock servers load a log with a lost command or a hole inside a value, and say they are ready")
def loss_not_reported() -> list[Patch]:
    """The recovery report says nothing."""

    def broken(_self: RecoveryReport) -> list[str]:
        return []

    return [Patch(RecoveryReport, "lines", broken)]


@mutants("Redis: temp-rewriteaof files of children that were killed are never collected")
def debris_not_removed() -> list[Patch]:
    """What crashes leave behind stays for ever."""

    def broken(_filesystem: Filesystem, _manifest: Manifest) -> list[str]:
        return []

    return [Patch(durakv.takeover, "debris", broken)]
