"""From the words in a trace to what a crash may leave.

    history = History(trace)
    expectation = history.at(state.crash_seq, state.time, power=True)

A trace may hold several lives of a program, one after the other.  Each open that returned begins an *epoch*: what it
recovered is durable from then on, and the batches that came after it are what may be lost.  The batches of an epoch
stand in the order of their numbers; those in flight that never learned theirs come last.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import partial

from durakv.durability import Durability, FsyncPolicy
from durakv_fuzz import told
from durakv_fuzz.faults import AfterFailedSync
from durakv_fuzz.machines import Digest, State, change
from durakv_fuzz.oracle import Batch, Expectation, Found, Verdict, Violation, judge
from durakv_fuzz.trace import BARRIERS, Trace

WINDOW_SECONDS = 1.0
"""C4's second.  The time that calls to the disk took does not count."""

_ROUNDING_SECONDS = 1e-6
_LAST = 1 << 62


@dataclass(frozen=True, slots=True)
class Before:
    """What is known when a trace begins."""

    state: Digest = frozenset()
    told_seq: int = 0
    """The highest number that any caller was ever told."""


FRESH = Before()


@dataclass(slots=True, eq=False)
class _Told:
    """A batch, and when what was said about it."""

    batch: Batch
    invoked: int
    numbered: int = _LAST
    refused: bool = False

    @property
    def order(self) -> tuple[int, int]:
        return self.batch.seq or _LAST, self.invoked


@dataclass(frozen=True, slots=True)
class _Promise:
    note: int
    time: float
    level: Durability
    seq: int


@dataclass(slots=True, eq=False)
class _Epoch:
    base: Digest
    first_note: int
    base_seq: int = 0
    told: list[_Told] = field(default_factory=list[_Told])
    promises: list[_Promise] = field(default_factory=list[_Promise])
    policies: list[tuple[int, float, FsyncPolicy]] = field(default_factory=list[tuple[int, float, FsyncPolicy]])
    seen: list[tuple[int, Digest]] = field(default_factory=list[tuple[int, Digest]])
    """What readers found, and which note says so."""
    ended: tuple[int, float] = (_LAST, 0.0)
    """When nobody was left to sync by himself, and which note says so: the engine was poisoned, or killed."""
    batches: list[_Told] = field(default_factory=list[_Told])
    states: list[Digest] = field(default_factory=list[Digest])

    def settle(self) -> None:
        """Everything was said: put the batches in order."""
        self.batches = sorted((item for item in self.told if not item.refused), key=lambda item: item.order)
        state: State = dict(self.base)
        self.states = [self.base]
        for item in self.batches:
            for command in item.batch.commands:
                change(state, command)
            self.states.append(frozenset(state.items()))
        for digest in self.states:
            hash(digest)  # which it keeps: sets whose hashes differ are told apart without a look at their content

    def vouched(self, notes: int) -> list[int]:
        """See :class:`durakv_fuzz.oracle.Expectation`."""
        promises = [promise for promise in self.promises if promise.note < notes]
        written = max((promise.seq for promise in promises if promise.level >= Durability.WRITTEN), default=0)
        synced = [(promise.note, promise.seq) for promise in promises if promise.level is Durability.SYNCED]
        vouched: list[int] = []
        for item in self.batches[: self.count_up_to(written)]:
            seq = max((seq for note, seq in synced if note < item.invoked), default=0)
            vouched.append(self.count_up_to(seq))
        return vouched

    def count_up_to(self, seq: int) -> int:
        """How many batches have numbers up to this one."""
        return sum(1 for item in self.batches if 0 < item.batch.seq <= seq)

    def phantoms(self) -> list[int]:
        """Which notes tell of a state that no reader can have found: memory holds whole batches, in their order."""
        phantoms: list[int] = []
        for note, state in self.seen:
            least = sum(1 for item in self.batches if item.numbered < note)
            most = sum(1 for item in self.batches if item.invoked < note)
            if state not in self.states[least : most + 1]:
                phantoms.append(note)
        return phantoms

    def policy_at(self, notes: int) -> tuple[FsyncPolicy | None, float]:
        """The policy in force, and since when the log has been synced by itself."""
        policy: FsyncPolicy | None = None
        since = 0.0
        for note, time, chosen in self.policies:
            if note >= notes:
                break
            if policy is None or policy is FsyncPolicy.NO:
                since = time
            policy = chosen
        return policy, since


