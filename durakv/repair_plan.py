"""What a repair would do and what would be lost by it; reads only (specs/06-repair.md).

What is kept is the largest prefix that can be proven: the files in their order up to the first damage, and of the
damaged segment what stands before it.  What follows cannot be proven to follow, so it is taken out whole.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from durakv.directory import drop_files
from durakv.errors import Corruption
from durakv.log.segment import numbers_given_out_max
from durakv.options import SEGMENT_BYTES_MAX
from durakv.rebuild import rebuild_manifest
from durakv.recovery import Recovered, adopt, identity_of
from durakv.report import RecoveryReport
from durakv.storage.filesystem import Filesystem
from durakv.verification import FileCheck, Finding, Severity, Verification
from durakv.verify import Progress, verify
from durakv_formats.manifest import Manifest


class Remedy(StrEnum):
    """What a repair comes to."""

    NOTHING = "nothing"
    """There is nothing to repair."""

    CUT = "cut"
    """A torn tail is cut; nothing that was promised is lost."""

    DISCARD = "discard"
    """Promised data is lost; done only on request."""

    IMPOSSIBLE = "impossible"
    """No prefix can be proven; only a copy helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RepairPlan:
    """What a repair would do, and what would be lost by it."""

    remedy: Remedy
    verification: Verification
    reason: str = ""
    """What is wrong."""
    loss: str = ""
    """What would be lost."""
    advice: str = ""
    """What to do where nothing can be repaired."""
    keep_seq: int = 0
    """The repaired state is that after this number."""
    retire_seq: int = 0
    """Numbers up to this one are never given out again."""
    cut: tuple[str, ...] = ()
    """Segments of which only the good part stays."""
    left_out: tuple[str, ...] = ()
    """Files that are taken out of the store."""
    found: Recovered | None = None
    """What becomes the truth, as a recovery would have found it."""

    def lines(self) -> list[str]:
        """The plan for people."""
        if self.remedy is Remedy.NOTHING:
            return ["nothing to repair"]
        lines = [f"found: {self.reason}"]
        if self.remedy is Remedy.IMPOSSIBLE or self.found is None:
            return [*lines, self.advice]
        lines.extend(f"cut: {name} at byte {self.found.sealed[name][1]}" for name in self.cut)
        lines.extend(f"take out: {name}" for name in self.left_out)
        lines.append(f"keep: everything up to number {self.keep_seq}")
        lines.append(f"lose: {self.loss}")
        return [*lines, f"retire: numbers {self.keep_seq + 1} to {self.retire_seq}"]


def plan_repair(
    filesystem: Filesystem,
    *,
    entropy: Callable[[int], bytes] = os.urandom,
    progress: Progress | None = None,
) -> RepairPlan:
    """Find out what a repair would do and what would be lost; writes nothing and takes no lock."""
    verification = verify(filesystem, progress)
    unchecked = verification.first(Severity.UNCHECKED)
    damage = verification.first(Severity.CORRUPTION) or verification.first(Severity.TORN)
    if unchecked is not None:
        return _impossible(verification, str(unchecked), "what cannot be checked cannot be repaired; make it readable")
    if damage is None:
        return RepairPlan(remedy=Remedy.NOTHING, verification=verification)
    if verification.manifest is None:
        return _plan_without_manifest(filesystem, verification, damage, entropy)
    if any(verification.severity_of(base.entry.name) > Severity.NOTE for base in verification.files if base.is_base):
        return _impossible(verification, str(damage))
    return _plan(verification.manifest, verification, damage, entropy)


def _plan(
    manifest: Manifest, verification: Verification, damage: Finding, entropy: Callable[[int], bytes]
) -> RepairPlan:
    kept, cut, left_out = _divide(verification)
    is_torn = damage.severity is Severity.TORN
    found = _found(manifest, kept, cut, left_out, entropy)
    found.seq = (kept[-1].last or 0) if kept else 0
    found.seq_max = _numbers_given_out(verification, found.seq, is_torn=is_torn)
    return RepairPlan(
        remedy=Remedy.CUT if is_torn else Remedy.DISCARD,
        verification=verification,
        reason=str(damage),
        loss=_loss_of_tail(cut) if is_torn else _loss(verification, found.seq, cut, left_out),
        keep_seq=found.seq,
        retire_seq=found.seq_max,
        cut=() if cut is None else (cut.entry.name,),
        left_out=tuple(check.entry.name for check in left_out),
        found=found,
    )


