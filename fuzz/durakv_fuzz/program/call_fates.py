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
        found |= _names(timeline, moment, state.model, answers)
        for number in moment.unsettled:
            found |= dict(_data(moment.files[number], moment, state.model, answers))
        return cls(found, tuple(_remarks(timeline, asked)))


_SYNCS = BARRIERS - {Kind.WRITE_THROUGH}


def _names(timeline: Timeline, moment: Moment, model: Model, answers: Mapping[str, Question]) -> dict[int, Fate]:
    journal = answers.get("journal length")
    forced = len(moment.entries) if journal is None else len(moment.entries) - journal.count + 1
    kept = forced if journal is None else forced + journal.answer
    found: dict[int, Fate] = {}
    for index, (unit, required) in enumerate(zip(moment.entries, moment.entries_required, strict=True)):
        start = unit.operation.start
        question = answers.get(unit.label)
        if unit.label != f"entry {timeline.describe(unit.operation)}":
            # Half of a call, as the removal of the old name: it is asked about if the other half survived.
            if question is not None and not question.answer:
                found[start] = Fate.TORN
            continue
        if question is not None:
            found[start] = Fate.KEPT if question.answer else Fate.LOST
        elif model is Model.PROCESS_CRASH or (model is Model.POWER_LOSS and not required):
            found[start] = Fate.KEPT  # in a power loss: because a later change of the same name was
        elif model is Model.POWER_LOSS or index < forced:
            found[start] = Fate.SETTLED
        else:
            found[start] = Fate.KEPT if index < kept else Fate.LOST
    return found


def _data(
    state: FileState, moment: Moment, model: Model, answers: Mapping[str, Question]
) -> Iterator[tuple[int, Fate]]:
    if not state.units:
        return
    if model is Model.PROCESS_CRASH:
        for unit in state.units:
            operation = unit.operation
            if operation in moment.in_flight:
                yield operation.start, _of(answers.get(f"in flight {operation}"), Fate.UNNAMED)
        return
    last = state.units[-1].label
    prefix = answers.get(f"writes kept {last}")
    kept = prefix.answer if prefix is not None else 0
    is_asked = prefix is not None or f"in any order {last}" in answers or any(u.label in answers for u in state.units)
    unasked = Fate.LOST if is_asked else Fate.UNNAMED
    for unit, required in zip(state.units, state.required, strict=True):
        start = unit.operation.start
        if required:
            yield start, Fate.SETTLED
            continue
        # What is within the old size may be asked about by itself, and the rest as a prefix.
        fates = {_of(answers[unit.label], unasked)} if unit.label in answers else set[Fate]()
        if prefix is not None:
            torn = answers.get(f"torn {unit.label}") if kept == 0 else None
            fates.add(Fate.KEPT if kept > 0 else Fate.TORN if torn is not None and torn.answer else Fate.LOST)
            kept -= 1
        yield start, fates.pop() if len(fates) == 1 else Fate.TORN if fates else unasked


def _of(question: Question | None, unasked: Fate) -> Fate:
    if question is None:
        return unasked
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
