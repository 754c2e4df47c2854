"""A broken promise of a service told for people: what was told and called, what the crash took, what came back."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from durakv_fuzz.enumerate import State, explain
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.model import Model
from durakv_fuzz.service.life import Life
from durakv_fuzz.service.subject import Acked, Began
from durakv_fuzz.service.violation import tell_facts, tell_failure
from durakv_fuzz.trace import Note

_LINES_MAX = 60
"""Of each life, and of what a crash took."""
_TEXT_MAX = 200


def tell(life: Life, crash: Crash, failure: Exception, *, where: str, again: str) -> Iterator[str]:
    """The story, line by line."""
    yield tell_failure(failure)
    yield f"found in {where}; again: {again}"
    facts = life.facts(crash)
    for earlier, end in (*life.earlier, (life, crash)):
        yield f"life {earlier.number}"
        yield from _indent(_last(list(_tell_life(earlier, end))))
        yield from _indent(_tell_crash(earlier, end, fails=earlier is life and life.failure is failure))
    yield from tell_facts(facts.acked, facts.began)


def _tell_life(life: Life, crash: Crash) -> Iterator[str]:
    """What the life itself told and called, in order."""
    notes = ((note.seq, f"{note.time:8.2f} s  {_tell_note(note)}") for note in life.trace.notes)
    calls = ((operation.start, f"{'':10}  {operation}") for operation in life.trace.operations)
    for seq, line in sorted(chain(notes, calls)):
        if life.since <= seq < crash.crash_seq:
            yield line


def _tell_crash(life: Life, crash: Crash, *, fails: bool) -> Iterator[str]:
    if fails:
        yield "drive raised that on what the crash had left"
        return
    if crash.model is Model.PROCESS_CRASH and crash.crash_seq == life.trace.seq:
        yield "the process ends here; nothing is lost"
        return
    state = State(crash.crash_seq, crash.model, crash.answers, "", Image(), life.time(crash))
    headline, *fates = explain(life.timeline, state)
    yield headline
    yield from _indent(_last([fate for fate in fates if not fate.startswith("kept")]))


def _tell_note(note: Note) -> str:
    word = note.payload
    if isinstance(word, Began):
        return f"began {repr(word.fact)[:_TEXT_MAX]}"
    assert isinstance(word, Acked), "nobody else leaves notes"
    return f"acked {repr(word.fact)[:_TEXT_MAX]} ({word.level.name})"


def _last(lines: list[str]) -> Iterator[str]:
    if len(lines) > _LINES_MAX:
        yield f"... {len(lines) - _LINES_MAX} lines before"
    yield from lines[-_LINES_MAX:]


def _indent(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
