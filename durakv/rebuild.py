"""A manifest from the files alone, for a directory that lost its own; part of repair, and only on request.

Every file of ours says which directory it belongs to and where in it, so the chain can be found again:

    base        the whole one that reaches furthest
    segments    in the order of their numbers, each opening where the one before it ended

Nothing else is taken in: a gap ends the chain, and files of two directories end the attempt.  What cannot be known is
what the lost manifest promised, and whether it named a file that is gone as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from durakv.directory import MANIFEST_NAME, is_ours
from durakv.errors import Corruption, UnsupportedVersion
from durakv.log.reader import SegmentEnd, read_runs
from durakv.snapshot.reader import read_base
from durakv.storage.filesystem import Filesystem
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.frame import HEADER_BYTES, Frame, FrameDecoder, FrameError
from durakv_formats.manifest import Manifest, ManifestFile
from durakv_formats.snapshot import SnapshotHeader

_BASE = re.compile(r"appendonly\.aof\.[1-9][0-9]{0,8}\.base\.dkv")
_SEGMENT = re.compile(r"appendonly\.aof\.([1-9][0-9]{0,8})\.incr\.aof")


@dataclass(slots=True, kw_only=True)
class Rebuilt:
    """What the files alone prove."""

    manifest: Manifest
    last: int
    """The number at which the chain ends."""
    promise: int
    """The last number that a frame anywhere in the directory vouches for."""
    seen: int
    """The last number met in any file, in the chain or not."""
    tail: SegmentEnd | None
    """How the last segment of the chain ended."""
    cut: tuple[str, ...]
    """Segments of the chain behind whose good part something else stands."""
    left_out: tuple[str, ...]
    """Files of the store that the chain does not need, or does not reach."""


@dataclass(slots=True)
class _Files:
    bases: list[tuple[str, SnapshotHeader]] = field(default_factory=list[tuple[str, SnapshotHeader]])
    segments: list[tuple[str, Frame]] = field(default_factory=list[tuple[str, Frame]])


def rebuild_manifest(filesystem: Filesystem, entropy: Callable[[int], bytes]) -> Rebuilt:
    """Find the chain; reads only.

    Raises Corruption, telling why, if there is none that can be proven; UnsupportedVersion or ``OSError`` for a file.
    """
    names = [name for name in filesystem.list() if is_ours(name)]
    names = [name for name in names if not name.startswith("temp-") and name != MANIFEST_NAME]
    files = _look(filesystem, names)
    identity = _identity(files, entropy)
    chain: list[ManifestFile] = []
    last = promise = seen = 0
    if files.bases:
        name, header = max(files.bases, key=lambda base: base[1].seq)
        last = header.seq
        chain.append(ManifestFile(name, header.number, "b", last=last))
    tail: SegmentEnd | None = None
    cut: list[str] = []
    for name, opening in files.segments:
        prior = opening.seq - opening.count
        end = _read(filesystem, name, opening)
        promise = max(promise, end.promise)
        seen = max(seen, end.last)
        if prior == last:
            tail, last = end, end.last
            chain.append(ManifestFile(name, opening.segment, "i", first=end.first, last=last, bytes=end.offset))
            if end.damage_bytes or end.foreign_torn:
                cut.append(name)
        elif prior > last and tail is None:
            raise _refusal(f"the log begins behind number {prior}, and no base reaches further than {last}")
    if not chain:
        raise _refusal("no base and no first segment is there to begin with")
    named = {entry.name for entry in chain}
    return Rebuilt(
        manifest=Manifest(identity, 0, 0, tuple(chain)),
        last=last,
        promise=promise,
        seen=max(seen, last, promise),
        tail=tail,
        cut=tuple(cut),
        left_out=tuple(name for name in names if name not in named),
    )


def _look(filesystem: Filesystem, names: Iterable[str]) -> _Files:
    """The bases that are whole, and the segments that have an opening frame, by number."""
    files = _Files()
    for name in names:
        if _BASE.fullmatch(name):
            header = _whole_base(filesystem, name)
            if header is not None:
                files.bases.append((name, header))
        elif (match := _SEGMENT.fullmatch(name)) is not None:
            opening = _opening(filesystem, name, int(match[1]))
            if opening is not None:
                files.segments.append((name, opening))
    files.segments.sort(key=lambda segment: segment[1].segment)
    return files


def _whole_base(filesystem: Filesystem, name: str) -> SnapshotHeader | None:
    try:
        with read_base(filesystem, name) as reader:
            for block in reader:
                block.payload()
            return reader.header
    except (Corruption, FormatError):
        return None  # it is left out, and the chain has to do without it


def _opening(filesystem: Filesystem, name: str, number: int) -> Frame | None:
    file = filesystem.open(name)
    try:
        decoder = FrameDecoder(None, number)
        decoder.feed(file.read_at(HEADER_BYTES, 0))
        frame = decoder.next_frame()
    except FrameError as error:
        if error.kind == "foreign":
            raise _refusal(
                f"{name} was written by a stock server, and its commands do not say where they belong"
            ) from error
        return None
    except UnsupportedVersionError as error:
        raise UnsupportedVersion(name, error.version, "Open it with the version that wrote it") from error
    finally:
        file.close()
    return frame if frame is not None and frame.is_opening else None


def _identity(files: _Files, entropy: Callable[[int], bytes]) -> bytes:
    whole = {header.identity for _, header in files.bases}
    short = {opening.identity for _, opening in files.segments} | {int.from_bytes(item[:8], "big") for item in whole}
    if len(whole) > 1 or len(short) > 1:
        raise _refusal("the files belong to more than one directory")
    if not short:
        raise _refusal("no file says which directory it belongs to")
    # Frames carry only half of the identity.  Without a base nothing carries the rest, so it may be new.
    return whole.pop() if whole else short.pop().to_bytes(8, "big") + entropy(8)


def _read(filesystem: Filesystem, name: str, opening: Frame) -> SegmentEnd:
    file = filesystem.open(name)
    try:
        prior = opening.seq - opening.count
        records = read_runs(file, identity=opening.identity, number=opening.segment, prior=prior)
        while True:
            try:
                next(records)
            except StopIteration as finished:
                end: SegmentEnd = finished.value
                return end
    finally:
        file.close()


def _refusal(reason: str) -> Corruption:
    return Corruption(
        MANIFEST_NAME, 0, f"the manifest cannot be rebuilt from the files: {reason}", "Restore it from a copy"
    )
