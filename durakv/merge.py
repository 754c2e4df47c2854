"""The merge behind a rewrite: an old base and the sealed log in, a new base out, a slot at a time.

    for each pass over a range of slots:
        read the sealed log; the merger keeps what concerns the range
        walk the old base: a touched slot is rebuilt, every other block is copied as it is stored

It reads files that no longer change and writes one that nothing names yet, so it needs no lock, may run in any
process, and may be abandoned at any moment.  Memory: one block, one batch of the log, and what the merger kept, which
the number of passes bounds.

Every byte read is verified, and the log must end exactly where the manifest sealed it: a base that silently left
something out would replace the only copy of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from importlib import import_module
from typing import Any

import msgspec

from durakv.directory import base_temporary
from durakv.errors import CommandError, Corruption, DurakvError, UnsupportedVersion
from durakv.log.reader import SegmentEnd, read_runs
from durakv.machine import Merger, Unmergeable
from durakv.snapshot.codec import BaseCodec
from durakv.snapshot.reader import BaseReader, read_base
from durakv.snapshot.writer import BaseWriter
from durakv.storage.filesystem import Filesystem
from durakv_formats.errors import FormatError
from durakv_formats.snapshot import SnapshotHeader, StoredBlock

STEP_BYTES = 64 << 10
"""A step ends after reading, copying or writing about this much."""

STEP_SLOTS = 8
"""A step ends after rebuilding this many slots."""

_REMEDY = "Nothing was changed. Restore the file from a copy; `durakv verify` lists what the directory holds"


class SealedFile(msgspec.Struct, frozen=True):
    """A part of the log that will not change any more."""

    name: str
    number: int
    prior: int
    """The last number before it."""
    last: int
    bytes: int | None
    """Where it ends; None for a file that counts whole."""


class MergeTask(msgspec.Struct, frozen=True):
    """Everything a merge has to know, in values that can be sent to another process."""

    identity: str
    base_name: str | None
    base_number: int
    base_seq: int
    log: tuple[SealedFile, ...]
    log_bytes: int
    number: int
    """The number of the new base."""
    seq: int
    """The last number it will hold."""
    merger: str
    content: str
    slot_count: int
    memory_bytes: int
    """How many bytes of the log one pass may collect."""
    created_ms: int

    def to_json(self) -> str:
        """The task as one line."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def from_json(cls, text: str) -> MergeTask:
        """The task of such a line."""
        return msgspec.json.decode(text, type=cls)


class MergeResult(msgspec.Struct, frozen=True):
    """What a merge made."""

    bytes: int
    """The size of the new base, which is durable under its temporary name."""
    copied: int
    """Blocks that were copied as they were."""
    rebuilt: int
    """Slots that were rebuilt."""
    passes: int


def load_merger(where: str) -> Merger:
    """A new merger of this description; ``TypeError``, ``ImportError`` or ``AttributeError`` if there is none."""
    module, _, path = where.partition(":")
    if not module or not path:
        raise TypeError(f"merger={where!r} is not of the form 'package.module:callable'")
    found: Any = import_module(module)
    for name in path.split("."):
        found = getattr(found, name)
    merger: Merger = found()
    return merger


def merge_steps(
    filesystem: Filesystem, task: MergeTask, codec: BaseCodec | None = None
) -> Generator[float, None, MergeResult]:
    """Write the new base under its temporary name; yield the progress, from 0 to 1, after each bounded step.

    Raises Corruption, UnsupportedVersion, Unmergeable, FormatError (a block or a value beyond the limits) or
    ``OSError``.  When it ends in any other way than by returning, the temporary file was removed.
    """
    merger = load_merger(task.merger)
    if merger.slot_count != task.slot_count:
        raise DurakvError(f"{task.merger} merges {merger.slot_count} slots, but the machine has {task.slot_count}")
    reader = _open_base(filesystem, task, codec)
    try:
        header = SnapshotHeader(
            identity=bytes.fromhex(task.identity),
            seq=task.seq,
            number=task.number,
            slot_count=task.slot_count,
            content=task.content,
            created_ms=task.created_ms,
        )
        writer = BaseWriter(filesystem, base_temporary(task.number), header, codec=codec)
        try:
            return (yield from _Merge(filesystem, task, merger, reader, writer).steps())
        except BaseException:
            writer.abort()
            raise
    finally:
        if reader is not None:
            reader.close()


