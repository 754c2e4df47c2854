"""The engine: a state machine made durable by a log, in one directory with one owner.

    open      recover the state, become the owner, open a new log segment
    submit    log a batch of commands and apply it; wait now or later, for the level you choose
    close     write, sync and seal the log

What survives which crash is the contract in specs/01-contract.md; the clause numbers here are its.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from msgspec.structs import replace

from durakv.background import Task
from durakv.clock import Clock, SystemClock
from durakv.closing import ABORT_SECONDS, Closing, give_back
from durakv.commit import SYNC_OVERDUE_SECONDS, Commit
from durakv.counters import counters
from durakv.directory import APPEND_DIRECTORY, MANIFEST_NAME, refuse_failed, refuse_missing, take_lock
from durakv.durability import Durability, FsyncPolicy, check_level
from durakv.errors import Closed, DirectoryError, refuse_copy
from durakv.health import Health, judge_health
from durakv.machine import Batch, BatchMachine, DeferringMachine, StateMachine
from durakv.options import Load, Options, parse_policy
from durakv.receipt import Receipt
from durakv.recovery import Progress, Recovered, recover
from durakv.report import RecoveryReport, Status
from durakv.rewrite import Rewrite
from durakv.runner import FORKED, Runner
from durakv.storage.filesystem import Filesystem, Lock
from durakv.storage.posix import PosixFilesystem
from durakv.takeover import settle, tidy
from durakv.watch import Watch

if TYPE_CHECKING:
    from durakv.snapshot.codec import BaseCodec
    from durakv.snapshot.lazy import LazyBase

R = TypeVar("R")

LAZY_SEGMENT_BYTES = 1 << 20
"""The first segment after a lazy open: filling one of the usual size with zeros would be most of the open."""


class Engine:
    """A durable state machine.

    Any thread may call any method.  Commands are applied one batch at a time, in the order of their numbers, under
    the engine's lock; ``submit`` returns as soon as the batch is applied, and waiting for the disk is the caller's
    choice.  After any crash the state is that after the first k batches, each whole (C1), and k is at least every
    number acknowledged at WRITTEN if only the process died (C2), at SYNCED if the power was lost (C3).

    After a failed write or fsync the engine is *poisoned*: it refuses writes and waits with ``Poisoned``, while reads
    go on (C7).  Close it, mend the disk, open the directory again.

    With ``Options(load=Load.LAZY)`` the slots of the base are read when they are needed.  One that is found damaged
    then raises Corruption for whoever needs it, and from then on writes raise ``Poisoned``; waiting goes on, for the
    log is whole.

    A copy in a forked child refuses everything and touches nothing of its parent's (C10); ``close`` does nothing there.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None,
        machine: StateMachine,
        *,
        options: Options | None = None,
        fsync: FsyncPolicy | str | None = None,
        create: bool = True,
        filesystem: Filesystem | None = None,
        clock: Clock | None = None,
        background: bool = True,
        entropy: Callable[[int], bytes] = os.urandom,
        progress: Progress | None = None,
        base_codec: BaseCodec | None = None,
    ) -> None:
        """Open the directory, creating it unless ``create`` is false, and recover ``machine``, which must be empty.

        Raises Locked (another owner), Corruption (promised data is damaged; nothing was touched), UnsupportedVersion
        (written by a newer version; nothing was touched), DirectoryError, DiskFull or ``OSError``.
        ``background=False`` starts no thread: call ``step()`` for what one would do.  ``base_codec`` is for trying out
        a version of the base format that is not released (specs/12-versions.md).
        """
        options = options if options is not None else Options()
        if fsync is not None:
            options = _with_policy(options, fsync)
        self.options = options
        self.machine = machine
        self._own: PosixFilesystem | None = None
        if filesystem is None:
            filesystem = self._own = _posix(path)
        self.filesystem = filesystem
        self._clock = clock if clock is not None else SystemClock()
        self._forked = False
        self._codec = base_codec
        lazy = _lazy_base(filesystem, base_codec) if options.load is Load.LAZY else None
        lock: Lock | None = None
        try:
            lock = self._become_owner(create)
            found = recover(
                self.filesystem,
                machine,
                clock=self._clock,
                entropy=entropy,
                progress=progress,
                lazy=lazy,
                codec=base_codec,
            )
            capacity = min(options.segment_bytes, LAZY_SEGMENT_BYTES) if found.report.lazy else options.segment_bytes
            self._directory, segment = settle(self.filesystem, found, capacity)
            tidy(self.filesystem, found)
        except BaseException as failure:
            if lazy is not None:
                lazy.close()
            give_back(lock, self._own)
            if isinstance(failure, OSError):
                refuse_failed(self.filesystem, failure)
            raise
        self._retired = tuple(found.retired)
        self.report: RecoveryReport = found.report
        """What the open found and did (C13)."""
        self._commit = Commit(
            self._directory,
            segment,
            seq=segment.first - 1,
            apply=machine.apply,
            apply_together=machine.apply_together if isinstance(machine, BatchMachine) else None,
            options=options,
        )
        self._commit.sealed_bytes = found.log_bytes
        self._directory.lock = lock
        self._runner = Runner(self._commit, self._clock, background=background)
        watch = Watch(self._commit, self._clock)
        self._runner.add_task(watch)
        self._rewrite = self._make_rewrite(found, background)
        self._runner.add_task(self._rewrite)
        self._lazy: LazyBase | None = None
        if lazy is not None and found.report.lazy:
            assert isinstance(machine, DeferringMachine), "slots were deferred to it"
            self._lazy = lazy
            self._runner.prepare_by(lazy.prepare)
            from durakv.snapshot.loading import Loading

            self._runner.add_task(Loading(lazy, machine, self._runner))
        self._closing = Closing(
            self._runner,
            self._directory,
            rewrite=self._rewrite,
            lazy=self._lazy,
            watch=watch,
            lock=lock,
            own=self._own,
        )
        _ENGINES.add(self)
        self._runner.start()

    def __del__(self) -> None:
        # Thrown away it is not closed, but its thread ends; with that and the last receipt the lock goes.
        runner: Runner | None = getattr(self, "_runner", None)
        if runner is not None:
            runner.disband()

    # --- writing --------------------------------------------------------------------------------------------------

    def submit(self, commands: Batch, durability: Durability | None = None, *, blocking: bool = True) -> Receipt:
        """Log and apply a batch, all or nothing, and return a receipt to wait on.

        The commands are in memory when this returns; ``Receipt.result()`` returns when they have reached
        ``durability`` (by default SYNCED under ``always``, else WRITTEN).  Raises Poisoned, Closed, Limit or
        DiskFull, and then nothing was logged.  With ``blocking=False`` it raises BlockingIOError, with nothing logged,
        when it would have to wait for the disk itself: for room in the log, or because the disk stalls.
        """
        level = self._level(durability)
        seq, results = self._runner.submit(commands, level, blocking=blocking)
        return Receipt(self._runner, seq, results, level)

    def apply(self, commands: Batch, durability: Durability | None = None) -> list[Any]:
        """Log and apply a batch and wait for its level; return what the machine returned for each command."""
        return self._runner.write(commands, self._level(durability))

    def transact(self, decide: Callable[[], tuple[Batch, R]], durability: Durability | None = None) -> R:
        """Read the state, decide what to log, log and apply it, with no other write in between.

        ``decide`` runs under the engine's lock and returns the batch and the caller's answer.  It must change nothing
        and not call the engine; it may be called more than once.  If the batch is empty nothing is logged, and the
        level is waited for on behalf of everything the answer may depend on (C14).
        """
        return self._runner.transact(decide, self._level(durability))[1]

    def submit_decided(
        self, decide: Callable[[], tuple[Batch, R]], durability: Durability | None = None, *, blocking: bool = True
    ) -> Receipt:
        """Like ``transact``, but return a receipt whose ``results`` holds the answer; see ``submit``."""
        level = self._level(durability)
        seq, answer = self._runner.transact(decide, level, wait=False, blocking=blocking)
        return Receipt(self._runner, seq, [answer], level)

    def read(self, look: Callable[[], R], durability: Durability = Durability.APPLIED) -> R:
        """Call ``look`` with the state at rest, and return its answer.

        With a ``durability`` the answer is held back until everything it may depend on has reached that level, so
        that a caller never acts on what a crash may take back (C14).
        """
        level = self._level(durability)
        if self._forked:  # it may have been born while a batch was applied
            raise Closed(FORKED)
        with self._runner.lock:
            answer = look()
            seq = self._commit.applied_seq
        if level is not Durability.APPLIED:
            self._runner.wait(seq, level)
        return answer

    # --- waiting --------------------------------------------------------------------------------------------------

    def sync(self) -> None:
        """Return when every batch submitted before this call survives a power loss, under any policy (C3)."""
        self._check_owner()
        self._runner.wait(self._commit.applied_seq, Durability.SYNCED)

    def wait(self, seq: int, durability: Durability = Durability.SYNCED, timeout: float | None = None) -> None:
        """Return when number ``seq`` has reached a level; TimeoutError if not in time, Poisoned if never.

        Raises ValueError for a number that was never given out, and for one that a crash took: an unclean end retires
        every number that may have been told, and none of them names a write.
        """
        self._check_owner()
        self.check_number(seq)
        self._runner.wait(seq, self._level(durability), timeout)

    def reach(self, seq: int, durability: Durability) -> None:
        """``wait`` for a number that this engine gave, retired or not; for those who build on it."""
        self._runner.wait(seq, durability)

    def check_number(self, seq: int) -> None:
        """Raise ValueError unless a number up to ``applied_seq`` may be waited for; see ``wait``."""
        if seq > self._commit.applied_seq:
            raise ValueError(f"number {seq} was never given out; the last one is {self._commit.applied_seq}")
        for first, last in self._retired:
            if first <= seq <= last:
                raise ValueError(f"number {seq} is retired: if it was ever given out, a crash took what it named")

    @property
    def applied_seq(self) -> int:
        """The last number in memory."""
        return self._commit.applied_seq

    @property
    def written_seq(self) -> int:
        """The last number that survives a crash of this process."""
        return self._commit.written_seq

    @property
    def synced_seq(self) -> int:
        """The last number that survives a power loss."""
        return self._commit.synced_seq

    @property
    def committing(self) -> bool:
        """Whether a write or sync of the log is under way in some thread."""
        return self._commit.writing or self._commit.syncing

    # --- operating ------------------------------------------------------------------------------------------------

    @property
    def fsync(self) -> FsyncPolicy:
        """The policy in force."""
        return self._commit.policy

    def set_fsync(self, policy: FsyncPolicy | str) -> None:
        """Change the policy; when this returns, the new one holds for every write, earlier ones included (C6)."""
        chosen = parse_policy(policy)
        self._check_owner()
        with self._runner.lock:
            self._commit.set_policy(chosen)
        if chosen is FsyncPolicy.ALWAYS:
            self.sync()

    def rewrite(self, *, wait: bool = True) -> None:
        """Rewrite the log into a new base, so that the directory shrinks and opens faster.

        Writers go on meanwhile.  With ``wait`` it returns when the new base is published, or raises why not; a
        failed rewrite leaves everything as it was.
        """
        self._check_owner()
        handle = self._rewrite.request()
        if wait:
            while not handle.done():
                if not self._runner.has_thread:
                    self.step()
                else:
                    handle.wait(0.05)
                if self._closing.given_up.is_set():
                    raise Closed("the engine was closed before the rewrite ended")
            handle.result()

    def step(self) -> bool:
        """Do one bounded piece of background work if any is due; for engines opened with ``background=False``."""
        self._check_owner()
        return self._runner.step()

    def add_task(self, task: Task) -> None:
        """Have a task of the embedder's stepped in the background, some twenty times a second when idle."""
        self._check_owner()
        self._runner.add_task(task)

    def status(self) -> Status:
        """The state of now; the exposure in it is what a power loss at this moment would take (C4).

        It waits for no disk, and never raises: after ``close`` and in a forked child it says that the engine is dead.
        """
        commit, rewrite, lazy = self._commit, self._rewrite, self._lazy
        damage = None if lazy is None else lazy.damage
        with self._runner.lock:
            now = self._clock.monotonic()
            age = commit.unsynced_age(now)
            stalled = commit.stalled(now)
            late = commit.policy is not FsyncPolicy.NO and age > SYNC_OVERDUE_SECONDS
            manifest = self._directory.manifest
            poison = commit.poison if commit.poison is not None else damage
            if isinstance(poison, Closed):
                poison = None  # nothing failed
            health, reasons = judge_health(
                ended=self._why_ended(),
                poison=poison,
                stalled_seconds=now - commit.sync_started if stalled else None,
                late_seconds=age if late else None,
                no_room=commit.supply.is_full_behind(commit.segment),
                rewrite_failures=rewrite.failures,
                rewrite_error=rewrite.error,
            )
            return Status(
                policy=commit.policy,
                applied_seq=commit.applied_seq,
                written_seq=commit.written_seq,
                synced_seq=commit.synced_seq,
                unsynced_commands=commit.applied_seq - commit.synced_seq,
                unsynced_bytes=commit.logged_bytes - commit.synced_bytes,
                unsynced_age_seconds=age,
                pending_bytes=commit.pending_bytes,
                health=health,
                reasons=reasons,
                healthy=health is not Health.DEAD and not (stalled or late),
                stalled=stalled,
                poisoned=None if poison is None else str(poison),
                slots_to_load=0 if lazy is None else lazy.remaining,
                sync_seconds=max(0.0, now - commit.sync_started) if commit.syncing else 0.0,
                logged_bytes=commit.logged_bytes,
                log_bytes=commit.sealed_bytes + commit.segment.offset,
                base_bytes=rewrite.base_bytes,
                segments=len(manifest.segments),
                writes=commit.writes,
                syncs=commit.syncs,
                rotations=commit.rotations,
                healed=commit.healed,
                rewriting=rewrite.running,
                rewrite_progress=rewrite.maker.progress,
                rewrites=rewrite.rewrites,
                rewrites_failed=rewrite.failed,
                rewrite_failures=rewrite.failures,
                rewrite_error=rewrite.error,
            )

    def counters(self) -> dict[str, int | float]:
        """The status and what the open found as numbers, under the stable names that docs/operations.md lists.

        What ends in ``_total`` only grows, from 0 at the open; everything else is of now.  It costs what ``status``
        does, never waits for the disk and never raises.
        """
        return counters(self.status(), self.report)

    # --- closing --------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Write and sync everything, seal the log, and give up the directory.  Closing twice is allowed.

        It waits for the calls of other threads, however long the disk takes: see ``abort``.  After a clean close any
        loss is corruption and will be told as such (C8).  Raises Poisoned if the log could not be completed, DiskFull
        if it could but there was no room to say so, and Closed if ``abort`` came in between; the directory is given up
        all the same.  In a forked child it does nothing.
        """
        if self._forked:
            return
        self._closing.close()

    def abort(self, *, timeout: float = ABORT_SECONDS) -> bool:
        """Close by force: acknowledge nothing more, complete nothing, and do not wait for a slow or hung disk.

        What it leaves is what SIGKILL leaves: everything that was acknowledged at WRITTEN or SYNCED (C2), and the next
        open recovers it.  Whoever waits gets Closed at once, also a ``close`` that hangs; what it waited for may
        survive or not.  Calls into the disk that are under way cannot be interrupted, and could still write.  So the
        directory stays locked until the last of them has returned, and not a moment longer.

        Returns whether the directory is free already; it waits ``timeout`` seconds for that, and not more.  May be
        called again, to ask once more.
        """
        if self._forked:
            return True
        return self._closing.abort(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> NoReturn:
        refuse_copy(self, "pass its path on, and open that in the other process once this one has closed it")

    # --- parts ----------------------------------------------------------------------------------------------------

    def _level(self, durability: Durability | None) -> Durability:
        return self._commit.default_level if durability is None else check_level(durability)

    def _become_owner(self, create: bool) -> Lock:
        filesystem = self.filesystem
        if not filesystem.exists_root():
            if not create:
                raise refuse_missing(filesystem)
            filesystem.make_root()
        elif not create and MANIFEST_NAME not in filesystem.list():
            raise refuse_missing(filesystem)
        else:
            # Its entry may be an earlier owner's that died before it was durable.
            filesystem.make_root()
        return take_lock(filesystem)

    def _make_rewrite(self, found: Recovered, background: bool) -> Rewrite:
        return Rewrite(
            self._runner,
            self._directory,
            self.machine,
            options=self.options,
            clock=self._clock,
            base_bytes=found.base_bytes,
            child=background,
            codec=self._codec,
        )

    def disown(self) -> None:
        """Called in a forked child: the directory is the parent's, and this copy only says so (C10)."""
        self._forked = True
        self._runner.disown()
        if self._lazy is not None:
            self._lazy.disown()

    def _check_owner(self) -> None:
        if self._forked:
            raise Closed(FORKED)

    def _why_ended(self) -> str | None:
        return FORKED if self._forked else self._closing.why


def _disown_all() -> None:
    for engine in list(_ENGINES):
        engine.disown()


_ENGINES: weakref.WeakSet[Engine] = weakref.WeakSet()
os.register_at_fork(after_in_child=_disown_all)


def _lazy_base(filesystem: Filesystem, codec: BaseCodec | None) -> LazyBase:
    from durakv.snapshot.lazy import LazyBase  # not above: an eager open has no use for it

    return LazyBase(filesystem, codec)


def _posix(path: str | os.PathLike[str] | None) -> PosixFilesystem:
    if path is None:
        raise DirectoryError("give the engine a path, or a filesystem")
    place = os.path.join(os.fspath(path), APPEND_DIRECTORY)
    if os.path.exists(os.path.join(path, MANIFEST_NAME)) and not os.path.exists(place):
        raise DirectoryError(
            f"{os.fspath(path)} is the inside of a data directory, in which an open would begin an empty one; open the "
            f"directory above it, in which it has to be called {APPEND_DIRECTORY}"
        )
    return PosixFilesystem(place)


def _with_policy(options: Options, policy: FsyncPolicy | str) -> Options:
    return replace(options, fsync=parse_policy(policy))
