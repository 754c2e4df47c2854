"""A case told for people: what was done, what was said, what the crash took, what came back, and who is to blame."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from durakv.conformance import check_state_machine
from durakv_fuzz import told
from durakv_fuzz.embedder.life import Case, Recording, play
from durakv_fuzz.embedder.subject import Commands, M, Subject
from durakv_fuzz.enumerate import State, explain
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.story import tell_note
from durakv_fuzz.trace import Note

_TEXT_MAX = 400
_COMMANDS_MAX = 6


def tell(subject: Subject[M], case: Case) -> Iterator[str]:
    """The story of a case, line by line."""
    last = play(subject, case)
    crash = case.lives[len(last.past)].crash
    violation = last.violation
    if violation is None:
        violation = last.judge(crash, last.witness(last.image(crash))).violation
    yield "every promise was kept" if violation is None else f"{violation.verdict}: {violation.reason}"
    yield f"policy {case.setup.policy}, segments of {case.setup.segment_bytes} bytes"
    for number in range(1, len(last.past) + 2):
        life = play(subject, Case(case.setup, case.lives[:number]))
        yield f"life {number}"
        yield from _indent(_tell_life(life, case.lives[number - 1].crash))
    if last.violation is None:
        yield "what came back"
        yield from _indent(_tell_found(last, crash))
    if violation is not None:
        yield "the machine by itself, without any crash"
        yield from _indent(_tell_machine(subject, [item.batch for item in last.known]))


def _tell_life(recording: Recording[M], crash: Crash) -> Iterator[str]:
    trace, crash = recording.trace, recording.within(crash)
    notes = ((note.seq, f"{note.time:8.2f} s  {_tell_note(recording, note)}") for note in trace.notes)
    calls = ((operation.start, f"{'':10}  {operation}") for operation in trace.operations)
    for seq, line in sorted(chain(notes, calls)):
        if seq < crash.crash_seq:
            yield line
    if recording.violation is None:
        time = recording.timeline.time_at(crash.crash_seq)
        yield from explain(recording.timeline, State(crash.crash_seq, crash.model, crash.answers, "", Image(), time))


def _tell_note(recording: Recording[M], note: Note) -> str:
    word = note.payload
    if isinstance(word, told.Opened):
        report = "; ".join(word.lines) or "nothing to report"
        return f"opened ({word.policy}), last number {word.applied_seq}: {report}"
    if isinstance(word, told.Invoked):
        return f"batch {word.batch}: {_tell_batch(recording.names[word.batch])}"
    return tell_note(note)


def _tell_batch(batch: Commands) -> str:
    texts = [" ".join(part[:40].decode(errors="backslashreplace") for part in command) for command in batch]
    more = f" and {len(texts) - _COMMANDS_MAX} more" if len(texts) > _COMMANDS_MAX else ""
    return ", ".join(texts[:_COMMANDS_MAX]) + more


def _tell_found(recording: Recording[M], crash: Crash) -> Iterator[str]:
    expectation, seen = recording.expect(crash), recording.witness(recording.image(crash))
    yield f"promised: the first {expectation.least} batches" + (f" ({expectation.why})" if expectation.why else "")
    yield f"asked for: {expectation.most} batches"
    if seen.found is None:
        yield f"it was refused: {seen.refusal[:_TEXT_MAX]}"
        return
    states, value = expectation.states, recording.states.value
    matching = [str(k) for k, state in enumerate(states) if state == seen.found.state]
    yield "found: " + (f"the state after the first {' or '.join(matching)}" if matching else "another state")
    yield f"  {_shown(value(seen.found.state))}"
    yield from (f"report: {line}" for line in seen.found.lines)
    if not matching:
        yield "allowed were"
        for k in range(expectation.least, expectation.most + 1):
            yield f"  after {k}: {_shown(value(states[k]))}"


def _tell_machine(subject: Subject[M], script: list[Commands]) -> Iterator[str]:
    """Whether the conformance kit sees it as well: then no disk and no engine is to blame."""
    if not script or not __debug__:
        yield "was not checked"
        return
    try:
        check_state_machine(subject.make, script, look=subject.read)
    except AssertionError as failure:
        yield f"it breaks a rule of state machines: {str(failure)[:_TEXT_MAX]}"
    except Exception as failure:  # noqa: BLE001 - a foreign machine may raise anything
        yield f"the conformance kit ends with {type(failure).__name__}: {str(failure)[:_TEXT_MAX]}"
    else:
        yield "the conformance kit finds nothing wrong with it"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _TEXT_MAX else f"{text[:_TEXT_MAX]}... ({len(text)} characters)"


def _indent(lines: Iterator[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)
