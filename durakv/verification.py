"""What a check of a data directory found: the files that count, and findings about any file.

ok          every byte is accounted for
note        worth knowing, and nothing is lost: not closed, appended by a stock server, left by a crash
torn        a tail above every promise; the next open would cut it
unchecked   of a newer version, of another format, or not readable; nothing can be said about it
corruption  promised data is damaged or missing; an open would refuse
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from durakv.log.reader import SegmentEnd
from durakv_formats.manifest import Manifest, ManifestFile

KEPT_PREFIX = "broken-"
"""How the names begin under which a repair keeps what it took out of the store."""


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
