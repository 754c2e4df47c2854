"""The record of one life of the served tree: calls and words in one order, as ``durakv_fuzz.trace`` defines it.

Words come through a socket of their own.  They are taken in before each call is numbered, so that what was said before
a call was made is before it in the order; and a word that is told after an answer has a later number than that call.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import fields
from operator import attrgetter
from typing import Any

from durakv_fuzz.faults import AfterFailedSync
from durakv_fuzz.recorder.process import WORD_BYTES_MAX
from durakv_fuzz.recorder.refusals import Refusal, Refusals
from durakv_fuzz.trace import BARRIERS, NAMING, Kind, Note, Operation

_SITED = BARRIERS | NAMING | {Kind.WRITE, Kind.TRUNCATE}
"""Calls whose place is recorded: those that a crash may take, and those that keep it from that."""

FIELDS = tuple(field.name for field in fields(Operation))
Row = tuple[Any, ...]
_row: Callable[[Operation], Row] = attrgetter(*FIELDS)


class Log:
    """Operations and notes, with the next sequence number."""

    def __init__(self, words: socket.socket, refusals: Iterable[Refusal] = ()) -> None:
        self.refusals = Refusals(refusals)
        self.operations: list[Operation] = []
        self.notes: list[Note] = []
        self.seq = 0
        self.recorded_bytes = 0
        self.site: Callable[[int], str] | None = None
        """Tells where a thread's call was made, if the record is to have that."""
        self._words = words
        self._tasks: dict[int, str] = {0: "kernel"}

    def hear(self) -> None:
        """Take in every word that has come."""
        with contextlib.suppress(BlockingIOError):
            while word := self._words.recv(WORD_BYTES_MAX):
                kind, payload = json.loads(word)
                self.notes.append(Note(self._take_seq(), time.monotonic(), kind, payload))

    def start(self, operation: Operation, caller: int) -> None:
        """A call begins; ``caller`` is its thread.  Raises ``OSError`` if it is to fail, which is recorded then."""
        self.hear()
        operation.task = self._tasks.get(caller) or self._name(caller)
        operation.start, operation.started = self._take_seq(), time.monotonic()
        self.recorded_bytes += len(operation.data)
        if self.site is not None and operation.kind in _SITED:
            operation.site = self.site(caller)
        self.operations.append(operation)
        error = self.refusals.strike(operation.kind)
        if error:
            operation.error, operation.done = error, False
            if operation.kind in BARRIERS:
                operation.after = AfterFailedSync.KEPT
            self.end(operation)
            raise OSError(error, os.strerror(error))

    def end(self, operation: Operation) -> None:
        """It returns now."""
        operation.end, operation.ended = self._take_seq(), time.monotonic()

    def did(self, operation: Operation, caller: int) -> None:
        """A call that takes no time; told of before it has its effect, for it may be refused."""
        self.start(operation, caller)
        self.end(operation)

    def settle(self) -> None:
        """Everything so far is durable."""
        self.did(Operation(Kind.SYNC_ALL), 0)

    def rows(self) -> list[Row]:
        """The operations in the order of ``FIELDS``, which goes from process to process much faster."""
        return [_row(operation) for operation in self.operations]

    def _take_seq(self) -> int:
        seq = self.seq
        self.seq = seq + 1
        return seq

    def _name(self, caller: int) -> str:
        try:
            with open(f"/proc/{caller}/comm") as file:
                name = file.read().strip()
        except OSError:  # it has ended, or is nobody this process may see
            name = "?"
        task = self._tasks[caller] = f"{name}/{caller}"
        return task
