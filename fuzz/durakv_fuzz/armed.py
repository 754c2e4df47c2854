"""The failures of the disk that a script has asked for, each armed until the calls come that it is about."""

from __future__ import annotations

import errno
from dataclasses import dataclass

from durakv_fuzz.faults import AfterFailedSync, Fault
from durakv_fuzz.script import nearest
from durakv_fuzz.trace import BARRIERS, Kind, Operation

CALLS_MAX = 20_000
"""A step that asks the disk for more will not come to an end."""

ERRORS = (errno.EIO, errno.ENOSPC, errno.EDQUOT, errno.EINTR, errno.EMFILE, errno.EACCES, 0)
AFTERS = tuple(AfterFailedSync)
RECORDED = BARRIERS | {Kind.CREATE, Kind.WRITE, Kind.TRUNCATE, Kind.RENAME, Kind.REMOVE}
CALLS: tuple[frozenset[Kind], ...] = (
    BARRIERS,
    frozenset({Kind.SYNC, Kind.WRITE_THROUGH}),
    frozenset({Kind.WRITE, Kind.WRITE_THROUGH}),
    frozenset({Kind.SYNC_DIRECTORY}),
    frozenset({Kind.RENAME, Kind.REMOVE}),
    frozenset({Kind.CREATE}),
    frozenset({Kind.TRUNCATE}),
    frozenset({Kind.READ, Kind.OPEN, Kind.LIST, Kind.SIZE}),
    RECORDED,
    frozenset(Kind),
)
"""The kinds of calls that a fault can be about."""


class Endless(Exception):
    """Raised into an engine that goes on calling the disk for ever."""


class ArmedFaults:
    """A plan for a disk; see ``faults``."""

    def __init__(self, *, stuck: bool) -> None:
        self.stuck = stuck
        """Whether the disk has data that it can never get rid of, and fails for it."""
        self.failures = int(stuck)
        """How often the disk has refused something, or may have."""
        self._armed: list[_Armed] = []
        self._calls = 0

    def arm(self, spared: int, calls: int, error: int, done: int, after: int, milliseconds: int, times: int) -> None:
        """Add one; the arguments are those of a step."""
        kinds = nearest(CALLS, calls)
        # The trace knows no reads, so nobody could tell afterwards where the time went.
        seconds = milliseconds / 1000 if kinds <= RECORDED else 0.0
        fault = Fault(nearest(ERRORS, error), done=done, after=nearest(AFTERS, after), seconds=seconds)
        self._armed.append(_Armed(kinds, fault, spared, times))

    def clear(self) -> None:
        """None of them is to come any more; what has failed has failed."""
        self._armed.clear()

    def spared(self) -> list[int]:
        """For each that was armed, how many calls it still lets pass first."""
        return [armed.spared for armed in self._armed]

    def begin_step(self) -> None:
        """Calls are counted step by step."""
        self._calls = 0

    def plan(self, operation: Operation) -> Fault | None:
        """How this call fails, if it does.  Raises Endless if there are too many."""
        self._calls += 1
        if self._calls > CALLS_MAX:
            raise Endless(f"more than {CALLS_MAX} calls to the disk, and no end")
        for armed in self._armed:
            if operation.kind in armed.kinds and armed.times:
                if armed.spared:
                    armed.spared -= 1
                else:
                    armed.times -= 1
                    self.failures += armed.fault.error != 0
                    self.stuck = self.stuck or armed.fault.after is AfterFailedSync.STICKY
                    return armed.fault
        return None


@dataclass(slots=True, eq=False)
class _Armed:
    kinds: frozenset[Kind]
    fault: Fault
    spared: int
    times: int
