"""Commands as functions that an engine runs under its lock: the step between a facade and ``Engine.transact``.

A write becomes a function that returns its effects and its reply, a read one that returns its reply; the time is
taken when they run, so deadlines are judged in the order of the log.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from durakv.clock import Clock, SystemClock
from durakv.errors import Closed, CommandError
from durakv.keyspace.machine import Keyspace
from durakv.keyspace.replies import Reply
from durakv.keyspace.table import decide, find_command
from durakv.machine import Command

EXPIRED_MAX = 64
"""How many keys one slice of active expiry deletes."""


R = TypeVar("R")


class Decision(Generic[R]):
    """What an engine calls to learn what to log and to answer; perhaps more than once, then the last call counts."""

    __slots__ = ("_decide", "_keyspace")

    def __init__(self, keyspace: Keyspace, decide: Callable[[], tuple[list[Command], R]]) -> None:
        self._keyspace = keyspace
        self._decide = decide

    def __call__(self) -> tuple[list[Command], R]:
        effects, answer = self._decide()
        if len(effects) > 1:
            self._keyspace.announce(len(effects))
        return effects, answer


class Decider:
    """What the facades of one keyspace share."""

    __slots__ = ("__weakref__", "clock", "closed", "keyspace")

    def __init__(self, keyspace: Keyspace, clock: Clock | None = None) -> None:
        self.keyspace = keyspace
        self.clock = clock if clock is not None else SystemClock()
        self.closed = False
        _OPEN.add(self)

    def close(self) -> None:
        """Let no facade answer from memory any more: another owner may be changing the directory."""
        self.closed = True
        self.keyspace.announce(1)  # sends readers without a lock to the way on which ``closed`` is looked at

    def is_write(self, command: Command) -> bool:
        """Whether the command may have effects; raises CommandError for one that does not exist."""
        if self.closed:
            raise Closed("the database is closed, or was opened by this process's parent; open the directory again")
        spec = find_command(command)
        if spec.name == b"select":
            raise CommandError("ERR SELECT changes a session, and here is none: use select(number) or database=")
        return spec.writes

    def write(self, database: int, command: Command) -> Decision[Reply]:
        """What decides one command."""
        keyspace, time_ms = self.keyspace, self.clock.time_ms
        return Decision(keyspace, lambda: decide(keyspace, database, command, time_ms()))

    def read(self, database: int, command: Command) -> Callable[[], Reply]:
        """What answers a command that only reads."""
        return lambda: decide(self.keyspace, database, command, self.clock.time_ms())[1]

    def batch(self, commands: Sequence[tuple[int, Command]], time_ms: int | None = None) -> Decision[list[Reply]]:
        """What decides several commands, each on the state that the earlier ones will leave, as one batch.

        ``time_ms`` is the time of the decision that they belong to, if that was begun before.
        """

        def decide_batch() -> tuple[list[Command], list[Reply]]:
            now_ms = self.clock.time_ms() if time_ms is None else time_ms
            state = self.keyspace.overlay()
            effects: list[Command] = []
            replies: list[Reply] = []
            unseen: list[Command] = []  # applied only if somebody comes who could see them
            for database, command in commands:
                for effect in unseen:
                    state.apply(effect)
                unseen, reply = decide(state, database, command, now_ms)
                effects += unseen
                replies.append(reply)
            return fewest_selects(effects), replies

        return Decision(self.keyspace, decide_batch)

    def expiry(self) -> tuple[list[Command], bool]:
        """One slice of active expiry, and whether it found anything."""
        effects = self.keyspace.expired_effects(self.clock.time_ms(), EXPIRED_MAX)
        return effects, bool(effects)


def fewest_selects(effects: Sequence[Command]) -> list[Command]:
    """The same effects with a SELECT only where the database changes; they begin and end in database 0."""
    result: list[Command] = []
    home = wanted = selected = b"0"
    for effect in effects:
        if effect[0] == b"SELECT":
            wanted = effect[1]
            continue
        if wanted != selected:
            result.append((b"SELECT", wanted))
            selected = wanted
        result.append(effect)
    if selected != home:
        result.append((b"SELECT", home))
    return result


def _close_all() -> None:
    # A forked child may have been born in the middle of a batch, so it must not even read what it was born with.
    for decider in list(_OPEN):
        decider.close()


_OPEN: weakref.WeakSet[Decider] = weakref.WeakSet()
os.register_at_fork(after_in_child=_close_all)
