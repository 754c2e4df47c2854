"""Becoming the writer of a recovered directory.

    settle    makes what was recovered durable, and opens a new segment behind it in one manifest swap
    tidy      trims the cut tail and removes debris, which a crash may skip harmlessly

Every open starts a segment of its own, so no byte written by an earlier owner is ever appended to (C11), and the cut,
the numbers that are retired and the new segment come into force together.
"""

from __future__ import annotations

import contextlib

from durakv import journal
from durakv.directory import (
    MANIFEST_TEMPORARY,
    Directory,
    add_segment,
    debris,
    next_segment_number,
    read_manifest,
    seal,
)
from durakv.errors import DurakvError
from durakv.log.segment import OPENING_BYTES_MAX, Segment, prepare_segment
from durakv.recovery import Recovered
from durakv.report import RecoveryReport
from durakv.storage.filesystem import Filesystem
from durakv_formats.manifest import Manifest


def settle(filesystem: Filesystem, found: Recovered, capacity: int) -> tuple[Directory, Segment]:
    """Make the recovered state durable and open a new segment behind it.

    Until the manifest swap nothing that counts has changed; a crash before it leaves debris.
    """
    if found.tail is not None:
        _rewrite_tail(filesystem, *found.tail)
    directory = Directory(filesystem, found.manifest)
    # Looked for now, because an open that still can be refused changes nothing, and listing takes descriptors.
    # (What was to become the very first manifest is not debris: it is finished.)
    first = MANIFEST_TEMPORARY if found.report.created else ""
    stale = [name for name in debris(filesystem, found.manifest) if name != first]
    if not found.manifest.files:
        # First an empty manifest: from here on a segment without a manifest is a loss, never a beginning.  One that is
        # there may be in the page cache alone, after a failed sync of the directory that no later one makes good.
        directory.swap(lambda manifest: manifest, synced_seq=0)
    else:
        for name in found.sealed:
            _sync(filesystem, name)
        # What the old manifest says may still be only in the page cache; so may the entries of the files it names.
        filesystem.sync_directory()
    segment = prepare_segment(
        filesystem, next_segment_number(filesystem, found.manifest), min(capacity, OPENING_BYTES_MAX)
    )
    found.report.retired = found.seq_max - found.seq
    if found.report.retired:
        found.retired.append((found.seq + 1, found.seq_max))

    def change(manifest: Manifest) -> Manifest:
        for name, (last, size) in found.sealed.items():
            manifest = seal(manifest, name, last=last, size=size)
        return add_segment(manifest, segment.number, first=segment.first, capacity=segment.capacity)

    try:
        found.debris = [name for name in stale if name != segment.name]
        segment.start(
            seq=found.seq_max, retired=found.report.retired, synced_seq=found.seq, identity=directory.identity
        )
        directory.swap(change, synced_seq=found.seq)
    except BaseException:
        segment.file.close()
        _remove_unnamed(filesystem, segment.name)
        raise
    return directory, segment


def tidy(filesystem: Filesystem, found: Recovered) -> None:
    """Trim what was cut, now or by an owner that died before it did, and remove debris."""
    for name, size in [(name, size) for name, (_, size) in found.sealed.items()] + [*found.untrimmed.items()]:
        file = filesystem.open(name, writable=True)
        try:
            if file.size() > size:
                file.truncate(size)
                file.sync()
        finally:
            file.close()
    for name in found.debris:
        if name != MANIFEST_TEMPORARY:  # the swap has replaced that one
            # The child that merges for an owner which was killed may be removing its own at this moment.
            with contextlib.suppress(FileNotFoundError):
                filesystem.remove(name)
    if found.debris:
        filesystem.sync_directory()
    found.report.debris = tuple(found.debris)
    _report(filesystem.describe(), found.report)


def _report(directory: str, report: RecoveryReport) -> None:
    """Tell what was found: a cut may have cost somebody a write, everything else has not."""
    cut = None if report.cut is None else str(report.cut)
    for line in report.lines():
        if line == cut:
            tell, event = journal.warning, "cut"
        else:
            tell, event = journal.info, "recovered"
        tell("%s: %s", directory, line, about="recovery", event=event, directory=directory, report=report.to_dict())


def _rewrite_tail(filesystem: Filesystem, name: str, start: int, stop: int) -> None:
    """Write the part of the log that no promise covers again, as it is.

    Its last owner may have died of a failed fsync, after which the kernel shows pages that are not on disk and are
    not dirty either; an fsync alone would succeed and prove nothing (F5, C7).  Writing the same bytes makes them
    dirty, and a crash in the middle changes nothing.
    """
    file = filesystem.open(name, writable=True)
    try:
        position = start
        while position < stop:
            data = file.read_at(min(_CHUNK_BYTES, stop - position), position)
            if not data:
                break
            file.write_at(data, position)
            position += len(data)
    finally:
        file.close()


def _remove_unnamed(filesystem: Filesystem, name: str) -> None:
    """Remove a segment unless the manifest on disk names it: an open that is refused leaves everything as it was.

    Tidiness only; the next open would remove it as debris.
    """
    with contextlib.suppress(OSError, DurakvError):
        manifest = read_manifest(filesystem)
        if manifest is None or all(file.name != name for file in manifest.files):
            filesystem.remove(name)


def _sync(filesystem: Filesystem, name: str) -> None:
    file = filesystem.open(name, writable=True)
    try:
        file.sync()
    finally:
        file.close()


_CHUNK_BYTES = 1 << 20
