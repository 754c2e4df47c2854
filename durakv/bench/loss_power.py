"""The power is cut under durakv, on the simulated disk: thousands of times, anywhere in a few recorded runs.

Each instant gives two crash states.  One is the harshest: whatever no sync has covered is gone.  In the other a part of
it is there, in any combination of pages and sectors, or in the order of a journalling file system (F1 to F4).  Each is
recovered by the real engine, and what it finds is compared with what the writer had been told.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

from durakv.bench.loss_ledger import POWER_CUT, Ledger
from durakv.bench.loss_recording import KEYS, Recording, Speed, key_of, open_in, record, value_of
from durakv.bench.results import Loss
from durakv.clock import ManualClock
from durakv.durability import FsyncPolicy
from durakv.errors import DurakvError
from durakv_fuzz.choose import Choose, Uneven, harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, image_at
from durakv_fuzz.timeline import moments_at

WINDOW_SECONDS = 1.0
"""C4's W is this and the duration of the sync under way."""

CUTS_FIRST = 10
"""How many instants are tried before it is known how long one takes."""
CUTS_PER_RUN = 250
"""How many instants of one run are used before another is recorded, with other latencies."""
CUTS_MAX = 2000
"""The most for one policy; two states each."""

_MODELS = (Model.POWER_LOSS, Model.POWER_LOSS, Model.ORDERED, Model.ORDERED_ZERO_TAIL)


def measure_power_cuts(
    policy: FsyncPolicy, speed: Speed, *, seconds: float, generator: random.Random, cuts_max: int = CUTS_MAX
) -> Loss:
    """Record a run and cut its power for so long, or so often; always a few times."""
    deadline = time.monotonic() + seconds
    always = policy is FsyncPolicy.ALWAYS
    ledger = Ledger(
        store="durakv",
        setting=policy,
        crash=POWER_CUT,
        lost_max=0 if always else None,
        age_max_seconds=0.0 if always else None,
    )
    longest_sync = 0.0
    cuts, acknowledgements, runs = 0, 0, 0
    more = min(CUTS_FIRST, cuts_max)
    while more > 0:
        started = time.monotonic()
        recording = record(policy, speed, generator)
        if policy is FsyncPolicy.EVERYSEC:
            ledger.age_max_seconds = WINDOW_SECONDS + recording.sync_seconds_max
        _cut(policy, recording, more, generator, ledger)
        longest_sync = max(longest_sync, recording.sync_seconds_max)
        runs, cuts = runs + 1, cuts + more
        acknowledgements += recording.acknowledgements
        each = (time.monotonic() - started) / more
        more = min(CUTS_PER_RUN, cuts_max - cuts, int((deadline - time.monotonic()) / each))
    if policy is FsyncPolicy.EVERYSEC:
        ledger.age_max_seconds = WINDOW_SECONDS + longest_sync
    return ledger.loss(
        method=(
            f"{runs} runs on a simulated disk with the latencies of the real one, cut at {cuts} random instants; "
            "of each, all unsynced gone and any part of it gone; recovered by the engine"
        ),
        writes_per_second=acknowledgements / runs / speed.seconds,
        notes=_notes(policy, speed, longest_sync),
    )


def _notes(policy: FsyncPolicy, speed: Speed, longest_sync: float) -> list[str]:
    notes = [f"runs of {speed.seconds:.1f} s, the longest sync {longest_sync * 1e3:.1f} ms"]
    if policy is FsyncPolicy.NO:
        notes.append("no segment was sealed, so a whole run was at risk; a kernel writes back after some 30 s")
    else:
        notes.append("with a rotation and a rewrite in each")
    return notes


def _cut(policy: FsyncPolicy, recording: Recording, count: int, generator: random.Random, ledger: Ledger) -> None:
    times = sorted(generator.uniform(*recording.span) for _ in range(count))
    points = [recording.point(instant) for instant in times]
    for instant, crash_seq, moment in zip(times, points, moments_at(recording.trace, points), strict=True):
        acknowledged, attempted = recording.acknowledged(crash_seq), recording.attempted(crash_seq)
        for model, choose in _answers(generator):
            last, damage = _recover(policy, image_at(moment, choose, model=model))
            if last > attempted:
                damage = f"write {last} is there, but {attempted} was the last one made"
            survived = min(last, acknowledged)
            ledger.count(
                acknowledged=acknowledged,
                survived=survived,
                oldest_seconds=instant - recording.when(survived + 1) if survived < acknowledged else 0.0,
                where=f"{model} at {instant:.6f} s",
                damage=damage,
            )


def _answers(generator: random.Random) -> Iterator[tuple[Model, Choose]]:
    yield Model.POWER_LOSS, harshest
    yield generator.choice(_MODELS), Uneven(generator)


def _recover(policy: FsyncPolicy, image: Image) -> tuple[int, str]:
    """The last write that is there, and what is wrong with the state, if anything (C1)."""
    try:
        db = open_in(SimulatedDisk(image), policy, ManualClock())
    except (DurakvError, OSError) as failure:
        return 0, f"it does not open again: {failure}"
    # Not closed: what it would write is lost with the simulated disk.
    values = [db.get(b"key:%d" % index) for index in range(KEYS)]
    last = max((int(value) for value in values if value is not None), default=0)
    expected = {key_of(number): value_of(number) for number in range(max(1, last - KEYS + 1), last + 1)}
    found = {b"key:%d" % index: value for index, value in enumerate(values) if value is not None}
    return last, "" if found == expected else f"the state is not the one after {last} writes"
