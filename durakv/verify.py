"""A read-only check of a data directory: every byte, no lock, no state machine, nothing written (specs/06-repair.md).

``verify`` says what ``open`` would say, by the same rules, but about every file instead of the first bad one:

    ok          every byte is accounted for
    note        worth knowing, and nothing is lost: not closed, appended by a stock server, left by a crash
    torn        a tail above every promise; the next open would cut it
    unchecked   of a newer version, of another format, or not readable; nothing can be said about it
    corruption  promised data is damaged or missing; an open would refuse

What the commands mean is not checked: that takes the state machine they were written for.  A directory may be
verified while its owner writes; a manifest swapped meanwhile starts the check again, and a frame that is just being
written may show as a torn tail.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from enum import IntEnum

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
from durakv.log.reader import CHUNK_BYTES, SegmentEnd, read_segment
from durakv.snapshot.reader import read_base
from durakv.storage.filesystem import Filesystem
from durakv.strays import refuse_outdated
from durakv_formats.errors import FormatError
from durakv_formats.manifest import Manifest, ManifestFile

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes there are."""

KEPT_PREFIX = "broken-"
"""How the names begin under which a repair keeps what it took out of the store."""

_ATTEMPTS = 5
_FAILURES = (Corruption, UnsupportedVersion, OSError)


class Severity(IntEnum):
    """How bad a finding is."""

    OK = 0
    NOTE = 1
    TORN = 2
    UNCHECKED = 3
    CORRUPTION = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something found in one file."""

    name: str
    severity: Severity
    offset: int
    reason: str

    def __str__(self) -> str:
        return f"{self.name} at byte {self.offset}: {self.reason}"


@dataclass(slots=True, kw_only=True)
class FileCheck:
    """What one file that counts holds, as far as it could be read."""

    entry: ManifestFile
    size: int = 0
    count: int = 0
    """What a base says it holds: the keys of a keyspace."""
    last: int | None = None
    """The last number that can be had from it; None if nothing can be said."""
    end: SegmentEnd | None = None
    """How a log, or a base of plain commands, ended."""

    @property
    def is_base(self) -> bool:
        """Whether it is the base."""
        return self.entry.kind == "b"


@dataclass(slots=True, kw_only=True)
class Verification:
    """The outcome of a check."""

    where: str
    manifest: Manifest | None = None
    files: list[FileCheck] = field(default_factory=list[FileCheck])
    """The files that count, in the manifest's order, the missing ones too."""
    findings: list[Finding] = field(default_factory=list[Finding])
    promised_seq: int = 0
    """The last number that anything in the directory vouches for as synced."""

    @property
    def severity(self) -> Severity:
        """The worst finding's."""
        return max((finding.severity for finding in self.findings), default=Severity.OK)

    @property
    def ok(self) -> bool:
        """Whether nothing is damaged, missing, torn or left unchecked."""
        return self.severity <= Severity.NOTE

    def severity_of(self, name: str) -> Severity:
        """The worst finding's about one file."""
        return max((finding.severity for finding in self.findings if finding.name == name), default=Severity.OK)

    def first(self, severity: Severity) -> Finding | None:
        """The first finding of a severity."""
        return next((finding for finding in self.findings if finding.severity is severity), None)

    @property
    def last_seq(self) -> int:
        """The number up to which batches can be had whole and in order."""
        last = 0
        for check in self.files:
            if check.last is None:
                break
            last = check.last
            if self.severity_of(check.entry.name) >= Severity.UNCHECKED:
                break
        return last


def verify(filesystem: Filesystem, progress: Progress | None = None) -> Verification:
    """Check every byte of the directory; writes nothing, and reports damage instead of raising it.

    An ``OSError`` of one file is a finding as well.  Raises DirectoryError if there is no directory, and ``OSError``
    if it cannot be listed.
    """
    if not filesystem.exists_root():
        raise refuse_missing(filesystem)
    for _ in range(_ATTEMPTS - 1):
        before = _manifest_in_force(filesystem)
        verification = _Check(filesystem, progress).run()
        if _manifest_in_force(filesystem) == before:
            return verification
    return _Check(filesystem, progress).run()


def _manifest_in_force(filesystem: Filesystem) -> Manifest | None:
    try:
        return read_manifest(filesystem)
    except _FAILURES:
        return None


class _Check:
    """One pass over the directory."""

    def __init__(self, filesystem: Filesystem, progress: Progress | None) -> None:
        self._filesystem = filesystem
        self._progress = progress
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

    def _read_manifest(self) -> Manifest | None:
        try:
            manifest = read_manifest(self._filesystem)
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
                    self._read(manifest, check, prior)
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

    def _read(self, manifest: Manifest, check: FileCheck, prior: int) -> None:
        entry = check.entry
        if entry.kind == "i":
            check.end = self._read_segment(manifest, entry, prior)
            check.last = check.end.last
        elif entry.name.endswith(".dkv") and manifest.identity is not None:
            self._read_snapshot(manifest.identity, check)
        elif entry.name.endswith(".aof"):
            check.end = self._read_log(manifest, entry, prior, is_last=False)
            damage = judge_plain_base(entry, check.end)
            if damage:
                self._find(entry.name, Severity.CORRUPTION, check.end.offset, damage)
            else:
                check.last = check.end.last
        else:
            raise UnsupportedVersion(entry.name, entry.name.rpartition(".")[2])

    def _read_segment(self, manifest: Manifest, entry: ManifestFile, prior: int) -> SegmentEnd:
        """Read a segment; an open one until two readings agree on where it is bad.

        An owner at work may be writing there: a frame that was half written when it was read, and promises behind it
        that were made since, would look like corruption.
        """
        is_last = entry is manifest.segments[-1]
        end = self._read_log(manifest, entry, prior, is_last=is_last)
        for _ in range(_ATTEMPTS):
            if entry.sealed or not (end.kind == "bad" or end.foreign_torn):
                break
            before, end = end, self._read_log(manifest, entry, prior, is_last=is_last)
            if end.offset == before.offset:
                break
        return end

    def _read_log(self, manifest: Manifest, entry: ManifestFile, prior: int, *, is_last: bool) -> SegmentEnd:
        identity = None if manifest.identity is None else frame_identity(manifest)
        file = self._filesystem.open(entry.name)
        try:
            stop = read_up_to(file, entry, is_last=is_last)
            records = read_segment(file, identity=identity, number=entry.seq, prior=prior, stop=stop)
            told = 0
            while True:
                try:
                    record = next(records)
                except StopIteration as finished:
                    end: SegmentEnd = finished.value
                    return end
                if record.offset - told >= CHUNK_BYTES:
                    told = record.offset
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
