"""What the models allow of a litmus: every answer to every question, at every point where a crash may happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from durakv_fuzz.calibration.litmus import Litmus
from durakv_fuzz.choose import Choose
from durakv_fuzz.model import Model
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Note, Trace
from durakv_fuzz.tree_model import tree_at

MARK = "litmus"
"""The kind of the notes that marks become; the first of them says that all before was preparation."""

MODELS = (Model.POWER_LOSS, Model.ORDERED_ZERO_TAIL, Model.ORDERED)
"""From the one that allows most."""

ANSWERS_MAX = 200_000

Seen: TypeAlias = frozenset[tuple[int, str]]
"""Steps, with the outcomes of a crash there."""


class TooManyAnswers(ValueError):
    """A litmus is too large for all that a crash may do to be gone through; make its writes smaller."""


def step_at(notes: Sequence[Note], crash_seq: int) -> int:
    """How many marks had been made; -1 while it was still prepared."""
    return sum(1 for note in notes if note.kind == MARK and note.seq < crash_seq) - 1


def allowed(litmus: Litmus, trace: Trace, models: Sequence[Model] = MODELS) -> Mapping[Model, Seen]:
    """For each model what it allows; raises ``TooManyAnswers``.

    The ordered disk with a zero tail may do whatever the ordered one may.
    """
    timeline = Timeline(trace)
    found: dict[Model, set[tuple[int, str]]] = {model: set() for model in models}
    words: dict[str, str] = {}
    done: set[tuple[int, int]] = set()
    for crash_seq, moment in enumerate(timeline.moments):
        step = step_at(trace.notes, crash_seq)
        # Between two events after which nothing else can be lost, a crash finds the same.
        if step < 0 or (step, moment.version) in done:
            continue
        done.add((step, moment.version))
        for model in models:
            for choose in every_answer():
                tree = tree_at(moment, choose, model=model)
                digest = tree.digest()
                if digest not in words:
                    words[digest] = litmus.observe(tree)
                found[model].add((step, words[digest]))
    if Model.ORDERED_ZERO_TAIL in found:
        found[Model.ORDERED_ZERO_TAIL] |= found.get(Model.ORDERED, set())
    return {model: frozenset(seen) for model, seen in found.items()}


def every_answer(most: int = ANSWERS_MAX) -> Iterator[Choose]:
    """Choosers that together give every combination of answers; each is to be used up before the next is asked for."""
    path: list[tuple[int, int]] = []
    for _ in range(most):
        asked = 0

        def choose(count: int, label: str, /) -> int:
            nonlocal asked
            if asked == len(path):
                path.append((0, count))
            answer, _ = path[asked]
            asked += 1
            return answer

        yield choose
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        answer, count = path.pop()
        path.append((answer + 1, count))
    raise TooManyAnswers(f"more than {most} combinations of answers at one crash point")
