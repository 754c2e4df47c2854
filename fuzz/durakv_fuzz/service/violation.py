"""A promise that a service did not keep."""

from __future__ import annotations

import traceback
from collections.abc import Iterable, Iterator, Sequence

_SHOWN_MAX = 12
_TEXT_MAX = 100
_CAUSE_MAX = 2000


class Violation(AssertionError):
    """A broken promise; its text is the story.  The exception that told it is its cause."""

    def __init__(self, story: Iterable[str]) -> None:
        self.story = tuple(story)
        super().__init__("\n".join(self.story))


def tell_failure(failure: Exception) -> str:
    """An exception in one line, and where it was raised; an assertion without words is told by its source."""
    *_, frame = traceback.extract_tb(failure.__traceback__) or [None]
    words = str(failure)[:_CAUSE_MAX] or (frame.line if frame is not None and frame.line else "")
    where = "" if frame is None else f" ({frame.filename}:{frame.lineno} in {frame.name})"
    return f"{type(failure).__name__}: {words}{where}"


def tell_facts(acked: Sequence[object], began: Sequence[object]) -> Iterator[str]:
    """What counted; of many facts the last ones."""
    yield f"acknowledged, so it must be there: {_shown(acked)}"
    yield f"begun, so it may be there: {_shown(began)}"


def _shown(facts: Sequence[object]) -> str:
    if not facts:
        return "nothing"
    texts = [repr(fact)[:_TEXT_MAX] for fact in facts[-_SHOWN_MAX:]]
    more = f"{len(facts) - len(texts)} more, and " if len(facts) > len(texts) else ""
    return more + ", ".join(texts)
