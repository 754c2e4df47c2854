"""One subject under every kind of fault in its system calls, and what was seen, as plain data."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from durakv_fuzz.injector.seccomp import missing
from durakv_fuzz.injector.sweep import Point
from durakv_fuzz.program.commands import CommandSubject
from durakv_fuzz.program.fault_kinds import FaultKind
from durakv_fuzz.program.fault_sweep import BROKEN, LOST_UNSYNCED, SubjectSweep
from durakv_fuzz.program.scratch import scratch
from durakv_fuzz.program.subject import Plan, Promise, Subject
from durakv_fuzz.roles import without_numbers

FORMAT = "durakv-faults"
VERSION = 1
LIMITS = (
    "Neither SIGKILL nor an error takes anything out of the page cache. So what is told here is what a program does "
    "wrong by itself; what a power cut would take of what it acknowledged after a failed sync is not seen."
)
KEPT = "KEPT"
_STACK_DEPTH = 8


class FaultsNotTried(Exception):
    """The program failed without any fault, or made no calls; the message has what it said."""


class FaultSeen(msgspec.Struct, forbid_unknown_fields=True):
    """One fault after which something was wrong."""

    kind: str
    fault: str
    call: int
    """Which of the counted calls of the run without a fault, from 1; likewise the next three."""

    name: str
    role: str
    """Its path, with every number written as ``N``; of a rename or link both."""

    stack: list[str]
    """Where in the program, innermost first."""

    fired: bool
    verdict: str
    reason: str


class KindSeen(msgspec.Struct, forbid_unknown_fields=True):
    """One kind of fault."""

    kind: str
    met: int
    """How many calls of the run without a fault it is for."""

    points: int = 0
    """At how many of them it was tried."""

    unfired: int = 0
    """How often it never came: the program made fewer calls this time.  That proves nothing."""

    unheeded: list[str] = msgspec.field(default_factory=list[str])
    """Syncs after whose failure it acknowledged something before it synced that file again, though it promises that
    what it acknowledged survives: a power cut may take that, unless the sync was of no use to it.  No verdict.
    Of commands nothing is said, for their words come through a pipe, and so too late to know."""

    verdicts: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    """Of those points at which it came."""


class FaultsSeen(msgspec.Struct, forbid_unknown_fields=True):
    """A subject under faults."""

    program: str
    setting: str
    promise: str
    versions: dict[str, str]
    missing: str = ""
    """Why it was not run; then the rest is empty."""

    numbers: int = 0
    """How many were to be written in each run."""

    calls: int = 0
    """How many calls about its directory the run without a fault made."""

    kinds: list[KindSeen] = msgspec.field(default_factory=list[KindSeen])
    findings: list[FaultSeen] = msgspec.field(default_factory=list[FaultSeen])

    @property
    def is_broken(self) -> bool:
        """Whether something was promised and not kept."""
        return self.promise != Promise.NONE and any(one.verdict != LOST_UNSYNCED for one in self.findings)


class FaultReport(msgspec.Struct, forbid_unknown_fields=True):
    """Several of them."""

    format: str
    version: int
    limits: str
    """What such faults cannot show, in a sentence."""

    seen: list[FaultsSeen]

    @classmethod
    def of(cls, seen: Sequence[FaultsSeen]) -> FaultReport:
        """As this durakv writes it."""
        return cls(FORMAT, VERSION, LIMITS, list(seen))


def try_faults(
    subject: Subject,
    kinds: Sequence[FaultKind],
    plan: Plan,
    *,
    points_max: int | None,
    seconds: float,
    progress: Callable[[str], None] = lambda line: None,
) -> FaultsSeen:
    """Drive the subject without a fault, then with each kind of fault at ``points_max`` of its calls, evenly spread.

    ``seconds`` is for each call of the subject.  Raises :class:`FaultsNotTried` or :class:`SubjectFailed`.
    """
    seen = FaultsSeen(subject.name, subject.setting, str(subject.promise), {}, subject.missing() or missing())
    if seen.missing:
        return seen
    seen.versions, seen.numbers = dict(subject.versions()), plan.count
    tells_at_once = subject.promise is Promise.ALWAYS and not isinstance(subject, CommandSubject)
    with scratch("durakv-faults") as place:
        script = SubjectSweep(subject, scratch=place, plan=plan, seconds=seconds, stack_depth=_STACK_DEPTH)
        if script.verdict and not script.verdict.startswith(LOST_UNSYNCED):
            what = script.verdict.removeprefix(f"{BROKEN}: ")
            raise FaultsNotTried(f"{subject.name} {subject.setting}".strip() + f" failed without any fault: {what}")
        if not script.calls:
            raise FaultsNotTried(f"{subject.name} changed nothing in its directory: there is no call to meet")
        seen.calls = len(script.calls)
        for kind in kinds:
            progress(kind.name)
            _try_kind(script, kind, points_max, seen, tells_at_once=tells_at_once)
    return seen


def _try_kind(
    script: SubjectSweep, kind: FaultKind, points_max: int | None, seen: FaultsSeen, *, tells_at_once: bool
) -> None:
    of_kind = KindSeen(kind.name, len(script.met(kind.at)))
    seen.kinds.append(of_kind)
    for point in script.points(kind.at, points_max):
        of_kind.points += 1
        of_kind.unfired += not point.fired
        if tells_at_once and script.last is not None and script.last.unheeded:
            of_kind.unheeded.append(str(point.call))
        verdict, _, reason = point.verdict.partition(": ")
        if point.fired or verdict:
            of_kind.verdicts[verdict or KEPT] = of_kind.verdicts.get(verdict or KEPT, 0) + 1
        if verdict:
            seen.findings.append(_told(kind.name, point, verdict, reason))


def _told(kind: str, point: Point, verdict: str, reason: str) -> FaultSeen:
    call = point.call
    assert call is not None, "a point with a fault has a call"
    role = " -> ".join(filter(None, (without_numbers(call.path), without_numbers(call.to))))
    return FaultSeen(
        kind, str(point.fault), call.index, call.name, role, list(call.stack), point.fired, verdict, reason
    )
