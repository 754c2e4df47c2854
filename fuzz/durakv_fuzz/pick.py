"""A few crash states of one run, of every sort.

``crash_states`` goes through a run thoroughly, one sort of state after the other.  A campaign that has a hundred states
for each of thousands of runs wants some of each sort instead, and as many process crashes as it can tell apart.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice, takewhile

from durakv_fuzz.choose import Recording, Seeded, Uneven
from durakv_fuzz.enumerate import CrashState, crash_states
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline

_LOOK_AHEAD = 2
_ATTEMPTS = 8
"""How many images are made for each state that is wanted: of a short run most are the same."""

POWER_MODELS = (Model.POWER_LOSS, Model.ORDERED, Model.ORDERED_ZERO_TAIL)
_WEIGHTS = (4, 1, 1)


def pick_states(timeline: Timeline, budget: int, *, seed: int, since: int = 0) -> Iterator[CrashState]:
    """Yield up to so many crash states; only crashes from event ``since`` on."""
    generator = random.Random(seed)
    sorts: dict[str, list[CrashState]] = {}
    attempts = _ATTEMPTS * budget
    thorough = crash_states(timeline, attempts=attempts, seed=seed, models=POWER_MODELS)
    # Without the samples at its end: process crashes leave so few images that most of them would be known already.
    every_kill = crash_states(timeline, attempts=attempts, seed=seed, models=(Model.PROCESS_CRASH,))
    killed = takewhile(lambda state: state.stage == "killed", every_kill)
    for states, count in ((thorough, _LOOK_AHEAD * budget), (killed, budget)):
        for state in (state for state in islice(states, count) if state.crash_seq >= since):
            sorts.setdefault(state.stage, []).append(state)
    sorts["pick"] = list(_samples(timeline, budget, generator, since))
    for found in sorts.values():
        generator.shuffle(found)
    while budget > 0 and any(sorts.values()):
        for left in sorts.values():
            if left and budget > 0:
                budget -= 1
                yield left.pop()


def _samples(timeline: Timeline, count: int, generator: random.Random, since: int) -> Iterator[CrashState]:
    """Any crash point at which something is in doubt, the more the likelier, and any answers."""
    points = [point for point in timeline.power_points() if point >= since and timeline.moments[point].open_count]
    if not points:
        return
    weights = [1 + timeline.moments[point].open_files ** 2 + timeline.moments[point].open_entries for point in points]
    seen: set[tuple[int, int]] = set()
    for crash_seq in generator.choices(points, weights, k=count):
        (model,) = generator.choices(POWER_MODELS, _WEIGHTS)
        recording = Recording((Uneven if generator.random() < 0.6 else Seeded)(generator))
        image = crash_image(timeline, crash_seq, recording, model=model)
        if (key := (crash_seq, image.fingerprint())) not in seen:
            seen.add(key)
            yield CrashState(crash_seq, model, tuple(recording.answers), "pick", image, timeline.time_at(crash_seq))
