"""Breaks of the write path: who is told what, and when."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import durakv.commit
from durakv.commit import Commit
from durakv.directory import NO_SPACE, Directory, add_segment, seal
from durakv.durability import Durability, FsyncPolicy
from durakv.engine import Engine
from durakv.log.segment import Segment
from durakv.machine import Batch
from durakv.options import parse_policy
from durakv.runner import Runner
from durakv.storage.filesystem import File, Window
from durakv.work import Alone, Kind, Work, prepare_next
from durakv_formats.frame import HEADER_BYTES, encode_frame
from durakv_formats.resp import encode_batch
from durakv_fuzz.mutants.mutant import Mutants, Patch

mutants = Mutants()


def no_short_way() -> Patch:
    """Every write takes the long way, which is what a break of its parts breaks."""

    def broken(_self: Commit, _payload: bytes, _batch: Batch, _now: float, _level: Durability) -> None:
        return None

    return Patch(Commit, "append_alone", broken)


@mutants("every server that calls data safe once write() returned: Redis appendfsync no, taken for always")
def no_fsync_before_ack() -> list[Patch]:
    """Writes are acknowledged as synced without any sync."""
    perform = Commit.perform

    def broken(self: Commit, work: Work) -> None:
        if work.kind is Kind.SYNC:
            work.synced = work.performed = True
        elif work.kind is Kind.WRITE_THROUGH:
            work.segment.file.write_at(work.data, work.offset)
            work.synced = work.performed = True
        else:
            perform(self, work)

    return [Patch(Commit, "perform", broken)]


@mutants("replies that leave before the group's fsync, the order that a commit pipeline gets wrong first")
def ack_before_fsync() -> list[Patch]:
    """Writes are acknowledged as synced first, and synced when the next write comes."""
    reach, append = Runner._reach, Runner._append

    def broken_reach(self: Runner, seq: int, level: Durability, timeout: float | None = None) -> None:
        reach(self, seq, min(level, Durability.WRITTEN), timeout)

    def broken_append(self: Runner, payload: bytes, batch: Batch, *, blocking: bool = True) -> Any:
        if blocking and self.commit.poison is None:
            reach(self, self.commit.applied_seq, Durability.SYNCED)
        return append(self, payload, batch, blocking=blocking)

    return [no_short_way(), Patch(Runner, "_reach", broken_reach), Patch(Runner, "_append", broken_append)]


@mutants("Redis, Valkey everysec: replies leave while the write waits for a slow fsync; kill -9 loses them")
def ack_before_write() -> list[Patch]:
    """Writes are acknowledged as written while they are still in memory."""
    reached = Commit.reached

    def broken(self: Commit, seq: int, level: Durability) -> bool:
        return reached(self, seq, Durability.APPLIED if level is Durability.WRITTEN else level)

    return [Patch(Commit, "reached", broken)]


@mutants("fsyncgate: PostgreSQL retried an fsync that had failed, and believed the second one (2018)")
def fsync_retried_after_eio() -> list[Patch]:
    """A failed sync is tried again, and the second one is believed."""
    perform = Commit.perform

    def broken(self: Commit, work: Work) -> None:
        perform(self, work)
        if work.failure is not None and work.kind in (Kind.SYNC, Kind.WRITE_THROUGH):
            try:
                work.segment.file.sync()
            except OSError:
                return
            work.failure = None
            work.synced = True

    return [Patch(Commit, "perform", broken)]


@mutants("Redis everysec: an fsync error is forgotten with the next success, though the pages may be gone")
def not_poisoned() -> list[Patch]:
    """After a failed write or sync the engine goes on as if nothing had happened."""

    def broken(_self: Commit, _failure: BaseException) -> None:
        return

    return [Patch(Commit, "fail", broken)]


def instead_of_healing(heal: Callable[[Work], None]) -> list[Patch]:
    """A write that met a full disk is healed in another way, and counts as synced."""

    def broken(self: Work, *, through: bool) -> None:
        file = self.segment.file
        try:
            (file.write_through if through else file.write_at)(self.data, self.offset)
        except OSError as failure:
            if failure.errno not in NO_SPACE:
                raise
            heal(self)
            self.healed = self.synced = True
            return
        self.synced = through

    return [Patch(Work, "_write", broken)]


@mutants("Redis everysec: a write that met ENOSPC is acknowledged, and lives in memory until there is room")
def full_disk_healed_without_proof() -> list[Patch]:
    """After ENOSPC the bytes are written again and acknowledged as synced, without a sync."""

    return instead_of_healing(lambda work: work.segment.file.write_at(work.data, work.offset))


@mutants("Redis 7, Valkey: the manifest names the next file, and the old one is synced in the background")
def manifest_published_before_the_old_segment_is_synced() -> list[Patch]:
    """A rotation swaps the manifest first and syncs the sealed segment afterwards."""

    def broken(self: Work, directory: Directory) -> None:
        old = self.segment
        if self.data:
            old.file.write_at(self.data, self.offset)
        end = self.offset + len(self.data)
        new = self.spare
        if new is None or new.capacity < self.capacity:
            new = prepare_next(directory, self.capacity)
        new.start(seq=self.target, retired=0, synced_seq=self.target, identity=directory.identity)
        directory.swap(
            lambda manifest: add_segment(
                seal(manifest, old.name, last=self.target, size=end), new.number, first=new.first, capacity=new.capacity
            ),
            synced_seq=self.target,
        )
        old.file.sync()
        self.synced = True
        self.spare, self.successor = None, new

    return [Patch(Work, "_rotate", broken)]


@mutants("Redis 7 everysec, power lost: 'the truncated file is not the last file', then a silent gap")
def old_segment_not_synced_at_rotation() -> list[Patch]:
    """A rotation under a lazy policy leaves the old segment to the kernel."""
    perform = Commit.perform

    def broken(self: Commit, work: Work) -> None:
        if work.kind is not Kind.ROTATE or self.policy is FsyncPolicy.ALWAYS:
            perform(self, work)
            return
        file = work.segment.file
        real, file.sync = file.sync, lambda: None  # type: ignore[method-assign]
        try:
            perform(self, work)
        finally:
            file.sync = real  # type: ignore[method-assign]

    return [Patch(Commit, "perform", broken)]


@mutants("Redis no-appendfsync-on-rewrite yes: no sync at all for as long as a child process lives")
def everysec_never_syncs() -> list[Patch]:
    """No sync is ever due."""

    def broken(_self: Commit, _now: float, _age: float = 0.0) -> bool:
        return False

    return [Patch(Commit, "sync_due", broken)]


@mutants("Redis: half an EXEC is cut, its MULTI stays, and what is written later is queued behind it")
def batch_not_atomic() -> list[Patch]:
    """Each command of a batch gets a frame of its own."""
    append = Commit.append

    def broken(self: Commit, payload: bytes, batch: Batch, now: float) -> tuple[int, list[Any]]:
        if not self.room(len(payload) + len(batch) * HEADER_BYTES):
            return append(self, payload, batch, now)
        results: list[Any] = []
        for command in batch:
            results += append(self, encode_batch([command]), [command], now)[1]
        return self.applied_seq, results

    return [no_short_way(), Patch(Commit, "append", broken)]


@mutants("a checkpoint, or a commit pointer, that runs ahead of the data it vouches for")
def promise_ahead_of_the_sync() -> list[Patch]:
    """A frame promises everything before it as synced, although it was only written."""

    def broken(payload: bytes, *, seq: int, count: int, synced_seq: int, identity: int, segment: int) -> bytes:
        return encode_frame(
            payload, seq=seq, count=count, synced_seq=max(synced_seq, seq - count), identity=identity, segment=segment
        )

    return [Patch(durakv.commit, "encode_frame", broken)]


@mutants("a setting that is answered before what was written under the old one is safe")
def policy_change_without_sync() -> list[Patch]:
    """A change to always returns before what was written earlier is synced."""

    def broken(self: Engine, policy: FsyncPolicy | str) -> None:
        with self._runner.lock:
            self._commit.set_policy(parse_policy(policy))

    return [Patch(Engine, "set_fsync", broken)]


@mutants("a shutdown that closes its files and leaves the rest to the kernel")
def closed_without_sync() -> list[Patch]:
    """A close seals the log in the manifest before its end is synced."""

    def broken(self: Runner) -> None:
        commit = self.commit
        with self.lock:
            commit.refuse()
            while commit.written_seq < commit.applied_seq:
                work = commit.claim(commit.applied_seq, Durability.WRITTEN, self.clock.monotonic())
                assert work is not None
                self._do(work)

    return [Patch(Runner, "flush", broken)]


@mutants("a store into a mapped file taken for a durable one: LMDB with MDB_NOSYNC, read as if it synced")
def window_taken_for_the_disk() -> list[Patch]:
    """What was stored through a window counts as synced."""
    alone, store = Commit.append_alone, Commit.store

    def broken_alone(self: Commit, payload: bytes, batch: Batch, now: float, level: Durability) -> Alone | None:
        appended = alone(self, payload, batch, now, level)
        if appended is not None and appended[2] is None:
            self.synced_seq = self.written_seq
        return appended

    def broken_store(self: Commit) -> None:
        store(self)
        if self.segment.window is not None:
            self.synced_seq = self.written_seq

    return [Patch(Commit, "append_alone", broken_alone), Patch(Commit, "store", broken_store)]


@mutants("a log whose end in memory and end in the mapping part: the next record leaves a hole of zeros before it")
def window_leaves_a_hole() -> list[Patch]:
    """A record that is stored through a window goes one byte behind its place."""
    store = Segment.__init__

    class Shifted:
        def __init__(self, window: Window) -> None:
            self._window = window

        def __setitem__(self, place: slice, data: bytes, /) -> None:
            self._window[place.start + 1 : place.stop + 1] = data

    def broken(self: Segment, file: File, *, number: int, capacity: int) -> None:
        store(self, file, number=number, capacity=capacity)
        if self.window is not None:
            self.window = Shifted(self.window)

    return [Patch(Segment, "__init__", broken)]