class History:
    """See the module.  ``violations`` is what the words alone prove to be wrong."""

    def __init__(self, trace: Trace, before: Before = FRESH) -> None:
        self.violations: list[Violation] = []
        self._trace = trace
        self._seqs = [note.seq for note in trace.notes]
        self._told_seqs = [before.told_seq]
        self._busy = _busy(trace)
        self._reverted_from = _first_reverted(trace)
        self._expectations: dict[tuple[int, float, bool], Expectation] = {}
        self._epochs = [_Epoch(before.state, 0)]
        self._named: dict[int, _Told] = {}
        for index, note in enumerate(trace.notes):
            self._told_seqs.append(self._told_seqs[-1])
            self._hear(index, note.time, note.payload)
        self._end_epoch()

    def at(self, crash_seq: int, time: float, *, power: bool) -> Expectation:
        """What a crash right before event ``crash_seq`` may leave; ``power`` for a power loss."""
        key = (crash_seq, time, power)
        expectation = self._expectations.get(key)
        if expectation is None:
            notes = bisect_left(self._seqs, crash_seq)
            epoch = next(epoch for epoch in reversed(self._epochs) if epoch.first_note <= notes)
            expectation = self._expectations[key] = self._expect(epoch, notes, crash_seq, time, power=power)
        return expectation

    # --- hearing ----------------------------------------------------------------------------------------------------

    def _hear(self, index: int, time: float, word: object) -> None:
        epoch = self._epochs[-1]
        if isinstance(word, told.Invoked):
            self._named[word.batch] = item = _Told(Batch(word.batch, word.commands, 0), index)
            epoch.told.append(item)
        elif isinstance(word, told.Numbered):
            self._number(index, word)
        elif isinstance(word, told.Refused):
            self._named[word.batch].refused = True
        elif isinstance(word, told.Promised):
            epoch.promises.append(_Promise(index, time, word.level, word.seq))
        elif isinstance(word, told.Closed):
            last = max((item.batch.seq for item in epoch.told), default=0)
            epoch.promises.append(_Promise(index, time, Durability.SYNCED, last))
        elif isinstance(word, told.Seen):
            epoch.seen.append((index, word.state))
        elif isinstance(word, told.Policy):
            epoch.policies.append((index, time, word.policy))
        elif isinstance(word, told.Poisoned | told.Killed):
            epoch.ended = min(epoch.ended, (index, time))
        elif isinstance(word, told.Broken):
            self.violations.append(Violation(word.verdict, word.reason))
        elif isinstance(word, told.Opened):
            self._open(index, time, word)

    def _number(self, index: int, word: told.Numbered) -> None:
        item = self._named[word.batch]
        item.batch = Batch(word.batch, item.batch.commands, word.seq)
        item.numbered = index
        first = word.seq - len(item.batch.commands) + 1
        if first <= self._told_seqs[-1]:
            reason = f"batch {word.batch} was told {first}..{word.seq}, but {self._told_seqs[-1]} was told before"
            self.violations.append(Violation(Verdict.SEQ_REUSED, reason))
        self._told_seqs[-1] = max(word.seq, self._told_seqs[-1])

    def _open(self, index: int, time: float, word: told.Opened) -> None:
        """A later life of the same machine sees what the earlier one left; as after a process crash."""
        self._end_epoch()
        expectation = self._expect(self._epochs[-1], index, self._seqs[index], time, power=False)
        found = Found(state=word.state, applied_seq=word.applied_seq, last_seq=word.last_seq, lines=word.lines)
        violation = judge(expectation, found).violation
        if violation is not None:
            self.violations.append(Violation(violation.verdict, f"when it was opened again: {violation.reason}"))
        policies = [(index, time, word.policy)]
        self._epochs.append(_Epoch(word.state, index + 1, base_seq=word.applied_seq, policies=policies))

    def _end_epoch(self) -> None:
        """The numbers of an epoch are contiguous, and nobody has read what was never applied."""
        epoch = self._epochs[-1]
        epoch.settle()
        for note in epoch.phantoms():
            reason = f"a reader at {self._trace.notes[note].time:.2f} s found what no batches applied by then lead to"
            self.violations.append(Violation(Verdict.PHANTOM, reason))
        last = epoch.base_seq
        for item in epoch.batches:
            batch = item.batch
            if batch.seq and last and batch.seq - len(batch.commands) != last:
                reason = f"batch {batch.name} ends with number {batch.seq}, the one before with {last}"
                self.violations.append(Violation(Verdict.BROKEN, reason))
            last = batch.seq

    # --- expecting --------------------------------------------------------------------------------------------------

    def _expect(self, epoch: _Epoch, notes: int, crash_seq: int, time: float, *, power: bool) -> Expectation:
        policy, since = epoch.policy_at(notes)
        surviving = Durability.SYNCED if power or self._reverted_from < crash_seq else Durability.WRITTEN
        window = power and policy is not None and policy is not FsyncPolicy.NO
        end = epoch.ended[1] if epoch.ended[0] < notes else time
        least_seq, why = 0, ""
        written: list[tuple[int, float]] = []
        for promise in epoch.promises:
            if promise.note >= notes:
                break
            if promise.level >= Durability.WRITTEN and (not written or promise.seq > written[-1][0]):
                written.append((promise.seq, promise.time))
            if promise.seq > least_seq:
                if promise.level >= surviving:
                    least_seq, why = promise.seq, f"number {promise.seq} was acknowledged as {promise.level.name}"
                elif window and promise.level is Durability.WRITTEN:
                    age = self._age(max(promise.time, since), end)
                    if age > WINDOW_SECONDS + _ROUNDING_SECONDS:
                        least_seq, why = promise.seq, f"number {promise.seq} had been written for {age:.2f} s"
        batches = epoch.batches
        most = next((k for k, item in enumerate(batches) if item.invoked >= notes), len(batches))
        return Expectation(
            batches=[item.batch for item in batches],
            states=epoch.states,
            refused=[item.batch for item in epoch.told if item.refused],
            least=min(epoch.count_up_to(least_seq), most),
            why=why,
            most=most,
            acknowledged=_times(batches, written),
            numbered=sum(1 for item in batches if item.numbered < notes),
            told_seq=self._told_seqs[notes],
            time=time,
            policy=policy,
            vouch=partial(epoch.vouched, notes),
        )

    def _age(self, start: float, end: float) -> float:
        """The time from one to the other, without what calls to the disk took."""
        return end - start - sum(max(0.0, min(end, last) - max(start, first)) for first, last in self._busy)