def pass_count(task: MergeTask) -> int:
    """Into how many passes a merge is divided, so that none collects more than it may."""
    return min(task.slot_count, max(1, -(-task.log_bytes // task.memory_bytes)))


class _Merge:
    """One merge under way."""

    def __init__(
        self, filesystem: Filesystem, task: MergeTask, merger: Merger, reader: BaseReader | None, writer: BaseWriter
    ) -> None:
        self._filesystem = filesystem
        self._task = task
        self._merger = merger
        self._reader = reader
        self._blocks: Iterator[StoredBlock] = iter(()) if reader is None else iter(reader)
        self._block: StoredBlock | None = None
        self._writer = writer
        self._passes = pass_count(task)
        self._log_read = self._told = 0
        self._work = max(1, self._passes * task.log_bytes + (0 if reader is None else reader.size))
        self._copied = 0
        self._rebuilt = 0

    def steps(self) -> Generator[float, None, MergeResult]:
        slot_count, passes = self._task.slot_count, self._passes
        self._advance()
        for index in range(passes):
            first, end = slot_count * index // passes, slot_count * (index + 1) // passes
            self._merger.select(first, end - 1)
            for file in self._task.log:
                yield from self._collect(file)
            yield from self._walk(first, end)
        assert self._block is None, "the reader refuses a slot beyond the last one"
        return MergeResult(self._writer.finish(), self._copied, self._rebuilt, passes)

    def _progress(self) -> float:
        return min(1.0, (self._log_read + (0 if self._reader is None else self._reader.offset)) / self._work)

    # --- the log --------------------------------------------------------------------------------------------------

    def _collect(self, sealed: SealedFile) -> Generator[float, None, None]:
        """Show one file of the log to the merger, all of it and nothing more."""
        collect = self._merger.collect
        before = self._log_read
        file = self._filesystem.open(sealed.name)
        try:
            records = read_runs(
                file,
                identity=int(self._task.identity[:16], 16),
                number=sealed.number,
                prior=sealed.prior,
                stop=sealed.bytes,
            )
            while True:
                try:
                    record = next(records)
                except StopIteration as finished:
                    end: SegmentEnd = finished.value
                    break
                for commands, offset in record.batches():
                    try:
                        collect(commands)
                    except CommandError as error:
                        raise UnsupportedVersion(
                            sealed.name, f"command before byte {offset}", f"The merger refused it: {error}"
                        ) from error
                    self._log_read = before + offset
                if self._log_read - self._told >= STEP_BYTES:
                    self._told = self._log_read
                    yield self._progress()
        finally:
            file.close()
        _check_end(sealed, end)
        self._log_read = before + end.offset

    # --- the base -------------------------------------------------------------------------------------------------

    def _walk(self, first: int, end: int) -> Generator[float, None, None]:
        """Bring the slots of one pass into the new base."""
        previous = first - 1
        for index, slot in enumerate(self._merger.touched(), 1):
            if not previous < slot < end:
                raise DurakvError(f"{self._task.merger}: touched() names slot {slot} after {previous}, below {end}")
            previous = slot
            yield from self._copy(slot)
            self._rebuild(slot)
            if index % STEP_SLOTS == 0:
                yield self._progress()
        yield from self._copy(end)

    def _copy(self, end: int) -> Generator[float, None, None]:
        """Copy the blocks below a slot as they are."""
        copied = 0
        while self._block is not None and self._block.slot < end:
            self._writer.copy(self._block)
            self._copied += 1
            copied += len(self._block.stored)
            if copied >= STEP_BYTES:
                copied = 0
                yield self._progress()
            self._advance()

    def _rebuild(self, slot: int) -> None:
        for payload, count in self._merged(slot):
            self._writer.block(slot, payload, count)
        self._rebuilt += 1

    def _merged(self, slot: int) -> Iterator[tuple[bytes, int]]:
        """The new blocks of a slot; what the merger says about the old ones is told as theirs."""
        payloads: list[bytes] = []
        name, offset = self._task.base_name or "the new base", 0
        try:
            while self._block is not None and self._block.slot == slot:
                offset = self._block.offset
                payloads.append(self._block.payload())
                self._advance()
            yield from self._merger.merge(slot, payloads)
        except Unmergeable:
            raise
        except FormatError as error:
            raise Corruption(name, offset, f"slot {slot}: {error.reason}", _REMEDY) from error
        except ValueError as error:
            raise Corruption(name, offset, f"slot {slot}: {error}", _REMEDY) from error

    def _advance(self) -> None:
        self._block = next(self._blocks, None)


def _open_base(filesystem: Filesystem, task: MergeTask, codec: BaseCodec | None) -> BaseReader | None:
    if task.base_name is None:
        return None
    reader = read_base(filesystem, task.base_name, codec)
    try:
        reader.expect(identity=bytes.fromhex(task.identity), number=task.base_number, seq=task.base_seq)
        header = reader.header
        if (header.content, header.slot_count) != (task.content, task.slot_count):
            raise Unmergeable(f"{task.base_name} holds {header.content!r} in {header.slot_count} slots")
    except BaseException:
        reader.close()
        raise
    return reader


def _check_end(sealed: SealedFile, end: SegmentEnd) -> None:
    if end.kind not in ("clean", "foreign") or end.foreign_torn:
        raise Corruption(sealed.name, end.offset, end.reason, _REMEDY)
    size = end.size if sealed.bytes is None else sealed.bytes
    if end.offset != size or end.last != sealed.last:
        raise Corruption(
            sealed.name,
            end.offset,
            f"it ends at byte {end.offset} with number {end.last}, "
            f"but it was sealed at byte {size} with number {sealed.last}",
            _REMEDY,
        )
