"""From a directory to a state: manifest, base, log, and what to make of the log's end (specs/04-recovery.md).

``recover`` reads and checks everything and builds the state; it writes nothing, so whatever it refuses is left as it
was.  ``takeover`` then makes the result durable and opens a new segment.

C8 is decided in ``judgement``, for recovery and ``verify`` alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from durakv.clock import Clock
from durakv.collector import without_collections
from durakv.directory import MANIFEST_NAME, check_orphans, empty_manifest, frame_identity, read_manifest
from durakv.errors import CommandError, Corruption, UnsupportedVersion
from durakv.judgement import highest_promise, judge, judge_plain_base, read_up_to
from durakv.log.reader import CHUNK_BYTES, Record, SegmentEnd, read_runs
from durakv.log.segment import numbers_given_out_max
from durakv.machine import Command, DeferringMachine, RdbMachine, RunMachine, SlottedMachine, StateMachine
from durakv.report import Cut, RecoveryReport
from durakv.storage.filesystem import Filesystem
from durakv.strays import refuse_outdated
from durakv_formats.manifest import Manifest, ManifestFile
from durakv_formats.runs import Run

if TYPE_CHECKING:  # otherwise where it is used: not every directory has a base
    from durakv.snapshot.codec import BaseCodec
    from durakv.snapshot.lazy import LazyBase
    from durakv.snapshot.reader import BaseReader
    from durakv.stock_base import RdbPart
    from durakv_formats.rdb import Entry
    from durakv_formats.snapshot import SnapshotHeader

Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the bytes there are."""

_REMEDY = "Restore the file from a copy; `durakv repair` shows what can be kept"


class Recovered(msgspec.Struct):
    """What ``recover`` found."""

    manifest: Manifest
    report: RecoveryReport
    seq: int = 0
    """The last number of the recovered state."""
    seq_max: int = 0
    """The highest number anybody can have been told; the next batch is numbered above it."""
    sealed: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict[str, tuple[int, int]])
    """Segments whose end the next manifest must state: name -> (last number, bytes)."""
    retired: list[tuple[int, int]] = msgspec.field(default_factory=list[tuple[int, int]])
    """Ranges of numbers that belong to no command, as far as the log still says so."""
    untrimmed: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """Segments whose seal stands, but not the cut behind it, which a crash skipped: name -> bytes."""
    tail: tuple[str, int, int] | None = None
    """An unsealed segment, and the range of its bytes that no promise covers."""
    log_bytes: int = 0
    base_bytes: int = 0
    debris: list[str] = msgspec.field(default_factory=list[str])
    """Files left by a crash, to be removed once the next manifest is in force."""


@without_collections()
def recover(
    filesystem: Filesystem,
    machine: StateMachine,
    *,
    clock: Clock,
    entropy: Callable[[int], bytes],
    progress: Progress | None = None,
    until: int | None = None,
    lazy: LazyBase | None = None,
    codec: BaseCodec | None = None,
) -> Recovered:
    """Build the state from the directory; reads only (C9).

    With ``lazy`` the slots of a base that allows it are left there, to be loaded when they are needed.  It is then the
    caller's to close, also after an error.

    ``until`` is a Unix time in seconds: the state is then that before the first later time that a stock server noted in
    its log, and not one to go on from; nothing is known of what follows.

    Raises Corruption, UnsupportedVersion or ``OSError``; the machine's state is then undefined.
    """
    started = clock.monotonic()
    manifest = read_manifest(filesystem)
    if manifest is None:
        check_orphans(filesystem)
        return Recovered(empty_manifest(entropy(16)), RecoveryReport(created=True))
    found = Recovered(manifest, RecoveryReport())
    meter = _Meter(filesystem, manifest, progress)
    if manifest.base is not None:
        _load_base(filesystem, manifest, found, machine, meter, lazy, codec)
        meter.finish(manifest.base.name)
        found.base_bytes = meter.sizes[manifest.base.name]
    ends: list[tuple[ManifestFile, SegmentEnd]] = []
    segments = manifest.segments
    for index, segment in enumerate(segments):
        is_last = index == len(segments) - 1
        end = _replay(filesystem, segment, manifest, found, machine, meter, is_last=is_last, until=until)
        if end.stopped:
            return _stopped(found, started, clock)
        meter.finish(segment.name)
        ends.append((segment, end))
        found.log_bytes += end.offset
    _judge(found, ends)
    found.seq_max = max(found.seq_max, refuse_outdated(filesystem, manifest, found.seq, codec))
    if manifest.identity is None:
        found.manifest = adopt(manifest, found.sealed, identity_of(ends, entropy))
    report = found.report
    report.files = len(manifest.files)
    report.bytes = meter.total
    report.last_seq = found.seq
    report.seconds = clock.monotonic() - started
    return found


