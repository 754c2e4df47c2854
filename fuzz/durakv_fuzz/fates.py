"""Questions of a crash, and the operations that they are about: which one was lost, which one was spared."""

from __future__ import annotations

from collections.abc import Iterator

from durakv_fuzz.losses import Losses, Question
from durakv_fuzz.timeline import Moment, Timeline
from durakv_fuzz.trace import Kind, Operation

TELLING = (
    Kind.RENAME,
    Kind.EXCHANGE,
    Kind.REMOVE,
    Kind.LINK,
    Kind.SYMLINK,
    Kind.MAKE_DIRECTORY,
    Kind.CREATE,
    Kind.TRUNCATE,
    Kind.WRITE_THROUGH,
    Kind.WRITE,
)
"""If several operations would do to explain a crash, the kind that says most."""

_ABOUT_ONE = ("entry ", "data ", "in flight ")
"""Questions whether an operation survived; others name one, and ask how a file was torn, or how long it is."""


class Fates:
    """See the module."""

    def __init__(self, timeline: Timeline, losses: Losses) -> None:
        self._moment = timeline.moments[losses.crash_seq]
        self._trace = timeline.trace
        self._losses = losses
        self._operations = {operation.start: operation for operation in timeline.trace.operations}

    def lost(self) -> list[Operation]:
        """The operations that were lost; where a prefix survived, the first after it."""
        found = [self._operation_at(question, question.answer) for question in self._losses.lost()]
        return [operation for operation in found if operation is not None]

    def spared(self, first: Operation) -> Iterator[tuple[Operation, Question, int]]:
        """Later operations that might have been lost too: each with its question, and the answer that takes it."""
        for question in self._losses.questions:
            for operation, answer in self._spared(question):
                if operation.start > first.start:
                    yield operation, question, answer

    def last_settled(self, first: Operation) -> Operation | None:
        """The last operation after it, on another file, of which nothing could be lost any more."""
        in_doubt = {unit.operation.start for unit in self._moment.entries}
        in_doubt |= {unit.operation.start for state in self._moment.files.values() for unit in state.units}
        settled = [
            operation
            for operation in self._trace.operations
            if first.start < operation.start
            and 0 <= operation.end < self._losses.crash_seq
            and operation.start not in in_doubt
            and operation.kind in TELLING
            and operation.file != first.file
        ]
        return max(settled, key=lambda operation: operation.start, default=None)

    def _spared(self, question: Question) -> Iterator[tuple[Operation, int]]:
        """What a question spared, and the answer that would have taken it."""
        if question.is_prefix:
            for answer in range(question.answer):
                operation = self._operation_at(question, answer)
                if operation is not None:
                    yield operation, answer
        elif not question.is_loss:
            operation = self._operation_at(question, 0)
            if operation is not None:
                yield operation, 0

    def _operation_at(self, question: Question, answer: int) -> Operation | None:
        """Where a question asks how many, the operation after so many; else the one that it is about."""
        label = question.key[1]
        if label == "journal length":
            entries = self._moment.entries
            index = len(entries) + 1 - question.count + answer
            return entries[index].operation if index < len(entries) else None
        if label.startswith("writes kept "):
            return _unit_at(self._moment, label.removeprefix("writes kept "), answer)
        return self._operations.get(question.number) if label.startswith(_ABOUT_ONE) else None


def _unit_at(moment: Moment, label_of_last: str, answer: int) -> Operation | None:
    for state in moment.files.values():
        if state.units and state.units[-1].label == label_of_last:
            still_open = [unit for unit, required in zip(state.units, state.required, strict=True) if not required]
            return still_open[answer].operation if answer < len(still_open) else None
    return None
