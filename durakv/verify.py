"""A read-only check of a data directory: every byte, no lock, no state machine, nothing written (specs/06-repair.md).

``verify`` says what ``open`` would say, by the same rules, but about every file instead of the first bad one.  What the
commands mean is not checked: that takes the state machine they were written for.

A directory may be verified while its owner writes.  When the manifest is swapped meanwhile the check is made again, of
what is new in it, until it holds for a directory that stood still.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import TypeAlias

from durakv.directory import (
    LOCK_NAME,
    MANIFEST_NAME,
    check_orphans,
    debris,
    frame_identity,
    is_ours,
    read_manifest,
    refuse_missing,
)
from durakv.errors import Corruption, UnsupportedVersion
from durakv.judgement import highest_promise, judge, judge_plain_base, read_up_to
from durakv.log.reader import CHUNK_BYTES, SegmentEnd, read_runs
from durakv.snapshot.reader import read_base
from durakv.stock_base import RdbPart, read_rdb_part
from durakv.storage.filesystem import Filesystem
from durakv.strays import refuse_outdated
from durakv.verification import KEPT_PREFIX, FileCheck, Finding, Severity, Verification
from durakv_formats.errors import FormatError
from durakv_formats.manifest import Manifest, ManifestFile
from durakv_formats.runs import Run

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes there are."""

Place: TypeAlias = tuple[ManifestFile, int, int, bool]
"""A file that will not change, as the manifest describes it; its size; the number before it; whether it is the last."""

_ATTEMPTS = 100
_READINGS = 5
_FAILURES = (Corruption, UnsupportedVersion, OSError)


def verify(filesystem: Filesystem, progress: Progress | None = None) -> Verification:
    """Check every byte of the directory; writes nothing, and reports damage instead of raising it.

    An ``OSError`` of one file is a finding as well.  Raises DirectoryError if there is no directory, and ``OSError``
    if it cannot be listed.
    """
    if not filesystem.exists_root():
        raise refuse_missing(filesystem)
    whole: dict[Place, FileCheck] = {}
    for _ in range(_ATTEMPTS - 1):
        check = _Check(filesystem, progress, whole)
        verification = check.run()
        if check.stood_still():
            return verification
    return _Check(filesystem, progress, whole).run()


