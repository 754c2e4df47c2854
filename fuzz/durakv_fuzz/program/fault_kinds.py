"""The kinds of faults that a subject is swept with, by the names that people give them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import dataclass

from durakv_fuzz.injector.faults import Fail, Fault, Kill, Short, Slow, interrupt
from durakv_fuzz.injector.numbers import KNOWN, SYNCS, WRITES

SHORT_BYTES = 1
SLOW_SECONDS = 0.05

_BOTH = SYNCS | WRITES


@dataclass(frozen=True, slots=True)
class FaultKind:
    """One kind, for calls of some names."""

    name: str
    make: Callable[[int, frozenset[str]], Fault]
    """The fault that comes at the nth call of these names."""

    calls: frozenset[str]
    """Empty: all that may change a file."""

    allowed: frozenset[str] = KNOWN
    """To what it can happen at all."""

    def among(self, calls: frozenset[str]) -> FaultKind | None:
        """The same for these calls alone, if any are named; None if it can happen to none of them."""
        if not calls:
            return self
        left = calls & self.allowed
        return FaultKind(self.name, self.make, left, self.allowed) if left else None

    def at(self, number: int) -> Fault:
        """The fault that comes at the nth of its calls."""
        return self.make(number, self.calls)


KINDS = {
    kind.name: kind
    for kind in (
        FaultKind("kill", lambda at, calls: Kill(at, calls), frozenset()),
        FaultKind("kill-after", lambda at, calls: Kill(at, calls, after=True), frozenset()),
        FaultKind("eio", lambda at, calls: Fail(errno.EIO, at, calls), _BOTH),
        FaultKind("enospc", lambda at, calls: Fail(errno.ENOSPC, at, calls), _BOTH),
        FaultKind("eintr", lambda at, calls: interrupt(at, calls), WRITES),
        FaultKind("short", lambda at, calls: Short(SHORT_BYTES, at, calls), WRITES, WRITES),
        FaultKind("slow", lambda at, calls: Slow(SLOW_SECONDS, at, calls, times=1), SYNCS),
    )
}
