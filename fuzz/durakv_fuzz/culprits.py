"""The one line that explains a crash: which two things happened in the wrong order.

    #57 rename temp-appendonly.aof.manifest -> appendonly.aof.manifest was durable before #37 write_at ... [94, 220)

One of the two is the earliest operation that the crash took.  The other one came later and outlived it: if it is taken
too, the promise is kept; or it is the promise itself.
"""

from __future__ import annotations

from durakv_fuzz.fates import TELLING, Fates
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.losses import Losses, Question
from durakv_fuzz.model import Model
from durakv_fuzz.oracle import Verdict, Violation
from durakv_fuzz.trace import BARRIERS, Kind, Operation
from durakv_fuzz.witness import witness


def out_of_order(recording: Recording, crash: Crash, violation: Violation) -> str:
    """What the crash shows to be in the wrong order, or that it is no matter of order."""
    return _Culprits(recording, recording.within(crash), violation).tell()


class _Culprits:
    def __init__(self, recording: Recording, crash: Crash, violation: Violation) -> None:
        self._recording = recording
        self._crash = crash
        self._verdict = violation.verdict
        self._losses = Losses.of(recording.timeline, crash)
        self._fates = Fates(recording.timeline, self._losses)

    def tell(self) -> str:
        """The line."""
        why = self._recording.expect(self._crash).why if self._verdict is Verdict.LOST_ACKED else ""
        lost = self._fates.lost()
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
        later = self._fates.last_settled(first)
        if later is not None:
            return f"{later} was durable before {first}"
        failed = self._failed_barrier(first)
        return f"{first} was lost" if failed is None else f"{first} was lost, because {failed}"

    def _outlived(self, first: Operation) -> Operation | None:
        """A later operation that this crash spared, and with which gone nothing is wrong any more."""
        needed = [
            operation for operation, question, answer in self._fates.spared(first) if not self._fails(question, answer)
        ]
        return min(needed, key=lambda operation: (TELLING.index(operation.kind), operation.start), default=None)

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

    def _failed_barrier(self, first: Operation) -> Operation | None:
        """The sync that should have made it durable."""
        for operation in self._recording.trace.operations:
            same_file = operation.file == first.file or operation.kind is Kind.SYNC_DIRECTORY
            if operation.start > first.start and operation.kind in BARRIERS and operation.error and same_file:
                return operation
        return None
