"""What became of each call in one crash of a recorded tree: what was settled, and what the crash kept, tore or took.

The crash is a list of answers; each is brought back to the calls that it is about.  Given up: of a torn write, which
part is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from durakv_fuzz.enumerate import TreeState
from durakv_fuzz.kernel import FileState
from durakv_fuzz.losses import Losses, Question
from durakv_fuzz.model import Model
from durakv_fuzz.timeline import Moment, Timeline
from durakv_fuzz.trace import BARRIERS, Kind, Operation


class Fate(StrEnum):
    """Of a call that changed something before the crash."""

    SETTLED = "settled"
    """No crash could take it any more: something had synced it."""

    KEPT = "kept"
    """It might have been lost."""

    TORN = "torn"
    LOST = "lost"
    UNNAMED = "unnamed"
    """What was written to a file that has no name after the crash; nobody asks for it."""


@dataclass(frozen=True, slots=True)
class CallFates:
    """See the module."""

    calls: Mapping[int, Fate]
    """By the number at which a call began; barriers that change nothing themselves are not there."""

    remarks: tuple[str, ...] = ()
    """What files gained that nobody wrote."""

    @classmethod
    def of(cls, timeline: Timeline, state: TreeState) -> CallFates:
        """Of one state of a trace of a tree."""
        moment = timeline.moments[state.crash_seq]
        asked = Losses.of(timeline, state).questions
        answers = {question.key[1]: question for question in asked}
        found = {
            operation.start: Fate.KEPT if state.model is Model.PROCESS_CRASH else Fate.SETTLED
            for operation in timeline.trace.operations
            if operation.start < state.crash_seq and operation.done and operation.kind not in _SYNCS
        }
        found |= dict(_names(moment, state.model, answers))
        for number in moment.unsettled:
            found |= dict(_data(moment.files[number], moment, state.model, answers))
        return cls(found, tuple(_remarks(timeline, asked)))


_SYNCS = BARRIERS - {Kind.WRITE_THROUGH}


def _names(moment: Moment, model: Model, answers: Mapping[str, Question]) -> Iterator[tuple[int, Fate]]:
    journal = answers.get("journal length")
    forced = len(moment.entries) if journal is None else len(moment.entries) - journal.count + 1
    kept = forced if journal is None else forced + journal.answer
    for index, (unit, required) in enumerate(zip(moment.entries, moment.entries_required, strict=True)):
        start = unit.operation.start
        question = answers.get(unit.label)
        if question is not None:
            yield start, Fate.KEPT if question.answer else Fate.LOST
        elif model is Model.PROCESS_CRASH or (model is Model.POWER_LOSS and not required):
            yield start, Fate.KEPT  # in a power loss: because a later change of the same name was
        elif model is Model.POWER_LOSS or index < forced:
            yield start, Fate.SETTLED
        else:
            yield start, Fate.KEPT if index < kept else Fate.LOST


def _data(
    state: FileState, moment: Moment, model: Model, answers: Mapping[str, Question]
) -> Iterator[tuple[int, Fate]]:
    if not state.units:
        return
    if model is Model.PROCESS_CRASH:
        for unit in state.units:
            operation = unit.operation
            if operation in moment.in_flight:
                yield operation.start, _of(answers.get(f"in flight {operation}"))
        return
    prefix = answers.get(f"writes kept {state.units[-1].label}")
    kept = prefix.answer if prefix is not None else -1
    for unit, required in zip(state.units, state.required, strict=True):
        start = unit.operation.start
        if required:
            yield start, Fate.SETTLED
        elif model is Model.POWER_LOSS:
            yield start, _of(answers.get(unit.label))
        elif prefix is None:
            yield start, Fate.UNNAMED
        else:
            torn = answers.get(f"torn {unit.label}") if kept == 0 else None
            yield start, Fate.KEPT if kept > 0 else Fate.TORN if torn is not None and torn.answer else Fate.LOST
            kept -= 1


def _of(question: Question | None) -> Fate:
    if question is None:
        return Fate.UNNAMED
    if question.answer == question.count - 1:
        return Fate.KEPT
    return Fate.TORN if question.answer else Fate.LOST


def _remarks(timeline: Timeline, asked: tuple[Question, ...]) -> Iterator[str]:
    operations: Mapping[int, Operation] = {operation.start: operation for operation in timeline.trace.operations}
    for question in asked:
        label = question.key[1]
        operation = operations.get(question.number)
        if operation is None:
            continue
        if label.startswith("size ") and question.answer:
            yield f"the file of {timeline.describe(operation)} got its size, but not the data: there are zeros"
        elif label.startswith("stale ") and question.answer < question.count - 1:
            yield f"the file of {timeline.describe(operation)} has in it what another, removed file held"
