"""What ``submit`` returns: the number of a batch, what applying it returned, and a way to wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from durakv import journal
from durakv.durability import Durability
from durakv.errors import refuse_copy
from durakv.runner import Runner


class Receipt:
    """A batch on its way to its level.

    ``seq`` is the number of its last command and ``results`` holds what the state machine returned for each command;
    both are there at once.  ``result()`` waits.
    """

    __slots__ = ("_runner", "durability", "results", "seq")

    def __init__(self, runner: Runner, seq: int, results: list[Any], durability: Durability) -> None:
        self._runner = runner
        self.seq = seq
        self.results = results
        self.durability = durability

    def result(self, timeout: float | None = None) -> list[Any]:
        """Wait until the batch has reached its level, and return ``results``.

        Returning is the acknowledgement: a batch that is WRITTEN survives the death of the process (C2), one that is
        SYNCED a power loss (C3).  Raises Poisoned if it will never get there; TimeoutError if not in time, and then
        it is unknown whether it survives.
        """
        self._runner.wait(self.seq, self.durability, timeout)
        return self.results

    def done(self) -> bool:
        """Whether the batch has reached its level."""
        return self._runner.commit.reached(self.seq, self.durability)

    def add_done_callback(self, callback: Callable[[Receipt], None]) -> None:
        """Call back, from any thread, when the batch has reached its level or never will; ask ``result()`` which.

        What the callback raises is logged and goes no further: the thread it runs in may be another caller's.
        """
        self._runner.call_when(self.seq, self.durability, lambda: self._call(callback))

    def __reduce__(self) -> NoReturn:
        refuse_copy(self, "pass its number, seq, on, and Engine.wait for it where the engine is")

    def _call(self, callback: Callable[[Receipt], None]) -> None:
        try:
            callback(self)
        except Exception as failure:  # noqa: BLE001 - it is told with its traceback
            journal.error("a callback for number %d failed", self.seq, failure=failure, event="callback_failed")
