"""Several reads of one moment, and what to write decided from them, with no other write in between.

db.read(lambda state: (state.get(b"a"), state.hgetall(b"b")))

def move(state: View, batch: Batch) -> bool:
    if state.get(b"from") is None:
        return False                             # nothing in the batch: nothing is logged
    batch.rename(b"from", b"to")
    return True

db.transact(move)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from durakv.errors import CommandError
from durakv.keyspace.batch import Batch
from durakv.keyspace.decider import Decider
from durakv.keyspace.methods import Methods
from durakv.keyspace.methods.method import Immediate
from durakv.keyspace.methods.strings import get_request
from durakv.keyspace.replies import Reply
from durakv.keyspace.requests import Argument, Request, encode
from durakv.keyspace.table import decide
from durakv.machine import Command

R = TypeVar("R")
T = TypeVar("T")


class View(Methods, Immediate):
    """One database as it is at this moment; only commands that read are answered, and all of them of the same time.

    It is handed to the functions that ``Database.read`` and ``Database.transact`` call, and refused behind them.
    """

    def __init__(self, decider: Decider, number: int, time_ms: int) -> None:
        """Made under the engine's lock, by the functions below."""
        self._decider = decider
        self._number = number
        self._time_ms = time_ms
        self._over = False

    def get(self, key: bytes) -> bytes | None:
        """What the key holds, or None."""
        return self._run(get_request(key, durability=None))

    def execute(self, *arguments: Argument) -> Reply:
        """Any command that reads, as ``Database.execute``."""
        return self._reply(encode(arguments))

    def end(self) -> None:
        """Answer no more: from now on others write."""
        self._over = True

    def _run(self, request: Request[T]) -> T:
        if request.durability is not None:
            raise ValueError("a read in a view has no level of its own: name it with read or transact(durability=)")
        return request.convert(self._reply(request.command))

    def _reply(self, command: Command) -> Reply:
        if self._over:
            raise RuntimeError("this moment is over: use a view only in the function that it was handed to")
        if self._decider.is_write(command):
            raise CommandError("ERR a view only reads: write with the batch that `transact` hands over beside it")
        return decide(self._decider.keyspace, self._number, command, self._time_ms)[1]


def looking(decider: Decider, number: int, look: Callable[[View], R]) -> Callable[[], R]:
    """What an engine calls under its lock to have ``look`` look."""

    def run() -> R:
        view = View(decider, number, decider.clock.time_ms())
        try:
            return look(view)
        finally:
            view.end()

    return run


def deciding(
    decider: Decider, number: int, choose: Callable[[View, Batch], R]
) -> Callable[[], tuple[list[Command], R]]:
    """What an engine calls under its lock to have ``choose`` decide: what to log, and the answer."""

    def run() -> tuple[list[Command], R]:
        time_ms = decider.clock.time_ms()  # one for all: no deadline passes between what is read and what is written
        view, batch = View(decider, number, time_ms), Batch(decider, number, _commit)
        try:
            answer = choose(view, batch)
        finally:
            view.end()
            commands = batch.end()
        if batch.named:
            raise ValueError("a command in a transaction has no level of its own: name it with transact(durability=)")
        effects, replies = decider.batch(commands, time_ms)()
        batch.settle(replies)
        return effects, answer

    return run


def _commit(_commands: object, _named: object) -> NoReturn:
    raise RuntimeError("a transaction's batch is run by the transaction: use it without `with`")
