"""Several commands as one batch of the log: all of them or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from durakv.keyspace import requests
from durakv.keyspace.decider import Decider
from durakv.keyspace.replies import Reply
from durakv.keyspace.requests import Argument, Request
from durakv.machine import Command

T = TypeVar("T")


class Answer(Generic[T]):
    """What a command of a batch answered; there once the batch is committed."""

    __slots__ = ("_convert", "_reply")

    def __init__(self, convert: Callable[[Any], T]) -> None:
        self._convert = convert
        self._reply: list[Reply] = []

    @property
    def value(self) -> T:
        """The answer; raises RuntimeError before the commit, and for a batch that was discarded."""
        if not self._reply:
            raise RuntimeError("the batch is not committed: its answers are there after the with block")
        return self._convert(self._reply[0])

    def settle(self, reply: Reply) -> None:
        """Take the reply; the batch does this when it is committed."""
        self._reply.append(reply)


class Batch:
    """Commands that are collected now and decided, logged and applied together when the ``with`` block ends.

        with db.batch() as batch:
            batch.set(b"from", b"90")
            total = batch.incr(b"transfers")
        total.value                             # 1

    They are decided in order at that moment, with no other write in between, each on the state the earlier ones
    leave.  So nothing can be read inside the block; every method returns an ``Answer``.  An exception inside the
    block discards the batch; a command that is refused (``CommandError``) discards it too and is raised at its end.
    """

    def __init__(self, decider: Decider, database: int, commit: Callable[[list[tuple[int, Command]]], list[Reply]]):
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
            self.settle(self._commit(commands))

    def end(self) -> list[tuple[int, Command]]:
        """Take no more commands; return those there are, with their databases."""
        self._ended = True
        return self._commands

    def settle(self, replies: list[Reply]) -> None:
        """Hand the replies to the answers."""
        for answer, reply in zip(self._answers, replies, strict=True):
            answer.settle(reply)

    def _add(self, request: Request[T], database: int | None = None) -> Answer[T]:
        if self._ended:
            raise RuntimeError("the batch has ended; begin another one")
        self._decider.is_write(request.command)  # a command that does not exist is refused where it stands
        answer = Answer(request.convert)
        self._commands.append((self._database if database is None else database, request.command))
        self._answers.append(answer)
        return answer

    def execute(self, *arguments: Argument, database: int | None = None) -> Answer[Reply]:
        """Any command, as ``Database.execute``."""
        return self._add(Request(requests.encode(arguments), requests.as_it_is), database)

    def get(self, key: bytes) -> Answer[bytes | None]:
        """The value as of here in the batch."""
        return self._add(requests.get(key))

    def mget(self, *keys: bytes) -> Answer[list[bytes | None]]:
        """The values as of here in the batch."""
        return self._add(requests.mget(keys))

    def set(
        self,
        key: bytes,
        value: bytes,
        *,
        nx: bool = False,
        xx: bool = False,
        keepttl: bool = False,
        ex: int | None = None,
        px: int | None = None,
        exat: int | None = None,
        pxat: int | None = None,
    ) -> Answer[bool]:
        """Set a key; see ``Database.set``."""
        return self._add(requests.set_(key, value, nx=nx, xx=xx, keepttl=keepttl, ex=ex, px=px, exat=exat, pxat=pxat))

    def mset(self, values: Mapping[bytes, bytes]) -> Answer[None]:
        """Set several keys."""
        return self._add(requests.mset(values))

    def delete(self, *keys: bytes) -> Answer[int]:
        """Delete keys; how many were there."""
        return self._add(requests.delete(keys))

    def exists(self, *keys: bytes) -> Answer[int]:
        """How many of the keys are there."""
        return self._add(requests.exists(keys))

    def incr(self, key: bytes, by: int = 1) -> Answer[int]:
        """Add to an integer."""
        return self._add(requests.incrby(key, by))

    def decr(self, key: bytes, by: int = 1) -> Answer[int]:
        """Subtract from an integer."""
        return self._add(requests.decrby(key, by))

    def append(self, key: bytes, tail: bytes) -> Answer[int]:
        """Append to a string; its new length."""
        return self._add(requests.append(key, tail))

    def setrange(self, key: bytes, offset: int, part: bytes) -> Answer[int]:
        """Overwrite a part of a string; its new length."""
        return self._add(requests.setrange(key, offset, part))

    def expire(self, key: bytes, seconds: int) -> Answer[bool]:
        """Let a key expire after some seconds."""
        return self._add(requests.expire(b"EXPIRE", key, seconds))

    def pexpireat(self, key: bytes, when_ms: int) -> Answer[bool]:
        """Let a key expire at a Unix time in milliseconds."""
        return self._add(requests.expire(b"PEXPIREAT", key, when_ms))

    def persist(self, key: bytes) -> Answer[bool]:
        """Let a key live for ever."""
        return self._add(requests.persist(key))

    def rename(self, key: bytes, newkey: bytes) -> Answer[None]:
        """Rename a key."""
        return self._add(requests.rename(key, newkey))
