"""A crash as the list of what it took: everything that is not listed survived.

    losses = Losses.of(timeline, crash)              which questions were answered otherwise than "it survived"
    losses.crash(timeline)                           the same crash, with answers in the order of the questions

Answers by position are right for repeating a crash and wrong for changing it: one answer less and all later ones are
about something else.  Here an answer belongs to what it is about, so losses can be taken away one by one, and the same
losses can be tried at another crash point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from durakv_fuzz.choose import Choose, Recorded, harshest
from durakv_fuzz.coverage import CrashPoint
from durakv_fuzz.enumerate import Maker
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.tree_model import crash_any

T = TypeVar("T")

Key = tuple[str, str, int]
"""What a question is about, the question, and how often it was asked before."""

_DETAILS = frozenset({"page", "sector", "size ahead", "stale tail"})
"""Questions that go on about the one before."""

_EXTRAS = ("size ", "torn ")
"""Questions for a part of something that is lost already: without it, less survived in a simpler way."""

_PREFIXES = ("writes kept ", "journal length", "in flight ")
"""Questions of how many, or of how far: the larger, the less is lost."""

_WHERE = re.compile(r"#\d+ | \[\d+, \d+\)| to \d+")
_NUMBER = re.compile(r"#(\d+)")
_FEW = 4


def spared(count: int, label: str, /) -> int:
    """Everything survives, in the simplest way."""
    return 0 if label.startswith(_EXTRAS) else count - 1


@dataclass(frozen=True, slots=True)
class Question:
    """One question, and what was answered."""

    key: Key
    count: int
    answer: int

    @property
    def is_loss(self) -> bool:
        """Whether the answer is another than that everything survived."""
        return self.answer != spared(self.count, self.key[1])

    @property
    def is_prefix(self) -> bool:
        """Whether it asks how much survived, rather than whether something did."""
        return self.key[1].startswith(_PREFIXES) and self.count > 2

    @property
    def number(self) -> int:
        """Of the operation it is about; 0 if it is about none."""
        match = _NUMBER.search(self.key[0])
        return int(match[1]) if match else 0

    @property
    def sketch(self) -> str:
        """The same for operations of one kind on one name, in whatever program."""
        return _WHERE.sub("", self.key[1])

    def worse(self) -> Iterator[int]:
        """Other answers than that everything survived: all of a few, some of many."""
        usual = spared(self.count, self.key[1])
        if self.count <= _FEW:
            yield from (answer for answer in range(self.count) if answer != usual)
        else:
            yield from {0, 1, self.count // 2, self.count - 2, self.count - 1} - {usual}


class Answers:
    """A chooser with an answer for some questions, and a way to answer the others; it remembers all of them."""

    def __init__(self, answers: Mapping[Key, int], otherwise: Choose = spared) -> None:
        self._answers = answers
        self._otherwise = otherwise
        self._about = ""
        self._asked: dict[tuple[str, str], int] = {}
        self.questions: list[Question] = []

    def __call__(self, count: int, label: str, /) -> int:
        if label not in _DETAILS:
            self._about = label
        asked = self._asked.get((self._about, label), 0)
        self._asked[self._about, label] = asked + 1
        key = (self._about, label, asked)
        answer = self._answers.get(key)
        answer = self._otherwise(count, label) if answer is None else min(answer, count - 1)
        self.questions.append(Question(key, count, answer))
        return answer


@dataclass(frozen=True, slots=True)
class Losses:
    """See the module."""

    crash_seq: int
    model: Model
    questions: tuple[Question, ...]

    @classmethod
    def make(
        cls,
        timeline: Timeline,
        crash_seq: int,
        model: Model,
        answers: Mapping[Key, int] | None = None,
        otherwise: Choose = spared,
    ) -> tuple[Losses, Image]:
        """These losses at this point, and what they leave."""
        return cls.made(crash_image, timeline, crash_seq, model, answers, otherwise)

    @classmethod
    def made(
        cls,
        maker: Maker[T],
        timeline: Timeline,
        crash_seq: int,
        model: Model,
        answers: Mapping[Key, int] | None = None,
        otherwise: Choose = spared,
    ) -> tuple[Losses, T]:
        """The same, with ``crash_image`` or ``crash_tree``."""
        choose = Answers(answers or {}, otherwise)
        image = maker(timeline, crash_seq, choose, model=model)
        return cls(crash_seq, model, tuple(choose.questions)), image

    @classmethod
    def of(cls, timeline: Timeline, crash: CrashPoint) -> Losses:
        """What a crash took."""
        return cls.made(crash_any, timeline, crash.crash_seq, crash.model, otherwise=Recorded(crash.answers))[0]

    @property
    def answers(self) -> dict[Key, int]:
        """The losses alone."""
        return {question.key: question.answer for question in self.questions if question.is_loss}

    def crash(self) -> Crash:
        """For repeating it."""
        return Crash(self.crash_seq, self.model, tuple(question.answer for question in self.questions))

    def lost(self) -> list[Question]:
        """The questions that were answered with a loss."""
        return [question for question in self.questions if question.is_loss]

    def alike(self, timeline: Timeline, crash_seq: int) -> Iterator[tuple[Losses, Image]]:
        """The same sort of loss in another program: of all operations like those that were lost, and of the last."""
        pattern = {question.sketch for question in self.lost()}
        everything, image = self.make(timeline, crash_seq, self.model)
        yield everything, image
        matching = [question for question in everything.questions if question.sketch in pattern]
        if matching:
            yield self.make(timeline, crash_seq, self.model, {question.key: 0 for question in matching})
            last = max(matching, key=lambda question: question.number)
            answer = last.count - 2 if last.is_prefix else 0
            yield self.make(timeline, crash_seq, self.model, {last.key: answer})


def simple_losses(maker: Maker[T], timeline: Timeline, crash_seq: int, model: Model) -> Iterator[tuple[Losses, T]]:
    """Nothing lost, one thing lost, everything lost, everything but one thing lost."""
    nothing, image = Losses.made(maker, timeline, crash_seq, model)
    yield nothing, image
    if not nothing.questions:
        return
    for question in nothing.questions:
        for answer in question.worse():
            yield Losses.made(maker, timeline, crash_seq, model, {question.key: answer})
    everything, image = Losses.made(maker, timeline, crash_seq, model, otherwise=harshest)
    yield everything, image
    for question in everything.questions:
        kept = spared(question.count, question.key[1])
        if kept:
            yield Losses.made(maker, timeline, crash_seq, model, {question.key: kept}, harshest)
