"""From a finding to its story: a smaller crash that breaks the same promise, and what can be said about it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from durakv_fuzz.model import Model
from durakv_fuzz.program.call_fates import CallFates, Fate
from durakv_fuzz.program.campaign import Finding, Start
from durakv_fuzz.program.disks import Crash
from durakv_fuzz.program.memory_disk import TreeCrash, TreeRun
from durakv_fuzz.program.oracle import Told, told_before
from durakv_fuzz.program.path_roles import roles_of, what_settles
from durakv_fuzz.program.seen import TimelineRow
from durakv_fuzz.program.subject import Subject
from durakv_fuzz.program.timeline_rows import in_words, named_in, rows_around
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Operation

_LINES_MAX = 6
_PRIVATE = re.compile(r"(?:/[^\s'\":]*)?/durakv-(?:recorder|block)-[\w-]+/[\w-]+")
"""Where a program's directory happened to be while it was recorded or started."""


def smallest(finding: Finding, subject: Subject, start: Start, *, check_seconds: float, seconds: float) -> Finding:
    """The same verdict, from a crash that is easier to understand; the finding itself if there is none.

    Tries until its time is over.  A verdict that depends on the program's own timing may not come again.
    """
    run, deadline = finding.run, time.monotonic() + seconds
    failed: dict[tuple[int, str, tuple[int, ...]], Finding] = {}

    def told_at(crash: Crash) -> Told:
        told = told_before(run.notes, crash.crash_seq, crash.time, subject.promise, subject.window_seconds)
        return told.with_earlier(finding.earlier)

    def fails(crash: Crash) -> bool:
        if time.monotonic() > deadline:
            return False
        told = told_at(crash)
        _, judgement = start(subject, run, crash, told, check_seconds)
        if judgement.verdict is not finding.judgement.verdict:
            return False
        failed[_key(crash)] = Finding(judgement, crash, run, finding.life, finding.plan, told, finding.earlier)
        return True

    crash = run.smaller(finding.crash, fails)
    return replace(failed.get(_key(crash), finding), crash=crash)


def _key(crash: Crash) -> tuple[int, str, tuple[int, ...]]:
    model, answers = crash.choices()
    return crash.crash_seq, model, tuple(answers)


def without_private_paths(text: str) -> str:
    """The text with ``{dir}`` for the directory that a program was given."""
    return _PRIVATE.sub("{dir}", text)


@dataclass(frozen=True, slots=True)
class Story:
    """What can be said of a finding, for people."""

    lines: list[str]
    """What the crash decided, and what had been said."""
    witness: str = ""
    settled_by: str = ""
    roles: dict[str, str] = field(default_factory=dict[str, str])
    timeline: list[TimelineRow] = field(default_factory=list[TimelineRow])


def story(finding: Finding) -> Story:
    """What happened: on the disk in memory call by call, on a real file system as far as its device knows."""
    told = finding.told
    said = (
        f"acknowledged by then: {len(told.acked)} numbers, up to {max(told.acked)}; owed: {len(told.owed)}"
        if told.acked
        else "nothing had been acknowledged by then"
    )
    run, crash = finding.run, finding.crash
    if not isinstance(run, TreeRun) or not isinstance(crash, TreeCrash):
        return Story([*run.explain(crash), said])
    timeline = run.played()
    fates = CallFates.of(timeline, crash.state)
    told_of = named_in(crash.witness)
    witness = in_words(crash.witness)
    settled_by = what_settles(timeline, min(told_of)) if told_of else ""
    lines = [*filter(None, [witness, settled_by]), *_decided(timeline, crash, fates), said]
    rows = rows_around(timeline, crash.state, fates, told_of)
    return Story(lines, witness, settled_by, roles_of(timeline, told_of), rows)


def _decided(timeline: Timeline, crash: TreeCrash, fates: CallFates) -> Iterator[str]:
    """What the crash took, call by call, and how much it spared."""
    yield f"{crash.state.model}, before event {crash.crash_seq}"
    by_fate: dict[Fate, list[Operation]] = {}
    for call in timeline.trace.operations:
        if (fate := fates.calls.get(call.start)) is not None:
            by_fate.setdefault(fate, []).append(call)
    for fate in (Fate.LOST, Fate.TORN, Fate.UNNAMED):
        calls = by_fate.get(fate, [])
        yield from (f"{fate}: #{call.start} {in_words(timeline.describe(call))}" for call in calls[:_LINES_MAX])
        if len(calls) > _LINES_MAX:
            yield f"{fate}: {len(calls) - _LINES_MAX:,} more"
    yield from map(in_words, fates.remarks[:_LINES_MAX])
    if (kept := by_fate.get(Fate.KEPT)) and crash.state.model is not Model.PROCESS_CRASH:
        last = f"#{kept[-1].start} {in_words(timeline.describe(kept[-1]))}"
        yield f"kept, though it could have been lost: {last}" + (
            f", and {len(kept) - 1:,} before it" if kept[1:] else ""
        )
