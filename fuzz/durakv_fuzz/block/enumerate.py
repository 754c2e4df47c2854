"""The crash states of one recorded device: the telling ones first, and each only once.

    for state in device_states(trace, budget=300):
        with mount.mounted(state) as directory: ...

In this order, at most a quarter of the budget each: every crash point with everything written kept, with everything in
doubt lost, with one write lost, torn or kept alone; then samples, mostly from points next to a note or a flush.  Where
there are more crash points than the budget allows, those next to notes and flushes go first.

Two states are the same when the device and the notes so far are: after one more acknowledgement more was promised.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from durakv_fuzz.block.states import KEPT, LOST, TORN, Device
from durakv_fuzz.block.trace import BlockTrace
from durakv_fuzz.choose import Choose, Seeded, Uneven, harshest, kindest, recorded

_NEAR_EVENTS = 2
_NEAR_NOTE = 10.0
_NEAR_FLUSH = 5.0
_BORED = 0.8
_IN_VAIN_MAX = 200
_SINGLE_MAX = 64


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One thing that the machine may wake up with.

    ``Device(trace).image(crash_seq, Recorded(answers))`` makes it again, in any process.
    """

    crash_seq: int
    answers: tuple[int, ...]
    stage: str
    key: str
    """The same for two states of a trace whose devices and notes are the same."""


def device_states(trace: BlockTrace, *, budget: int, seed: int = 0) -> Iterator[DeviceState]:
    """Yield distinct states, at most ``budget`` of them; the same arguments give the same states.

    It ends earlier when it finds nothing new.
    """
    walk = _Walk(trace, random.Random(seed))
    states = _Distinct(walk.device)
    share = max(budget // 4, 1)
    for stage in (walk.kept, walk.lost, walk.single):
        limit = min(len(states.seen) + share, budget)
        for crash_seq, name, choose in stage():
            if len(states.seen) >= limit:
                break
            state = states.add(crash_seq, name, choose)
            if state is not None:
                yield state
    in_vain = 0
    while len(states.seen) < budget and in_vain < _IN_VAIN_MAX:
        sample = walk.sample()
        if sample is None:
            return
        crash_seq, choose = sample
        state = states.add(crash_seq, "sample", choose)
        in_vain = 0 if state is not None else in_vain + 1
        if state is not None:
            yield state
        else:
            walk.tire(crash_seq)


class _Distinct:
    def __init__(self, device: Device) -> None:
        self._device = device
        self._notes = sorted(note.seq for note in device.trace.notes)
        self.seen: set[str] = set()

    def add(self, crash_seq: int, stage: str, choose: Choose) -> DeviceState | None:
        answers, remember = recorded(choose)
        image = self._device.image(crash_seq, remember)
        key = f"{image.digest:032x}-{bisect_left(self._notes, crash_seq)}"
        if key in self.seen:
            return None
        self.seen.add(key)
        return DeviceState(crash_seq, tuple(answers), stage, key)


Proposal = tuple[int, str, Choose]


class _Walk:
    def __init__(self, trace: BlockTrace, generator: random.Random) -> None:
        self.device = Device(trace)
        self._trace = trace
        self._random = generator
        self._points = list(range(trace.first_seq, trace.seq + 1))
        weights = _weights(trace)
        self._by_weight = sorted(self._points, key=lambda seq: (-weights[seq], generator.random()))
        self._weights = {seq: weight for seq, weight in weights.items() if self.device.pending(seq)}

    def kept(self) -> Iterator[Proposal]:
        return ((seq, "all kept", kindest) for seq in self._by_weight)

    def lost(self) -> Iterator[Proposal]:
        return ((seq, "all lost", harshest) for seq in self._by_weight)

    def single(self) -> Iterator[Proposal]:
        """One write is treated otherwise than the others: at every point once, then at every point once more..."""
        waiting: list[tuple[int, list[tuple[str, Choose]]]] = []
        for seq in self._by_weight:
            if seq in self._weights:
                changes = self._changes(seq)
                yield seq, *changes.pop()
                waiting.append((seq, changes))
        while waiting := [(seq, changes) for seq, changes in waiting if changes]:
            for seq, changes in waiting:
                yield seq, *changes.pop()

    def _changes(self, seq: int) -> list[tuple[str, Choose]]:
        changes: list[tuple[str, Choose]] = []
        pending = self.device.pending(seq)
        for write in self._random.sample(pending, min(len(pending), _SINGLE_MAX)):
            label = str(write)
            changes += [("one lost", _but(kindest, label, LOST)), ("one kept", _but(harshest, label, KEPT))]
            if self._trace.tears(write):
                changes.append(("one torn", _but(kindest, label, TORN, Seeded(self._random))))
        self._random.shuffle(changes)  # the budget may end after a few points: none of the three kinds goes last
        return changes

    def sample(self) -> tuple[int, Choose] | None:
        if not self._weights:
            return None
        (seq,) = self._random.choices(list(self._weights), list(self._weights.values()))
        return seq, Uneven(self._random)

    def tire(self, seq: int) -> None:
        """A sample of this point gave nothing new."""
        self._weights[seq] *= _BORED


def _but(usual: Choose, label: str, answer: int, details: Choose = kindest) -> Choose:
    """The usual answer for all writes but one."""
    inside = False

    def choose(count: int, asked: str, /) -> int:
        nonlocal inside
        if asked.startswith("#"):
            inside = asked == label
            return min(answer, count - 1) if inside else usual(count, asked)
        return details(count, asked) if inside else usual(count, asked)

    return choose


def _weights(trace: BlockTrace) -> dict[int, float]:
    weights = dict.fromkeys(range(trace.first_seq, trace.seq + 1), 1.0)

    def favour(seq: int, weight: float) -> None:
        for point in range(seq - _NEAR_EVENTS + 1, seq + _NEAR_EVENTS + 1):
            if point in weights:
                weights[point] = max(weights[point], weight)

    for flush in trace.flushes:
        favour(flush.start, _NEAR_FLUSH)
        if flush.end >= 0:
            favour(flush.end, _NEAR_FLUSH)
    for note in trace.notes:
        favour(note.seq, _NEAR_NOTE)
    return weights
