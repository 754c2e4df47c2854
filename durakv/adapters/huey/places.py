"""The two places where tasks are, and how one is handed out and moves: sorted sets of a number and a task's bytes.

A task that is *held* was handed out, and is on disk where it was until it is known what became of it.  Who holds what
is in memory only, so the death of the process gives everything back where it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import durakv
from durakv.adapters.huey.store import Store

NUMBER_BYTES = 8


@dataclass(slots=True, eq=False)
class Held:
    """A task that was handed out, until it is done or moved to another place."""

    place: Place
    member: bytes
    task_id: str | None = None
    thread: int | None = None
    """The thread that executes it."""
    begun: bool = False
    """Its function may have been called."""
    interrupted: bool = False
    spent: bool = False
    """It is no longer there: done, or moved."""


class HeldBytes(bytes):
    """The bytes of a task, and what is held of it; to huey they are bytes."""

    held: Held


def held_bytes(data: bytes, held: Held) -> HeldBytes:
    """These bytes, for that task."""
    marked = HeldBytes(data)
    marked.held = held
    return marked


class Place:
    """A sorted set of tasks: by a score, and among equal ones by their number, which is the order of their coming.

    Numbers make two tasks of the same bytes two members.
    """

    def __init__(self, store: Store, key: bytes) -> None:
        self.key = key
        self._store = store
        self._held: set[bytes] = set()
        self._aside: set[bytes] = set()
        self._arrived = store.condition()
        numbers = (int.from_bytes(member[:NUMBER_BYTES]) for member in store.database.zrange(key, 0, -1))
        self._number = max(numbers, default=0)

    # --- looking --------------------------------------------------------------------------------------------------

    def size(self) -> int:
        """How many there are, without those that are held."""
        with self._store.lock:
            return self._store.database.zcard(self.key) - len(self._held)

    def items(self, limit: int | None) -> list[bytes]:
        """Those that are not held, in their order."""
        last = -1 if limit is None else limit + len(self._held)
        with self._store.lock:
            members = self._store.database.zrange(self.key, 0, last)
            found = [member[NUMBER_BYTES:] for member in members if member not in self._held]
        return found[:limit]

    # --- coming and going -----------------------------------------------------------------------------------------

    def add(self, data: bytes, score: float) -> None:
        """Add a task.  One that is held comes from where it is, in the same batch.

        Nothing is added if a task that was due is no longer where it was: it was enqueued already, or flushed.
        """
        held = data.held if isinstance(data, HeldBytes) and not data.held.spent else None

        def then() -> None:
            if held is not None:
                held.place.forget(held)
            self._arrived.notify()

        with self._store.change(then) as batch:
            if held is not None:
                there = self._store.database.zscore(held.place.key, held.member) is not None
                if not there and held.place is not self and held.thread is None:
                    return
                batch.zrem(held.place.key, held.member)
            self._number += 1
            batch.zadd(self.key, {self._number.to_bytes(NUMBER_BYTES) + data: score})

    def take(self, seconds: float) -> bytes | None:
        """Take the first task away and return it; None if none comes in time."""
        with self._store.change() as batch:
            member = self._await(seconds)
            if member is None:
                return None
            batch.zrem(self.key, member)
        return member[NUMBER_BYTES:]

    def take_until(self, score: float) -> list[bytes]:
        """Take all tasks up to a score away, in one batch, and return them."""
        with self._store.change() as batch:
            members = self._until(score, self._held)
            if members:
                batch.zrem(self.key, *members)
        return [member[NUMBER_BYTES:] for member in members]

    def flush(self, batch: durakv.Batch) -> None:
        """Delete all tasks, those that are held too; ``forget_all`` when that is done."""
        batch.delete(self.key)

    def forget_all(self) -> None:
        """Nothing is here any more; called with the lock."""
        self._held.clear()
        self._aside.clear()

    # --- handing out ----------------------------------------------------------------------------------------------

    def hold(self, seconds: float) -> HeldBytes | None:
        """Hand out the first task, and keep it until it is settled, or added elsewhere; None if none comes in time.

        After a change that a full or broken disk refused, only if it takes another: else the whole queue would be
        executed, and executed again after the next open.
        """
        with self._store.lock:
            member = self._await(seconds)
            if member is None:
                return None
            if self._store.is_refused:
                self._try(member)
            self._held.add(member)
        return self._hand_out(member)

    def hold_until(self, score: float) -> list[HeldBytes]:
        """Hand out all tasks up to a score, and keep each until it is added elsewhere.

        What an earlier call handed out and nobody has added since is handed out again.
        """
        with self._store.lock:
            members = self._until(score, self._aside)
            self._held = self._aside.union(members)
        return [self._hand_out(member) for member in members]

    def release(self, held: Held) -> None:
        """It was not executed: let it be handed out again."""
        with self._store.lock:
            self._held.discard(held.member)

    def set_aside(self, held: Held) -> None:
        """Do not hand this task out again before the next open."""
        with self._store.lock:
            self._aside.add(held.member)

    def settle(self, held: Held) -> None:
        """The task is done: take it away, unless it has moved."""
        if not held.spent:
            with self._store.change(lambda: self.forget(held)) as batch:
                batch.zrem(self.key, held.member)

    def forget(self, held: Held) -> None:
        """It is no longer here; called with the lock."""
        held.spent = True
        self._held.discard(held.member)

    # --- parts ----------------------------------------------------------------------------------------------------

    def _hand_out(self, member: bytes) -> HeldBytes:
        return held_bytes(member[NUMBER_BYTES:], Held(self, member))

    def _await(self, seconds: float) -> bytes | None:
        until = time.monotonic() + seconds
        while (member := self._first()) is None:
            left = until - time.monotonic()
            if left <= 0:
                return None
            self._arrived.wait(left)
        return member

    def _try(self, member: bytes) -> None:
        """Write what is there already; raises what a write raises."""
        score = self._store.database.zscore(self.key, member)
        if score is not None:
            with self._store.change() as batch:
                batch.zrem(self.key, member)
                batch.zadd(self.key, {member: score})

    def _first(self) -> bytes | None:
        for member in self._store.database.zrange(self.key, 0, len(self._held)):
            if member not in self._held:
                return member
        return None

    def _until(self, score: float, without: set[bytes]) -> list[bytes]:
        members = self._store.database.zrangebyscore(self.key, b"-inf", score)
        return [member for member in members if member not in without]
