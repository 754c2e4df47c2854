"""Several commands as one batch of the log: all of them or none."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, NoReturn, Self, TypeVar, overload

from durakv.durability import Durability, FsyncPolicy, check_level
from durakv.errors import refuse_copy
from durakv.keyspace.answer import Answer
from durakv.keyspace.decider import Decider
from durakv.keyspace.methods import Methods
from durakv.keyspace.methods.method import Collected
from durakv.keyspace.methods.strings import get_request, set_request
from durakv.keyspace.replies import Reply
from durakv.keyspace.requests import Argument, Request, as_it_is, encode
from durakv.machine import Command

T = TypeVar("T")


class Batch(Methods, Collected):
    """Commands that are collected now and decided, logged and applied together when the ``with`` block ends.

        with db.batch() as batch:
            batch.set(b"from", b"90")
            total = batch.incr(b"transfers")
        total.value                             # 1

    They are decided in order at that moment, with no other write in between, each on the state the earlier ones
    leave.  So nothing can be read inside the block; every method returns an ``Answer``.  An exception inside the
    block discards the batch; a command that is refused (``CommandError``) discards it too and is raised at its end.

    The block returns when the batch has reached its own level, the policy's unless ``Database.batch`` was given one,
    or a higher one that a command in it has named.
    """

    def __init__(
        self,
        decider: Decider,
        database: int,
        commit: Callable[[list[tuple[int, Command]], Durability], list[Reply]],
    ) -> None:
        """A batch in one database; ``commit`` gets its commands, and the highest level that they named."""
        self.named = Durability.APPLIED
        self._decider = decider
        self._database = database
        self._commit = commit
        self._commands: list[tuple[int, Command]] = []
        self._answers: list[Answer[Any]] = []
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        commands = self.end()
        if kind is None and commands:
            self.settle(self._commit(commands, self.named))

    def __reduce__(self) -> NoReturn:
        refuse_copy(self, "collect the commands in a list of your own, and put them into a batch where the database is")

    def end(self) -> list[tuple[int, Command]]:
        """Take no more commands; return those there are, with their databases."""
        self._ended = True
        return self._commands

    def settle(self, replies: list[Reply]) -> None:
        """Hand the replies to the answers."""
        for answer, reply in zip(self._answers, replies, strict=True):
            answer.settle(reply)

    def execute(
        self, *arguments: Argument, database: int | None = None, durability: Durability | None = None
    ) -> Answer[Reply]:
        """Any command, as ``Database.execute``."""
        number = self._database if database is None else database
        return self._add(Request(encode(arguments), as_it_is, durability), number)

    def _run(self, request: Request[T]) -> Answer[T]:
        return self._add(request, self._database)

    def _add(self, request: Request[T], database: int) -> Answer[T]:
        if self._ended:
            raise RuntimeError("the batch has ended; begin another one")
        self._decider.is_write(request.command)  # a command that does not exist is refused where it stands
        if request.durability is not None:
            self.named = max(self.named, check_level(request.durability))
        answer = Answer(request.convert)
        self._commands.append((database, request.command))
        self._answers.append(answer)
        return answer

    def get(self, key: bytes, *, durability: Durability | None = None) -> Answer[bytes | None]:
        """The value as of here in the batch."""
        return self._run(get_request(key, durability=durability))

    @overload
    def set(
        self,
        key: bytes,
        value: bytes,
        *,
        nx: bool = ...,
        xx: bool = ...,
        get: Literal[False] = ...,
        keepttl: bool = ...,
        ex: int | None = ...,
        px: int | None = ...,
        exat: int | None = ...,
        pxat: int | None = ...,
        durability: Durability | None = ...,
    ) -> Answer[bool]: ...

    @overload
    def set(
        self,
        key: bytes,
        value: bytes,
        *,
        get: Literal[True],
        nx: bool = ...,
        xx: bool = ...,
        keepttl: bool = ...,
        ex: int | None = ...,
        px: int | None = ...,
        exat: int | None = ...,
        pxat: int | None = ...,
        durability: Durability | None = ...,
    ) -> Answer[bytes | None]: ...

    def set(
        self,
        key: bytes,
        value: bytes,
        *,
        nx: bool = False,
        xx: bool = False,
        get: bool = False,
        keepttl: bool = False,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
        durability: Durability | None = None,
    ) -> Answer[Any]:
        """Set a key; see ``Database.set``."""
        return self._run(
            set_request(
                key,
                value,
                nx=nx,
                xx=xx,
                get=get,
                keepttl=keepttl,
                ex=ex,
                px=px,
                exat=exat,
                pxat=pxat,
                durability=durability,
            )
        )


def batch_level(policy: FsyncPolicy, own: Durability | None, named: Durability) -> Durability:
    """What a batch waits for: its own level, by default the policy's, or a higher one that a command named."""
    return max(policy.default_durability if own is None else own, named)
