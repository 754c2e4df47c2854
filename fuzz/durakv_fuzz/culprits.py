"""The one line that explains a crash: which two things happened in the wrong order.

    #57 rename temp-appendonly.aof.manifest -> appendonly.aof.manifest was durable before #37 write_at ... [94, 220)

One of the two is the earliest operation that the crash took.  The other one came later and outlived it: if it is taken
too, the promise is kept; or it is the promise itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.losses import Losses, Question
from durakv_fuzz.model import Model
from durakv_fuzz.oracle import Verdict, Violation
from durakv_fuzz.timeline import Moment
from durakv_fuzz.trace import BARRIERS, Kind, Operation
from durakv_fuzz.witness import witness

_TELLING = (Kind.RENAME, Kind.REMOVE, Kind.CREATE, Kind.TRUNCATE, Kind.WRITE_THROUGH, Kind.WRITE)
"""If several would do, the kind that says most."""


def out_of_order(recording: Recording, crash: Crash, violation: Violation) -> str:
    """What the crash shows to be in the wrong order, or that it is no matter of order."""
    return _Culprits(recording, recording.within(crash), violation).tell()


class _Culprits:
    def __init__(self, recording: Recording, crash: Crash, violation: Violation) -> None:
        self._recording = recording
        self._crash = crash
        self._verdict = violation.verdict
        self._moment = recording.timeline.moments[crash.crash_seq]
        self._operations = {operation.start: operation for operation in recording.trace.operations}
        self._losses = Losses.of(recording.timeline, crash)

    def tell(self) -> str:
        """The line."""
        why = self._recording.expect(self._crash).why if self._verdict is Verdict.LOST_ACKED else ""
        lost = [operation for question in self._losses.lost() if (operation := self._first_lost(question)) is not None]
        if not lost:
            if why and self._crash.model is Model.PROCESS_CRASH:
                return f"{why} before it had been written"
            return "no operation was lost; what is there is taken for something else"
        first = min(lost, key=lambda operation: operation.start)
        outlived = self._outlived(first)
        if outlived is not None:
            return f"{outlived} was durable before {first}"
        if self._verdict is Verdict.SEQ_REUSED:
            why = f"number {self._recording.expect(self._crash).told_seq} was told"
        if why:
            return f"{why} before {first} was durable"
        later = self._last_settled(first)
        if later is not None:
            return f"{later} was durable before {first}"
        failed = self._failed_barrier(first)
        return f"{first} was lost" if failed is None else f"{first} was lost, because {failed}"

    def _outlived(self, first: Operation) -> Operation | None:
        """A later operation that this crash spared, and with which gone nothing is wrong any more."""
        needed = [
            operation
            for question in self._losses.questions
            for operation, answer in self._spared(question)
            if operation.start > first.start and not self._fails(question, answer)
        ]
        return min(needed, key=lambda operation: (_TELLING.index(operation.kind), operation.start), default=None)

    def _fails(self, question: Question, answer: int) -> bool:
        losses, image = Losses.make(
            self._recording.timeline,
            self._crash.crash_seq,
            self._crash.model,
            {**self._losses.answers, question.key: answer},
        )
        return self._breaks(losses, image)

    def _breaks(self, losses: Losses, image: Image) -> bool:
        seen = witness(image, self._recording.setup)
        violation = self._recording.judge(losses.crash(), seen).violation
        return violation is not None and violation.verdict is self._verdict

    def _last_settled(self, first: Operation) -> Operation | None:
        """The last operation after it of which nothing could be lost any more."""
        in_doubt = {unit.operation.start for unit in self._moment.entries}
        in_doubt |= {unit.operation.start for state in self._moment.files.values() for unit in state.units}
        settled = [
            operation
            for operation in self._recording.trace.operations
            if first.start < operation.start
            and 0 <= operation.end < self._crash.crash_seq
            and operation.start not in in_doubt
            and operation.kind in _TELLING
            and operation.file != first.file
        ]
        return max(settled, key=lambda operation: operation.start, default=None)

    def _failed_barrier(self, first: Operation) -> Operation | None:
        """The sync that should have made it durable."""
        for operation in self._recording.trace.operations:
            same_file = operation.file == first.file or operation.kind is Kind.SYNC_DIRECTORY
            if operation.start > first.start and operation.kind in BARRIERS and operation.error and same_file:
                return operation
        return None

    # --- questions and operations -----------------------------------------------------------------------------------

    def _first_lost(self, question: Question) -> Operation | None:
        return self._operation_at(question, question.answer)

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
        return self._operations.get(question.number) if question.number else None


def _unit_at(moment: Moment, label_of_last: str, answer: int) -> Operation | None:
    for state in moment.files.values():
        if state.units and state.units[-1].label == label_of_last:
            still_open = [unit for unit, required in zip(state.units, state.required, strict=True) if not required]
            return still_open[answer].operation if answer < len(still_open) else None
    return None
