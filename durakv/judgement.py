"""What the end of a segment means, once every promise in the directory is known (C8).

Recovery and ``verify`` judge by the same rules, which are all here and touch no disk:

    at or below a promise       whatever is missing or damaged is corruption: refuse, touch nothing
    above every promise         it was never vouched for: a torn tail, cut and told
    the opening frame           was durable before the manifest named its segment: never torn
    sealed                      the manifest vouches for every byte up to the seal; what follows is left-over
    a stock server's part       carries no evidence: an end inside a command is its usual torn tail, all else corruption
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from durakv.log.reader import SegmentEnd
from durakv.storage.filesystem import File
from durakv_formats.manifest import Manifest, ManifestFile


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What one segment's end means.  At most one of ``corruption`` and ``torn`` says something."""

    corruption: str = ""
    """Why it is corruption."""
    torn: str = ""
    """Why the contract allows the tail to be cut."""
    clean: bool = True
    """Whether the segment's last writer ended it on purpose."""
    settle: bool = False
    """Whether the end found here is news, to be stated in the next manifest."""


def highest_promise(manifest: Manifest, ends: Iterable[SegmentEnd]) -> int:
    """The last number that anything in the directory vouches for as synced."""
    return max([manifest.synced_seq, *(end.promise for end in ends)])


def judge(manifest: Manifest, segment: ManifestFile, end: SegmentEnd, *, promise: int, is_last: bool) -> Verdict:
    """Judge the end of one segment of the log."""
    if segment.sealed:
        return _judge_sealed(segment, end, is_last=is_last)
    if manifest.identity is None:
        return _judge_stock(end, is_last=is_last)
    if end.first != segment.first:
        what = f"its opening frame announces {end.first}" if end.first else end.reason or "it has no opening frame"
        return Verdict(corruption=f"{what}, but the manifest named it when it was open for number {segment.first}")
    if promise > end.last:
        what = end.reason or "the segment ends"
        return Verdict(
            corruption=f"{what}, but everything up to number {promise} was promised as synced "
            f"and {end.last + 1} is missing"
        )
    if end.kind in ("bad", "zeros") and end.foreign_commands:
        # A stock server appends at the end of a file, and never into the zeros of an open segment.
        return Verdict(corruption=end.reason if end.kind == "bad" else "zeros behind commands outside any frame")
    torn = end.kind == "bad" or end.foreign_torn
    return Verdict(
        torn=f"number {promise} is the last one ever promised as synced" if torn else "", clean=False, settle=True
    )


def judge_plain_base(base: ManifestFile, end: SegmentEnd) -> str:
    """Why a base of plain commands is not what it should be; empty if it is.  It is never torn: it was published."""
    if end.kind != "clean" and (end.kind != "foreign" or end.foreign_torn):
        return end.reason
    if base.last is not None and end.last != base.last:
        return f"it ends at number {end.last}, not {base.last}"
    return ""


def _judge_sealed(segment: ManifestFile, end: SegmentEnd, *, is_last: bool) -> Verdict:
    assert segment.last is not None
    assert segment.bytes is not None
    appended = is_last and end.foreign_commands > 0 and end.offset > segment.bytes
    if end.offset < segment.bytes or (end.last != segment.last and not appended):
        found = end.reason or f"it ends at number {end.last}"
        return Verdict(corruption=f"{found}, but it was sealed at byte {segment.bytes} with number {segment.last}")
    if is_last and (end.kind == "bad" or end.foreign_torn) and end.size > end.offset:
        return _judge_stock(end, is_last=True)
    return Verdict(settle=appended)


def _judge_stock(end: SegmentEnd, *, is_last: bool) -> Verdict:
    if end.kind == "bad" and not end.foreign_torn:
        return Verdict(corruption=end.reason)
    if end.foreign_torn and not is_last:
        return Verdict(corruption=f"{end.reason}, yet another segment follows")
    torn = "a stock server's own rule for the end of its log" if end.foreign_torn else ""
    return Verdict(torn=torn, clean=not end.foreign_torn, settle=True)


def read_up_to(file: File, segment: ManifestFile, *, is_last: bool) -> int | None:
    """The size at which reading a segment stops: its seal; None for all of it.

    What follows the seal of the last segment is read only if a stock server appended it: plain RESP, or its own
    annotation, stands there.  A cut tail that a crash kept from being trimmed begins with a frame of ours, or zeros.
    """
    if segment.bytes is None:
        return None
    if is_last and file.read_at(4, segment.bytes).startswith((b"*", b"#TS:")):
        return None
    return segment.bytes
