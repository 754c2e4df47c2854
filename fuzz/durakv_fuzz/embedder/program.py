"""What a program does with a foreign machine, as data: batches as they were drawn, and what happens between them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from durakv.durability import FsyncPolicy
from durakv_fuzz.embedder.subject import Commands
from durakv_fuzz.script import Setup

POLICIES = tuple(FsyncPolicy)
LEVEL_COUNT = 4
"""The three of ``Durability``, and what the policy says."""

STEPS = (6, 24)
STEPS_MORE = (2, 8)
"""How many steps the first life has, and how many each later one."""

_SEGMENT_BYTES = (4096, 4096, 16384)
_REWRITE_SEGMENTS_MAX = (0, 0, 2)


class Act(StrEnum):
    """What a step does; ``Step.number`` says more."""

    WRITE = "write"
    """The number of a level, or 3 for the policy's own."""

    SYNC = "sync"
    ADVANCE = "advance"
    """Milliseconds, in which the background gets its turns."""

    REWRITE = "rewrite"
    """1: to its end; 0: ask for one, and let STEP and ADVANCE do it."""

    STEP = "step"
    """So many pieces of background work, at most; what is written meanwhile must not get into a base."""

    POLICY = "policy"
    """Which policy holds from now on."""

    REOPEN = "reopen"
    """Which policy; closes first."""


_WEIGHTS = {Act.WRITE: 10, Act.SYNC: 1, Act.ADVANCE: 2, Act.REWRITE: 4, Act.STEP: 4, Act.POLICY: 1, Act.REOPEN: 2}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a program."""

    act: Act
    number: int = 0
    batch: Commands = ()


Steps = tuple[Step, ...]

_REWRITE_LATER = Step(Act.REWRITE, 0)
_PIECES_MAX = 5


def draw_setup(source: random.Random, *, identity: int) -> Setup:
    """How the engine of a run is opened."""
    return Setup(
        policy=source.choice(POLICIES),
        segment_bytes=source.choice(_SEGMENT_BYTES),
        rewrite_segments_max=source.choice(_REWRITE_SEGMENTS_MAX),
        identity=identity,
    )


def draw_acts(source: random.Random) -> tuple[Act, ...]:
    """What a run's program may do; a part is left out, because rare meetings need common steps to be missing."""
    return tuple(act for act in Act if act is Act.WRITE or source.random() < 0.75)


def draw_steps(
    source: random.Random, acts: tuple[Act, ...], batches: Iterator[Commands], bounds: tuple[int, int]
) -> Steps:
    """A program."""
    weights = [_WEIGHTS[act] for act in acts]
    steps: list[Step] = []
    for act in source.choices(acts, weights, k=source.randint(*bounds)):
        steps.append(_draw_step(source, act, batches))
        if steps[-1] == _REWRITE_LATER:
            # Writes between the pieces of a rewrite: chance alone would seldom put them there.
            for _ in range(source.randint(0, _PIECES_MAX)):
                steps += (Step(Act.STEP, 1), _draw_step(source, Act.WRITE, batches))
    return tuple(steps)


def _draw_step(source: random.Random, act: Act, batches: Iterator[Commands]) -> Step:
    if act is Act.WRITE:
        return Step(act, source.randrange(LEVEL_COUNT), next(batches))
    if act is Act.ADVANCE:
        return Step(act, source.choice((50, 300, 1500)))
    if act is Act.REWRITE:
        return Step(act, int(source.random() < 0.5))
    if act is Act.STEP:
        return Step(act, source.randint(1, 6))
    if act in (Act.POLICY, Act.REOPEN):
        return Step(act, source.randrange(len(POLICIES)))
    return Step(act)
