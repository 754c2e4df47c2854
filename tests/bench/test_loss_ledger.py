"""The promise: each crash is counted once, and a broken promise is the first thing that its entry says."""

from __future__ import annotations

from durakv.bench.loss_ledger import BROKEN, POWER_CUT, Ledger, is_broken
from durakv.bench.results import Loss


def ledger(lost_max: int | None = None, age_max_seconds: float | None = None) -> Ledger:
    return Ledger(store="s", setting="p", crash=POWER_CUT, lost_max=lost_max, age_max_seconds=age_max_seconds)


def told(book: Ledger) -> Loss:
    return book.loss(method="m", writes_per_second=5.0, notes=["n"])


def test_one_entry_a_crash() -> None:
    book = ledger()
    book.count(acknowledged=10, survived=7, oldest_seconds=0.5)
    book.count(acknowledged=10, survived=10, oldest_seconds=0.5)
    book.count(acknowledged=10, survived=11, oldest_seconds=0.5)
    loss = told(book)
    assert (loss.acknowledged, loss.lost, loss.oldest_seconds) == ((10, 10, 10), (3, 0, 0), (0.5, 0.0, 0.0))
    assert loss.note == "n"
    assert not is_broken(loss)


def test_more_lost_than_promised_is_told() -> None:
    book = ledger(lost_max=0)
    book.count(acknowledged=10, survived=10, oldest_seconds=0.0, where="here")
    assert not is_broken(told(book))
    book.count(acknowledged=10, survived=9, oldest_seconds=0.25, where="there")
    assert told(book).note == (
        f"{BROKEN}: 1 of 2 crashes broke the promise; first there: "
        "1 acknowledged writes lost, the oldest 0.250 s old; n"
    )


def test_older_than_promised_is_told() -> None:
    book = ledger(age_max_seconds=1.0)
    book.count(acknowledged=10, survived=0, oldest_seconds=1.0)
    assert not is_broken(told(book))
    book.count(acknowledged=10, survived=0, oldest_seconds=1.001)
    assert is_broken(told(book))


def test_damage_is_told_though_nothing_is_lost() -> None:
    book = ledger()
    book.count(acknowledged=10, survived=10, oldest_seconds=0.0, where="here", damage="write 3 is missing")
    assert is_broken(told(book))
    assert "here: write 3 is missing" in told(book).note


def test_nothing_acknowledged_shows_nothing() -> None:
    book = ledger(lost_max=0)
    book.count(acknowledged=0, survived=0, oldest_seconds=0.0)
    assert is_broken(told(book))
    assert is_broken(told(ledger()))
