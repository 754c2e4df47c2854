"""Every state that the machine can reach within bounds, one after the other, and what the contract says of each.

As slow as Python is: for small bounds, where the number of states and transitions is compared with the other models.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from durakv_fuzz.specification import write_path as machine
from durakv_fuzz.specification.contract import broken_clause
from durakv_fuzz.specification.state import FRESH, Phase, Publishing, State


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a model is explored."""

    numbers: int
    capacity: int
    crashes: int
    faults: int
    policy: str

    def __str__(self) -> str:
        return (
            f"{self.policy}, {self.numbers} numbers, {self.capacity} in a segment, "
            f"{self.crashes} crashes, {self.faults} faults"
        )


@dataclass(frozen=True, slots=True)
class Explored:
    """What was found."""

    states: int
    transitions: int
    """And one for the state in which everything begins, as the checkers count."""
    broken: str = ""
    """The first clause that some state breaks."""


def explore(bounds: Bounds) -> Explored:
    """All of it, breadth first."""
    seen = {FRESH}
    edge = [FRESH]
    transitions = 1
    while edge:
        following: list[State] = []
        for state in edge:
            for successor in successors(state, bounds):
                transitions += 1
                if successor not in seen:
                    broken = broken_clause(successor)
                    if broken:
                        return Explored(len(seen), transitions, broken)
                    seen.add(successor)
                    following.append(successor)
        edge = following
    return Explored(len(seen), transitions)


def successors(s: State, bounds: Bounds) -> Iterator[State]:
    """Each state that one step leads to, once for each step that does."""
    for state in _steps(s, bounds):
        if state is not None and state.faults <= bounds.faults and state.crashes <= bounds.crashes:
            yield state


def _steps(s: State, bounds: Bounds) -> Iterator[State | None]:
    if s.runs:
        yield machine.acknowledge_synced(s)
    if s.phase is Phase.OPEN:
        if s.applied < bounds.numbers:
            yield machine.append(s)
        yield from (machine.write(s), machine.write_fail(s))
        yield from (machine.sync_begin(s), machine.sync_end(s))
        yield machine.sync_fail(s)
        yield from (machine.sync_fail_reverting(s, kept=kept) for kept in subsets(s.dirty))
        if bounds.policy != "always":
            yield machine.acknowledge_written(s)
        if bounds.policy == "everysec":
            yield machine.tick(s)
        yield from (machine.publish_segment(s, room=bounds.capacity), machine.publish_close(s))
        yield from (machine.rewrite_begin(s), machine.rewrite_sync(s), machine.rewrite_give_up(s))
        yield from (machine.publish_base(s), machine.publication_synced(s), machine.publication_fail(s))
        yield machine.remove(s)
    elif s.publishing is Publishing.OPENING:
        yield from (machine.opening_synced(s), machine.opening_fail(s))
    else:
        yield from (machine.recover(s), machine.settle_sync(s), machine.settle_fail(s))
        yield from (machine.settle_fail_reverting(s, kept=kept) for kept in subsets(s.dirty))
        yield machine.publish_opening(s, room=bounds.capacity, first_max=bounds.numbers + 1)
    if s.crashes < bounds.crashes:
        for last in range(s.written, s.applied + 1):
            yield machine.process_crash(s, last=last)
        for manifest in {s.manifest, s.durable}:
            yield from (machine.power_loss(s, kept=kept, manifest=manifest) for kept in subsets(s.unsure))


def subsets(numbers: int) -> Iterator[int]:
    """Of a set of numbers."""
    subset = numbers
    while True:
        yield subset
        if not subset:
            return
        subset = (subset - 1) & numbers
