"""The ratios that the project promises itself, and what a run says about each.

    verdicts(report)     every target that a run's cases, rewrites and opens can decide
    TARGETS              all of them, in the order of the table; ``targets_parts`` measures the others

A ratio is the median over the rounds of the ratio within a round: contestants take turns, so whatever disturbs a
machine for a while disturbs both sides of it.  Where several peers could be meant, it is the one to which the ratio is
smallest.  All compared cases have values of one size.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence

import msgspec

from durakv.bench.raw import WITHOUT_SYNC
from durakv.bench.results import Case, Interference, Mode, Promise, Report, Shape, Verdict

DURAKV = "durakv"
REDIS = "redis-server"
RAW = "raw"
CLIENTS = range(50, 65)
"""How many clients of redis-benchmark count as many."""

WRITERS = 64
WINDOW = 1024
BATCHES = range(1000, WINDOW + 1)
"""How wide a window or a batch counts as one of about a thousand."""

POINTS_MIN = 3
"""Two points are always on a line."""

RAW_WRITE_P999_US_MAX = 70.0
"""Where plain writes are slower than this, the p99.9 of a put says more about the machine than about durakv."""


class Target(msgspec.Struct, frozen=True):
    """One row of the table."""

    name: str
    wanted: float
    at_least: bool = True
    unit: str = "x"

    def verdict(self, measured: float | None, *, against: str = "", note: str = "") -> Verdict:
        """What was measured, beside what was wanted."""
        return Verdict(
            name=self.name,
            measured=measured,
            wanted=self.wanted,
            at_least=self.at_least,
            unit=self.unit,
            against=against,
            note=note,
        )


SINGLE_RAW = Target("durable, one writer / raw loop", 0.95)
SINGLE_PEERS = Target("durable, one writer / best durable peer", 1.4)
TASKS_REDIS = Target("durable, 64 tasks / redis-benchmark, 50 to 64 clients", 3.5)
TASKS_PEERS = Target("durable, 64 tasks / best durable peer with 64 threads", 3.5)
WINDOW_REDIS = Target("durable, window or batch of about 1000 / redis-benchmark, 50 to 64 clients", 15.0)
THREADS_PEERS = Target("durable, 64 threads / best durable peer with 64 threads", 0.9)
EVERYSEC_SINGLE = Target("everysec, single puts / best peer's single put without sync", 2.5)
EVERYSEC_BATCH = Target("everysec, batches of 1000 / best peer's batched put without sync", 1.2)
EVERYSEC_P999 = Target("everysec, p99.9 of a put", 100.0, at_least=False, unit="us")
REPLAY = Target("log replay / redis-server's AOF load", 1.5)
LOAD_SMALL = Target("snapshot load, 1 M keys / redis-server's RDB load", 2.5)
LOAD_LARGE = Target("snapshot load, 5 M keys / redis-server's RDB load", 2.5)
SAVE_COMPRESSED = Target("snapshot save / redis-server's SAVE with compression", 4.0)
SAVE_PLAIN = Target("snapshot save / redis-server's SAVE without compression", 2.0)
LAZY_OPEN = Target("first read after a lazy open / redis-server's start, 5 M keys", 0.005, at_least=False)
WORST_INSERT = Target("worst single insert while growing to 4 M keys", 10.0, at_least=False, unit="ms")
REWRITE_P99 = Target("rewrite: p99 of writers during it / before", 1.5, at_least=False)
REWRITE_MEMORY = Target("rewrite: extra memory / data set, 1 % touched", 0.25, at_least=False)
START_UP = Target("start-up: import and open of an empty directory, above an empty program", 60.0, False, "ms")
RECOVERY_LINE = Target("recovery time against log size: R² of a line", 0.98, unit="")
MEMORY_LINE = Target("memory against data size: R² of a line", 0.98, unit="")

TARGETS = (
    *(SINGLE_RAW, SINGLE_PEERS, TASKS_REDIS, TASKS_PEERS, WINDOW_REDIS, THREADS_PEERS),
    *(EVERYSEC_SINGLE, EVERYSEC_BATCH, EVERYSEC_P999),
    *(REPLAY, LOAD_SMALL, LOAD_LARGE, SAVE_COMPRESSED, SAVE_PLAIN, LAZY_OPEN, WORST_INSERT),
    *(REWRITE_P99, REWRITE_MEMORY, START_UP, RECOVERY_LINE, MEMORY_LINE),
)
"""Every target."""


def verdicts(report: Report) -> tuple[Verdict, ...]:
    """The targets that this run's cases, rewrites and opens decide; those it could have decided say why it did not."""
    cases = _Cases(report.cases)
    ours = cases.ours
    always, everysec = Promise.POWER, "everysec"
    redis = cases.where(lambda case: case.store == REDIS and case.shape is Shape.CLIENTS and case.width in CLIENTS)
    redis = [case for case in redis if case.promise is Promise.POWER]
    single = ours(always, Shape.THREADS, 1)
    tasks = ours(always, Shape.TASKS, WRITERS)
    crowd = cases.peers(_is_durable, {Shape.THREADS}, {WRITERS})
    wide = [case for shape in (Shape.WINDOW, Shape.BATCH) for case in ours(always, shape, *BATCHES)]
    return (
        _to_raw(single),
        _ratio(SINGLE_PEERS, single, cases.peers(_is_durable, {Shape.THREADS}, {1})),
        _ratio(TASKS_REDIS, tasks, redis),
        _ratio(TASKS_PEERS, tasks, crowd),
        _ratio(WINDOW_REDIS, wide, redis),
        _ratio(THREADS_PEERS, ours(always, Shape.THREADS, WRITERS), crowd),
        _ratio(EVERYSEC_SINGLE, ours(everysec, Shape.THREADS, 1), cases.peers(_is_relaxed, {Shape.THREADS}, {1})),
        _ratio(
            EVERYSEC_BATCH,
            ours(everysec, Shape.BATCH, *BATCHES),
            cases.peers(_is_relaxed, {Shape.BATCH, Shape.PIPELINE}, None),
        ),
        _p999(report, ours(everysec, Shape.THREADS, 1)),
        _rewrite_p99(report.interferences),
        _rewrite_memory(report.interferences),
        _recovery_line(report),
        _memory_line(report),
    )