class _Meter:
    """Sizes of the files the manifest names, all of which must be there, and the progress through them."""

    def __init__(self, filesystem: Filesystem, manifest: Manifest, progress: Progress | None) -> None:
        self.sizes: dict[str, int] = {}
        for entry in manifest.files:
            if entry.kind == "h":
                continue
            try:
                file = filesystem.open(entry.name)
            except FileNotFoundError:
                raise Corruption(
                    entry.name, 0, "the manifest names this file, but it is missing", "Restore it from a copy"
                ) from None
            try:
                self.sizes[entry.name] = file.size()
            finally:
                file.close()
        self.total = sum(self.sizes.values())
        self._done = 0
        self._progress = progress

    def advance(self, offset: int) -> None:
        """Tell how far the current file was read."""
        if self._progress is not None:
            self._progress(self._done + offset, self.total)

    def finish(self, name: str) -> None:
        """Count a whole file."""
        self._done += self.sizes[name]
        self.advance(0)


# --- base -------------------------------------------------------------------------------------------------------------


def _load_base(
    filesystem: Filesystem,
    manifest: Manifest,
    found: Recovered,
    machine: StateMachine,
    meter: _Meter,
    lazy: LazyBase | None,
    codec: BaseCodec | None,
) -> None:
    base = manifest.base
    assert base is not None
    if lazy is not None and _defer(base, manifest, found, machine, lazy):
        return
    if base.name.endswith(".dkv") and manifest.identity is not None:
        assert base.last is not None, "the manifest was checked"
        from durakv.snapshot.reader import read_base

        with read_base(filesystem, base.name, codec) as reader:
            reader.expect(identity=manifest.identity, number=base.seq, seq=base.last)
            found.report.base_keys = _restore(reader, base.name, machine, meter)
        found.seq = base.last
    else:
        part = _load_rdb(filesystem, base.name, machine, meter)
        if manifest.identity is not None:
            part.expect(base.name, identity=manifest.identity, number=base.seq)
        found.report.base_keys, found.seq = part.keys, part.seq
        end = _replay(filesystem, base, manifest, found, machine, meter, is_last=False, start=part.end)
        damage = judge_plain_base(base, end)
        if damage:
            raise Corruption(base.name, end.offset, damage, _REMEDY)
        found.sealed[base.name] = (end.last, end.offset)


def _defer(base: ManifestFile, manifest: Manifest, found: Recovered, machine: StateMachine, lazy: LazyBase) -> bool:
    """Leave the slots of the base where they are; False if it or the machine is of another kind."""
    if not base.name.endswith(".dkv") or manifest.identity is None or not isinstance(machine, DeferringMachine):
        return False
    assert base.last is not None, "the manifest was checked"
    header = lazy.open(base.name)
    lazy.expect(identity=manifest.identity, number=base.seq, seq=base.last)
    if header.content == "chunks":
        lazy.close()
        return False
    _check_content(base.name, header, machine)
    found.report.base_keys = lazy.defer(machine)
    found.report.lazy = True
    found.seq = base.last
    return True


def _load_rdb(filesystem: Filesystem, name: str, machine: StateMachine, meter: _Meter) -> RdbPart:
    """Load the RDB file that a stock base may begin with."""
    from durakv.stock_base import read_rdb_part

    restore = machine.restore_entry if isinstance(machine, RdbMachine) else None

    def take(entry: Entry) -> None:
        if restore is None:
            raise UnsupportedVersion(name, "RDB", "It belongs to another kind of state machine; open it with that one")
        try:
            restore(entry)
        except ValueError as error:
            raise UnsupportedVersion(name, f"key {entry.key[:64]!r} (byte {entry.offset})", str(error)) from error

    file = filesystem.open(name)
    try:
        return read_rdb_part(file, take, meter.advance)
    finally:
        file.close()


def _restore(reader: BaseReader, name: str, machine: StateMachine, meter: _Meter) -> int:
    header = reader.header
    if header.content == "chunks":
        try:
            machine.restore(_chunks(reader, name, meter))
        except ValueError as error:
            raise UnsupportedVersion(
                name,
                "image",
                f"The state machine refused it: {error}. Open it with the state machine that wrote it, in that version "
                "or a later one",
            ) from error
        return 0
    slotted = _check_content(name, header, machine)
    keys = 0
    for block in reader:
        try:
            keys += slotted.restore_slot(block.slot, block.payload())
        except ValueError as error:
            raise Corruption(name, reader.offset, f"slot {block.slot}: {error}", _REMEDY) from error
        meter.advance(reader.offset)
    return keys


def _check_content(name: str, header: SnapshotHeader, machine: StateMachine) -> SlottedMachine:
    if isinstance(machine, SlottedMachine) and (machine.content, machine.slot_count) == (
        header.content,
        header.slot_count,
    ):
        return machine
    raise UnsupportedVersion(
        name,
        f"content {header.content!r} of {header.slot_count} slots",
        "It belongs to another kind of state machine; open it with that one",
    )


def _chunks(reader: BaseReader, name: str, meter: _Meter) -> Iterable[bytes]:
    for block in reader:
        meter.advance(reader.offset)
        try:
            payload = block.payload()
        except ValueError as error:
            raise Corruption(name, reader.offset, str(error), _REMEDY) from error
        yield payload


# --- log --------------------------------------------------------------------------------------------------------------


