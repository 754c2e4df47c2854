"""What a campaign has covered: calls before, inside and after which it crashed, and pairs of changes of which it lost
the first and kept the second.

    coverage.saw(recording.timeline, crashes)
    coverage.missing(call_sites())

Crash points that a crash of that kind cannot tell apart are one: before a sync and in the middle of it a power loss
leaves the same.  So a crash counts for every call whose instant it could not have told from its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntFlag
from typing import Any, Protocol

from durakv_fuzz.call_sites import CallSites, call_sites
from durakv_fuzz.choose import Recorded
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.pending import DataUnit, EntryUnit
from durakv_fuzz.roles import role_of
from durakv_fuzz.timeline import Moment, Timeline
from durakv_fuzz.trace import Operation

Signature = tuple[str, str, str]
"""Kind, role and call site of a call."""

Pair = tuple[str, str]
"""What came first and was lost, what came after it and was kept: ``kind role`` of each."""

UNITS_MAX = 48
"""Of a moment at which more than so many changes are in doubt, pairs are taken of the last ones."""


class Phase(IntFlag):
    """Where a crash was, as a call sees it."""

    NONE = 0
    BEFORE = 1
    INSIDE = 2
    AFTER = 4
    ALL = 7

    def __str__(self) -> str:
        return ", ".join(
            (phase.name or "").lower() for phase in (Phase.BEFORE, Phase.INSIDE, Phase.AFTER) if phase & self
        )


class CrashPoint(Protocol):
    """A crash that was tried (``lives.Crash``)."""

    @property
    def crash_seq(self) -> int: ...
    @property
    def model(self) -> Model: ...
    @property
    def answers(self) -> tuple[int, ...]: ...


@dataclass(slots=True)
class Coverage:
    """See the module.  Plain data: it goes between processes, and into files."""

    calls: dict[Signature, int] = field(default_factory=dict[Signature, int])
    """How often each call was seen."""
    phases: dict[Signature, Phase] = field(default_factory=dict[Signature, Phase])
    """Where crashes were, around each."""
    possible: set[Pair] = field(default_factory=set[Pair])
    """Pairs whose fates were open at the same time, so that a disk might have taken the first alone."""
    tried: set[Pair] = field(default_factory=set[Pair])

    def saw(self, timeline: Timeline, crashes: Iterable[CrashPoint]) -> None:
        """A life was recorded, and these crashes of it were judged."""
        crashes = list(crashes)
        power = _covered(timeline, {crash.crash_seq for crash in crashes if crash.model is not Model.PROCESS_CRASH})
        kill = _covered(
            timeline, {crash.crash_seq for crash in crashes if crash.model is Model.PROCESS_CRASH}, kill=True
        )
        covered = power | kill
        for operation in timeline.trace.operations:
            signature = _signature(operation)
            self.calls[signature] = self.calls.get(signature, 0) + 1
            if self.phases.get(signature) != Phase.ALL:
                self.phases[signature] = self.phases.get(signature, Phase.NONE) | _phases(operation, covered)
        self._pairs(timeline, crashes)

    def merge(self, other: Coverage) -> None:
        """Add what another campaign covered."""
        for signature, count in other.calls.items():
            self.calls[signature] = self.calls.get(signature, 0) + count
        for signature, phases in other.phases.items():
            self.phases[signature] = self.phases.get(signature, Phase.NONE) | phases
        self.possible |= other.possible
        self.tried |= other.tried

    def by_site(self) -> dict[str, tuple[int, Phase]]:
        """For each call site, calls and phases, whatever the file."""
        sites: dict[str, tuple[int, Phase]] = {}
        for signature, count in self.calls.items():
            calls, phases = sites.get(signature[2], (0, Phase.NONE))
            sites[signature[2]] = calls + count, phases | self.phases[signature]
        return sites

    def by_kind(self) -> dict[str, tuple[int, int]]:
        """For each kind of call, how many signatures were crashed in every phase, of how many seen."""
        kinds: dict[str, tuple[int, int]] = {}
        for signature, phases in self.phases.items():
            whole, all_of_it = kinds.get(signature[0], (0, 0))
            kinds[signature[0]] = whole + (phases == Phase.ALL), all_of_it + 1
        return kinds

    def missing(self, known: CallSites | None = None) -> dict[str, Phase]:
        """Call sites of the source that lack something, and what they lack; one never reached lacks all."""
        sites = self.by_site()
        keys = [site.key for site in (known or call_sites()).sites]
        lacks = {key: Phase.ALL & ~sites.get(key, (0, Phase.NONE))[1] for key in keys}
        return {key: lack for key, lack in lacks.items() if lack}

    def unlisted(self, known: CallSites | None = None) -> set[str]:
        """Call sites that were reached, but that nobody found in the source."""
        return self.by_site().keys() - {site.key for site in (known or call_sites()).sites}

    def dump(self) -> dict[str, Any]:
        """As JSON can say it."""
        rows = [[*signature, count, int(self.phases[signature])] for signature, count in sorted(self.calls.items())]
        pairs = [[*pair, pair in self.tried] for pair in sorted(self.possible)]
        return {"calls": rows, "pairs": pairs}

    @classmethod
    def load(cls, words: dict[str, Any]) -> Coverage:
        """The other way round."""
        coverage = cls()
        for kind, role, site, count, phases in words["calls"]:
            coverage.calls[kind, role, site] = count
            coverage.phases[kind, role, site] = Phase(phases)
        for first, second, tried in words["pairs"]:
            coverage.possible.add((first, second))
            if tried:
                coverage.tried.add((first, second))
        return coverage

    def _pairs(self, timeline: Timeline, crashes: Sequence[CrashPoint]) -> None:
        at: dict[int, set[Pair]] = {}
        for moment in timeline.moments:
            if moment.version not in at and moment.open_count > 1:
                units = open_units(moment)[-UNITS_MAX:]
                at[moment.version] = {pair for _, _, pair in ordered_pairs(units, _brief)}
                self.possible |= at[moment.version]
        for crash in crashes:
            moment = timeline.moments[crash.crash_seq]
            # A crash is only played again where it may still bring a pair that no other brought.
            if crash.model is Model.POWER_LOSS and not at.get(moment.version, self.tried) <= self.tried:
                fates = UnitFates(crash.answers)
                crash_image(timeline, crash.crash_seq, fates, model=crash.model)
                units = open_units(moment)[-UNITS_MAX:]
                self.tried |= fates.pairs(units, _brief)


class UnitFates:
    """Answers as recorded, and remembers what became of each unit."""

    def __init__(self, answers: Sequence[int]) -> None:
        self._answers = Recorded(answers)
        self._fates: dict[str, bool | None] = {}

    def __call__(self, count: int, label: str, /) -> int:
        answer = self._answers(count, label)
        if label.startswith(("data ", "entry ")):
            self._fates.setdefault(label, {0: False, count - 1: True}.get(answer))
        return answer

    def of(self, label: str) -> bool | None:
        """Whether it was kept; None if it was torn, or if nobody asked."""
        return self._fates.get(label)

    def pairs(self, units: Sequence[Unit], brief: Callable[[Unit], str]) -> set[Pair]:
        """Those of which the first was lost and the second kept."""
        lost = {id(unit) for unit in units if self.of(unit.label) is False}
        kept = {id(unit) for unit in units if self.of(unit.label) is True}
        return {pair for one, other, pair in ordered_pairs(units, brief) if id(one) in lost and id(other) in kept}


Unit = DataUnit | EntryUnit


def open_units(moment: Moment) -> list[Unit]:
    """What a power loss may drop at that moment, in the order it happened."""
    units: list[Unit] = [
        unit for unit, required in zip(moment.entries, moment.entries_required, strict=True) if not required
    ]
    for state in moment.files.values():
        units += [unit for unit, required in zip(state.units, state.required, strict=True) if not required]
    return sorted(units, key=lambda unit: unit.operation.start)


def ordered_pairs(units: Sequence[Unit], brief: Callable[[Unit], str]) -> Iterator[tuple[Unit, Unit, Pair]]:
    """Pairs of which the first may be lost alone.

    Not a name of a file and what is in the file: without the name there is no file whose content could be kept.
    """
    for index, second in enumerate(units):
        later = second.operation
        for first in units[:index]:
            earlier = first.operation
            if earlier.file != later.file or isinstance(first, EntryUnit) is isinstance(second, EntryUnit):
                yield first, second, (brief(first), brief(second))


def _brief(unit: Unit) -> str:
    operation = unit.operation
    return f"{operation.kind} {_role(operation)}"


def _role(operation: Operation) -> str:
    """Of a rename, the role that the file gets; a file's name is the one that it was opened by."""
    return role_of(operation.new_name or operation.name)


