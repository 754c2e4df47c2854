"""Round 2: the same writes on a simulated disk, whose power is cut at hundreds of points.

The run is recorded once: it opens a directory, writes, rotates, rewrites and closes while a simulated clock goes on and
the engine's background work is stepped between the writes.  Then crash points are drawn, and for each the disk is asked
twice what a power loss leaves: once the harshest answer, everything that no fsync covered gone, and once parts of it in
any combination, torn pages and lost names included (F1 to F4).  Every such disk is recovered by the real engine.

What it shows is what the engine asks of a disk.  Whether your disk does what it is asked is another question.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator

from durakv.clock import ManualClock
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import DurakvError
from durakv.keyspace.database import Database
from durakv.keyspace.database import open as open_database
from durakv.options import Options
from durakv.storage.filesystem import Filesystem
from durakv_fuzz.choose import Choose, Uneven, harshest
from durakv_fuzz.demo.tally import POWER, Crash, Tally
from durakv_fuzz.demo.workload import Found, read_back, write
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault
from durakv_fuzz.image import Image
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import BARRIERS, Operation

WRITES = 400
POINTS = 250
SEGMENT_BYTES = 32 << 10

BETWEEN_SECONDS = 0.02
"""How long the caller takes between two writes, at most."""
SYNC_SECONDS = 0.004
"""How long a sync of this disk takes, at most."""

CLAUSES = {
    FsyncPolicy.ALWAYS: ("C1", "C3", "C6"),
    FsyncPolicy.EVERYSEC: ("C1", "C4", "C6"),
    FsyncPolicy.NO: ("C1", "C5", "C6"),
}
WINDOW_SECONDS = 1.0
"""C4's W is this and the duration of the sync under way."""

_MODELS = (Model.POWER_LOSS, Model.POWER_LOSS, Model.ORDERED, Model.ORDERED_ZERO_TAIL)

Wrap = Callable[[Filesystem], Filesystem]


def power_round(
    policy: FsyncPolicy,
    *,
    seed: int = 0,
    writes: int = WRITES,
    points: int = POINTS,
    wrap: Wrap | None = None,
    level: Durability | None = None,
) -> Tally:
    """Record one run, cut the power at so many points twice, and judge what is left (C1, C3 to C6).

    Two ways to break the promise on purpose: ``wrap`` may put a filesystem that lies between the engine and the disk;
    with ``level`` writes are acknowledged at that level, whatever the policy says.
    """
    generator = random.Random(f"{seed} {policy}")
    disk = _record(policy, writes, generator, wrap, level)
    timeline = Timeline(disk.trace)
    words = _Words(disk)
    recoveries = _Recoveries(policy)
    tally = Tally(policy=policy, crash=POWER, clauses=CLAUSES[policy])
    for crash_seq in _pick(timeline, points, generator):
        for model, choose in _answers(generator):
            image = crash_image(timeline, crash_seq, choose, model=model)
            # The power may have been lost just before the next event; until then nobody was told anything new.
            time = timeline.time_at(min(crash_seq + 1, disk.trace.seq))
            crash = words.crash(policy, crash_seq, time)
            lost = tally.count(crash, recoveries.find(image))
            if lost is not None:
                tally.age(time - words.acknowledged_at(lost))
    return tally


def _pick(timeline: Timeline, points: int, generator: random.Random) -> list[int]:
    """Crash points: those in which names are in doubt first (C6), and of the others as many as it takes."""
    candidates = timeline.power_points()
    generator.shuffle(candidates)
    candidates.sort(key=lambda seq: timeline.moments[seq].open_entries == 0)
    return sorted(candidates[:points])


def _answers(generator: random.Random) -> Iterator[tuple[Model, Choose]]:
    yield Model.POWER_LOSS, harshest
    yield generator.choice(_MODELS), Uneven(generator)


# --- the run ----------------------------------------------------------------------------------------------------------

