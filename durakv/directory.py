"""The data directory: its names, its lock, its manifest, and the one way the manifest changes.

    appendonlydir/
        appendonly.aof.manifest         which files count, in which order, and what is promised of them
        appendonly.aof.<N>.base.dkv     the base
        appendonly.aof.<N>.incr.aof     the segments of the log
        temp-appendonly.aof.*           being written; debris after a crash
        durakv.lock                     held by the one owner (C10)

A file counts only while the manifest names it, and the manifest is only ever replaced whole, so every change of the
directory (rotation, publication of a base, cut, clean close) takes effect in one rename.
"""

from __future__ import annotations

import errno
import re
import threading
from collections.abc import Callable

from msgspec.structs import replace

from durakv.errors import Corruption, DirectoryError, DiskFull, Locked, UnsupportedVersion
from durakv.storage.filesystem import Filesystem, Lock
from durakv.storage.remedies import REMEDIES, describe_failure
from durakv.storage.replace import atomic_replace
from durakv_formats.errors import FormatError, UnsupportedVersionError
from durakv_formats.limits import MANIFEST_BYTES_MAX
from durakv_formats.manifest import Manifest, ManifestFile, decode_manifest, encode_manifest

APPEND_DIRECTORY = "appendonlydir"
MANIFEST_NAME = "appendonly.aof.manifest"
MANIFEST_TEMPORARY = "temp-appendonly.aof.manifest"
SINGLE_NAME = "appendonly.aof"
"""What servers before Redis 7 call their log, and later ones the base that they make of it."""
LOCK_NAME = "durakv.lock"
NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})

_OURS = ("appendonly.aof.", "temp-appendonly.aof.")
_SEGMENT = re.compile(r"appendonly\.aof\.(\d{1,9})\.incr\.aof")
_BASE = re.compile(r"(?:temp-)?appendonly\.aof\.(\d{1,9})\.base\..+")


def segment_name(number: int) -> str:
    """The name of the log segment with this number."""
    return f"appendonly.aof.{number}.incr.aof"


def base_name(number: int, suffix: str = "dkv") -> str:
    """The name of the base with this number: ``dkv`` in our own format, ``rdb`` in that of stock servers."""
    return f"appendonly.aof.{number}.base.{suffix}"


def base_temporary(number: int, suffix: str = "dkv") -> str:
    """The name under which a base is written before it is published."""
    return f"temp-{base_name(number, suffix)}"


def is_ours(name: str) -> bool:
    """Whether a file of that name belongs to the store, named by the manifest or not."""
    return name.startswith(_OURS) and name not in _OURS


class Directory:
    """The manifest in force, and its replacement.

    Thread-safe: the commit pipeline rotates while a rewrite publishes; each gets the other's manifest.
    """

    def __init__(self, filesystem: Filesystem, manifest: Manifest) -> None:
        self.filesystem = filesystem
        self._manifest = manifest
        self._lock = threading.Lock()
        self.lock: Lock | None = None
        """The owner's lock, held here as well: an engine may be thrown away while something of it can still write."""

    @property
    def manifest(self) -> Manifest:
        """The manifest in force."""
        return self._manifest

    @property
    def identity(self) -> int:
        """The 64 bits of the directory's identity that every frame carries (C11)."""
        return frame_identity(self._manifest)

    def swap(self, change: Callable[[Manifest], Manifest], *, synced_seq: int) -> Manifest:
        """Replace the manifest by ``change(manifest)``; when it returns the new one survives a power loss.

        ``synced_seq`` is promised in it.  Raises DiskFull if there was no room and the old manifest is still in
        force; any other ``OSError`` means that either of the two may be what a crash leaves.
        """
        with self._lock:
            old = self._manifest
            new = change(old)
            promise = max(old.synced_seq, synced_seq)
            new = replace(new, generation=old.generation + 1, synced_seq=promise)
            try:
                atomic_replace(self.filesystem, MANIFEST_NAME, MANIFEST_TEMPORARY, encode_manifest(new))
            except OSError as failure:
                if failure.errno in NO_SPACE and self._still(old):
                    raise DiskFull(f"{self.filesystem.describe()}: no room for a new manifest") from failure
                raise
            self._manifest = new
            return new

    def _still(self, manifest: Manifest) -> bool:
        # The rename never happened if the file still reads as the old manifest: then nothing of the new one can
        # come out of a crash, and the caller may go on as if the swap had not been tried.
        try:
            return read_manifest(self.filesystem) == manifest
        except (OSError, Corruption, UnsupportedVersion):
            return False


def frame_identity(manifest: Manifest) -> int:
    """The first 64 bits of the identity, as frames carry it."""
    assert manifest.identity is not None, "only a directory of ours has segments of ours"
    return int.from_bytes(manifest.identity[:8], "big")


def take_lock(filesystem: Filesystem) -> Lock:
    """Become the owner of the directory, or raise Locked (C10)."""
    try:
        return filesystem.lock(LOCK_NAME)
    except BlockingIOError as failure:
        raise Locked(
            f"{filesystem.describe()} is open in another process or engine; "
            "close it there, or open a copy (a dead owner never blocks)"
        ) from failure


