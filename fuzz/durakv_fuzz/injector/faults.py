"""What may be done to a call: kill who makes it, fail it, cut it short, let it wait.

Each fault counts the calls that it is for, from 1, and comes at the one numbered ``at``.  Which it is for is said by
names of calls (empty: all) and by a pattern of paths within the directory, as ``*.aof``.  Faults of one run are
independent: of those that come at the same call, the waits add up, and of the rest the one that stands first happens.
"""

from __future__ import annotations

import errno
import fnmatch
from dataclasses import dataclass

from durakv_fuzz.injector.calls import Call
from durakv_fuzz.injector.numbers import KNOWN, SYNCS, WRITES

ALWAYS = 1 << 62
"""As ``times``: from then on each time."""


@dataclass(frozen=True, slots=True)
class Kill:
    """SIGKILL to all of it when a call is about to be made, which then does not happen."""

    at: int
    calls: frozenset[str] = frozenset()
    path: str = "*"
    after: bool = False
    """Instead: when the call has happened, before the program learns of it (Linux 5.19).

    The caller's process is stopped by a signal that takes effect between the call and the next instruction of the
    program, so nothing that it would do next is done.  A call that signals can break off (``open`` of a FIFO) may be.
    """

    times = 1

    def __post_init__(self) -> None:
        _check(self)

    def __str__(self) -> str:
        return f"SIGKILL {'after' if self.after else 'at'} {_where(self)}"


@dataclass(frozen=True, slots=True)
class Fail:
    """The call does not happen and fails with this error.

    Nothing of a failed sync is lost from the page cache, as it may be when a disk fails; that is for a recorded disk.
    """

    error: int
    at: int = 1
    calls: frozenset[str] = frozenset()
    path: str = "*"
    times: int = 1

    def __post_init__(self) -> None:
        _check(self)
        if self.error not in errno.errorcode:
            raise ValueError(f"{self.error} is not the number of an error; take one of the module errno")

    def __str__(self) -> str:
        return f"{errno.errorcode[self.error]} at {_where(self)}"


@dataclass(frozen=True, slots=True)
class Short:
    """A write that is longer than this writes so many bytes, really, and says so; shorter ones are not counted."""

    size: int
    at: int = 1
    calls: frozenset[str] = WRITES
    path: str = "*"
    times: int = 1

    def __post_init__(self) -> None:
        _check(self)
        if self.size < 1:
            raise ValueError(f"a short write of {self.size} bytes: a write says that it wrote nothing only by an error")
        if not self.calls or self.calls - WRITES:
            raise ValueError(f"only these can be cut short: {', '.join(sorted(WRITES))}")

    def __str__(self) -> str:
        return f"{self.size} bytes written at {_where(self)}"


@dataclass(frozen=True, slots=True)
class Slow:
    """The call waits so long before it happens; other threads and processes go on meanwhile."""

    seconds: float
    at: int = 1
    calls: frozenset[str] = SYNCS
    path: str = "*"
    times: int = ALWAYS

    def __post_init__(self) -> None:
        _check(self)
        if not 0 <= self.seconds <= 3600:
            raise ValueError(f"a wait of {self.seconds} seconds: from 0 to an hour")

    def __str__(self) -> str:
        return f"{self.seconds} s before {_where(self)}"


_GROUPS = {frozenset[str](): "call", SYNCS: "sync", WRITES: "write", SYNCS | WRITES: "write or sync"}

Fault = Kill | Fail | Short | Slow


def interrupt(at: int = 1, calls: frozenset[str] = WRITES, path: str = "*", times: int = 1) -> Fail:
    """EINTR, as if a signal had come before anything happened."""
    return Fail(errno.EINTR, at, calls, path, times)


def is_for(fault: Fault, call: Call) -> bool:
    """Whether the fault counts this call."""
    if fault.calls and call.name not in fault.calls:
        return False
    if isinstance(fault, Short) and call.size <= fault.size:
        return False
    return fault.path == "*" or any(fnmatch.fnmatchcase(place, fault.path) for place in (call.path, call.to) if place)


class Plan:
    """The faults of one run, and how often each came.  One thread decides; anybody may read."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        """In the order in which they take precedence."""
        self.faults = faults
        self.fired = [0] * len(faults)
        self._seen = [0] * len(faults)

    def decide(self, call: Call) -> tuple[float, Kill | Fail | Short | None]:
        """How long this call waits, and what happens then; None: it happens as the program wants it."""
        seconds = 0.0
        deed: Kill | Fail | Short | None = None
        for index, fault in enumerate(self.faults):
            if not is_for(fault, call):
                continue
            self._seen[index] += 1
            if not fault.at <= self._seen[index] < fault.at + fault.times:
                continue
            if isinstance(fault, Slow):
                seconds += fault.seconds
            elif deed is None:
                deed = fault
            else:
                continue
            self.fired[index] += 1
        return seconds, deed


def _check(fault: Fault) -> None:
    if fault.at < 1 or fault.times < 1:
        raise ValueError(
            f"calls are counted from 1, and a fault comes at least once: at={fault.at}, times={fault.times}"
        )
    if unknown := fault.calls - KNOWN:
        raise ValueError(f"not calls that can be stopped: {', '.join(sorted(unknown))}")


def _where(fault: Fault) -> str:
    what = _GROUPS.get(fault.calls) or "/".join(sorted(fault.calls))
    until = "" if fault.times == 1 else " and all later" if fault.times == ALWAYS else f" and {fault.times - 1} more"
    return f"{what} {fault.at}{until}{'' if fault.path == '*' else f' of {fault.path}'}"
