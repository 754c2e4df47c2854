"""One life of a service on a simulated disk, and what any crash of it leaves to be checked."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import cast

from durakv.clock import ManualClock
from durakv.durability import Durability
from durakv_fuzz.choose import Recorded, kindest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.embedder.subject import BadSubject
from durakv_fuzz.image import Image
from durakv_fuzz.lives import Crash
from durakv_fuzz.model import Model
from durakv_fuzz.plain_disk import PlainDisk
from durakv_fuzz.service.subject import Acked, Began, Environment, Facts, Service, Told, Word, facts_of
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Trace


@dataclass(frozen=True, slots=True, eq=False)
class Life:
    """A life that was lived; its crashes can be judged."""

    trace: Trace
    timeline: Timeline
    failure: Exception | None
    """What ``drive`` raised."""
    number: int
    """1 is the first."""
    since: int = 0
    """The first event that is this life's own: after a kill the machine lives on, and with it the trace."""
    begun: float = 0.0
    past: tuple[Word, ...] = ()
    """What earlier lives told, before the loss of power that this one began after."""
    earlier: tuple[tuple[Life, Crash], ...] = ()

    @property
    def end(self) -> Crash:
        """No crash but the end of the life: everything is there."""
        return Crash(self.trace.seq, Model.PROCESS_CRASH, ())

    def words(self, crash_seq: int) -> list[Word]:
        """What was told before this point, by this life and those before it."""
        notes = self.trace.notes[: self.timeline.notes_before(crash_seq)]
        return [*self.past, *(cast(Word, note.payload) for note in notes)]

    def facts(self, crash: Crash) -> Facts:
        """What counts after a crash."""
        return facts_of(self.words(crash.crash_seq), power=crash.is_power_loss)

    def time(self, crash: Crash) -> float:
        """The clock at the crash."""
        return max(self.begun, self.timeline.time_at(crash.crash_seq))

    def recovery(self) -> Life | None:
        """This life up to the first word that it told: its open.  None if there is no such part."""
        seqs = [note.seq for note in self.trace.notes if note.seq >= self.since]
        if not seqs or seqs[0] <= self.since:
            return None
        cut = self.trace.killed(seqs[0], kindest)
        return Life(cut, Timeline(cut), None, self.number, self.since, self.begun, self.past, self.earlier)

    def judge(self, service: Service, crash: Crash, image: Image, facts: Facts) -> Exception | None:
        """Let ``check`` look at what a crash left; what it raised."""
        try:
            service.check(Environment(PlainDisk(image), clock_at(self.time(crash))), facts)
        except Exception as failure:  # noqa: BLE001 - whatever a check raises, the service did not come back
            return failure
        return None


def first_life(service: Service, source: random.Random) -> Life:
    """A life in a new directory."""
    clock = clock_at(0.0)
    disk = SimulatedDisk(clock=clock)
    return Life(disk.trace, *_live(service, source, disk, clock), number=1)


def next_life(service: Service, source: random.Random, life: Life, crash: Crash, image: Image) -> Life:
    """The life after a crash: on the same machine if only the process died, else on what the power loss left."""
    begun = life.time(crash)
    clock = clock_at(begun)
    if crash.is_power_loss:
        disk, past = SimulatedDisk(image, clock=clock), _survivors(life.facts(crash))
    else:
        # Not the image: what the cache holds may still be lost, by a loss of power in this life.
        disk = SimulatedDisk.resume(life.trace, crash.crash_seq, Recorded(crash.answers), clock=clock)
        past = life.past
    since = disk.trace.seq
    timeline, failure = _live(service, source, disk, clock)
    earlier = (*life.earlier, (life, crash))
    return Life(disk.trace, timeline, failure, life.number + 1, since, begun, past, earlier)


def _survivors(facts: Facts) -> tuple[Word, ...]:
    """What counts after a loss of power, in words; on the disk that it left nothing of that is in doubt."""
    acked = (Acked(fact, Durability.SYNCED) for fact in facts.acked)
    return (*(Began(fact) for fact in facts.began), *acked)


def _live(
    service: Service, source: random.Random, disk: SimulatedDisk, clock: ManualClock
) -> tuple[Timeline, Exception | None]:
    failure: Exception | None = None
    told = Told(lambda word: disk.note(type(word).__name__, word))
    try:
        service.drive(Environment(disk, clock), told, source)
    except BadSubject:
        raise
    except Exception as raised:  # noqa: BLE001 - of a later life it is a finding, of the first the subject's own
        failure = raised
    return Timeline(disk.trace), failure


def clock_at(seconds: float) -> ManualClock:
    """A clock that has gone on for so long since the first life began."""
    clock = ManualClock()
    clock.advance(seconds)
    return clock
