"""The promise: the clock's kit passes the clocks that the engine comes with, and names what is wrong with others."""

from __future__ import annotations

import itertools
import time

import pytest

from durakv.clock import ManualClock, SystemClock
from durakv_fuzz import conformance
from durakv_fuzz.conformance import check_clock


class Broken(SystemClock):
    """A real clock, but for one answer."""

    def __init__(self, *, monotonic: object = None, time_ms: object = None) -> None:
        self._monotonic = monotonic
        self._time_ms = time_ms

    def monotonic(self) -> float:
        return self._monotonic() if callable(self._monotonic) else super().monotonic()

    def time_ms(self) -> int:
        return self._time_ms() if callable(self._time_ms) else super().time_ms()


def test_the_engines_own_clocks_pass() -> None:
    check_clock(SystemClock())
    clock = ManualClock()
    check_clock(clock, advance=clock.advance)


@pytest.mark.parametrize(
    ("clock", "reason"),
    [
        (Broken(monotonic=itertools.count(10**6, -1).__next__), "went back"),
        (Broken(monotonic=lambda: time.monotonic() * 1000), "is it in seconds"),
        (Broken(monotonic=lambda: float("nan")), "returns nan"),
        (Broken(monotonic=lambda: "now"), "returns str"),
        (Broken(time_ms=lambda: int(time.time())), "no Unix time in milliseconds"),
        (Broken(time_ms=time.time), "returns float"),
    ],
)
def test_what_is_wrong_with_a_clock_is_named(clock: Broken, reason: str) -> None:
    with pytest.raises(AssertionError, match=reason):
        check_clock(clock)


def test_a_clock_that_does_not_move_as_told_is_named() -> None:
    clock = ManualClock()
    with pytest.raises(AssertionError, match="moved by"):
        check_clock(clock, advance=lambda seconds: clock.advance(seconds * 2))


def test_all_kits_are_in_one_place() -> None:
    assert set(conformance.__all__) == {"check_clock", "check_filesystem", "check_state_machine"}
