"""The commit pipeline: admit -> append -> apply -> write -> sync -> acknowledge, as a step machine.

Nothing here waits, sleeps or locks.  The caller serialises every method except ``perform``, which does the input and
output of one claimed piece of work and may run beside the others:

    work = commit.claim(seq, level)     under the caller's lock: what brings seq to level, or None if it is under way
    commit.perform(work)                without the lock: system calls only
    commit.finish(work)                 under the lock: the positions move, or the log is poisoned

Two roles keep this safe.  At most one claimed work *writes* (frames enter the file in order) and at most one *syncs*;
a durable write and a rotation hold both.  A sync may run beside writes: it vouches only for what was written before
it was claimed.

Invariants: ``synced_seq <= written_seq <= applied_seq``, none ever decreases; after a failure no position moves again
(C7).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

from durakv.directory import Directory
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import Closed, DiskFull, Limit, Poisoned
from durakv.log.segment import Segment
from durakv.machine import Batch
from durakv.options import Options
from durakv.supply import Supply
from durakv.work import Alone, Kind, Work
from durakv_formats.frame import HEADER_BYTES, encode_frame
from durakv_formats.limits import BATCH_BYTES_MAX

SYNC_AGE_SECONDS = 0.85
"""Unless the policy is ``no``, a sync is due when the oldest unsynced write is this old; the rest is slack."""

SYNC_OVERDUE_SECONDS = 1.0
"""At this age a writer syncs itself, should nobody else have done it."""


class Commit:
    """Where a batch is on its way from the caller to the disk."""

    # In slots, for the compiled lane reads and changes them where they stand (``durakv.keyspace.lane``).
    __slots__ = (
        "_apply",
        "_apply_together",
        "_identity",
        "_pending",
        "_syncing_since",
        "_unsynced_since",
        "applied_seq",
        "default_level",
        "directory",
        "healed",
        "logged_bytes",
        "options",
        "poison",
        "policy",
        "rotating",
        "rotation_wanted",
        "rotations",
        "sealed_bytes",
        "segment",
        "supply",
        "sync_started",
        "synced_bytes",
        "synced_seq",
        "syncing",
        "syncs",
        "writes",
        "writing",
        "written_bytes",
        "written_seq",
    )

    def __init__(
        self,
        directory: Directory,
        segment: Segment,
        *,
        seq: int,
        apply: Callable[[Any], Any],
        apply_together: Callable[[Batch], list[Any] | None] | None = None,
        options: Options,
    ) -> None:
        self.directory = directory
        self.segment = segment
        self.supply = Supply(options)
        self.options = options
        self.set_policy(options.fsync)
        self.applied_seq = self.written_seq = self.synced_seq = seq
        self.poison: BaseException | None = None
        self.writing = False
        self.syncing = False
        self.rotating = False
        self.rotation_wanted = False
        """Somebody waits for both roles: no other work is begun, or busy writers would never let go of them."""
        self.sync_started = 0.0
        self.logged_bytes = 0
        self.written_bytes = 0
        self.synced_bytes = 0
        self.sealed_bytes = 0
        self.writes = 0
        self.syncs = 0
        self.rotations = 0
        self.healed = 0
        self._apply = apply
        self._apply_together = apply_together
        self._identity = directory.identity
        self._pending: list[bytes] = []
        self._unsynced_since: float | None = None
        self._syncing_since: float | None = None

    def set_policy(self, policy: FsyncPolicy) -> None:
        """Change the policy, from the next write on."""
        self.policy = policy
        self.default_level = policy.default_durability

    # --- admit, append, apply -------------------------------------------------------------------------------------

    def admits(self, size: int, now: float) -> bool:
        """Whether a batch whose payload has this size may be appended at once; the common case, asked first."""
        segment = self.segment
        since = self._unsynced_since
        return (
            segment.reserved + HEADER_BYTES + size <= segment.capacity
            and self.logged_bytes - self.written_bytes <= self.options.pending_bytes_max
            and (since is None or now - since < SYNC_OVERDUE_SECONDS or not self.sync_due(now, SYNC_OVERDUE_SECONDS))
            and not (self.syncing and self.stalled(now))
        )

    def room(self, size: int) -> bool:
        """Whether a batch whose payload has this size fits into the current segment."""
        return self.segment.reserved + HEADER_BYTES + size <= self.segment.capacity

    def append(self, payload: bytes, batch: Batch, now: float) -> tuple[int, list[Any]]:
        """Give the batch its numbers, put it behind the pending ones and apply it; ``room`` must have said yes."""
        segment = self.segment
        seq = self.applied_seq + len(batch)
        frame = encode_frame(
            payload,
            seq=seq,
            count=len(batch),
            synced_seq=self.synced_seq,
            identity=self._identity,
            segment=segment.number,
        )
        assert segment.reserved + len(frame) <= segment.capacity, "a batch is admitted before it is numbered"
        segment.reserved += len(frame)
        self.logged_bytes += len(frame)
        self._pending.append(frame)
        if self._unsynced_since is None:
            self._unsynced_since = now
        self.applied_seq = seq
        return seq, self._applied(batch)

    def _applied(self, batch: Batch) -> list[Any]:
        if self._apply_together is not None and len(batch) > 1:
            results = self._apply_together(batch)
            if results is not None:
                return results
        apply = self._apply
        return [apply(command) for command in batch]

    def append_alone(self, payload: bytes, batch: Batch, now: float, level: Durability) -> Alone | None:
        """``admits``, ``append`` and the way to ``level`` in one, for a writer that meets nobody; else None.

        To WRITTEN the batch is stored through the segment's window, and is there.  To SYNCED the work is claimed, and
        has to be performed and finished.  It is what a single writer does all day, so it is one call and no more: all
        it may leave out are the questions whose answer is known when nothing is pending and nothing under way.
        """
        segment = self.segment
        since = self._unsynced_since
        start = segment.offset
        end = start + HEADER_BYTES + len(payload)
        window = segment.window
        if (
            end > segment.capacity
            or segment.reserved != start  # something is pending, or the segment is being replaced
            or self.writing
            or self.syncing
            or self.poison is not None
        ):
            return None
        work: Work | None = None
        count = len(batch)
        seq = self.applied_seq + count
        if level is Durability.SYNCED:
            if self.synced_seq != self.applied_seq or self.rotation_wanted:
                return None
        elif (
            window is None
            or level is not Durability.WRITTEN
            or self.policy is FsyncPolicy.ALWAYS
            or (since is not None and now - since >= SYNC_AGE_SECONDS and self.policy is FsyncPolicy.EVERYSEC)
        ):
            return None
        frame = encode_frame(
            payload, seq=seq, count=count, synced_seq=self.synced_seq, identity=self._identity, segment=segment.number
        )
        segment.reserved = end
        self.logged_bytes += end - start
        self.applied_seq = seq
        if level is Durability.SYNCED:
            work = Work(Kind.WRITE_THROUGH, segment, seq, frame, start, self.logged_bytes)
            self.writing = self.syncing = True
            self.sync_started = self._syncing_since = now
        else:
            assert window is not None
            window[start:end] = frame
            segment.offset = end
            self.written_seq = seq
            self.written_bytes = self.logged_bytes
            self.writes += 1
            if since is None:
                self._unsynced_since = now
        return seq, self._applied(batch), work

    def refuse(self) -> None:
        """Raise Poisoned if the log takes no more writes, or Closed if it was given up on purpose."""
        if isinstance(self.poison, Closed):
            raise Closed(str(self.poison))
        if self.poison is not None:
            raise Poisoned(
                f"{self.directory.filesystem.describe()}: an earlier write or fsync failed ({self.poison}); "
                "what it covered may be lost. Close the engine, mend the disk and reopen the directory",
                cause=self.poison,
            ) from self.poison

    @property
    def pending_bytes(self) -> int:
        """Applied bytes that the operating system does not have yet."""
        return self.logged_bytes - self.written_bytes

    def store(self) -> None:
        """Write what is pending without a call, if the segment has a window and nobody is writing."""
        window = self.segment.window
        if window is None or self.writing or not self._pending:
            return
        data = self._take_pending()
        segment = self.segment
        start, segment.offset = segment.offset, segment.offset + len(data)
        window[start : segment.offset] = data
        self.written_seq = self.applied_seq
        self.written_bytes = self.logged_bytes
        self.writes += 1

    def _take_pending(self) -> bytes:
        pending = self._pending
        data = pending[0] if len(pending) == 1 else b"".join(pending)
        pending.clear()
        return data

    # --- claim ----------------------------------------------------------------------------------------------------

    def reached(self, seq: int, level: Durability) -> bool:
        """Whether a number has reached a level, and may be acknowledged at it."""
        if level is Durability.SYNCED:
            return self.synced_seq >= seq
        if level is Durability.WRITTEN:
            # After a failed sync what was written may be gone from the page cache, too; who asks only now must not
            # be told that it is there (C7).
            return (self.written_seq if self.poison is None else self.synced_seq) >= seq
        return self.applied_seq >= seq

    def claim(self, seq: int, level: Durability, now: float) -> Work | None:
        """The next piece of work that brings ``seq`` to ``level``; None if it has to wait for one under way."""
        if self.poison is not None:
            self.refuse()
        if self.rotation_wanted:
            return None
        if self.written_seq < seq:
            if self.writing:
                return None
            durable = level is Durability.SYNCED and not self.syncing and self.synced_seq == self.written_seq
            return self._claim_write(through=durable, now=now)
        if level is Durability.SYNCED and self.synced_seq < seq and not self.syncing:
            return self.claim_sync(now)
        return None

    def _claim_write(self, *, through: bool, now: float) -> Work:
        segment = self.segment
        work = Work(
            Kind.WRITE_THROUGH if through else Kind.WRITE,
            segment,
            self.applied_seq,
            self._take_pending(),
            segment.offset,
            self.logged_bytes,
        )
        self.writing = True
        if through:
            self._begin_sync(now, covers_all=True)
        return work

    def claim_sync(self, now: float) -> Work | None:
        """A sync of everything written so far; None if one is under way or there is nothing to sync."""
        self.refuse()
        if self.syncing or self.synced_seq == self.written_seq or self.rotation_wanted:
            return None
        self._begin_sync(now, covers_all=self.written_seq == self.applied_seq)
        return Work(Kind.SYNC, self.segment, target=self.written_seq, logged_bytes=self.written_bytes)

    def claim_rotation(self, size: int, now: float) -> Work | None:
        """A rotation into a segment with room for ``size`` payload bytes; None if other work is under way."""
        self.refuse()
        needed = 2 * HEADER_BYTES + size
        if size > BATCH_BYTES_MAX:
            raise Limit(f"a batch of {size} bytes is larger than the {BATCH_BYTES_MAX} that a log frame may hold")
        if self.writing or self.syncing or self.supply.preparing:
            return None
        work = self._claim_write(through=True, now=now)
        self.rotating = True
        # A frame names its segment, so nothing may be appended for this one any more: no room until it is replaced.
        self.segment.reserved = self.segment.capacity
        work.kind = Kind.ROTATE
        self.supply.equip(work, needed)
        return work

    def claim_preparation(self, *, early: bool = False) -> Work | None:
        """Make the next segment ready ahead of need; None if one is ready, under way, or not needed yet.

        ``early``: it is needed although this segment is not half full.
        """
        if self.poison is not None or self.rotating:  # a rotation numbers a segment of its own
            return None
        return self.supply.claim_preparation(self.segment, early=early)

    def claim_trim(self) -> Work | None:
        """Give back the room behind the end of a sealed segment; None if there is none."""
        return None if self.poison is not None else self.supply.claim_trim()

    def _begin_sync(self, now: float, *, covers_all: bool) -> None:
        self.syncing = True
        self.sync_started = now
        self._syncing_since = self._unsynced_since
        if covers_all:
            self._unsynced_since = None

    # --- perform, finish ------------------------------------------------------------------------------------------

    def perform(self, work: Work) -> None:
        """Do the claimed work: system calls, so without the lock; ``finish`` takes what became of it."""
        work.perform(self.directory)

    def finish(self, work: Work) -> None:
        """Take the outcome of a performed work; raises DiskFull if it was refused for want of room."""
        kind = work.kind
        failure = work.failure
        if not work.performed:
            failure = InterruptedError(errno.EINTR, f"a {kind.value} was interrupted; how far it got is not known")
        if kind is Kind.PREPARE:
            self.supply.prepared(work, failure)
            if failure is not None and not isinstance(failure, DiskFull):
                self.fail(failure)
            return  # a full disk is met again, and told, when the segment is needed
        if kind is Kind.TRIM:
            if failure is not None:
                self.fail(failure)
            return
        if kind is Kind.ROTATE:
            self.rotating = False
        if kind is not Kind.SYNC:
            self.writing = False
        if kind is not Kind.WRITE:
            self.syncing = False
        if failure is not None and not (isinstance(failure, DiskFull) and work.synced):
            self.fail(failure)
            return
        if self.poison is not None:
            return  # other work failed meanwhile: nothing may be acknowledged any more
        if kind is not Kind.SYNC:
            work.segment.offset = work.offset + len(work.data)
            self.written_seq = work.target
            self.written_bytes = work.logged_bytes
            self.writes += 1
            self.healed += work.healed
        # The sync of a healed write is not believed while another one is under way: a failure is reported once, and
        # the other one may be the one that was told (F5).
        if work.synced and not (kind is Kind.WRITE and self.syncing):
            self.syncs += 1
            self._synced(work)
        if kind is Kind.ROTATE:
            self.supply.rotated(work)
            if work.successor is not None:
                self.segment = work.successor
                self.sealed_bytes += work.segment.offset
                self.rotations += 1
            else:
                work.segment.reserved = work.segment.offset
            if failure is not None:
                raise failure

    def _synced(self, work: Work) -> None:
        if work.target > self.synced_seq:
            self.synced_seq = work.target
            self.synced_bytes = work.logged_bytes
        self._syncing_since = None
        if self.synced_seq == self.applied_seq:
            self._unsynced_since = None

    def fail(self, failure: BaseException) -> None:
        """Poison the log: no position moves any more, and no write is taken (C7).

        With Closed it was not the disk that failed: the log was given up on purpose, or is the copy of a forked child.
        """
        if self.poison is None:
            self.poison = failure

    # --- what time asks for ---------------------------------------------------------------------------------------

    def unsynced_age(self, now: float) -> float:
        """How long the oldest applied but unsynced write has been waiting, in seconds; 0 if there is none."""
        since = self._syncing_since if self._syncing_since is not None else self._unsynced_since
        return 0.0 if since is None else max(0.0, now - since)

    def sync_due(self, now: float, age: float = SYNC_AGE_SECONDS) -> bool:
        """Whether the policy owes a sync that is not under way."""
        since = self._unsynced_since
        return since is not None and now - since >= age and not self.syncing and self.policy is not FsyncPolicy.NO

    def stalled(self, now: float) -> bool:
        """Whether writers must wait, because the sync under way lasts so long that the window would grow (C4)."""
        return (
            self.syncing
            and self.policy is FsyncPolicy.EVERYSEC
            and now - self.sync_started >= self.options.stall_seconds
        )