def _first_reverted(trace: Trace) -> int:
    """When a failed sync took back what programs had seen: from then on even a process crash may lose it (F5)."""
    reverted = (
        operation.start
        for operation in trace.operations
        if operation.error and operation.after == AfterFailedSync.REVERTED and operation.kind in BARRIERS
    )
    return min(reverted, default=_LAST)


def _busy(trace: Trace) -> list[tuple[float, float]]:
    """When the program was waiting for the disk or got no time of its own, as disjoint intervals."""
    intervals = [
        (operation.started, operation.ended if operation.end >= 0 else float("inf"))
        for operation in trace.operations
        if operation.end < 0 or operation.ended > operation.started
    ]
    for note in trace.notes:
        if isinstance(note.payload, told.Starved):
            intervals.append((note.time - note.payload.seconds, note.time))
    disjoint: list[tuple[float, float]] = []
    for first, last in sorted(intervals):
        if disjoint and first <= disjoint[-1][1]:
            disjoint[-1] = (disjoint[-1][0], max(last, disjoint[-1][1]))
        else:
            disjoint.append((first, last))
    return disjoint


def _times(batches: list[_Told], written: list[tuple[int, float]]) -> list[float]:
    """When each batch was acknowledged at WRITTEN; as many as were."""
    times: list[float] = []
    rest = iter(written)
    seq, time = next(rest, (0, 0.0))
    for item in batches:
        while seq and seq < item.batch.seq:
            seq, time = next(rest, (0, 0.0))
        if not seq or not item.batch.seq:
            break
        times.append(time)
    return times
