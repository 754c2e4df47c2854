"""The promise: a load is what it says, every write of it is counted, and an open loop does not hide a stall.

Method: load a store in memory that keeps what it got, and that stalls once.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from itertools import cycle

import pytest

from durakv.bench.latency import percentiles
from durakv.bench.load import Sample, batches, paced, threads
from durakv.bench.load_tasks import tasks
from durakv.bench.workload import KEY_BYTES, Pairs, groups, key
from tests.bench.fake_store import FakeStore

PAIRS = Pairs(20, key_space=500).fresh()
STALL_SECONDS = 0.2


def p99_us(latencies_ns: object) -> float:
    found = percentiles(latencies_ns)  # type: ignore[arg-type]
    assert found is not None
    return found.p99_us


@pytest.mark.parametrize("width", [1, 5])
def test_every_thread_writes_through_a_session_of_its_own(width: int) -> None:
    store = FakeStore(write_seconds=0.001)
    sample = threads(store, PAIRS, width, 0.1)
    assert sample.writes == len(store.written) == len(sample.service_ns) == len(sample.starts_ns)
    assert len(store.threads) == width
    assert store.sessions_open == 0
    assert sample.response_ns is None
    assert sample.seconds >= 0.1


def test_threads_begin_at_different_keys() -> None:
    store = FakeStore(write_seconds=0.001)
    threads(store, PAIRS, 5, 0.01)
    assert len({written[0] for written in store.written[:5]}) == 5


def test_what_a_thread_raises_reaches_the_caller() -> None:
    store = FakeStore(write_seconds=0.0001)
    store.fail_at = 7
    before = threading.active_count()
    with pytest.raises(OSError, match="the disk is gone"):
        threads(store, PAIRS, 4, 0.05)
    assert threading.active_count() == before
    assert store.sessions_open == 0


def test_a_batch_counts_as_the_writes_in_it() -> None:
    store = FakeStore()
    sample = batches(store, PAIRS, 50, 0.01)
    assert set(store.batches) == {50}
    assert sample.writes == len(store.written) == 50 * len(sample.service_ns)


def test_a_closed_loop_hides_a_stall_and_an_open_loop_does_not() -> None:
    closed = threads(FakeStore(write_seconds=0.0005, stall_at=100, stall_seconds=STALL_SECONDS), PAIRS, 1, 0.6)
    stalled = FakeStore(stall_at=100, stall_seconds=STALL_SECONDS)
    opened = threads(stalled, PAIRS, 1, 0.6, offered_rate=1000)
    assert closed.response_ns is None
    assert opened.response_ns is not None
    assert len(opened.response_ns) == opened.writes == len(stalled.written)
    # Some 200 of 600 writes were due during the stall; but only one of them was under way.
    assert p99_us(opened.response_ns) > 0.5e6 * STALL_SECONDS
    assert p99_us(opened.response_ns) > 5 * p99_us(opened.service_ns)
    assert max(opened.service_ns) > 0.9e9 * STALL_SECONDS


def test_after_a_stall_what_is_late_is_made_up_for() -> None:
    store = FakeStore(stall_at=10, stall_seconds=0.1)
    sample = paced(store.session().put, cycle(PAIRS), 0.4, 500)
    assert sample.writes == 200, "every write that was due"
    gaps = {later - earlier for earlier, later in zip(sample.starts_ns, sample.starts_ns[1:], strict=False)}
    assert gaps <= {1_999_999, 2_000_000, 2_000_001}, "the intended starts do not depend on the stall"


def test_an_open_loop_that_cannot_keep_up_is_given_up() -> None:
    sample = paced(FakeStore(write_seconds=0.01).session().put, cycle(PAIRS), 0.1, 10_000)
    assert 0 < sample.writes < 100
    assert sample.seconds < 1


def test_an_open_loop_ends_when_it_is_told() -> None:
    left = [False] * 20
    sample = paced(FakeStore().session().put, cycle(PAIRS), 60, 1000, ended=lambda: not left or left.pop())
    assert sample.writes == 20


def run_tasks(width: int, seconds: float, rate: float | None, write: Callable[[int], float]) -> tuple[Sample, int]:
    """Tasks whose n-th write takes so many seconds, one after the other as in a store; and how many there were."""
    count = 0

    async def measure() -> Sample:
        disk = asyncio.Lock()

        async def put(_key: bytes, _value: bytes) -> None:
            nonlocal count
            async with disk:
                await asyncio.sleep(write(count))
                count += 1

        return await tasks(put, PAIRS, width, seconds, rate)

    return asyncio.run(measure()), count


def test_tasks_write_beside_each_other() -> None:
    sample, count = run_tasks(8, 0.05, None, lambda _: 0.001)
    assert sample.writes == count == len(sample.service_ns)
    assert sample.response_ns is None
    assert p99_us(sample.service_ns) > 6 * 1000, "each waits for the seven before it"


def test_paced_tasks_show_a_stall_too() -> None:
    sample, count = run_tasks(4, 0.5, 500, lambda number: STALL_SECONDS if number == 50 else 0.0)
    assert sample.response_ns is not None
    assert sample.writes == count == len(sample.response_ns) == 250
    both = zip(sample.response_ns, sample.service_ns, strict=True)
    late = sum(response > service + 50_000_000 for response, service in both)
    assert late > 30, "writes that were due in the stall are counted from when they were due"


def test_pairs_are_of_the_wanted_size_and_differ() -> None:
    assert len({key for key, _ in PAIRS}) == 500
    assert {len(key) for key, _ in PAIRS} == {KEY_BYTES}
    assert len({value for _, value in PAIRS}) > 100
    assert {len(value) for _, value in Pairs(1, key_space=10).fresh()} == {1}
    assert Pairs(20, key_space=500).fresh() == PAIRS, "the same in every run"


@pytest.mark.parametrize(("value_bytes", "key_space"), [(20, 500), (20, 1024), (20, 512), (1 << 23, 9)])
def test_no_key_is_given_the_value_that_it_has(value_bytes: int, key_space: int) -> None:
    held: dict[bytes, bytes] = {}
    some = Pairs(value_bytes, key_space)
    for turn in range(5):
        written = some.fresh()
        for key_, value in written * 2:
            assert held.get(key_) != value, f"in turn {turn}"
            held[key_] = value


def test_large_values_do_not_fill_the_memory() -> None:
    large = {id(value): value for _, value in Pairs(1 << 24, key_space=1000).fresh()}
    assert len(large) > 1
    assert sum(map(len, large.values())) <= 64 << 20


def test_keys_do_not_collide() -> None:
    assert len({key(index) for index in range(100_000)}) == 100_000


@pytest.mark.parametrize("width", [1, 7, 499, 500, 501, 2000])
def test_groups_are_of_the_wanted_size(width: int) -> None:
    assert {len(group) for group in groups(PAIRS[:500], width)} == {width}
