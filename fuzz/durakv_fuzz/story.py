"""A case told for people: what was done, what was said, what the crash took, what came back, what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator

from durakv.machine import Command
from durakv_fuzz import told
from durakv_fuzz.choose import Recorded
from durakv_fuzz.culprits import out_of_order
from durakv_fuzz.enumerate import State, explain
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Case, Crash, Recording, play, replay
from durakv_fuzz.oracle import Expectation, Violation
from durakv_fuzz.trace import Note
from durakv_fuzz.witness import Witness, witness

_TEXT_MAX = 200


def tell(case: Case) -> list[str]:
    """The story of a case, line by line."""
    judgement = replay(case)
    verdict = "every promise was kept"
    if judgement.violation is not None:
        verdict = f"{judgement.violation.verdict}: {judgement.violation.reason}"
    setup = case.setup
    lines = [
        verdict,
        *_tell_order(case, judgement.violation),
        f"machine {setup.machine}, policy {setup.policy}, segments of {setup.segment_bytes} bytes",
    ]
    for number, life in enumerate(case.lives, 1):
        lines += ["", f"life {number}" + (" (goes on on the same machine)" if life.resumed else "")]
        last = play(Case(setup, case.lives[:number]))
        lines += [f"  {line}" for line in _tell_life(last, life.crash)]
    last = play(case)
    crash = case.lives[-1].crash
    image = last.image(crash)
    if case.damage is not None:
        decayed = last.decay(crash, Recorded(case.damage))
        assert decayed is not None, "the case was found by that damage"
        image = decayed[0]
    lines += ["", "what came back"]
    lines += [f"  {line}" for line in _tell_found(last.expect(crash), witness(image, setup))]
    lines += ["", "on the disk", *(f"  {line}" for line in _tell_image(image))]
    return lines


def _tell_order(case: Case, violation: Violation | None) -> Iterator[str]:
    """Which two things are in the wrong order, if it is the crash that shows it."""
    last = play(case)
    if violation is not None and case.damage is None and not last.history.violations:
        yield f"witness: {out_of_order(last, case.lives[-1].crash, violation)}"


def _tell_life(recording: Recording, crash: Crash) -> Iterator[str]:
    trace, crash = recording.trace, recording.within(crash)
    broken = any(isinstance(note.payload, told.Broken) for note in trace.notes)
    events: list[tuple[int, str]] = []
    for note in trace.notes:
        if (note.seq < crash.crash_seq or broken) and (text := tell_note(note)):
            events.append((note.seq, f"{note.time:8.2f} s  {text}"))
    for operation in trace.operations:
        if operation.start < crash.crash_seq or broken:
            events.append((operation.start, f"                {operation}"))
    for _, text in sorted(events):
        yield text
    if not recording.history.violations:
        time = recording.timeline.time_at(crash.crash_seq)
        state = State(crash.crash_seq, crash.model, crash.answers, "", Image(), time)
        yield from explain(recording.timeline, state)


def tell_note(note: Note) -> str:
    """What a caller was told, or asked for."""
    word = note.payload
    if isinstance(word, told.Opened):
        report = "; ".join(word.lines) or "nothing to report"
        return f"opened ({word.policy}): {len(word.state)} keys, last number {word.applied_seq}; {report}"
    if isinstance(word, told.Invoked):
        return f"batch {word.batch}: {_tell_commands(word.commands)}"
    if isinstance(word, told.Numbered):
        return f"batch {word.batch} has number {word.seq}"
    if isinstance(word, told.Refused):
        return f"batch {word.batch} was refused: {word.reason[:_TEXT_MAX]}"
    if isinstance(word, told.Promised):
        return f"everything up to number {word.seq} is {word.level.name}"
    if isinstance(word, told.Failed):
        return f"{word.what} failed: {word.reason[:_TEXT_MAX]}"
    if isinstance(word, told.Broken):
        return f"BROKEN: {word.reason}"
    if isinstance(word, told.Seen):
        return f"a reader finds {len(word.state)} keys"
    if isinstance(word, told.Policy):
        return f"the policy is {word.policy}"
    return type(word).__name__.lower()


def _tell_commands(commands: tuple[Command, ...]) -> str:
    texts: list[str] = []
    for command in commands:
        parts = [part.decode(errors="replace") for part in command[:2]]
        if len(command) > 2:
            value = command[2]
            parts.append(f"{value[:12].rstrip(b'.').decode(errors='replace')} ({len(value)} bytes)")
        texts.append(" ".join(parts))
    return ", ".join(texts[:6]) + (f" and {len(texts) - 6} more" if len(texts) > 6 else "")


def _tell_found(expectation: Expectation, seen: Witness) -> Iterator[str]:
    yield f"promised: the first {expectation.least} batches" + (f" ({expectation.why})" if expectation.why else "")
    yield f"asked for: {expectation.most} batches"
    if seen.found is None:
        yield f"it was refused: {seen.refusal}"
        return
    matching = [str(k) for k, state in enumerate(expectation.states) if state == seen.found.state]
    yield "found: " + (f"the state after the first {' or '.join(matching)}" if matching else "another state")
    for key, (value, deadline) in sorted(seen.found.state):
        until = f", until {deadline}" if deadline else ""
        yield f"  {key.decode()} = {value[:24].rstrip(b'.').decode(errors='replace')} ({len(value)} bytes{until})"
    yield from (f"report: {line}" for line in seen.found.lines)


def _tell_image(image: Image) -> Iterator[str]:
    for name, data in sorted(image.files.items()):
        yield f"{name}: {len(data.rstrip(bytes(1)))} bytes and {len(data) - len(data.rstrip(bytes(1)))} zeros"
        if name.endswith(".manifest"):
            yield from (f"  {line}" for line in data.decode(errors="replace").splitlines())
