"""Breaks of the rewrite: what a merge leaves out or takes twice, and what meets it half-way."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence

import durakv.merge
import durakv.rewrite
import durakv.stock_base
from durakv.directory import replace_base
from durakv.keyspace.kinds.list import List
from durakv.keyspace.pending import Pending
from durakv.log.reader import Record, SegmentEnd, read_segment
from durakv.machine import Batch, Command, Merger
from durakv.merge import SealedFile, load_merger
from durakv.merge import _Merge as Merge  # pyright: ignore[reportPrivateUsage]
from durakv.rewrite import Rewrite
from durakv.snapshot.reader import BaseReader
from durakv.stock_base import rdb_facts
from durakv.storage.filesystem import File
from durakv_formats.manifest import Manifest, ManifestFile
from durakv_formats.rdb import Aux
from durakv_formats.snapshot import StoredBlock
from durakv_fuzz.mutants.mutant import Mutants, Patch

mutants = Mutants()


@mutants("off by one at the end of an input: the classic of merges and compactions")
def merge_drops_the_last_batch() -> list[Patch]:
    """The last batch of each segment is not merged."""

    def broken(
        file: File,
        *,
        identity: int | None,
        number: int,
        prior: int,
        stop: int | None = None,
        start: int = 0,
        until: int | None = None,
    ) -> Generator[Record, None, SegmentEnd]:
        records = read_segment(file, identity=identity, number=number, prior=prior, stop=stop, start=start, until=until)
        before: Record | None = None
        while True:
            try:
                record = next(records)
            except StopIteration as finished:
                end: SegmentEnd = finished.value
                return end
            if before is not None:
                yield before
            before = record

    return [Patch(durakv.merge, "read_runs", broken)]


@mutants("tombstones lost in a compaction: what was deleted as a whole is back")
def flush_ignored_in_a_merge() -> list[Patch]:
    """A merge passes over the command that empties the machine."""

    def broken(where: str) -> Merger:
        return _WithoutFlushes(load_merger(where))

    return [Patch(durakv.merge, "load_merger", broken)]


class _WithoutFlushes:
    """A merger that never hears of a FLUSHDB."""

    def __init__(self, merger: Merger) -> None:
        self.slot_count = merger.slot_count
        self._merger = merger

    def select(self, first: int, last: int, /) -> None:
        self._merger.select(first, last)

    def collect(self, commands: Batch, /) -> None:
        self._merger.collect([command for command in commands if command[0] != b"FLUSHDB"])

    def touched(self) -> Iterable[int]:
        return self._merger.touched()

    def merge(self, slot: int, payloads: Sequence[bytes], /) -> Iterator[tuple[bytes, int]]:
        return iter(self._merger.merge(slot, payloads))


@mutants("tombstones within a value lost in a compaction: removed elements of a collection are back")
def removals_inside_a_value_forgotten_by_a_merge() -> list[Patch]:
    """A merge passes over what takes elements out of a container."""
    add = Pending.add

    def broken(self: Pending, command: Command) -> None:
        if command[0] not in (b"HDEL", b"LPOP", b"SREM", b"ZREM", b"XTRIM"):
            add(self, command)

    return [Patch(Pending, "add", broken)]


@mutants("a codec whose reader and writer disagree about the order: stacks for queues")
def lists_loaded_backwards() -> list[Patch]:
    """The elements of a list come out of a base in the opposite order."""

    def broken(cls: type[List], plain: list[bytes]) -> List:
        return cls(plain[::-1])

    return [Patch(List, "from_plain", classmethod(broken))]


@mutants("a dump whose position in the log is noted one off: the last command is applied again, or never")
def rdb_base_one_command_behind() -> list[Patch]:
    """A base in RDB format says that it ends one command earlier than it does."""

    def broken(*, identity: bytes, number: int, seq: int) -> list[Aux]:
        return rdb_facts(identity=identity, number=number, seq=seq - 1)

    return [Patch(durakv.stock_base, "rdb_facts", broken)]


@mutants("a compaction that writes what changed, and forgets to copy what did not")
def untouched_slot_dropped() -> list[Patch]:
    """The blocks of slots that the log does not touch are left out of the new base."""

    def broken(self: Merge, end: int) -> Generator[float, None, None]:
        while self._block is not None and self._block.slot < end:
            self._advance()
        yield from ()

    return [Patch(Merge, "_copy", broken)]


@mutants("an iterator that is at its end when the second pass begins")
def log_read_in_the_first_pass_only() -> list[Patch]:
    """A merge in several passes reads the log in the first of them."""
    collect = Merge._collect

    def broken(self: Merge, sealed: SealedFile) -> Generator[float, None, None]:
        if self._log_read < self._task.log_bytes:
            yield from collect(self, sealed)

    return [Patch(Merge, "_collect", broken)]


@mutants("recovery that replays a log which its snapshot covers: lists grow, counters count twice")
def log_replayed_behind_its_base() -> list[Patch]:
    """A base is published, and the log it was made of stays in force."""

    swap = Rewrite._swap

    def broken(self: Rewrite, number: int, seq: int, names: set[str], suffix: str) -> None:
        log = {file.name for file in self._directory.manifest.segments}
        names -= log
        swap(self, number, seq, names, suffix)

    return [Patch(Rewrite, "_swap", broken)]


@mutants("the lost update: two threads change one manifest, and the second never saw what the first one did")
def rotation_forgotten_by_a_rewrite() -> list[Patch]:
    """A rewrite publishes the manifest that it began with, plus its base."""
    sealed = durakv.rewrite._sealed  # pyright: ignore[reportPrivateUsage]
    begun: dict[int, Manifest] = {}

    def broken_sealed(manifest: Manifest, seq: int) -> tuple[list[ManifestFile], list[SealedFile]]:
        begun[seq] = manifest
        return sealed(manifest, seq)

    def broken_swap(self: Rewrite, number: int, seq: int, names: set[str], _suffix: str) -> None:
        self._directory.swap(lambda _now: replace_base(begun[seq], number, last=seq, replaced=names), synced_seq=seq)

    return [Patch(durakv.rewrite, "_sealed", broken_sealed), Patch(Rewrite, "_swap", broken_swap)]


@mutants("off by one at the beginning of an input: the header's reader has taken the first block with it")
def first_block_of_a_base_skipped() -> list[Patch]:
    """The first block of every base is passed over when it is loaded."""
    blocks = BaseReader.__iter__

    def broken(self: BaseReader) -> Iterator[StoredBlock]:
        found = blocks(self)
        next(found, None)
        return found

    return [Patch(BaseReader, "__iter__", broken)]
