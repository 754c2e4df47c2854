"""What a program owes after a power cut, by what it had said, and whether what it shows then is enough.

It knows notes and numbers and nothing else.  Every doubt is in the program's favour: an acknowledgement counts from
when the driver told of it, and what nobody acknowledged may be there or not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from durakv_fuzz.program.subject import Found, Promise
from durakv_fuzz.trace import Note

ISSUED, ACKED, SYNCED = "issued", "acked", "synced"
"""Kinds of notes; the payload is a number."""

_SHOWN_MAX = 8


class Verdict(StrEnum):
    """What was seen after a crash."""

    KEPT = "KEPT"
    LOST_ACKED = "LOST_ACKED"
    GAP = "GAP"
    CORRUPT = "CORRUPT"
    NO_START = "NO_START"
    REPAIRABLE = "REPAIRABLE"
    HANG = "HANG"


WORST_FIRST = (
    Verdict.LOST_ACKED,
    Verdict.CORRUPT,
    Verdict.NO_START,
    Verdict.GAP,
    Verdict.REPAIRABLE,
    Verdict.HANG,
    Verdict.KEPT,
)


@dataclass(frozen=True, slots=True)
class Told:
    """What had been said when the machine stopped."""

    acked: frozenset[int]
    owed: frozenset[int]
    """Of the acknowledged ones, those that have to survive."""

    issued_max: int
    """The last number that may be there, -1 if none was asked for."""

    def with_earlier(self, earlier: Told) -> Told:
        """Both what was said in this life and in one before it."""
        return Told(self.acked | earlier.acked, self.owed | earlier.owed, max(self.issued_max, earlier.issued_max))


NOTHING_TOLD = Told(frozenset(), frozenset(), -1)


def told_before(
    notes: Iterable[Note], crash_seq: int, crash_time: float, promise: Promise, window_seconds: float
) -> Told:
    """What was said before that point of the trace, at that time on its clock, and what is owed for it."""
    acked: dict[int, float] = {}
    synced = issued = -1
    for note in notes:
        number = note.payload
        if not isinstance(number, int):
            continue
        if note.kind == ISSUED:
            # Of later ones too: a note may be on its way while the call that it announces is already seen.
            issued = max(issued, number)
        elif note.seq < crash_seq:
            if note.kind == ACKED:
                acked.setdefault(number, note.time)
            elif note.kind == SYNCED:
                synced = max(synced, number)
    if promise is Promise.ALWAYS:
        owed = frozenset(acked)
    elif promise is Promise.NONE:
        owed = frozenset[int]()
    elif promise is Promise.WINDOW:
        instant = crash_time - window_seconds
        owed = frozenset(number for number, time in acked.items() if time <= instant or number <= synced)
    else:
        owed = frozenset(number for number in acked if number <= synced)
    return Told(frozenset(acked), owed, issued)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and its reason."""

    verdict: Verdict
    reason: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether nothing is wrong."""
        return self.verdict is Verdict.KEPT


KEPT = Judgement(Verdict.KEPT)


def judge(told: Told, found: Found, promise: Promise) -> Judgement:
    """Judge what was there after the start.  What is promised by nobody is judged all the same: as what was seen."""
    if found.refusal:
        return Judgement(Verdict.NO_START, f"it does not start: {found.refusal}")
    if lost := sorted(told.owed - found.numbers):
        if len(lost) == len(told.owed):
            which = f"all {len(lost)} numbers"
        else:
            which = f"{len(lost)} of {len(told.owed)} numbers"
        repair = ", after a repair" if found.needed_repair else ""
        return Judgement(Verdict.LOST_ACKED, f"{which} that were acknowledged are gone{repair}: {_some(lost)}")
    if found.wrong:
        return Judgement(Verdict.CORRUPT, f"what was never written: {'; '.join(found.wrong[:3])}")
    if strange := sorted(number for number in found.numbers if number > told.issued_max):
        return Judgement(Verdict.CORRUPT, f"numbers that nobody asked it to keep: {_some(strange)}")
    if promise not in (Promise.SYNCED, Promise.NONE) and found.numbers:
        last = max(found.numbers)
        if gap := [number for number in range(last) if number not in found.numbers]:
            return Judgement(Verdict.GAP, f"{last} is there, and earlier ones are not: {_some(gap)}")
    if found.needed_repair:
        return Judgement(Verdict.REPAIRABLE, "it starts only after its makers' repair tool was used")
    return KEPT


def _some(numbers: Sequence[int]) -> str:
    """The numbers for people, runs as such, and not too many."""
    runs: list[str] = []
    first = previous = numbers[0]
    for number in (*numbers[1:], -1):
        if number == previous + 1:
            previous = number
            continue
        runs.append(str(first) if first == previous else f"{first} to {previous}")
        first = previous = number
    return ", ".join(runs[:_SHOWN_MAX]) + (", ..." if len(runs) > _SHOWN_MAX else "")
