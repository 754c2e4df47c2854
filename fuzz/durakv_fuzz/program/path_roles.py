"""What the files of a witness are for, told by what the program did to them in the whole run; and what settles them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import NAMING, Kind, Operation

_LOG_MIN = 3
"""So many writes, each where the one before it ended, make a log."""


def roles_of(timeline: Timeline, told: Iterable[int]) -> dict[str, str]:
    """By path, for the calls that began at these numbers, in their order."""
    by_number = {call.start: call for call in timeline.trace.operations}
    roles: dict[str, str] = {}
    for call in (by_number[number] for number in sorted(told) if number in by_number):
        if call.new_name:
            roles.setdefault(_paths(timeline, call)[1], _of_name(timeline, call))
        elif call.kind in (Kind.WRITE, Kind.WRITE_THROUGH, Kind.TRUNCATE, Kind.CREATE):
            roles.setdefault(_paths(timeline, call)[0], _of_file(timeline, call))
    return roles


def what_settles(timeline: Timeline, number: int) -> str:
    """In a sentence: the barrier after which no crash takes that call any more; empty if there is no such call."""
    call = next((call for call in timeline.trace.operations if call.start == number), None)
    if call is None:
        return ""
    first, second = _paths(timeline, call)
    if call.kind in NAMING:
        return f"a change of names is settled by an fsync of the directory that {second or first} is in"
    return f"what was written is settled by an fsync of {first}"


def _paths(timeline: Timeline, call: Operation) -> tuple[str, str]:
    """The first path that a description names, and the second."""
    words = timeline.describe(call).partition(" ")[2].partition(" ")[2]
    if call.new_name:
        first, _, second = words.partition(" -> ")
        return first, second
    return words.partition(" [")[0] if call.data and call.kind is not Kind.CREATE else words.partition(" to ")[0], ""


def _of_name(timeline: Timeline, call: Operation) -> str:
    times = sum(other.kind is Kind.RENAME and other.new_key == call.new_key for other in timeline.trace.operations)
    return "given by a rename" if times == 1 else f"replaced by a rename, {times:,} times in this run"


def _of_file(timeline: Timeline, call: Operation) -> str:
    calls = [other for other in timeline.trace.operations if other.file == call.file]
    renamed = next((other for other in calls if other.kind is Kind.RENAME and other.start > call.start), None)
    if renamed is not None:
        return f"temporary: it is renamed to {_paths(timeline, renamed)[1]} later"
    writes = [other for other in calls if other.kind in (Kind.WRITE, Kind.WRITE_THROUGH)]
    if len(writes) >= _LOG_MIN and _is_log(writes):
        return f"a log: appended to {len(writes):,} times in this run"
    if any(other.kind is Kind.REMOVE and other.start > call.start for other in calls):
        return "temporary: it is removed later"
    return f"written in place, {len(writes):,} times in this run" if len(writes) > 1 else "written once in this run"


def _is_log(writes: Sequence[Operation]) -> bool:
    return all(first.offset + len(first.data) == second.offset for first, second in pairwise(writes))
