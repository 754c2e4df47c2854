"""Breaks of what callers are told: how far the log is, how old the window is, and what went wrong."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

import msgspec

from durakv.commit import SYNC_AGE_SECONDS, Commit
from durakv.durability import Durability
from durakv.engine import Engine
from durakv.errors import DurakvError
from durakv.report import Status
from durakv.rewrite import Rewrite
from durakv.runner import Runner
from durakv.work import Kind, Work
from durakv_fuzz.mutants.mutant import Mutants, Patch
from durakv_fuzz.mutants.of_commit import instead_of_healing, no_short_way

R = TypeVar("R")

mutants = Mutants()

LATER_SECONDS = 4.0


@mutants("flush() taken for fsync(): the data has left the program, and is in the page cache")
def sync_returns_once_written() -> list[Patch]:
    """``sync()`` returns when everything is written."""

    def broken(self: Engine) -> None:
        self._runner.wait(self.applied_seq, Durability.WRITTEN)

    return [Patch(Engine, "sync", broken)]


@mutants("write concerns that are taken and not honoured: whoever waits is told too early")
def wait_returns_too_early() -> list[Patch]:
    """Whoever waits for a sync is told when his batch is written."""
    wait = Runner.wait

    def broken(self: Runner, seq: int, level: Durability, timeout: float | None = None) -> None:
        wait(self, seq, min(level, Durability.WRITTEN), timeout)

    return [Patch(Runner, "wait", broken)]


@mutants("dirty reads: a server under always that tells of a write before its fsync has returned")
def read_does_not_wait() -> list[Patch]:
    """A read that asked for a level answers at once."""

    def broken(self: Engine, look: Callable[[], R], durability: Durability = Durability.APPLIED) -> R:
        with self._runner.lock:
            return look()

    return [Patch(Engine, "read", broken)]


@mutants("an fsync that is credited with the log's end at its return, not at its beginning")
def sync_vouches_for_what_came_meanwhile() -> list[Patch]:
    """What was appended while a write or sync was under way is counted as covered by it."""
    finish = Commit.finish

    def broken(self: Commit, work: Work) -> None:
        if work.kind in (Kind.SYNC, Kind.WRITE_THROUGH):
            work.target = self.applied_seq
            if work.kind is Kind.SYNC and work.synced and self.poison is None:
                self.written_seq = max(self.written_seq, work.target)
        finish(self, work)

    return [Patch(Commit, "finish", broken)]


@mutants("a buffer that is cleared after the write, and not exchanged before it")
def batch_dropped_that_came_during_a_write() -> list[Patch]:
    """What was appended while a write was under way is forgotten with it."""
    finish = Commit.finish

    def broken(self: Commit, work: Work) -> None:
        finish(self, work)
        if work.kind in (Kind.WRITE, Kind.WRITE_THROUGH):
            self._pending.clear()

    return [Patch(Commit, "finish", broken)]


@mutants("Redis 7.0 everysec: a clock in whole seconds and a postponed write make the second two or more")
def everysec_syncs_every_five_seconds() -> list[Patch]:
    """A sync is due four seconds later than it should be."""
    due = Commit.sync_due

    def broken(self: Commit, now: float, age: float = SYNC_AGE_SECONDS) -> bool:
        return due(self, now, age + LATER_SECONDS)

    return [Patch(Commit, "sync_due", broken)]


@mutants("Redis everysec: the time of the last fsync moves on, whether one was done or not")
def age_counted_from_the_last_write() -> list[Patch]:
    """The window's age is that of the newest unsynced write, so busy writers put the sync off."""
    append = Commit.append

    def broken(self: Commit, payload: bytes, batch: object, now: float) -> object:
        self._unsynced_since = None
        return append(self, payload, batch, now)  # type: ignore[arg-type]

    return [no_short_way(), Patch(Commit, "append", broken)]


@mutants("health checks that look at the process, while its disk has stalled")
def exposure_not_reported() -> list[Patch]:
    """The status calls itself healthy, however old the oldest unsynced write is."""
    status = Engine.status

    def broken(self: Engine) -> Status:
        true = status(self)
        return msgspec.structs.replace(true, healthy=true.poisoned is None)

    return [Patch(Engine, "status", broken)]


@mutants("LevelDB's log writer: the status of the write that pads a block is dropped")
def write_error_swallowed() -> list[Patch]:
    """A write that failed counts as done."""
    perform = Commit.perform

    def broken(self: Commit, work: Work) -> None:
        perform(self, work)
        if work.kind is Kind.WRITE:
            work.failure = None

    return [Patch(Commit, "perform", broken)]


@mutants("Redis BIO_AOF_FSYNC: EBADF and EINVAL of a background fsync count as success")
def sync_error_swallowed() -> list[Patch]:
    """A sync that failed counts as done."""
    perform = Commit.perform

    def broken(self: Commit, work: Work) -> None:
        perform(self, work)
        if work.kind is Kind.SYNC and isinstance(work.failure, OSError):
            work.failure, work.synced = None, True

    return [Patch(Commit, "perform", broken)]


@mutants("fsyncgate: the error of an fsync is reported once, to whoever comes first")
def failure_told_once() -> list[Patch]:
    """The first caller after a failure learns of it, the next one goes on as if nothing had happened."""
    refuse = Commit.refuse

    def broken(self: Commit) -> None:
        try:
            refuse(self)
        finally:
            self.poison = None

    return [Patch(Commit, "refuse", broken)]


@mutants("Redis SHUTDOWN: a failed fsync is logged, and the server exits as if all were well")
def close_swallows_its_failure() -> list[Patch]:
    """A close that could not complete the log returns like any other."""
    close = Engine.close

    def broken(self: Engine) -> None:
        with contextlib.suppress(DurakvError, OSError):
            close(self)

    return [Patch(Engine, "close", broken)]


@mutants("Redis, Valkey: after ENOSPC the file is cut back, but not the offset; what follows stands behind NULs")
def written_again_behind_a_hole() -> list[Patch]:
    """After a short write the file is cut back, and the same bytes are written where the short write had ended."""

    def heal(work: Work) -> None:
        file = work.segment.file
        there = file.read_at(len(work.data), work.offset)
        short = next((at for at, (a, b) in enumerate(zip(there, work.data, strict=False)) if a != b), 0)
        file.truncate(work.offset)
        file.truncate(work.segment.capacity)
        file.write_at(work.data, work.offset + short)
        file.sync()

    return instead_of_healing(heal)


@mutants("the directory's fsync fails once, in another thread, and nobody else hears of it")
def directory_sync_failure_ignored() -> list[Patch]:
    """A rewrite goes on after a sync of the directory that failed."""
    sync = Rewrite._sync_directory

    def broken(self: Rewrite) -> None:
        poison = self._commit.poison
        with contextlib.suppress(DurakvError):
            sync(self)
        self._commit.poison = poison

    return [Patch(Rewrite, "_sync_directory", broken)]
