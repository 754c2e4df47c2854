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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

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


class Sweep(Generic[Told]):
    """One script, run once without a fault, and then with one kind of fault after the other."""

    def __init__(
        self,
        run: Callable[[Path, tuple[Fault, ...]], tuple[Ended, Told]],
        check: Callable[[Path, Ended, Told], str],
        *,
        scratch: Path,
    ) -> None:
        """Runs it without a fault.  Directories are made under ``scratch``, one at a time, and removed."""
        self._run = run
        self._check = check
        self._scratch = scratch
        ended, self.verdict = self._once(())
        self.calls = ended.calls
        """Those of the run without a fault; ``verdict`` is what was wrong after it."""

    def met(self, fault: Callable[[int], Fault]) -> list[Call]:
        """The calls that such a fault is for."""
        return [call for call in self.calls if is_for(fault(1), call)]

    def points(self, fault: Callable[[int], Fault], points_max: int | None = None) -> Iterator[Point]:
        """One run for each call that the fault is for; with ``points_max``, for so many of them, evenly spread.

        The first and the last call are always among them.
        """
        met = self.met(fault)
        for number in _spread(len(met), points_max):
            faults = (fault(number),)
            ended, verdict = self._once(faults)
            yield Point(faults[0], met[number - 1], not ended.unfired, verdict)

    def _once(self, faults: tuple[Fault, ...]) -> tuple[Ended, str]:
        directory = Path(tempfile.mkdtemp(prefix="injector-", dir=self._scratch))
        try:
            ended, told = self._run(directory, faults)
            return ended, self._check(directory, ended, told)
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def sweep(
    run: Callable[[Path, tuple[Fault, ...]], tuple[Ended, Told]],
    check: Callable[[Path, Ended, Told], str],
    fault: Callable[[int], Fault],
    *,
    scratch: Path,
    points_max: int | None = None,
) -> Outcome:
    """Run without a fault, then with ``fault(1)``, ``fault(2)``, … up to the number of calls that it is for.

    ``points_max`` and ``scratch`` as of :class:`Sweep`.  Raises ``CannotInject`` if there is no call to meet.
    """
    return swept(Sweep(run, check, scratch=scratch), fault, points_max)


def swept(script: Sweep[Told], fault: Callable[[int], Fault], points_max: int | None = None) -> Outcome:
    """The outcome of one kind of fault.  Raises ``CannotInject`` if there is no call to meet."""
    if not script.met(fault):
        raise CannotInject(
            f"{fault(1)}: no such call among the {len(script.calls)} of the run; does it write elsewhere?"
        )
    first = Point(None, None, True, script.verdict)
    return Outcome(script.calls, (first, *script.points(fault, points_max)))


def _spread(count: int, points_max: int | None) -> Sequence[int]:
    if points_max is None or count <= points_max:
        return range(1, count + 1)
    if points_max == 1:
        return [1]
    return sorted({1 + round(index * (count - 1) / (points_max - 1)) for index in range(points_max)})
