"""The calls around a crash as lines of a table: what a program did, what it said meanwhile, and what became of each.

The last calls before the crash in the order in which they began, with what was lost or is in the witness even if it was
long before; then the first calls that did not come any more.  Writes to one file in a row, with one fate, are one line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from durakv_fuzz.enumerate import TreeState
from durakv_fuzz.program.call_fates import CallFates, Fate
from durakv_fuzz.program.oracle import ACKED, ISSUED, SYNCED
from durakv_fuzz.program.seen import TimelineRow
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import BARRIERS, Kind, Note, Operation

BEFORE = 30
"""How many of the last lines before the crash are shown."""
_EARLIER_MAX = 20
"""How many lines before those of what was lost or torn."""
_AFTER = 3

_WORDS: Mapping[Kind, str] = {
    Kind.WRITE: "write",
    Kind.WRITE_THROUGH: "write, synced",
    Kind.SYNC: "fsync",
    Kind.SYNC_DIRECTORY: "fsync directory",
    Kind.SYNC_ALL: "sync",
    Kind.MAKE_DIRECTORY: "mkdir",
    Kind.SET_NODE: "set mode, owner or attributes",
}
"""What people call them, where it is not their name in a trace."""
_NUMBER_AND_KIND = re.compile(rf"#(\d+) ({'|'.join(sorted(map(str, Kind), key=len, reverse=True))})(?= |$)")


def in_words(text: str) -> str:
    """The text with calls as people name them, without numbers: ``write a [0, 5)`` for ``#2 write_at a [0, 5)``."""
    return _NUMBER_AND_KIND.sub(lambda match: _WORDS.get(Kind(match[2]), match[2]), text)


def named_in(text: str) -> frozenset[int]:
    """The numbers of the calls that a text names."""
    return frozenset(int(match[1]) for match in _NUMBER_AND_KIND.finditer(text))


def rows_around(timeline: Timeline, state: TreeState, fates: CallFates, told: Iterable[int]) -> list[TimelineRow]:
    """The table of one crash; ``told`` are calls that have to be in it, by the number at which they began."""
    told = frozenset(told)
    groups = list(_groups(timeline, state.crash_seq, fates.calls, told))
    group_of = {call.start: index for index, group in enumerate(groups) for call in group}
    harmed = [i for i, group in enumerate(groups) if fates.calls.get(group[0].start) in (Fate.LOST, Fate.TORN)]
    shown = {*range(len(groups) - BEFORE, len(groups)), *harmed[:_EARLIER_MAX]}
    shown |= {group_of[number] for number in told if number in group_of}
    events: list[Operation | Note] = [call for group in groups for call in group]
    events += [note for note in timeline.trace.notes if note.seq < state.crash_seq]
    rows: list[TimelineRow] = []
    said: list[Note] = []
    skipped = 0
    for event in sorted(events, key=_position):
        if isinstance(event, Note):
            said.append(event)
            continue
        group = groups[group_of[event.start]]
        if group_of[event.start] not in shown:
            skipped += 1
        elif event is group[0]:
            rows += _between(skipped, said)
            skipped, said = 0, []
            rows.append(_row(timeline, group, state.crash_seq, fates.calls))
    rows += _between(skipped, said)
    rows.append(TimelineRow(kind="crash", what=f"the crash: {state.model}", seq=state.crash_seq))
    later = [call for call in timeline.trace.operations if call.start >= state.crash_seq]
    rows += (_call(timeline, call, "later") for call in later[:_AFTER])
    return rows


def _groups(
    timeline: Timeline, crash_seq: int, fates: Mapping[int, Fate], told: frozenset[int]
) -> Iterator[list[Operation]]:
    """The calls before the crash; writes in a row as one."""
    group: list[Operation] = []
    for call in timeline.trace.operations:
        if call.start >= crash_seq:
            break
        if group and not (_is_alike(group[-1], call, fates) and told.isdisjoint((group[-1].start, call.start))):
            yield group
            group = []
        # One that has not returned has a line of its own.
        if 0 <= call.end < crash_seq:
            group.append(call)
        else:
            if group:
                yield group
            yield [call]
            group = []
    if group:
        yield group


def _is_alike(first: Operation, second: Operation, fates: Mapping[int, Fate]) -> bool:
    return first.kind is second.kind is Kind.WRITE and (
        (first.file, first.task, first.site, first.error, fates.get(first.start))
        == (second.file, second.task, second.site, second.error, fates.get(second.start))
    )


def _position(event: Operation | Note) -> int:
    return event.seq if isinstance(event, Note) else event.start


def _between(skipped: int, said: Sequence[Note]) -> Iterator[TimelineRow]:
    words = "; ".join(_said(said))
    if skipped:
        calls = f"{skipped:,} calls that are not shown" if skipped > 1 else "one call that is not shown"
        yield TimelineRow(kind="gap", what=f"{calls}; {words}" if words else calls)
    elif words:
        yield TimelineRow(kind="note", what=words, seq=said[-1].seq)


def _said(notes: Sequence[Note]) -> Iterator[str]:
    for kind, words in ((ISSUED, "asked to keep"), (ACKED, "acknowledged"), (SYNCED, "said to be synced: up to")):
        numbers = [note.payload for note in notes if note.kind == kind and isinstance(note.payload, int)]
        if not numbers:
            continue
        least, most = min(numbers), max(numbers)
        if least == most or kind == SYNCED:
            yield f"{words} {most}"
        elif len(numbers) == most - least + 1:
            yield f"{words} {least} to {most}"
        else:
            yield f"{words} {len(numbers)} numbers from {least} to {most}"


def _row(timeline: Timeline, group: Sequence[Operation], crash_seq: int, fates: Mapping[int, Fate]) -> TimelineRow:
    call = group[0]
    row = _call(timeline, call, "barrier" if call.kind in BARRIERS else "call")
    fate = fates.get(call.start)
    row.fate = str(fate) if fate is not None else ""
    if not 0 <= call.end < crash_seq:
        row.end = -1
        row.fate = f"under way, {fate}" if fate is not None else "under way"
    elif len(group) > 1:
        row.end = group[-1].end
        place = row.what.rpartition(" [")[0]
        start, stop = min(one.offset for one in group), max(one.offset + len(one.data) for one in group)
        row.what = f"{place} [{start}, {stop}), in {len(group):,} calls"
    return row


def _call(timeline: Timeline, call: Operation, kind: str) -> TimelineRow:
    what = in_words(timeline.describe(call))
    return TimelineRow(kind=kind, what=what, seq=call.start, end=call.end, site=call.site, task=call.task)
