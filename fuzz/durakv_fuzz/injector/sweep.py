"""One fault at each point of a scripted run, one run for each point: is what was acknowledged there afterwards?

    def run(directory, faults):                     # a fresh directory; returns how it ended and what it was told
        with start([...], Watch(directory, faults)) as program:
            ...
            return program.wait(10), acknowledged

    outcome = sweep(run, check, Kill, scratch=scratch)
    assert not outcome.convicted and not outcome.unfired, outcome.summary()

The points are the calls of a first run without a fault.  A program with several threads does not always make the same
calls: a point whose fault did not come is told, and proves nothing.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from durakv_fuzz.injector.calls import Call
from durakv_fuzz.injector.faults import Fault, is_for
from durakv_fuzz.injector.run import Ended
from durakv_fuzz.injector.seccomp import CannotInject

Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Point:
    """One run of a sweep."""

    fault: Fault | None
    """None: the run without a fault."""

    call: Call | None
    """Which call it was to meet, as the run without a fault made it."""

    fired: bool
    verdict: str
    """What is wrong with what it left, in words; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A sweep."""

    calls: tuple[Call, ...]
    """Those of the run without a fault."""

    points: tuple[Point, ...]
    """The run without a fault first."""

    @property
    def convicted(self) -> tuple[Point, ...]:
        """Where something is wrong, whether or not the fault came."""
        return tuple(point for point in self.points if point.verdict)

    @property
    def unfired(self) -> tuple[Point, ...]:
        """Where the fault never came."""
        return tuple(point for point in self.points if not point.fired)

    def summary(self) -> str:
        """A line for the whole, and one for each point that is not as it should be."""
        lines = [f"{len(self.points) - 1} points: {len(self.convicted)} convicted, {len(self.unfired)} did not come"]
        for point in self.points:
            if point.verdict or not point.fired:
                what = f"{point.fault} ({point.call})" if point.fault is not None else "no fault"
                lines.append(f"{what}: {point.verdict or 'did not come'}")
        return "\n".join(lines)


def sweep(
    run: Callable[[Path, tuple[Fault, ...]], tuple[Ended, Told]],
    check: Callable[[Path, Ended, Told], str],
    fault: Callable[[int], Fault],
    *,
    scratch: Path,
    points_max: int | None = None,
) -> Outcome:
    """Run without a fault, then with ``fault(1)``, ``fault(2)``, … up to the number of calls that it is for.

    With ``points_max``, so many of them, evenly spread, the first and the last among them.  Directories are made under
    ``scratch``, one at a time, and removed.  Raises ``CannotInject`` if there is no call to meet.
    """
    ended, verdict = _once(run, check, (), scratch)
    met = [call for call in ended.calls if is_for(fault(1), call)]
    if not met:
        raise CannotInject(
            f"{fault(1)}: no such call among the {len(ended.calls)} of the run; does it write elsewhere?"
        )
    points = [Point(None, None, True, verdict)]
    for number in _spread(len(met), points_max):
        faults = (fault(number),)
        this, verdict = _once(run, check, faults, scratch)
        points.append(Point(faults[0], met[number - 1], not this.unfired, verdict))
    return Outcome(ended.calls, tuple(points))


def _once(
    run: Callable[[Path, tuple[Fault, ...]], tuple[Ended, Told]],
    check: Callable[[Path, Ended, Told], str],
    faults: tuple[Fault, ...],
    scratch: Path,
) -> tuple[Ended, str]:
    directory = Path(tempfile.mkdtemp(prefix="injector-", dir=scratch))
    try:
        ended, told = run(directory, faults)
        return ended, check(directory, ended, told)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _spread(count: int, points_max: int | None) -> Sequence[int]:
    if points_max is None or count <= points_max:
        return range(1, count + 1)
    if points_max == 1:
        return [1]
    return sorted({1 + round(index * (count - 1) / (points_max - 1)) for index in range(points_max)})