def _replay(
    filesystem: Filesystem,
    segment: ManifestFile,
    manifest: Manifest,
    found: Recovered,
    machine: StateMachine,
    meter: _Meter,
    *,
    is_last: bool,
    start: int = 0,
    until: int | None = None,
) -> SegmentEnd:
    identity = None if manifest.identity is None else frame_identity(manifest)
    report = found.report
    apply = machine.apply
    apply_run = machine.apply_run if isinstance(machine, RunMachine) else _takes_no_runs
    if report.lazy and isinstance(machine, DeferringMachine):
        apply, apply_run = machine.replay, _takes_no_runs
    file = filesystem.open(segment.name)
    try:
        stop = read_up_to(file, segment, is_last=is_last)
        records = read_runs(
            file, identity=identity, number=segment.seq, prior=found.seq, stop=stop, start=start, until=until
        )
        told = 0
        while True:
            try:
                record = next(records)
            except StopIteration as finished:
                end: SegmentEnd = finished.value
                break
            if not isinstance(record, Run) or not apply_run(record.names, record.keys, record.values):
                _apply_batches(apply, record, segment.name)
            offset = record.end if isinstance(record, Run) else record.offset
            if offset - told >= CHUNK_BYTES:
                told = offset
                meter.advance(told)
    finally:
        file.close()
    report.batches += end.batches
    report.commands += end.commands
    report.foreign_commands += end.foreign_commands
    found.seq = end.last
    return end


def _takes_no_runs(_names: object, _keys: object, _values: object) -> bool:
    return False


def _apply_batches(apply: Callable[[Command], object], record: Record | Run, name: str) -> None:
    for commands, offset in record.batches():
        try:
            for command in commands:
                apply(command)
        except (CommandError, ValueError) as error:
            raise UnsupportedVersion(
                name, f"command before byte {offset}", f"The state machine refused it: {error}"
            ) from error


def _stopped(found: Recovered, started: float, clock: Clock) -> Recovered:
    found.report.last_seq = found.seq
    found.report.seconds = clock.monotonic() - started
    return found


def _judge(found: Recovered, ends: list[tuple[ManifestFile, SegmentEnd]]) -> None:
    """Decide what each end means, now that every promise in the directory is known (C8)."""
    manifest = found.manifest
    found.seq_max = found.seq
    promise = highest_promise(manifest, [end for _, end in ends])
    for segment, end in ends:
        verdict = judge(manifest, segment, end, promise=promise, is_last=segment is ends[-1][0])
        if verdict.corruption:
            raise Corruption(segment.name, end.offset, verdict.corruption, _REMEDY)
        if not verdict.clean:
            found.report.clean = False
        if end.retired:
            found.retired.append((end.first - end.retired, end.first - 1))
        if verdict.torn:
            _cut(found, segment, end, verdict.torn)
        if verdict.settle:
            found.sealed[segment.name] = (end.last, end.offset)
        elif segment.bytes is not None and segment.bytes < end.size:
            found.untrimmed[segment.name] = segment.bytes
        if not segment.sealed and manifest.identity is not None:
            assert segment.first is not None, "the manifest was checked"
            found.tail = (segment.name, end.promise_offset, end.offset)
            # A crash may leave less of the file than its writer had, but not of the manifest.
            capacity = max(end.size, segment.capacity or 0)
            found.seq_max = max(found.seq, numbers_given_out_max(first=segment.first, capacity=capacity))
    if promise > found.seq:
        raise Corruption(MANIFEST_NAME, 0, f"number {promise} is promised, but the files end at {found.seq}", _REMEDY)


def _cut(found: Recovered, segment: ManifestFile, end: SegmentEnd, allowed: str) -> None:
    found.report.cut = Cut(
        name=segment.name,
        offset=end.offset,
        bytes=end.damage_bytes or end.size - end.offset,
        first_lost_seq=end.last + 1,
        reason=end.reason,
        allowed=allowed,
    )


def identity_of(ends: Iterable[tuple[ManifestFile, SegmentEnd]], entropy: Callable[[int], bytes]) -> bytes:
    """An identity under which the frames that stand in a stock server's log can be read again."""
    identity: int | None = None
    for segment, end in ends:
        if end.identity is None or end.identity == identity:
            continue
        if identity is not None:
            raise Corruption(segment.name, 0, "it and a segment before it are of two directories", _REMEDY)
        identity = end.identity
    return entropy(16) if identity is None else identity.to_bytes(8, "big") + entropy(8)


def adopt(manifest: Manifest, sealed: dict[str, tuple[int, int]], identity: bytes) -> Manifest:
    """Our manifest for a stock server's files, each sealed as told (last number, bytes); its history is dropped."""
    files: list[ManifestFile] = []
    prior = 0
    for entry in manifest.files:
        if entry.kind == "h":
            continue
        last, size = sealed[entry.name]
        if entry.kind == "b":
            files.append(replace(entry, last=last))
        else:
            files.append(replace(entry, first=prior + 1, last=last, bytes=size))
        prior = last
    return Manifest(identity=identity, generation=manifest.generation, synced_seq=0, files=tuple(files))
