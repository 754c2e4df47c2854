"""The straight line through the opens of one store: how recovery grows with the file, and memory with the keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import StatisticsError, correlation, linear_regression

from durakv.bench.results import RecoveryPoint


@dataclass(frozen=True, slots=True)
class Fit:
    """One store and kind of file; what needs more points than there are is None."""

    store: str
    what: str
    points: Sequence[RecoveryPoint]
    """By size of the file."""
    seconds_per_mb: float | None
    seconds_at_zero: float | None
    straightness: float | None
    """R²: 1 if the points lie on the line.  None of fewer than three."""
    file_bytes_per_key: float | None
    memory_bytes_per_key: float | None


def fits(points: Iterable[RecoveryPoint]) -> list[Fit]:
    """In the order of the points."""
    groups: dict[tuple[str, str], list[RecoveryPoint]] = {}
    for point in points:
        groups.setdefault((point.store, point.what), []).append(point)
    return [_fit(*key, sorted(group, key=lambda point: point.file_bytes)) for key, group in groups.items()]


def _fit(store: str, what: str, points: Sequence[RecoveryPoint]) -> Fit:
    megabytes = [point.file_bytes / 1e6 for point in points]
    times = [point.seconds for point in points]
    slope, intercept = _line(megabytes, times) or (None, None)
    largest = points[-1]
    return Fit(
        store,
        what,
        points,
        slope,
        intercept,
        _straightness(megabytes, times),
        largest.file_bytes / largest.keys if largest.keys else None,
        _memory_per_key(points),
    )


def _line(xs: Sequence[float], ys: Sequence[float]) -> tuple[float, float] | None:
    if len(set(xs)) < 2:
        return None
    line = linear_regression(xs, ys)
    return line.slope, line.intercept


def _straightness(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    if len(set(xs)) < 3:
        return None
    try:
        return correlation(xs, ys) ** 2
    except StatisticsError:  # every open took as long as the next
        return None


def _memory_per_key(points: Sequence[RecoveryPoint]) -> float | None:
    # The slope, not the quotient: what the program needs with no keys at all is not theirs.
    known = [(point.keys, point.rss_bytes) for point in points if point.rss_bytes is not None]
    line = _line([float(keys) for keys, _ in known], [float(rss) for _, rss in known])
    return line[0] if line is not None else None
