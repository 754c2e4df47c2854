"""Breaks of the dances with files and names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import durakv.directory
import durakv.image
import durakv.log.segment
import durakv_formats.frame
from durakv.image import Image
from durakv.log.segment import Segment
from durakv.machine import StateMachine
from durakv.rewrite import Rewrite
from durakv.rewrite_base import remove
from durakv.snapshot.writer import BaseFile
from durakv.storage.filesystem import File, Filesystem
from durakv_formats.checksum import crc32c
from durakv_fuzz.mutants.mutant import Mutants, Patch

mutants = Mutants()


@mutants("LMDB, RocksDB, LevelDB, ZODB: the directory entry of the file they create is never synced")
def no_directory_sync_after_create() -> list[Patch]:
    """The manifest names a new segment whose own name may not survive."""

    def broken(filesystem: Filesystem, name: str, size: int) -> File:
        file = filesystem.create(name)
        file.write_at(bytes(size), 0)
        file.sync()
        return file

    return [Patch(durakv.log.segment, "create_zeroed", broken)]


@mutants("a pointer file that names its target before the target's header is on disk")
def opening_frame_not_synced() -> list[Patch]:
    """The manifest names a new segment whose first frame is only in the page cache."""
    start = Segment.start

    def broken(self: Segment, *, seq: int, retired: int, synced_seq: int, identity: int) -> None:
        file = self.file
        file.write_through = file.write_at  # type: ignore[method-assign]
        try:
            start(self, seq=seq, retired=retired, synced_seq=synced_seq, identity=identity)
        finally:
            del file.write_through

    return [Patch(Segment, "start", broken)]


@mutants("the empty file after a crash: write, rename, no fsync between (ext4 delayed allocation, 2009)")
def manifest_not_synced_before_rename() -> list[Patch]:
    """The new manifest takes its name before its content is synced."""

    def broken(filesystem: Filesystem, name: str, temporary: str, data: bytes) -> None:
        _write_temporary(filesystem, temporary, data, synced=False)
        filesystem.rename(temporary, name)
        filesystem.sync_directory()

    return [Patch(durakv.directory, "atomic_replace", broken)]


@mutants("redis#3487, redis#10737: a rewritten log renamed without a directory sync; all since is lost")
def no_directory_sync_after_rename() -> list[Patch]:
    """The new manifest is relied on although its rename may not survive."""

    def broken(filesystem: Filesystem, name: str, temporary: str, data: bytes) -> None:
        _write_temporary(filesystem, temporary, data, synced=True)
        filesystem.rename(temporary, name)

    return [Patch(durakv.directory, "atomic_replace", broken)]


@mutants("persist-queue #180: a state file overwritten where it is, unreadable after a power cut")
def manifest_written_in_place() -> list[Patch]:
    """The manifest is overwritten where it is."""

    def broken(filesystem: Filesystem, name: str, _temporary: str, data: bytes) -> None:
        file = filesystem.open(name, writable=True) if name in filesystem.list() else filesystem.create(name)
        file.write_at(data, 0)
        file.truncate(len(data))
        file.sync()
        file.close()
        filesystem.sync_directory()

    return [Patch(durakv.directory, "atomic_replace", broken)]


@mutants("LevelDB before 1.23 (8f18614): CURRENT names a MANIFEST that was never synced")
def base_published_before_it_is_synced() -> list[Patch]:
    """A new base is published while its content is only in the page cache."""
    finish = BaseFile.finish

    def broken(self: BaseFile, tail: bytes) -> int:
        real, self._file.sync = self._file.sync, lambda: None  # type: ignore[method-assign]
        try:
            return finish(self, tail)
        finally:
            self._file.sync = real  # type: ignore[method-assign]

    return [Patch(BaseFile, "finish", broken)]


@mutants("Redis 6.2: a rewrite is relied on before the directory knows its name")
def base_published_before_its_name_is_durable() -> list[Patch]:
    """The manifest names a new base whose rename may not survive."""

    def broken(_self: Rewrite) -> None:
        return

    return [Patch(Rewrite, "_sync_directory", broken)]


@mutants("compactions that delete their inputs before the output is in force")
def old_files_removed_before_the_swap() -> list[Patch]:
    """A rewrite removes the old base and log, and then publishes the new base."""
    swap = Rewrite._swap

    def broken(self: Rewrite, number: int, seq: int, names: set[str], suffix: str) -> None:
        for name in sorted(names):
            remove(self._filesystem, name)
        swap(self, number, seq, names, suffix)

    return [Patch(Rewrite, "_swap", broken)]


@mutants("redis#14372, valkey#2627: what a snapshot holds is logged again behind it; INCR counts twice")
def base_frozen_too_late() -> list[Patch]:
    """The image of a machine is taken when it is first needed, not when the log was rotated."""

    def broken(machine: StateMachine) -> Image:
        def blocks() -> Iterator[tuple[int, bytes, int]]:
            for chunk in machine.freeze():
                yield 0, chunk, 1

        return Image("chunks", 1, blocks())

    return [Patch(durakv.image, "freeze", broken)]


@mutants("etcd's log: the checksum covers the data, but neither type nor length of a record")
def checksum_without_the_header() -> list[Patch]:
    """A frame's checksum covers its payload alone."""
    checksum = crc32c

    def broken(data: bytes, seed: int = 0) -> int:
        del seed
        return checksum(data)

    return [Patch(durakv_formats.frame, "crc32c", broken)]


def _write_temporary(filesystem: Filesystem, temporary: str, data: bytes, *, synced: bool) -> None:
    with contextlib.suppress(FileNotFoundError):
        filesystem.remove(temporary)
    file = filesystem.create(temporary)
    file.write_at(data, 0)
    if synced:
        file.sync()
    file.close()
