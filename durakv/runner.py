"""Leader and followers: who performs the commit pipeline's work, and how the others wait for it.

A caller that needs a number to reach a level claims the work itself and does the system call
in its own thread, so a single writer never hands over.  A caller that finds the work claimed parks on a lock of its
own; whoever finishes work wakes exactly the callers it served, and one more to take over if there is more to do.
Nobody is woken to find out that it was not its turn.

The background thread does what no caller waits for: the sync that ``everysec`` owes, the next segment, the steps of
a rewrite, active expiry.  Without it (``background=False``) the same work is done by ``step()``, one bounded piece a
call, in an order that depends on nothing but the calls: that is how the crash laboratory drives an engine.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

from durakv import journal
from durakv.background import TICK_SECONDS, Task
from durakv.clock import Clock
from durakv.commit import SYNC_OVERDUE_SECONDS, Commit
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import Closed
from durakv.followers import Followers
from durakv.machine import Batch
from durakv.payload import encoded
from durakv.waiting import lock_again
from durakv.work import Work

R = TypeVar("R")

CLOSED = "the engine is closed; open the directory again"
ABORTED = "the engine was closed by force, and nothing more is acknowledged; open the directory again"
FORKED = "this is a forked copy, and the directory is its parent's; open it anew when the parent has closed it"

TASKS_PASSED_OVER_MAX = 4
"""After this many pieces of the pipeline's work in a row the tasks get their turn, however busy the writers are."""