_ATTEMPTED, _ACKNOWLEDGED, _SYNCED = "attempted", "acknowledged", "synced"


def _record(
    policy: FsyncPolicy, writes: int, generator: random.Random, wrap: Wrap | None, level: Durability | None
) -> SimulatedDisk:
    clock = ManualClock()

    def take_time(operation: Operation) -> Fault | None:
        return Fault(0, seconds=generator.uniform(0, SYNC_SECONDS)) if operation.kind in BARRIERS else None

    disk = SimulatedDisk(clock=clock, faults=take_time)
    db = _open(policy, disk if wrap is None else wrap(disk), clock)
    seqs: list[int] = []
    for number in range(1, writes + 1):
        disk.note(_ATTEMPTED)
        write(db, number, level)
        disk.note(_ACKNOWLEDGED)
        seqs.append(db.engine.applied_seq)
        if number == writes // 2:
            db.engine.rewrite(wait=False)
        clock.advance(generator.uniform(0, BETWEEN_SECONDS))
        db.engine.step()
        # What the engine calls synced, somebody may have waited for.
        disk.note(_SYNCED, bisect_right(seqs, db.engine.synced_seq))
    db.close()
    disk.note(_SYNCED, writes)
    return disk


class _Words:
    """What the caller was told in the run, by crash point."""

    def __init__(self, disk: SimulatedDisk) -> None:
        notes = disk.trace.notes
        self._attempted = [note.seq for note in notes if note.kind == _ATTEMPTED]
        acknowledged = [note for note in notes if note.kind == _ACKNOWLEDGED]
        self._acknowledged = [note.seq for note in acknowledged]
        self._times = [note.time for note in acknowledged]
        synced = [(note.seq, note.payload) for note in notes if note.kind == _SYNCED]
        self._synced_told = [seq for seq, _ in synced]
        self._synced = [number for _, number in synced if isinstance(number, int)]

    def crash(self, policy: FsyncPolicy, crash_seq: int, time: float) -> Crash:
        """What must survive a loss of power right before this event, at this time."""
        acknowledged = bisect_left(self._acknowledged, crash_seq)
        told = bisect_left(self._synced_told, crash_seq)
        promised, promise = (self._synced[told - 1] if told else 0), "C5" if policy is FsyncPolicy.NO else "C3"
        if policy is FsyncPolicy.ALWAYS:
            promised = acknowledged
        elif policy is FsyncPolicy.EVERYSEC:
            aged = min(acknowledged, bisect_left(self._times, time - WINDOW_SECONDS - SYNC_SECONDS))
            if aged > promised:
                promised, promise = aged, "C4"
        attempted = bisect_left(self._attempted, crash_seq)
        return Crash(acknowledged, attempted, promised, promise, f"{policy}, power lost before event {crash_seq}")

    def acknowledged_at(self, number: int) -> float:
        """When this number was acknowledged."""
        return self._times[number - 1]


# --- the recoveries ---------------------------------------------------------------------------------------------------


class _Recoveries:
    """What the engine makes of images; equal ones are recovered once."""

    def __init__(self, policy: FsyncPolicy) -> None:
        self._policy = policy
        self._known: dict[int, Found] = {}

    def find(self, image: Image) -> Found:
        """Recover this image."""
        key = image.fingerprint()
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._recover(image)
        return found

    def _recover(self, image: Image) -> Found:
        try:
            db = _open(self._policy, SimulatedDisk(image), ManualClock())
        except (DurakvError, OSError) as failure:
            return Found(0, f"it does not open again: {failure}")
        # Not closed: what it would write is lost with the simulated disk.
        return read_back(db)


def _open(policy: FsyncPolicy, filesystem: Filesystem, clock: ManualClock) -> Database:
    options = Options(fsync=policy, segment_bytes=SEGMENT_BYTES, rewrite_percentage=0)
    return open_database(None, options=options, filesystem=filesystem, clock=clock, background=False)