def read_manifest(filesystem: Filesystem) -> Manifest | None:
    """The manifest on disk, checked; None if there is none."""
    try:
        file = filesystem.open(MANIFEST_NAME)
    except FileNotFoundError:
        return None
    try:
        size = file.size()
        if size > MANIFEST_BYTES_MAX:
            raise Corruption(MANIFEST_NAME, MANIFEST_BYTES_MAX, f"the manifest is {size} bytes long", _REMEDY)
        data = file.read_at(size, 0)
    finally:
        file.close()
    try:
        manifest = decode_manifest(data)
    except UnsupportedVersionError as error:
        raise UnsupportedVersion(MANIFEST_NAME, error.version, "Open it with the version that wrote it") from error
    except FormatError as error:
        raise Corruption(MANIFEST_NAME, error.offset, error.reason, _REMEDY) from error
    check_manifest(manifest)
    return manifest


def check_manifest(manifest: Manifest) -> None:
    """Refuse a manifest that contradicts itself."""

    def lie(reason: str) -> Corruption:
        return Corruption(MANIFEST_NAME, 0, reason, _REMEDY)

    for file in manifest.files:
        if (
            not (is_ours(file.name) or file.name == SINGLE_NAME)
            or file.name.startswith("temp-")
            or file.name == MANIFEST_NAME
        ):
            raise lie(f"it names {file.name!r}, which is no name of a base or segment")
    names = [file.name for file in manifest.files]
    if len(set(names)) != len(names):
        raise lie("it names one file twice")
    if manifest.identity is None:
        return
    last = 0
    if manifest.base is not None:
        if manifest.base.last is None:
            raise lie(f"it does not say up to which command {manifest.base.name} reaches")
        last = manifest.base.last
    for index, segment in enumerate(manifest.segments):
        if segment.first is None or segment.first <= last:
            raise lie(f"{segment.name} does not follow the file before it")
        if not segment.sealed:
            if index != len(manifest.segments) - 1:
                raise lie(f"{segment.name} is not sealed, yet it is not the last segment")
            continue
        assert segment.last is not None
        if segment.bytes is None or segment.last < segment.first - 1:
            raise lie(f"{segment.name} is sealed, but its end makes no sense")
        last = segment.last


def check_orphans(filesystem: Filesystem) -> None:
    """Without a manifest there must be no file that one would name."""
    for name in filesystem.list():
        if is_ours(name) and not name.startswith("temp-"):
            raise Corruption(
                MANIFEST_NAME,
                0,
                f"the manifest is missing, but {name} is there",
                "Restore the manifest from a copy, or move the file away to start empty",
            )


def debris(filesystem: Filesystem, manifest: Manifest) -> list[str]:
    """Files of ours that the manifest does not name: left by a crash, worth nothing."""
    named = {file.name for file in manifest.files} | {MANIFEST_NAME}
    return [name for name in filesystem.list() if is_ours(name) and name not in named]


def next_segment_number(filesystem: Filesystem, manifest: Manifest) -> int:
    """A segment number that no file has, named or debris, and that exceeds all before it."""
    numbers = [file.seq for file in manifest.files if file.kind == "i"]
    for name in filesystem.list():
        match = _SEGMENT.fullmatch(name)
        if match is not None:
            numbers.append(int(match[1]))
    return max(numbers, default=0) + 1


def next_base_number(filesystem: Filesystem, manifest: Manifest) -> int:
    """A base number that no file has, named or debris or half written, and that exceeds all before it."""
    numbers = [file.seq for file in manifest.files if file.kind == "b"]
    for name in filesystem.list():
        match = _BASE.fullmatch(name)
        if match is not None:
            numbers.append(int(match[1]))
    return max(numbers, default=0) + 1


def empty_manifest(identity: bytes) -> Manifest:
    """The manifest of a new directory."""
    return Manifest(identity=identity, generation=0, synced_seq=0, files=())


def seal(manifest: Manifest, name: str, *, last: int, size: int) -> Manifest:
    """The manifest with this segment sealed: it ends after ``size`` bytes, with command ``last``."""
    files = tuple(
        replace(file, last=last, bytes=size, capacity=None) if file.name == name else file for file in manifest.files
    )
    return replace(manifest, files=files)


def add_segment(manifest: Manifest, number: int, *, first: int, capacity: int) -> Manifest:
    """The manifest with a new open segment behind the others."""
    entry = ManifestFile(name=segment_name(number), seq=number, kind="i", first=first, capacity=capacity)
    return replace(manifest, files=(*manifest.files, entry))


def replace_base(manifest: Manifest, number: int, *, last: int, replaced: set[str], suffix: str = "dkv") -> Manifest:
    """The manifest with a new base in the place of the files that it replaces."""
    entry = ManifestFile(name=base_name(number, suffix), seq=number, kind="b", first=None, last=last, bytes=None)
    return replace(manifest, files=(entry, *(file for file in manifest.files if file.name not in replaced)))


def drop_files(manifest: Manifest, names: set[str]) -> Manifest:
    """The manifest without these files."""
    return replace(manifest, files=tuple(file for file in manifest.files if file.name not in names))


def refuse_missing(filesystem: Filesystem) -> DirectoryError:
    """The error for a directory that is not there."""
    return DirectoryError(f"{filesystem.describe()} does not exist; open it for writing once to create it")


def refuse_failed(filesystem: Filesystem, failure: OSError) -> None:
    """Raise the error for an open that the system refused, if there is something its caller can do about it."""
    if failure.errno in REMEDIES:
        kind = DiskFull if failure.errno in NO_SPACE else DirectoryError
        raise kind(f"{filesystem.describe()} cannot be opened: {describe_failure(failure)}") from failure


_REMEDY = "Restore the manifest from a copy; `durakv verify` lists what the directory holds"