class Runner(Followers):
    """Drives a commit pipeline on behalf of many threads."""

    __slots__ = ("_closed", "_encode", "_filled", "_monotonic", "_tasks", "_tasks_passed_over", "_told", "clock")

    def __init__(self, commit: Commit, clock: Clock, *, background: bool) -> None:
        super().__init__(commit, self.step if background else None)
        self.clock = clock
        self._monotonic = clock.monotonic
        self._encode: Callable[[Batch], bytes] = encoded
        self._tasks: list[Task] = []
        self._tasks_passed_over = 0
        self._closed = False
        """No more writes are taken."""
        self._told: object = None
        """What was told last: the start of the sync that stalls, or the failure that poisons."""
        self._filled = False
        """A segment was filled just now: the next one is made ready at once, for it may be wanted before a tick."""

    @property
    def has_thread(self) -> bool:
        """Whether background work is done by a thread, and not by ``step()``."""
        return self._background is not None

    def start(self) -> None:
        """Start the background thread, if there is to be one."""
        if self._background is not None:
            self._background.start()

    def disown(self) -> None:
        """In a forked child: refuse everything, and touch neither locks nor files, which are the parent's."""
        self.lock = threading.Lock()
        self._waiters = []
        self._background = None
        self._closed = self._ended = True
        self.commit.poison = Closed(FORKED)

    def add_task(self, task: Task) -> None:
        """Have a task stepped in the background from now on."""
        with self.lock:
            self._tasks = [*self._tasks, task]

    def prepare_by(self, prepare: Callable[[Batch], None] | None) -> None:
        """Call ``prepare`` with every batch before it is logged, so that it can refuse it; None for nothing more."""
        if prepare is None:
            self._encode = encoded
            return

        def encode(batch: Batch) -> bytes:
            payload = encoded(batch)
            prepare(batch)
            return payload

        self._encode = encode

    # --- writing --------------------------------------------------------------------------------------------------

    def submit(self, batch: Batch, level: Durability, *, blocking: bool = True) -> tuple[int, list[Any]]:
        """Admit, append and apply a batch; return its number and what applying returned.

        ``level`` is what will be waited for; WRITTEN may be reached already.
        """
        payload = self._encode(batch)
        with self.lock:
            if level is Durability.WRITTEN and not self._closed:
                alone = self.commit.append_alone(payload, batch, self._monotonic(), level)
                if alone is not None:
                    if self._waiters:
                        self._wake()
                    return alone[0], alone[1]
            appended = self._append(payload, batch, blocking=blocking)
            self._store(level)
            return appended

    def write(self, batch: Batch, level: Durability) -> list[Any]:
        """``submit`` and ``wait`` in one: what a single writer does all day."""
        payload = self._encode(batch)
        with self.lock:
            alone = None if self._closed else self.commit.append_alone(payload, batch, self._monotonic(), level)
            if alone is None:
                seq, results = self._append(payload, batch)
                self._store(level)
            else:
                seq, results, work = alone
                if work is None:
                    if self._waiters:
                        self._wake()
                    return results
                self._do(work)
            self._reach(seq, level)
            return results

    def take_over(self, work: Work) -> None:
        """Finish a durable write that was claimed elsewhere, and wait for it.  Called, and returns, with the lock."""
        if work.called is True:
            work.performed = work.synced = True
            self._finish(work)
        else:
            self._do(work)
        self._reach(work.target, Durability.SYNCED)

    def _store(self, level: Durability) -> None:
        """Write at once what costs no call; what will be synced is better written and synced in one."""
        commit = self.commit
        if level is Durability.WRITTEN and commit.policy is not FsyncPolicy.ALWAYS:
            commit.store()
            if self._waiters:
                self._wake()

    def transact(
        self, decide: Callable[[], tuple[Batch, R]], level: Durability, *, wait: bool = True, blocking: bool = True
    ) -> tuple[int, R]:
        """Decide under the lock what to log, submit it and, unless the caller will do so itself, wait.

        ``decide`` may be called again if room has to be made.  If it logs nothing, what it read has to reach the level:
        the answer must not tell of a write that a crash may take back (C14).
        """
        commit = self.commit
        with self.lock:
            while True:
                self._refuse()
                batch, answer = decide()
                if not batch:
                    seq = commit.applied_seq
                    self._reach(seq, level if wait else Durability.APPLIED)
                    return seq, answer
                payload = self._encode(batch)
                now = self.clock.monotonic()
                if commit.admits(len(payload), now) or self._make_room(len(payload), blocking=blocking):
                    seq, _ = commit.append(payload, batch, now)
                    self._store(level)
                    self._reach(seq, level if wait else Durability.APPLIED)
                    return seq, answer

    def _append(self, payload: bytes, batch: Batch, *, blocking: bool = True) -> tuple[int, list[Any]]:
        commit = self.commit
        if self._closed or commit.poison is not None:
            self._refuse()
        now = self._monotonic()
        if not commit.admits(len(payload), now):
            self._make_room(len(payload), blocking=blocking)
        return commit.append(payload, batch, now)

    def _refuse(self) -> None:
        if self._closed and not isinstance(self.commit.poison, Closed):
            raise Closed(CLOSED)
        self.commit.refuse()

    def _make_room(self, size: int, *, blocking: bool) -> bool:
        """Do or await what keeps a payload of this size from being admitted; False if the lock was given up for it."""
        if not blocking:
            raise BlockingIOError("the log would have to wait for the disk before it takes this batch")
        commit = self.commit
        undisturbed = True
        while True:
            self._refuse()
            now = self.clock.monotonic()
            if commit.stalled(now):
                if self._told != commit.sync_started:
                    self._tell_stall(now)
                    continue
                self._park(commit.written_seq, Durability.SYNCED, None)
            elif commit.sync_due(now, SYNC_OVERDUE_SECONDS):
                # Nobody paid the sync that everysec owes; the writer pays it before the window grows (C4).
                self._advance(commit.applied_seq, Durability.SYNCED)
            elif not commit.room(size):
                work = commit.claim_rotation(size, now)
                if work is None:
                    self._park_for_role()
                else:
                    self._do(work)
                    if self._background is not None:
                        self._filled = True
                        self._background.call()
            elif commit.pending_bytes > commit.options.pending_bytes_max:
                self._advance(commit.applied_seq, Durability.WRITTEN)
            else:
                if not undisturbed:
                    self._hand_over()  # it may have been woken to take a lead that it has no use for
                return undisturbed
            undisturbed = False

    def rotate(self, then: Callable[[int], None] | None = None) -> int:
        """Seal the current segment and go on in a new one; return the last number of the sealed log.

        When it returns, everything up to that number is synced and the manifest says where it ends.  ``then`` is
        called with that number under the lock, before any later batch is applied.  Writers wait for a few syncs, but
        not while the new segment is filled with zeros.
        """
        commit = self.commit
        prepared = False
        with self.lock:
            try:
                while True:
                    self._refuse()
                    if commit.segment.is_worthless:
                        if then is not None:
                            then(commit.applied_seq)
                        return commit.applied_seq
                    work = None if prepared else commit.claim_preparation(early=True)
                    if work is not None:
                        self._do(work)
                        prepared = True
                        continue
                    work = commit.claim_rotation(0, self.clock.monotonic())
                    if work is not None:
                        commit.rotation_wanted = False
                        self._do(work, then)
                        self._refuse()
                        return work.target
                    commit.rotation_wanted = True
                    self._park_for_role()
            finally:
                if commit.rotation_wanted:
                    commit.rotation_wanted = False
                    self._wake()

    def poison(self, failure: BaseException) -> None:
        """Take no more writes: beside the pipeline something failed after which the disk is in doubt (C7)."""
        with self.lock:
            self.commit.fail(failure)
            self._wake()
            self._tell_poison()

    # --- telling --------------------------------------------------------------------------------------------------

    def _tell_stall(self, now: float) -> None:
        """By the first writer that has to wait: the background thread may be the one that hangs."""
        self._told = self.commit.sync_started
        directory, seconds = self.commit.directory.filesystem.describe(), now - self.commit.sync_started
        self._unlocked(
            lambda: journal.warning(
                "%s: writers wait for a sync that has lasted %.1f s",
                directory,
                seconds,
                about="commit",
                event="stalled",
                directory=directory,
                seconds=seconds,
            )
        )

    def _tell_poison(self) -> None:
        """Once, by whoever met the failure."""
        failure = self.commit.poison
        if failure is None or isinstance(failure, Closed) or self._told is failure:
            return
        self._told = failure
        directory, seq = self.commit.directory.filesystem.describe(), self.commit.synced_seq
        self._unlocked(
            lambda: journal.error(
                "%s: no more writes are taken: %s; number %d is the last that is certainly on disk",
                directory,
                failure,
                seq,
                about="commit",
                event="poisoned",
                directory=directory,
                synced_seq=seq,
            )
        )

    # --- waiting --------------------------------------------------------------------------------------------------

    def wait(self, seq: int, level: Durability, timeout: float | None = None) -> None:
        """Return once ``seq`` has reached ``level``; do the work for it if nobody else does.

        Raises Poisoned if it never will, TimeoutError if it has not in time (it still may).
        """
        with self.lock:
            self._reach(seq, level, timeout)

    def _reach(self, seq: int, level: Durability, timeout: float | None = None) -> None:
        commit = self.commit
        if commit.reached(seq, level):
            return
        if timeout is None and (work := commit.claim(seq, level, self._monotonic())) is not None:
            # The only writer there is finds that all is done: the loop below is for company.
            self._do(work)
        deadline = None if timeout is None else self.clock.monotonic() + timeout
        while not commit.reached(seq, level):
            self._refuse_wait()
            left = None if deadline is None else deadline - self.clock.monotonic()
            if left is not None and left <= 0:
                raise TimeoutError(f"number {seq} has not reached {level.name} in {timeout} seconds; it still may")
            self._advance(seq, level, left)

    def _refuse_wait(self) -> None:
        self.commit.refuse()
        if self._ended:
            raise Closed("the engine was closed before this number reached the level asked for")

    def _advance(self, seq: int, level: Durability, timeout: float | None = None) -> None:
        """Do one piece of work towards the goal, or park until somebody did.  Called, and returns, with the lock."""
        work = self.commit.claim(seq, level, self.clock.monotonic())
        if work is not None:
            self._do(work)
        else:
            self._park(seq, level, timeout)

    def _do(self, work: Work, then: Callable[[int], None] | None = None) -> None:
        self.lock.release()
        try:
            self.commit.perform(work)
        finally:
            raised = lock_again(self.lock)
            try:
                self._finish(work, then)
                if self.commit.poison is not None:
                    self._tell_poison()
            finally:
                if raised is not None:
                    raise raised

    def _finish(self, work: Work, then: Callable[[int], None] | None = None) -> None:
        try:
            self.commit.finish(work)
            if then is not None and self.commit.poison is None:
                then(work.target)
        finally:
            if self._waiters:
                self._wake()

    # --- background -----------------------------------------------------------------------------------------------

    def step(self) -> bool:
        """Do one bounded piece of background work; return whether there was any."""
        commit = self.commit
        with self.lock:
            if self._closed or commit.poison is not None:
                return False
            now = self.clock.monotonic()
            goal = self._goal(now)
            work = None
            if goal is not None:
                work = commit.claim(*goal, now)
            if work is None:
                early, self._filled = self._filled, False
                work = commit.claim_preparation(early=early) or commit.claim_trim()
            if work is not None:
                self._do(work)
                self._tasks_passed_over += 1
                if self._tasks_passed_over < TASKS_PASSED_OVER_MAX:
                    return True
            self._tasks_passed_over = 0
            tasks = self._tasks
        busy = work is not None
        for task in tasks:
            busy = task.step() or busy
        return busy

    def _goal(self, now: float) -> tuple[int, Durability] | None:
        """What somebody waits for without a thread of its own, or what the policy owes."""
        commit = self.commit
        if commit.sync_due(now):
            return commit.applied_seq, Durability.SYNCED
        for waiter in self._waiters:
            if not waiter.has_thread:
                return waiter.seq, waiter.level
        if commit.pending_bytes:
            level = Durability.SYNCED if commit.policy is FsyncPolicy.ALWAYS else Durability.WRITTEN
            return commit.applied_seq, level
        return None

    # --- closing --------------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Refuse new writes, end the background thread, and wait for work under way; Closed if ``abort`` is called."""
        with self.lock:
            self._closed = True
            if self._background is not None:
                self._background.end()
        while not self.rest(TICK_SECONDS):
            self.refuse_aborted()

    def refuse_aborted(self) -> None:
        """Raise Closed if the engine is being closed by force."""
        if isinstance(self.commit.poison, Closed):
            self.commit.refuse()

    def rest(self, timeout: float | None = None) -> bool:
        """After ``stop`` or ``abort``: wait until no call into the disk is under way; False if one is after that."""
        until = None if timeout is None else time.monotonic() + timeout
        if self._background is not None and not self._background.join(timeout):
            return False
        if not self.lock.acquire(timeout=_left(until)):
            return False
        try:
            while self.commit.writing or self.commit.syncing or self.commit.supply.preparing:
                if until is not None and time.monotonic() >= until:
                    return False
                self._park_for_role()
        finally:
            self.lock.release()
        return True

    def disband(self) -> None:
        """Begin nothing in the background any more; of an engine that was thrown away.  Takes no lock.

        The tasks go, for they hold this: so the directory is free with the last receipt, and no later.
        """
        self._tasks = []
        if self._background is not None:
            self._background.disband()

    def abort(self, timeout: float, why: str = ABORTED) -> None:
        """Take nothing and acknowledge nothing from now on; whoever waits is told at once, whatever the disk does.

        Who holds the lock may be reading from a disk that hangs, or be what this interrupted: after ``timeout`` this
        returns all the same.  Then nobody was woken; call it again once the lock is to be had.
        """
        # Each is one change, and looked at before anything is begun; so they may come without the lock.
        self._closed = True
        self.commit.fail(Closed(why))
        self._ended = True
        if not self.lock.acquire(timeout=max(0.0, timeout)):
            return
        try:
            if self._background is not None:
                self._background.end()
            self._wake()
        finally:
            self.lock.release()

    def flush(self) -> None:
        """Write and sync everything applied, beside the callers that still wait for it; afterwards nobody works."""
        with self.lock:
            commit = self.commit
            while True:
                commit.refuse()
                seq = commit.applied_seq
                work = None
                if not commit.reached(seq, Durability.SYNCED):
                    work = commit.claim(seq, Durability.SYNCED, self.clock.monotonic())
                elif not (commit.writing or commit.syncing):
                    break
                if work is not None:
                    self._do(work)
                else:
                    self._park_for_role()
            self._ended = True
            self._wake()


def _left(until: float | None) -> float:
    """What is left until then, as ``Lock.acquire`` takes it."""
    return -1 if until is None else max(0.0, until - time.monotonic())
