"""Load from threads on a store that blocks: closed and open loops, batches.

A closed loop writes again as soon as the write before is acknowledged; when the store stalls, it just waits, and the
writes that others would have made meanwhile are never made, so its percentiles do not show what they would have
waited.  An open loop has a time for each write, and counts from that time.  After a stall it makes the writes that
are late one after the other; their service times may be short, their response times are not.
"""

from __future__ import annotations

import ctypes
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, cycle, islice
from time import perf_counter_ns
from typing import NamedTuple

from durakv.bench.latency import back_to_back
from durakv.bench.store import Pair, Session, Store
from durakv.bench.workload import groups

PATIENCE = 1.0
"""An open loop that has not caught up after so many times its length is given up; what it owed is not made."""

_PR_SET_TIMERSLACK = 29
_TIMER_SLACK_NS = 1_000


class Sample(NamedTuple):
    """What one loop, or several together, did."""

    began_ns: int
    seconds: float
    """From the first start to the last acknowledgement."""
    writes: int
    starts_ns: array[int]
    """When each call was made; in an open loop, when it was meant to be made."""
    service_ns: array[int]
    """From the call to the acknowledgement."""
    response_ns: array[int] | None = None
    """Open loop only: from when the call was meant to be made to the acknowledgement."""


def together(samples: Sequence[Sample]) -> Sample:
    """The sample of loops that ran beside each other."""
    began = min(sample.began_ns for sample in samples)
    ended = max(sample.began_ns + sample.seconds * 1e9 for sample in samples)
    starts, service, response = array("Q"), array("Q"), array("Q")
    for sample in samples:
        starts.extend(sample.starts_ns)
        service.extend(sample.service_ns)
        response.extend(sample.response_ns or ())
    return Sample(
        began_ns=began,
        seconds=(ended - began) / 1e9,
        writes=sum(sample.writes for sample in samples),
        starts_ns=starts,
        service_ns=service,
        response_ns=response if response else None,
    )


def closed(call: Callable[..., object], arguments: Iterable[tuple[object, ...]], seconds: float, each: int) -> Sample:
    """Call again and again for so long, with arguments that do not end; each call makes so many writes.

    Only the ends are kept: a call begins where the one before ended, give or take the loop itself, some 0.1 us.
    """
    ends = array("Q")
    keep, clock = ends.append, perf_counter_ns
    began = clock()
    deadline = began + int(seconds * 1e9)
    for some in arguments:
        call(*some)
        now = clock()
        keep(now)
        if now >= deadline:
            break
    starts, latencies = back_to_back(began, ends)
    return Sample(began, (ends[-1] - began) / 1e9, each * len(ends), starts, latencies)


def paced(
    call: Callable[..., object],
    arguments: Iterable[tuple[object, ...]],
    seconds: float,
    rate: float,
    *,
    first_seconds: float = 0.0,
    ended: Callable[[], bool] | None = None,
) -> Sample:
    """Make calls at a fixed rate, with arguments that do not end; the first after ``first_seconds``, late ones at once.

    It goes on for so long, or until ``ended`` says so.
    """
    starts, service, response = array("Q"), array("Q"), array("Q")
    clock, sleep, pause_ns = perf_counter_ns, time.sleep, 1e9 / rate
    began = clock()
    first = began + first_seconds * 1e9
    deadline = began + int(seconds * 1e9)
    patience = deadline + int(seconds * PATIENCE * 1e9)
    done = began
    for number, some in enumerate(arguments):
        due = int(first + number * pause_ns)
        if due >= deadline or done >= patience or (ended is not None and ended()):
            break
        while (early := due - clock()) > 0:
            sleep(early / 1e9)
        called = clock()
        call(*some)
        done = clock()
        starts.append(due)
        service.append(done - called)
        response.append(done - due)
    return Sample(began, max(done - began, 1) / 1e9, len(starts), starts, service, response)


def sharpen_timers() -> None:
    """Let sleeps of this thread, and of those that it starts, end within some microseconds of their time.

    The kernel's default lets it be 50 us late to save power, which would be told as response time.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_TIMERSLACK, _TIMER_SLACK_NS, 0, 0, 0)


def threads(
    store: Store, all_pairs: Sequence[Pair], width: int, seconds: float, offered_rate: float | None = None
) -> Sample:
    """So many threads, each with a session of its own and waiting for each write; paced where a rate is offered."""

    def run(session: Session, number: int) -> Sample:
        own = _from(all_pairs, number * len(all_pairs) // width)
        if offered_rate is None:
            return closed(session.put, own, seconds, 1)
        rate = offered_rate / width
        return paced(session.put, own, seconds, rate, first_seconds=number / offered_rate)

    if offered_rate is not None:
        sharpen_timers()
    if width == 1:
        session = store.session()
        try:
            return run(session, 0)
        finally:
            session.close()
    return together(_beside(store, run, width))


def batches(store: Store, all_pairs: Sequence[Pair], width: int, seconds: float) -> Sample:
    """One thread whose writes are batches, or pipelines, of so many."""
    session = store.session()
    try:
        return closed(session.put_many, cycle([(group,) for group in groups(all_pairs, width)]), seconds, width)
    finally:
        session.close()


def _beside(store: Store, run: Callable[[Session, int], Sample], width: int) -> list[Sample]:
    """Run in so many threads that begin together; raise what the first of them raised."""
    gate = threading.Barrier(width)
    samples: list[Sample] = []
    failures: list[BaseException] = []

    def body(number: int) -> None:
        try:
            session = store.session()
            try:
                gate.wait()
                samples.append(run(session, number))
            finally:
                session.close()
        except threading.BrokenBarrierError:
            return  # another one could not begin, and says why
        except Exception as failure:  # noqa: BLE001  it is raised by the caller's thread
            failures.append(failure)
            gate.abort()

    running = [threading.Thread(target=body, args=(number,), name=f"load-{number}") for number in range(width)]
    for thread in running:
        thread.start()
    try:
        for thread in running:
            thread.join()
    finally:
        # Interrupted, they still end by themselves, before the store is closed below them.
        for thread in running:
            thread.join()
    if failures:
        raise failures[0]
    return samples


def _from(all_pairs: Sequence[Pair], start: int) -> Iterator[Pair]:
    """The same pairs without end, beginning elsewhere: writers beside each other write different keys."""
    return chain(islice(all_pairs, start, None), cycle(all_pairs))
