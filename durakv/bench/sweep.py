"""Throughput against the number of writers, from one to the knee."""

from __future__ import annotations

import statistics

from durakv.bench.contest import Tally, Told, contest
from durakv.bench.durakv_store import NAME
from durakv.bench.field import Field
from durakv.bench.quiet import Gate
from durakv.bench.results import Case, Mode, Shape

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
KNEE_GROWTH = 1.1
"""A width that makes less than this times the best so far is no progress."""

_PATIENCE = 2
"""A sweep ends after so many widths without progress: one may be bad luck."""


def sweep(field: Field, shape: Shape, tally: Tally, *, rounds: int, seconds: float, gate: Gate, tell: Told) -> None:
    """Measure durakv's first setting under that shape of load; widths that the rounds had are not measured again."""
    had = [case for case in tally.cases if (case.store, case.shape, case.mode) == (NAME, shape, Mode.CLOSED)]
    if not had or not rounds:
        return
    first = had[0]
    same = [case for case in had if (case.setting, case.value_bytes) == (first.setting, first.value_bytes)]
    rates = {case.width: _median_rate(case) for case in same}
    raw = [loop for loop in field.raw if loop.case.value_bytes == first.value_bytes]
    best, stalled = 0.0, 0
    for number, width in enumerate(WIDTHS):
        if width not in rates:
            tell(f"{shape.value} {width}", number / len(WIDTHS))
            before = len(tally.cases)
            contest(
                [field.widened(first, width)],
                raw,
                tally,
                rounds=rounds,
                seconds=seconds,
                gate=gate,
                tell=_nobody,
                show_raw=False,
            )
            rates |= {case.width: _median_rate(case) for case in tally.cases[before:]}
        rate = rates.get(width, 0.0)
        stalled = 0 if rate >= KNEE_GROWTH * best else stalled + 1
        best = max(best, rate)
        if stalled == _PATIENCE:
            return


def _nobody(_what: str, _part: float) -> None:
    """A width is one step for who watches, whatever it is made of."""


def _median_rate(case: Case) -> float:
    return statistics.median(row.rate for row in case.rounds)
