"""The conformance kits, for whoever implements one of the engine's seams: a disk, a clock, a state machine.

    check_filesystem(lambda: MyFilesystem(new_empty_place()))
    check_state_machine(Ledger, [[[b"open", b"a"]], [[b"open", b"b"]]])
    check_clock(MyClock())

What is handed in is used, ``AssertionError`` comes out, and no test framework is needed.  None of them crashes
anything; ``durakv_fuzz.embedder`` does.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from durakv.clock import Clock
from durakv.conformance import check_state_machine
from durakv.storage.conformance import check_filesystem

__all__ = ["check_clock", "check_filesystem", "check_state_machine"]

_LOOKS = 1000
_STEP_SECONDS = (0.001, 0.05, 1.5)
_PAUSE_SECONDS = 0.05
_MS_MIN = 946_684_800_000
_MS_MAX = 7_258_118_400_000
"""The years 2000 and 2200: whoever counts seconds or nanoseconds is far outside of them."""
_SLACK = 0.01
"""How far two honest clocks may disagree: a hundredth, and as many seconds."""


def check_clock(clock: Clock, *, advance: Callable[[float], None] | None = None) -> None:
    """Raise ``AssertionError``, naming the rule and what was seen, unless an engine may go by this clock.

    ``advance`` moves the clock by so many seconds, if it moves only when told; then both of its faces are checked.
    Without it the clock has to follow the real time by itself, and the Unix time, which people set, may jump.
    """
    if not __debug__:
        raise RuntimeError("the conformance kit is made of assertions: run it without -O")
    last = _monotonic(clock)
    for _ in range(_LOOKS):
        now = _monotonic(clock)
        assert now >= last, f"monotonic() went back from {last!r} to {now!r}"
        last = now
        _time_ms(clock)
    if advance is None:
        _check_real(clock)
    else:
        for seconds in _STEP_SECONDS:
            _check_advance(clock, advance, seconds)


def _check_real(clock: Clock) -> None:
    outer = time.monotonic()
    first = _monotonic(clock)
    inner = time.monotonic()
    time.sleep(_PAUSE_SECONDS)
    least = time.monotonic() - inner
    moved = _monotonic(clock) - first
    most = time.monotonic() - outer
    # Bounds that were measured around the calls hold on a busy machine too.
    assert moved >= least * (1 - _SLACK) - _SLACK, f"monotonic() moved by {moved!r} in {least!r} s: is it in seconds?"
    assert moved <= most * (1 + _SLACK) + _SLACK, f"monotonic() moved by {moved!r} in {most!r} s: is it in seconds?"


def _check_advance(clock: Clock, advance: Callable[[float], None], seconds: float) -> None:
    monotonic, time_ms = _monotonic(clock), _time_ms(clock)
    advance(seconds)
    moved, moved_ms = _monotonic(clock) - monotonic, _time_ms(clock) - time_ms
    assert math.isclose(moved, seconds, rel_tol=1e-6, abs_tol=1e-6), f"monotonic() moved by {moved!r}, not {seconds} s"
    assert abs(moved_ms - seconds * 1000) <= 1, f"time_ms() moved by {moved_ms!r}, not {seconds * 1000:.0f} ms"


def _monotonic(clock: Clock) -> float:
    now: object = clock.monotonic()
    assert isinstance(now, (int, float)), f"monotonic() returns {type(now).__name__}, not seconds"
    assert math.isfinite(now), f"monotonic() returns {now!r}"
    return now


def _time_ms(clock: Clock) -> int:
    now: object = clock.time_ms()
    assert type(now) is int, f"time_ms() returns {type(now).__name__}, not a whole number of milliseconds"
    assert _MS_MIN <= now <= _MS_MAX, f"time_ms() returns {now!r}, which is no Unix time in milliseconds of our days"
    return now
