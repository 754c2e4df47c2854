"""What a program owes after a crash follows from what it said, and nothing else.

Notes are written by hand, and each verdict is asked for by the smallest thing that deserves it.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.program.oracle import (
    ACKED,
    ISSUED,
    SYNCED,
    Judgement,
    Verdict,
    judge,
    told_before,
)
from durakv_fuzz.program.subject import Found, Promise
from durakv_fuzz.trace import Note


def notes(*words: tuple[str, int]) -> list[Note]:
    return [Note(seq, float(seq), kind, number) for seq, (kind, number) in enumerate(words)]


THREE = notes((ISSUED, 0), (ACKED, 0), (ISSUED, 1), (ACKED, 1), (SYNCED, 1), (ISSUED, 2), (ACKED, 2), (ISSUED, 3))


def verdict(found: Found, promise: Promise = Promise.ALWAYS, *, crash_seq: int = 8, window: float = 0.0) -> Judgement:
    return judge(told_before(THREE, crash_seq, float(crash_seq), promise, window), found, promise)


def numbers(*present: int) -> Found:
    return Found(frozenset(present))


@pytest.mark.parametrize("present", [(0, 1, 2), (0, 1, 2, 3)])
def test_all_acknowledged_numbers_are_enough_with_or_without_the_one_under_way(present: tuple[int, ...]) -> None:
    assert verdict(numbers(*present)).is_kept


def test_an_acknowledged_number_that_is_gone_is_lost() -> None:
    found = verdict(numbers(0, 1))
    assert found.verdict is Verdict.LOST_ACKED
    assert "1 of 3" in found.reason
    assert found.reason.endswith(": 2")


def test_before_its_acknowledgement_a_number_may_be_missing() -> None:
    assert verdict(numbers(0, 1), crash_seq=6).is_kept
    assert verdict(numbers(0, 1), crash_seq=7).verdict is Verdict.LOST_ACKED


def test_only_what_a_sync_covered_is_owed_where_a_prefix_is_promised() -> None:
    assert verdict(numbers(0, 1), Promise.PREFIX).is_kept
    assert verdict(numbers(0), Promise.PREFIX).verdict is Verdict.LOST_ACKED
    assert verdict(numbers(), Promise.PREFIX, crash_seq=4).is_kept


def test_a_hole_breaks_a_prefix_and_not_a_sync() -> None:
    assert verdict(numbers(0, 1, 3), Promise.PREFIX).verdict is Verdict.GAP
    assert verdict(numbers(0, 1, 3), Promise.SYNCED).is_kept


def test_a_window_covers_what_was_acknowledged_before_it() -> None:
    assert verdict(numbers(0, 1), Promise.WINDOW, window=3.0).is_kept
    assert verdict(numbers(0, 1), Promise.WINDOW, window=2.0).verdict is Verdict.LOST_ACKED


def test_nothing_is_owed_where_nothing_is_promised() -> None:
    assert verdict(numbers(), Promise.NONE).is_kept


def test_a_number_that_nobody_issued_is_a_wrong_value() -> None:
    assert verdict(numbers(0, 1, 2, 3, 4)).verdict is Verdict.CORRUPT
    assert verdict(Found(frozenset({0, 1, 2}), wrong=("7 has half a value",))).verdict is Verdict.CORRUPT


def test_a_start_that_is_refused_or_needs_a_repair_says_so() -> None:
    assert verdict(Found(refusal="bad file format")).verdict is Verdict.NO_START
    assert verdict(Found(frozenset({0, 1, 2}), needed_repair=True)).verdict is Verdict.REPAIRABLE


def test_a_repair_that_loses_what_was_acknowledged_is_a_loss() -> None:
    found = verdict(Found(frozenset({0, 1}), needed_repair=True))
    assert found.verdict is Verdict.LOST_ACKED
    assert "after a repair" in found.reason


def test_what_was_owed_before_the_first_crash_is_owed_after_the_second() -> None:
    earlier = told_before(THREE, 8, 8.0, Promise.ALWAYS, 0.0)
    later = told_before(notes((ISSUED, 3)), 1, 1.0, Promise.ALWAYS, 0.0).with_earlier(earlier)
    assert judge(later, numbers(0, 1, 3), Promise.ALWAYS).verdict is Verdict.LOST_ACKED
    assert judge(later, numbers(0, 1, 2, 3), Promise.ALWAYS).is_kept
