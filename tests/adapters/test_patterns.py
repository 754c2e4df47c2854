"""The promise: the documented queue gives every item out until it is acknowledged, and the counters count.

Method: examples, with restarts and threads; crashes are in ``test_crash_dict``.  And the page shows them word for word.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import durakv
from tests.adapters.patterns import PATTERNS, DurableCounters, DurableQueue

PAGE = PATTERNS.parent / "durable-dict.md"
FILES = sorted(PATTERNS.glob("*.py"))
LINES_MAX = 50


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_page_shows_it_word_for_word_and_it_is_short(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert f"```python\n{source}```" in PAGE.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= LINES_MAX


def items_at(path: Path) -> durakv.DurableDict[int, str]:
    return durakv.DurableDict(path, key=durakv.MsgpackCodec(int), value=durakv.TextCodec(), fsync="no")


def test_items_come_in_order_and_are_gone_when_they_are_acknowledged(tmp_path: Path) -> None:
    with items_at(tmp_path / "q") as items:
        jobs = DurableQueue(items)
        numbers = [jobs.put(item) for item in ("a", "b", "c")]
        taken = [jobs.take() for _ in range(3)]
        assert taken == list(zip(numbers, ("a", "b", "c"), strict=True))
        jobs.acknowledge(taken[1][0])
        assert len(jobs) == 2
        with pytest.raises(queue.Empty):
            jobs.take(timeout=0.01)
        with pytest.raises(KeyError):
            jobs.acknowledge(taken[1][0])


def test_what_was_taken_and_not_acknowledged_comes_back_in_order(tmp_path: Path) -> None:
    with items_at(tmp_path / "q") as items:
        jobs = DurableQueue(items)
        for number in range(12):
            jobs.put(str(number))
        for number in (jobs.take()[0] for _ in range(6)):
            if number % 2:
                jobs.acknowledge(number)
    with items_at(tmp_path / "q") as items:
        jobs = DurableQueue(items)
        jobs.put("new")
        assert [jobs.take()[1] for _ in range(len(jobs))] == ["0", "2", "4", *map(str, range(6, 12)), "new"]


def test_every_item_goes_to_one_thread(tmp_path: Path) -> None:
    taken: list[str] = []
    with items_at(tmp_path / "q") as items:
        jobs = DurableQueue(items)

        def put(name: str) -> None:
            for number in range(100):
                jobs.put(f"{name}{number}")

        def work() -> None:
            for _ in range(100):
                number, item = jobs.take(timeout=10)
                taken.append(item)
                jobs.acknowledge(number)

        run_all([threading.Thread(target=work) for _ in "ab"] + [threading.Thread(target=put, args=(n,)) for n in "ab"])
        assert len(jobs) == 0
    assert sorted(taken) == sorted(f"{name}{number}" for name in "ab" for number in range(100))


@pytest.fixture
def sums(tmp_path: Path) -> Iterator[durakv.DurableDict[str, int]]:
    with durakv.DurableDict(tmp_path / "c", value=durakv.MsgpackCodec(int), fsync="no") as opened:
        yield opened


def test_threads_lose_no_amount(sums: durakv.DurableDict[str, int]) -> None:
    counters = DurableCounters(sums)

    def add() -> None:
        for _ in range(50):
            counters.add("hits")
            counters.add("bytes", 3)

    run_all([threading.Thread(target=add) for _ in range(4)])
    assert (counters.value("hits"), counters.value("bytes"), counters.value("none")) == (200, 600, 0)


class Interrupted(durakv.MsgpackCodec[int]):
    """A codec in which, once, another thread gets its turn: the first sum is decided then, and not yet stored."""

    other: threading.Thread | None = None

    def encode(self, value: int, /) -> bytes:
        if self.other is not None and not self.other.ident:
            self.other.start()
            self.other.join(timeout=0.2)
        return super().encode(value)


def test_an_amount_that_another_thread_adds_in_the_middle_is_not_lost(tmp_path: Path) -> None:
    codec = Interrupted(int)
    with durakv.DurableDict(tmp_path / "c", value=codec, fsync="no") as sums:
        counters = DurableCounters(sums)
        codec.other = threading.Thread(target=counters.add, args=("hits", 5))
        counters.add("hits")
        codec.other.join()
        assert counters.value("hits") == 6


def test_a_sum_is_on_disk_when_it_is_returned_under_any_policy(sums: durakv.DurableDict[str, int]) -> None:
    counters = DurableCounters(sums)
    assert [counters.add("hits"), counters.add("hits", 5)] == [1, 6]
    status = sums.database.status()
    assert status.synced_seq == status.applied_seq


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