class _Check:
    """One pass over the directory."""

    def __init__(self, filesystem: Filesystem, progress: Progress | None, whole: dict[Place, FileCheck]) -> None:
        self._filesystem = filesystem
        self._progress = progress
        self._whole = whole
        self._manifest: Manifest | None = None
        self._moved = False
        self._result = Verification(where=filesystem.describe())
        self._done = 0
        self._total = 0

    def run(self) -> Verification:
        names = self._filesystem.list()
        manifest = self._read_manifest()
        if manifest is not None:
            self._result.manifest = manifest
            self._check_files(manifest)
            self._check_age(manifest)
            for name in debris(self._filesystem, manifest):
                self._note(name, "left by a crash and worth nothing; the next open removes it")
        for name in names:
            if name.startswith(KEPT_PREFIX):
                self._note(name, "kept by a repair; remove it when it is no longer needed")
            elif not is_ours(name) and name != LOCK_NAME:
                self._note(name, "not a file of the store")
        return self._result

    def stood_still(self) -> bool:
        """Whether the manifest is still the one that was checked, and nothing went away under the check."""
        try:
            return not self._moved and read_manifest(self._filesystem) == self._manifest
        except _FAILURES:
            return self._manifest is None

    def _read_manifest(self) -> Manifest | None:
        try:
            manifest = self._manifest = read_manifest(self._filesystem)
            if manifest is None:
                check_orphans(self._filesystem)
                self._note(MANIFEST_NAME, "there is none: the directory holds nothing yet")
            elif manifest.foreign:
                self._note(MANIFEST_NAME, "written by a stock server, without a checksum")
            return manifest
        except _FAILURES as error:
            self._failed(MANIFEST_NAME, error)
            return None

    def _check_files(self, manifest: Manifest) -> None:
        counting = [FileCheck(entry=entry) for entry in manifest.files if entry.kind != "h"]
        self._result.files = counting
        for entry in manifest.files:
            if entry.kind == "h":
                self._note(entry.name, "history of a stock server; it does not count any more")
        for check in counting:
            with self._telling(check.entry.name):
                check.size = self._measure(check.entry.name)
        self._total = sum(check.size for check in counting)
        prior = 0
        for check in counting:
            if self._result.severity_of(check.entry.name) is Severity.OK:
                with self._telling(check.entry.name):
                    self._read_once(manifest, check, prior)
            self._done += check.size
            self._advance(0)
            # Behind damage it is the manifest's word that the next file has to follow.
            known = check.entry.last if check.entry.last is not None else check.last
            prior = prior if known is None else known
        self._judge(
            manifest, [check for check in counting if not check.is_base], (counting[-1].last or 0) if counting else 0
        )

    def _check_age(self, manifest: Manifest) -> None:
        """An outdated manifest vouches for nothing: what can be had is what the files prove without it."""
        try:
            refuse_outdated(
                self._filesystem, manifest, max((check.last or 0 for check in self._result.files), default=0)
            )
        except FileNotFoundError:
            self._moved = True  # debris that its owner removed just now
        except _FAILURES as error:
            self._failed(MANIFEST_NAME, error)
            self._result.manifest = None

    def _measure(self, name: str) -> int:
        file = self._filesystem.open(name)
        try:
            return file.size()
        finally:
            file.close()

    @contextlib.contextmanager
    def _telling(self, name: str) -> Generator[None, None, None]:
        """Turn what goes wrong with one file into a finding."""
        try:
            yield
        except FileNotFoundError:
            self._find(name, Severity.CORRUPTION, 0, "the manifest names this file, but it is missing")
        except _FAILURES as error:
            self._failed(name, error)

    # --- base and log ---------------------------------------------------------------------------------------------

    def _read_once(self, manifest: Manifest, check: FileCheck, prior: int) -> None:
        """Read a file, unless an earlier pass found it whole and it cannot have changed since."""
        entry = check.entry
        place = (entry, check.size, prior, entry is manifest.files[-1])
        known = self._whole.get(place)
        if known is not None:
            check.count, check.last, check.end = known.count, known.last, known.end
            return
        self._read(manifest, check, prior)
        if (entry.sealed or check.is_base) and self._result.severity_of(entry.name) is Severity.OK:
            self._whole[place] = check

    def _read(self, manifest: Manifest, check: FileCheck, prior: int) -> None:
        entry = check.entry
        if entry.kind == "i":
            check.end = self._read_segment(manifest, entry, prior)
            check.last = check.end.last
        elif entry.name.endswith(".dkv") and manifest.identity is not None:
            self._read_snapshot(manifest.identity, check)
        else:
            part = self._read_rdb(entry.name)
            if manifest.identity is not None:
                part.expect(entry.name, identity=manifest.identity, number=entry.seq)
            check.count = part.keys
            check.end = self._read_log(manifest, entry, part.seq, is_last=False, start=part.end)
            damage = judge_plain_base(entry, check.end)
            if damage:
                self._find(entry.name, Severity.CORRUPTION, check.end.offset, damage)
            else:
                check.last = check.end.last

    def _read_rdb(self, name: str) -> RdbPart:
        file = self._filesystem.open(name)
        try:
            return read_rdb_part(file, lambda _entry: None, self._advance)
        finally:
            file.close()

    def _read_segment(self, manifest: Manifest, entry: ManifestFile, prior: int) -> SegmentEnd:
        """Read a segment; an open one until two readings agree on where it is bad.

        An owner at work may be writing there: a frame that was half written when it was read, and promises behind it
        that were made since, would look like corruption.
        """
        is_last = entry is manifest.segments[-1]
        end = self._read_log(manifest, entry, prior, is_last=is_last)
        for _ in range(_READINGS):
            if entry.sealed or not (end.kind == "bad" or end.foreign_torn):
                break
            before, end = end, self._read_log(manifest, entry, prior, is_last=is_last)
            if end.offset == before.offset:
                break
        return end

    def _read_log(
        self, manifest: Manifest, entry: ManifestFile, prior: int, *, is_last: bool, start: int = 0
    ) -> SegmentEnd:
        identity = None if manifest.identity is None else frame_identity(manifest)
        file = self._filesystem.open(entry.name)
        try:
            stop = read_up_to(file, entry, is_last=is_last)
            records = read_runs(file, identity=identity, number=entry.seq, prior=prior, stop=stop, start=start)
            told = 0
            while True:
                try:
                    record = next(records)
                except StopIteration as finished:
                    end: SegmentEnd = finished.value
                    return end
                offset = record.end if isinstance(record, Run) else record.offset
                if offset - told >= CHUNK_BYTES:
                    told = offset
                    self._advance(told)
        finally:
            file.close()

    def _read_snapshot(self, identity: bytes, check: FileCheck) -> None:
        entry = check.entry
        assert entry.last is not None, "the manifest was checked"
        with read_base(self._filesystem, entry.name) as reader:
            reader.expect(identity=identity, number=entry.seq, seq=entry.last)
            for block in reader:
                try:
                    block.payload()
                except FormatError as error:
                    raise Corruption(entry.name, error.offset, error.reason) from error
                check.count += block.count
                self._advance(reader.offset)
        check.last = entry.last

    def _judge(self, manifest: Manifest, checks: list[FileCheck], last: int) -> None:
        ends = [check.end for check in checks if check.end is not None]
        promise = self._result.promised_seq = highest_promise(manifest, ends)
        for check in checks:
            if check.end is not None:
                self._judge_segment(manifest, check.entry, check.end, promise=promise, is_last=check is checks[-1])
        if promise > last and self._result.severity < Severity.UNCHECKED:
            reason = f"number {promise} is promised, but the files end at {last}"
            self._find(MANIFEST_NAME, Severity.CORRUPTION, 0, reason)

    def _judge_segment(
        self, manifest: Manifest, entry: ManifestFile, end: SegmentEnd, *, promise: int, is_last: bool
    ) -> None:
        verdict = judge(manifest, entry, end, promise=promise, is_last=is_last)
        if verdict.corruption:
            self._find(entry.name, Severity.CORRUPTION, end.offset, verdict.corruption)
            return
        if verdict.torn:
            size = end.damage_bytes or end.size - end.offset
            reason = f"{end.reason}; {size} bytes from number {end.last + 1} on would be cut, as {verdict.torn}"
            self._find(entry.name, Severity.TORN, end.offset, reason)
        elif not verdict.clean:
            self._note(entry.name, "its owner did not close it, or is at work", end.offset)
        elif entry.bytes is not None and end.size > end.offset:
            self._note(entry.name, f"{end.size - end.offset} bytes behind its end, left by a crash", end.offset)
        if end.foreign_commands:
            reason = f"holds {end.foreign_commands} commands of a stock server, which carry no checksum"
            self._note(entry.name, reason, end.offset)

    # --- telling --------------------------------------------------------------------------------------------------

    def _advance(self, offset: int) -> None:
        if self._progress is not None:
            self._progress(self._done + offset, self._total)

    def _note(self, name: str, reason: str, offset: int = 0) -> None:
        self._find(name, Severity.NOTE, offset, reason)

    def _failed(self, name: str, error: Corruption | UnsupportedVersion | OSError) -> None:
        if isinstance(error, Corruption):
            self._find(name, Severity.CORRUPTION, error.offset, error.reason)
        elif isinstance(error, UnsupportedVersion):
            self._find(name, Severity.UNCHECKED, 0, f"version or format {error.version} is not supported")
        else:
            self._find(name, Severity.UNCHECKED, 0, f"it cannot be read: {error.strerror or error}")

    def _find(self, name: str, severity: Severity, offset: int, reason: str) -> None:
        self._result.findings.append(Finding(name=name, severity=severity, offset=offset, reason=reason))