# --- which cases are meant --------------------------------------------------------------------------------------------


class _Cases:
    """The closed loops of a run with values of the size that most of durakv's cases have."""

    def __init__(self, cases: Iterable[Case]) -> None:
        closed = [case for case in cases if case.mode is Mode.CLOSED and case.rounds]
        sizes = [case.value_bytes for case in closed if case.store == DURAKV]
        self._cases = [case for case in closed if sizes and case.value_bytes == statistics.mode(sizes)]

    def where(self, is_meant: Callable[[Case], bool]) -> list[Case]:
        """Those for which that holds."""
        return [case for case in self._cases if is_meant(case)]

    def ours(self, setting: Promise | str, shape: Shape, *widths: int) -> list[Case]:
        """durakv's, by what its setting promises or by its name."""
        return self.where(
            lambda case: (
                case.store == DURAKV
                and setting in (case.promise, case.setting)
                and case.shape is shape
                and case.width in widths
            )
        )

    def peers(self, is_meant: Callable[[Case], bool], shapes: set[Shape], widths: set[int] | None) -> list[Case]:
        """Those of other stores; of any width if ``widths`` is None."""
        return self.where(
            lambda case: (
                case.store not in (DURAKV, RAW)
                and is_meant(case)
                and case.shape in shapes
                and (widths is None or case.width in widths)
            )
        )


def _is_durable(case: Case) -> bool:
    return case.promise is Promise.POWER


def _is_relaxed(case: Case) -> bool:
    return case.promise is not Promise.POWER


# --- ratios -----------------------------------------------------------------------------------------------------------


def _to_raw(ours: Sequence[Case]) -> Verdict:
    measured = [_median(row.rate / row.raw_rate for row in case.rounds if row.raw_rate) for case in ours]
    best = max((value for value in measured if value is not None), default=None)
    if best is None:
        return SINGLE_RAW.verdict(None, note="the run has no durable single writer, or no raw loop beside it")
    return SINGLE_RAW.verdict(best, against="the raw loop of the same round")


def _ratio(target: Target, ours: Sequence[Case], peers: Sequence[Case]) -> Verdict:
    """Our best case, as a ratio to the peer to which that is smallest."""
    if not ours or not peers:
        missing = "durakv under that load" if not ours else "a peer to compare it with"
        return target.verdict(None, note=f"the run has no case of {missing}")
    measured, case, peer = max(
        (min(((_same_rounds(case, peer), case, peer) for peer in peers), key=_first) for case in ours), key=_first
    )
    width = f"{case.shape.value} of {case.width}" if len(ours) > 1 else ""
    return target.verdict(measured, against=peer.name, note=width)


