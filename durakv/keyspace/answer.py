"""What a command of a batch will have answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from durakv.keyspace.replies import Reply

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
