"""What must hold in each state of the machine: the clauses of the contract, under the names they have in the models."""

from __future__ import annotations

from collections.abc import Callable

from durakv_fuzz.specification.state import Phase, State, named, span, top
from durakv_fuzz.specification.write_path import end


def _prefix(s: State) -> bool:
    found = s.manifest.base | s.manifest.log | span(s.manifest.first, end(s))
    return s.phase is not Phase.REWRITTEN or found == s.history & span(1, top(found))


def _published_is_synced(s: State) -> bool:
    return all(not named(m) & ~s.base_solid and not m.log & ~s.solid for m in (s.manifest, s.durable))


def _fail_stop(s: State) -> bool:
    return s.phase is not Phase.OPEN or not span(s.manifest.first, min(s.synced, s.applied)) & ~s.solid


CLAUSES: dict[str, Callable[[State], bool]] = {
    "C1_Prefix": _prefix,
    "C2_ProcessCrash": lambda s: s.phase is not Phase.REWRITTEN or s.told_written <= end(s),
    "C3_PowerLossSynced": lambda s: s.phase is not Phase.REWRITTEN or s.told_synced <= end(s),
    "C4_PowerLossEverysec": lambda s: s.phase is not Phase.REWRITTEN or s.old <= end(s),
    "C5_PublishedIsSynced": _published_is_synced,
    "C6_AlwaysAWayToOpen": lambda s: s.phase is not Phase.INCOMPLETE,
    "C7_FailStop": _fail_stop,
    "C8_NoPromiseIsBroken": lambda s: s.phase is not Phase.UNVOUCHED,
    "NumbersAreFresh": lambda s: s.phase is not Phase.OPEN or s.given <= s.applied,
    "Order": lambda s: s.phase is not Phase.OPEN or s.synced <= s.written <= s.applied,
}


def broken_clause(state: State) -> str:
    """The name of the first that does not hold; empty if all do."""
    return next((name for name, holds in CLAUSES.items() if not holds(state)), "")
