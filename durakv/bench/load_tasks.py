"""Load from the tasks of one event loop, each waiting for each of its writes; closed and open loops."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Awaitable, Callable, Sequence
from time import perf_counter_ns
from typing import Any

from durakv.bench.latency import back_to_back
from durakv.bench.load import PATIENCE, Sample, together
from durakv.bench.store import Pair

_TIMER_SECONDS = 0.002
"""The loop's timers may be a millisecond late; for so long before its time a write is waited for by turns."""

Put = Callable[[bytes, bytes], Awaitable[Any]]


async def tasks(
    put: Put, all_pairs: Sequence[Pair], width: int, seconds: float, offered_rate: float | None = None
) -> Sample:
    """So many tasks that share the pairs; paced together where a rate is offered."""
    if offered_rate is not None:
        return await _paced(put, all_pairs, width, seconds, offered_rate)
    began = perf_counter_ns()
    deadline = began + int(seconds * 1e9)
    parts = [_closed(put, all_pairs, number * len(all_pairs) // width, deadline) for number in range(width)]
    return together(await asyncio.gather(*parts))


async def _closed(put: Put, all_pairs: Sequence[Pair], start: int, deadline: int) -> Sample:
    ends = array("Q")
    keep, clock, count = ends.append, perf_counter_ns, len(all_pairs)
    began = now = clock()
    at = start
    while now < deadline:
        key, value = all_pairs[at]
        at = at + 1 if at + 1 < count else 0
        await put(key, value)
        now = clock()
        keep(now)
    starts, latencies = back_to_back(began, ends)
    return Sample(began, (now - began) / 1e9, len(ends), starts, latencies)


async def _paced(put: Put, all_pairs: Sequence[Pair], width: int, seconds: float, rate: float) -> Sample:
    """Whichever task is free makes the next write that is due: a stall holds up those behind it, as in a queue."""
    starts, service, response = array("Q"), array("Q"), array("Q")
    clock, pause_ns = perf_counter_ns, 1e9 / rate
    began = clock()
    deadline = began + int(seconds * 1e9)
    patience = deadline + int(seconds * PATIENCE * 1e9)
    number = 0

    turn = asyncio.Lock()

    async def serve() -> None:
        nonlocal number
        while True:
            async with turn:  # one task waits for the time of the next write, the others for their turn
                due, (key, value) = int(began + number * pause_ns), all_pairs[number % len(all_pairs)]
                number += 1
                if due >= deadline or clock() >= patience:
                    return
                while (early := due - clock()) > 0:  # noqa: ASYNC110  there is no event, only the time
                    await asyncio.sleep(max(0.0, early / 1e9 - _TIMER_SECONDS))
            called = clock()
            await put(key, value)
            done = clock()
            starts.append(due)
            service.append(done - called)
            response.append(done - due)

    await asyncio.gather(*(serve() for _ in range(width)))
    return Sample(began, (clock() - began) / 1e9, len(starts), starts, service, response)
