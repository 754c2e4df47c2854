"""One run of durakv on the simulated disk, at the real disk's pace: what the power is cut in, again and again.

One writer makes so many writes a second, and waits for each as the policy says.  Time is simulated: each write and each
sync takes as long as one of the real disk did.  While the engine's background work waits for the disk the writer goes
on, as it does beside a thread; while the writer waits, it waits.

    write n    SET key:(n mod 64) <n, a hundred bytes long>

So the state after any number of writes is known, and stays small.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

from durakv.background import TICK_SECONDS
from durakv.bench.loss_latency import LatencyDraw
from durakv.bench.results import Latency
from durakv.clock import ManualClock
from durakv.durability import FsyncPolicy
from durakv.keyspace.database import Database
from durakv.keyspace.database import open as open_database
from durakv.options import Options
from durakv.storage.filesystem import Filesystem
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault
from durakv_fuzz.trace import Kind, Operation, Trace

KEYS = 64
VALUE_BYTES = 100

LOGGED_BYTES = 192
"""At least what one write takes in the log."""
SEGMENTS = 2
"""How many segments a run fills, except under ``no``.  Each one's end is a sync more, so there are no more of them."""

_SEGMENT_BYTES_MIN = 16 << 10
_ATTEMPTED, _ACKNOWLEDGED = "attempted", "acknowledged"


@dataclass(frozen=True, slots=True)
class Speed:
    """How fast the disk is, and the load on it."""

    sync: Latency
    """Of a durable write or a sync."""
    write: Latency
    """Of a write that is not synced."""
    writes_per_second: float
    seconds: float
    """How long the run lasts."""


class Recording:
    """A trace of the run, and what its writer had been told at each point of it."""

    def __init__(self, trace: Trace, sync_seconds_max: float) -> None:
        self.trace = trace
        self.sync_seconds_max = sync_seconds_max
        """The longest that a sync took, what happened beside it included."""
        acknowledged = [note for note in trace.notes if note.kind == _ACKNOWLEDGED]
        self._acknowledged = [note.seq for note in acknowledged]
        self._when = [note.time for note in acknowledged]
        self._attempted = [note.seq for note in trace.notes if note.kind == _ATTEMPTED]
        self._times = _event_times(trace)

    @property
    def span(self) -> tuple[float, float]:
        """From the first acknowledgement to the last."""
        return self._when[0], self._when[-1]

    @property
    def acknowledgements(self) -> int:
        """How many writes were acknowledged."""
        return len(self._when)

    def point(self, time: float) -> int:
        """The crash point at this time: everything up to then happened, and nothing after."""
        return bisect_right(self._times, time)

    def acknowledged(self, crash_seq: int) -> int:
        """Writes 1 to this one had been acknowledged."""
        return bisect_left(self._acknowledged, crash_seq)

    def attempted(self, crash_seq: int) -> int:
        """No write above this one had been begun."""
        return bisect_left(self._attempted, crash_seq)

    def when(self, number: int) -> float:
        """When this write was acknowledged."""
        return self._when[number - 1]


def record(policy: FsyncPolicy, speed: Speed, generator: random.Random) -> Recording:
    """Make the run.

    Under ``no`` its log is one segment and is not rewritten: nothing is promised of writes in a segment that is
    not sealed yet, and the run shows what that means.  Otherwise one is sealed, and in the middle the log is
    rewritten, so that the power is cut in the midst of that, too.
    """
    return _Run(policy, speed, generator).record()


def open_in(filesystem: Filesystem, policy: FsyncPolicy, clock: ManualClock, segment_bytes: int = 1 << 16) -> Database:
    """Open or recover a directory of the simulated disk; whoever opened it steps its background work."""
    options = Options(fsync=policy, segment_bytes=segment_bytes, rewrite_percentage=0)
    return open_database(None, options=options, filesystem=filesystem, clock=clock, background=False)


def key_of(number: int) -> bytes:
    """The key of this write."""
    return b"key:%d" % (number % KEYS)


def value_of(number: int) -> bytes:
    """Its value."""
    return b"%0*d" % (VALUE_BYTES, number)


class _Run:
    def __init__(self, policy: FsyncPolicy, speed: Speed, generator: random.Random) -> None:
        self._speed = speed
        self._sync_draw = LatencyDraw(speed.sync, generator)
        self._write_draw = LatencyDraw(speed.write, generator)
        self._clock = ManualClock()
        self._disk = SimulatedDisk(clock=self._clock, faults=self._take_time, during=self._during)
        self._sync_seconds_max = 0.0
        whole = int(speed.seconds * speed.writes_per_second * LOGGED_BYTES)
        self._sealing = policy is not FsyncPolicy.NO
        segment_bytes = whole // SEGMENTS if self._sealing else 2 * whole
        self._stepping = self._writing = False
        self._number = self._attempted = 0
        self._db = open_in(self._disk, policy, self._clock, max(_SEGMENT_BYTES_MIN, segment_bytes))
        self._due = self._clock.monotonic()

    def record(self) -> Recording:
        clock, engine = self._clock, self._db.engine
        begin = tick = clock.monotonic()
        end = begin + self._speed.seconds
        rewrite_at = begin + self._speed.seconds / 2 if self._sealing else end
        while clock.monotonic() < end:
            if clock.monotonic() >= rewrite_at:
                engine.rewrite(wait=False)
                rewrite_at = end
                tick = clock.monotonic()
            if tick <= self._due:
                self._pass_to(tick)
                tick = clock.monotonic() + (0.0 if self._step() else TICK_SECONDS)
            else:
                self._pass_to(self._due)
                self._write(blocking=True)
        return Recording(self._disk.trace, self._sync_seconds_max)

    def _step(self) -> bool:
        self._stepping = True
        try:
            return self._db.engine.step()
        finally:
            self._stepping = False

    def _write(self, *, blocking: bool) -> bool:
        """Make the next write and wait for it; False if it has to wait for the background."""
        number = self._number + 1
        if self._attempted < number:
            self._attempted = number
            self._disk.note(_ATTEMPTED)
        decide = self._db.decider.write(0, [b"SET", key_of(number), value_of(number)])
        self._writing = True
        try:
            self._db.engine.submit_decided(decide, blocking=blocking).result()
        except BlockingIOError:
            return False
        finally:
            self._writing = False
        self._disk.note(_ACKNOWLEDGED)
        self._number = number
        self._due += 1 / self._speed.writes_per_second
        return True

    def _take_time(self, operation: Operation) -> Fault | None:
        return Fault(0, seconds=self._write_draw()) if operation.kind is Kind.WRITE else None

    def _during(self, operation: Operation) -> None:
        """A barrier is under way: time goes by, and unless it is the writer who waits for it, he goes on."""
        clock = self._clock
        started = clock.monotonic()
        ends = started + self._sync_draw()
        if self._stepping and not self._writing:
            while self._due < ends:
                self._pass_to(self._due)
                if not self._write(blocking=False):
                    break
        self._pass_to(ends)
        self._sync_seconds_max = max(self._sync_seconds_max, clock.monotonic() - started)

    def _pass_to(self, time: float) -> None:
        self._clock.advance(max(0.0, time - self._clock.monotonic()))


def _event_times(trace: Trace) -> list[float]:
    """When each event of the trace happened; they are numbered from 0 without a gap, but for calls under way."""
    times = [0.0] * trace.seq
    for operation in trace.operations:
        times[operation.start] = operation.started
        if operation.end >= 0:
            times[operation.end] = operation.ended
    for note in trace.notes:
        times[note.seq] = note.time
    return times