def _first(row: tuple[float, Case, Case]) -> float:
    return row[0]


def _same_rounds(ours: Case, peer: Case) -> float:
    """The median of the ratios of rates, each within one round."""
    return statistics.median(mine.rate / theirs.rate for mine, theirs in zip(ours.rounds, peer.rounds, strict=False))


def _median(values: Iterable[float]) -> float | None:
    present = [*values]
    return statistics.median(present) if present else None


# --- latencies, rewrites, opens ---------------------------------------------------------------------------------------


def _p999(report: Report, ours: Sequence[Case]) -> Verdict:
    plain = next((loop.latency.p999_us for loop in report.disk.raw if loop.name == WITHOUT_SYNC.name), None)
    if plain is None:
        return EVERYSEC_P999.verdict(None, note="plain writes without a sync were not measured beside it")
    against = f"plain writes, p99.9 {plain:,.0f} us"
    if plain >= RAW_WRITE_P999_US_MAX:
        note = f"asked for only where the p99.9 of plain writes is below {RAW_WRITE_P999_US_MAX:g} us"
        return EVERYSEC_P999.verdict(None, against=against, note=note)
    measured = _median(row.service.p999_us for case in ours for row in case.rounds if row.service is not None)
    if measured is None:
        return EVERYSEC_P999.verdict(None, against=against, note="the run has no single writer under everysec")
    return EVERYSEC_P999.verdict(measured, against=against)


def _rewrite_p99(found: Sequence[Interference]) -> Verdict:
    measured = [(one.during.p99_us / one.before.p99_us, one) for one in found if one.store == DURAKV]
    if not measured:
        return REWRITE_P99.verdict(None, note="the run has no rewrite")
    worst, one = max(measured, key=lambda row: row[0])
    return REWRITE_P99.verdict(
        worst, against=f"{one.setting}, {one.keys:,} keys, {one.before.p99_us:,.0f} us before a rewrite"
    )


def _rewrite_memory(found: Sequence[Interference]) -> Verdict:
    shares = [
        (one.extra_memory_bytes / one.data_bytes, one)
        for one in found
        if one.store == DURAKV and one.extra_memory_bytes is not None and one.data_bytes
    ]
    if not shares:
        return REWRITE_MEMORY.verdict(None, note="the run has no rewrite whose memory is known")
    # Of several sizes the largest counts: what an interpreter needs for itself is a large part of little data.
    share, one = max(shares, key=lambda row: (row[1].data_bytes or 0, row[0]))
    return REWRITE_MEMORY.verdict(share, against=f"{one.keys:,} keys")


def _recovery_line(report: Report) -> Verdict:
    points = [(one.file_bytes / 1e6, one.seconds * 1e3) for one in report.recoveries if _is_ours(one.store, one.what)]
    found = _line(points)
    if found is None:
        return RECOVERY_LINE.verdict(None, note="the run opened fewer than three logs of different size")
    sizes = [size for size, _ in points]
    slope, straightness = found
    return RECOVERY_LINE.verdict(
        straightness,
        against=f"logs of {min(sizes):,.0f} to {max(sizes):,.0f} MB",
        note=f"{slope:.2f} ms a MB",
    )


def _memory_line(report: Report) -> Verdict:
    points = [
        (float(one.keys), float(one.rss_bytes))
        for one in report.recoveries
        if _is_ours(one.store, one.what) and one.rss_bytes is not None
    ]
    found = _line(points)
    if found is None:
        return MEMORY_LINE.verdict(None, note="the run opened fewer than three data sets of different size")
    slope, straightness = found
    return MEMORY_LINE.verdict(
        straightness,
        against=f"up to {max(keys for keys, _ in points):,.0f} keys",
        note=f"{slope:.0f} bytes a key",
    )


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float] | None:
    """Slope and R² of the line of least squares; None if there are too few different points."""
    across, up = [x for x, _ in points], [y for _, y in points]
    if len(set(across)) < POINTS_MIN:
        return None
    straightness = statistics.correlation(across, up) ** 2 if len(set(up)) > 1 else 1.0
    return statistics.linear_regression(across, up).slope, straightness


def _is_ours(store: str, what: str) -> bool:
    return store == DURAKV and what == "log"