def _divide(verification: Verification) -> tuple[list[FileCheck], FileCheck | None, list[FileCheck]]:
    """The files that stay; the one among them that is cut; the files that go."""
    kept: list[FileCheck] = []
    cut: FileCheck | None = None
    left_out: list[FileCheck] = []
    for check in verification.files:
        end = check.end
        if left_out or cut is not None:
            left_out.append(check)
        elif verification.severity_of(check.entry.name) <= Severity.NOTE:
            kept.append(check)
        elif end is not None and end.offset > 0 and end.last >= (check.entry.first or 1) - 1:
            cut = check
            kept.append(check)
        else:
            left_out.append(check)
    return kept, cut, left_out


def _found(
    manifest: Manifest,
    kept: Sequence[FileCheck],
    cut: FileCheck | None,
    left_out: Sequence[FileCheck],
    entropy: Callable[[int], bytes],
) -> Recovered:
    """What a recovery would have found if the directory had only ever held what is kept."""
    manifest = drop_files(manifest, {check.entry.name for check in left_out})
    ends = [(check.entry, check.end) for check in kept if check.end is not None]
    if manifest.identity is None:
        sealed = {entry.name: (end.last, end.offset) for entry, end in ends}
        return Recovered(adopt(manifest, sealed, identity_of(ends, entropy)), RecoveryReport(), sealed=sealed)
    found = Recovered(manifest, RecoveryReport())
    for entry, end in ends:
        if entry.kind != "i":
            continue
        is_news = end.last != entry.last or end.offset != entry.bytes
        if is_news or (cut is not None and entry is cut.entry):
            found.sealed[entry.name] = (end.last, end.offset)
        if not entry.sealed:
            found.tail = (entry.name, end.promise_offset, end.offset)
    return found


def _plan_without_manifest(
    filesystem: Filesystem, verification: Verification, damage: Finding, entropy: Callable[[int], bytes]
) -> RepairPlan:
    try:
        rebuilt = rebuild_manifest(filesystem, entropy)
    except Corruption as error:
        return _impossible(verification, f"{damage}, and {error.reason}")
    found = Recovered(rebuilt.manifest, RecoveryReport(), seq=rebuilt.last)
    for entry in rebuilt.manifest.segments:
        assert entry.last is not None
        assert entry.bytes is not None
        found.sealed[entry.name] = (entry.last, entry.bytes)
    if rebuilt.tail is not None:
        found.tail = (rebuilt.manifest.segments[-1].name, rebuilt.tail.promise_offset, rebuilt.tail.offset)
    found.seq_max = numbers_given_out_max(first=rebuilt.seen + 1, capacity=SEGMENT_BYTES_MAX)
    loss = "whatever was promised beyond that, which only the manifest could tell"
    if rebuilt.promise > rebuilt.last:
        loss += f"; the files themselves promise everything up to number {rebuilt.promise}"
    return RepairPlan(
        remedy=Remedy.DISCARD,
        verification=verification,
        reason=str(damage),
        loss=loss,
        keep_seq=rebuilt.last,
        retire_seq=found.seq_max,
        cut=rebuilt.cut,
        left_out=rebuilt.left_out,
        found=found,
    )


def _impossible(
    verification: Verification, reason: str, advice: str = "nothing can be proven; restore the directory from a copy"
) -> RepairPlan:
    return RepairPlan(remedy=Remedy.IMPOSSIBLE, verification=verification, reason=reason, advice=advice)


def _numbers_given_out(verification: Verification, keep_seq: int, *, is_torn: bool) -> int:
    """The highest number that anybody can have been told."""
    highest = max(keep_seq, verification.promised_seq)
    for check in verification.files:
        entry = check.entry
        highest = max(highest, entry.last or 0, check.last or 0)
        if entry.kind == "i" and entry.first is not None and not entry.sealed:
            # What is left of a damaged segment does not say how large it was.
            capacity = max(check.size, entry.capacity or 0) if is_torn else SEGMENT_BYTES_MAX
            highest = max(highest, numbers_given_out_max(first=entry.first, capacity=capacity))
    return highest


def _loss_of_tail(cut: FileCheck | None) -> str:
    assert cut is not None, "a torn tail is cut"
    assert cut.end is not None, "a torn tail was read"
    size = cut.end.damage_bytes or cut.end.size - cut.end.offset
    return f"nothing that was promised as synced; {size} bytes from number {cut.end.last + 1} on"


def _loss(verification: Verification, keep_seq: int, cut: FileCheck | None, left_out: Sequence[FileCheck]) -> str:
    promised = verification.promised_seq
    written = max([promised, *(max(check.entry.last or 0, check.last or 0) for check in verification.files)])
    parts: list[str] = []
    if written > keep_seq:
        parts.append(f"numbers {keep_seq + 1} to {written}")
    if promised > keep_seq:
        parts.append(f"promised as synced up to {promised}")
    if cut is not None and cut.end is not None:
        parts.append(f"{cut.entry.name} from byte {cut.end.offset} on")
    parts.extend(f"all of {check.entry.name}" for check in left_out)
    return ", ".join(parts)
