"""What writers notice of a rewrite: latencies of paced writes before and during one, and what it holds in memory.

One per cent of the keys is overwritten before each rewrite, which is what a merge of base and log has to bring
together; the paced writes go to the same keys.  The writes are an open loop: a stall is not hidden by the writes that
it held up.
"""

from __future__ import annotations

import random
from array import array
from itertools import cycle
from pathlib import Path

from durakv.bench.contest import Told
from durakv.bench.durakv_store import NAME, options
from durakv.bench.latency import percentiles
from durakv.bench.load import Sample, paced, sharpen_timers
from durakv.bench.results import Interference
from durakv.bench.store import Pair
from durakv.bench.workload import KEY_BYTES, key
from durakv.durability import FsyncPolicy
from durakv.keyspace.database import Database
from durakv.keyspace.database import open as open_database

TOUCHED = 0.01
WINDOW_SECONDS, WINDOW_SECONDS_MAX = 1.0, 5.0
"""Before a rewrite, writes are paced for as long as the last one took, within these bounds."""

REWRITE_SECONDS_MAX = 120.0
_BATCH = 1000


def interference(
    directory: Path, policy: FsyncPolicy, *, keys: int, value_bytes: int, rate: float, rounds: int, tell: Told
) -> Interference:
    """Load so many keys into an empty directory, and rewrite it so often under writes at that rate."""
    source = random.Random(1)
    touched = source.sample(range(keys), max(1, int(keys * TOUCHED)))
    before, during = array("Q"), array("Q")
    seconds: list[float] = []
    sharpen_timers()
    with open_database(directory, options=options(policy)) as database:
        tell(f"{keys:,} keys are loaded", 0.0)
        load(database, range(keys), value_bytes, source)
        database.rewrite()
        for number in range(rounds):
            tell(f"rewrite {number + 1} of {rounds}, {policy}", (number + 1) / (rounds + 1))
            load(database, touched, value_bytes, source)
            pairs = [(key(index), source.randbytes(value_bytes)) for index in touched]
            window_seconds = min(WINDOW_SECONDS_MAX, max(WINDOW_SECONDS, *seconds[-1:], 0.0))
            before.extend(_responses(paced(database.set, cycle(pairs), window_seconds, rate)))
            sample = _during_rewrite(database, pairs, rate)
            during.extend(_responses(sample))
            seconds.append(sample.seconds)
        peak = database.engine._rewrite.maker.child_peak_bytes
    quiet, busy = percentiles(before), percentiles(during)
    assert quiet is not None, "a window is longer than the pause between two writes"
    if busy is None:
        raise ValueError(f"the rewrites ended before the first write at {rate:,.0f}/s was due; use more keys")
    return Interference(
        store=NAME,
        setting=str(policy),
        keys=keys,
        offered_rate=rate,
        before=quiet,
        during=busy,
        rewrite_seconds=sorted(seconds)[len(seconds) // 2],
        extra_memory_bytes=peak or None,
        data_bytes=keys * (KEY_BYTES + value_bytes),
    )


def load(database: Database, indexes: range | list[int], value_bytes: int, source: random.Random) -> None:
    """Write these keys in batches, and sync them."""
    apply = database.engine.apply
    for start in range(0, len(indexes), _BATCH):
        apply([(b"SET", key(index), source.randbytes(value_bytes)) for index in indexes[start : start + _BATCH]])
    database.sync()


def _during_rewrite(database: Database, pairs: list[Pair], rate: float) -> Sample:
    """Writes at that rate from the request of a rewrite to its end."""
    ended = database.status().rewrites + 1

    def is_over() -> bool:
        status = database.status()
        return status.rewrites >= ended or status.rewrite_failures > 0

    database.rewrite(wait=False)
    sample = paced(database.set, cycle(pairs), REWRITE_SECONDS_MAX, rate, ended=is_over)
    status = database.status()
    if status.rewrites < ended:
        raise ValueError(f"the rewrite did not end: {status.rewrite_error or 'it takes too long'}")
    return sample


def _responses(sample: Sample) -> array[int]:
    assert sample.response_ns is not None, "paced writes have response times"
    return sample.response_ns
