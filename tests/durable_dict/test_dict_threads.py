"""The promise: beside other threads each method is one step: nothing is popped twice, defaulted twice or half seen.

Method: threads that do the same at the same time, and all that they got is counted.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import durakv

THREADS = 4
COUNT = 400


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[durakv.DurableDict[str, int]]:
    with durakv.DurableDict(tmp_path / "d", value=durakv.MsgpackCodec(int), fsync="no") as d:
        yield d


def together(work: Callable[[int], list[int]]) -> list[list[int]]:
    """What each thread got."""
    results: list[list[int]] = [[] for _ in range(THREADS)]
    start = threading.Barrier(THREADS)

    def run(number: int) -> None:
        start.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_no_value_is_popped_twice(shared: durakv.DurableDict[str, int]) -> None:
    shared.update({str(number): number for number in range(COUNT)})
    got = together(lambda _: [shared.pop(str(number), -1) for number in range(COUNT)])
    assert sorted(value for values in got for value in values if value >= 0) == list(range(COUNT))
    assert not shared


def test_no_item_is_popped_twice(shared: durakv.DurableDict[str, int]) -> None:
    shared.update({str(number): number for number in range(COUNT)})
    got = together(lambda _: [shared.popitem()[1] for _ in range(COUNT // THREADS)])
    assert sorted(value for values in got for value in values) == list(range(COUNT))


def test_all_get_the_default_of_the_first(shared: durakv.DurableDict[str, int]) -> None:
    got = together(lambda thread: [shared.setdefault(str(number), thread) for number in range(COUNT)])
    assert all(values == got[0] for values in got)
    assert list(shared.values()) == got[0]


def test_a_batch_is_never_seen_by_halves(shared: durakv.DurableDict[str, int]) -> None:
    shared.update({"a": 0, "b": 0})

    def work(thread: int) -> list[int]:
        seen: list[int] = []
        for number in range(COUNT):
            if thread:
                pairs = dict(shared.items())
                seen.append(pairs["a"] + pairs["b"])
            else:
                with shared.batch() as batch:
                    batch["a"] = number
                    del batch["b"]
                    batch["b"] = -number
        return seen

    assert set().union(*together(work)) == {0}


def test_a_deleted_key_is_deleted_by_one(shared: durakv.DurableDict[str, int]) -> None:
    shared.update({str(number): number for number in range(COUNT)})

    def work(_: int) -> list[int]:
        deleted: list[int] = []
        for number in range(COUNT):
            try:
                del shared[str(number)]
            except KeyError:
                continue
            deleted.append(number)
        return deleted

    assert sorted(number for numbers in together(work) for number in numbers) == list(range(COUNT))
