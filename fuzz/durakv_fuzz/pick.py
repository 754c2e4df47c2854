"""A few crash states of one run, of every sort.

``crash_states`` goes through a run thoroughly, one sort of state after the other.  A campaign that has a hundred states
for each of thousands of runs wants some of each sort instead, and as many process crashes as it can tell apart.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Mapping
from itertools import islice, takewhile

from durakv_fuzz.choose import Recording, Seeded, Uneven
from durakv_fuzz.enumerate import CrashState, State, crash_states
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.timeline import Timeline

_LOOK_AHEAD = 2
_ATTEMPTS = 8
"""How many images are made for each state that is wanted: of a short run most are the same."""

_POWER_MODELS = {Model.POWER_LOSS: 4, Model.ORDERED: 1, Model.ORDERED_ZERO_TAIL: 1}
"""Power losses, and how often each is sampled."""


def pick_states(
    timeline: Timeline, budget: int, *, seed: int, since: int = 0, models: Collection[Model] = tuple(Model)
) -> Iterator[CrashState]:
    """Yield up to so many crash states; only crashes from event ``since`` on, and of these models."""
    generator = random.Random(seed)
    sorts: dict[str, list[CrashState]] = {}
    attempts = _ATTEMPTS * budget
    power = {model: weight for model, weight in _POWER_MODELS.items() if model in models}
    kills = tuple(model for model in (Model.PROCESS_CRASH,) if model in models)
    thorough = crash_states(timeline, attempts=attempts, seed=seed, models=tuple(power))
    # Without the samples at its end: process crashes leave so few images that most of them would be known already.
    every_kill = crash_states(timeline, attempts=attempts, seed=seed, models=kills)
    killed = takewhile(lambda state: state.stage == "killed", every_kill)
    for states, count in ((thorough, _LOOK_AHEAD * budget), (killed, budget)):
        for state in (state for state in islice(states, count) if state.crash_seq >= since):
            sorts.setdefault(state.stage, []).append(state)
    sorts["pick"] = list(_samples(timeline, budget, generator, since, power)) if power else []
    for found in sorts.values():
        generator.shuffle(found)
    while budget > 0 and any(sorts.values()):
        for left in sorts.values():
            if left and budget > 0:
                budget -= 1
                yield left.pop()


def _samples(
    timeline: Timeline, count: int, generator: random.Random, since: int, models: Mapping[Model, int]
) -> Iterator[CrashState]:
    """Any crash point at which something is in doubt, the more the likelier, and any answers."""
    points = [point for point in timeline.power_points() if point >= since and timeline.moments[point].open_count]
    if not points:
        return
    weights = [1 + timeline.moments[point].open_files ** 2 + timeline.moments[point].open_entries for point in points]
    seen: set[tuple[int, int]] = set()
    for crash_seq in generator.choices(points, weights, k=count):
        (model,) = generator.choices(tuple(models), tuple(models.values()))
        recording = Recording((Uneven if generator.random() < 0.6 else Seeded)(generator))
        image = crash_image(timeline, crash_seq, recording, model=model)
        if (key := (crash_seq, image.fingerprint())) not in seen:
            seen.add(key)
            yield State(crash_seq, model, tuple(recording.answers), "pick", image, timeline.time_at(crash_seq))