def _signature(operation: Operation) -> Signature:
    kind = operation.kind
    site = call_sites().find(operation.site, kind) if operation.site else f"? {kind}"
    return str(kind), _role(operation), site


def _phases(operation: Operation, covered: set[int]) -> Phase:
    """``covered``: crash points that were tried, or could not be told from one that was."""
    start, end = operation.start, operation.end
    phases = Phase.BEFORE if start in covered else Phase.NONE
    if end < 0:
        return phases
    if not covered.isdisjoint(range(start + 1, end + 1)):
        phases |= Phase.INSIDE
    return phases | Phase.AFTER if end + 1 in covered else phases


def _covered(timeline: Timeline, crash_seqs: set[int], *, kill: bool = False) -> set[int]:
    """These crash points, and those next to them that a crash of this kind cannot tell from them."""
    moments = timeline.moments
    covered: set[int] = set()

    def same(one: Moment, other: Moment) -> bool:
        return one.version == other.version and (not kill or one.in_flight == other.in_flight)

    for crash_seq in crash_seqs:
        if crash_seq in covered:
            continue
        first = last = crash_seq
        while first and same(moments[first - 1], moments[crash_seq]):
            first -= 1
        while last + 1 < len(moments) and same(moments[last + 1], moments[crash_seq]):
            last += 1
        covered.update(range(first, last + 1))
    return covered
