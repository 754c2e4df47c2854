"""Many recorded lives, each compared with the machine, and so is what a power loss leaves of it and what comes then."""

from __future__ import annotations

import random
from dataclasses import dataclass

from durakv_fuzz.campaign import draw_run
from durakv_fuzz.choose import Seeded
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.quiet import quiet
from durakv_fuzz.session import Session
from durakv_fuzz.specification.follower import Deviation, Follower
from durakv_fuzz.timeline import Timeline

_POWER = (Model.POWER_LOSS, Model.ORDERED, Model.ORDERED_ZERO_TAIL)


@dataclass(slots=True)
class Followed:
    """What came of it."""

    lives: int = 0
    steps: int = 0
    """How many actions of the machine were seen."""
    deviation: Deviation | None = None
    run: int = 0
    """The run that deviated, or the last one."""


def follow_lives(seed: int, runs: int, *, first_run: int = 0, crashes: int = 1) -> Followed:
    """Each run of a campaign, and so many power losses of each; ends with the first deviation."""
    followed = Followed()
    with quiet():
        for number in range(first_run, first_run + runs):
            followed.run = number
            try:
                _follow_run(seed, number, crashes, followed)
            except Deviation as deviation:
                followed.deviation = deviation
                return followed
    return followed


def _follow_run(seed: int, number: int, crashes: int, followed: Followed) -> None:
    setup, _, script = draw_run(seed, number)
    session = Session.start(setup)
    session.run(script)
    trace = session.disk.trace
    follower = Follower()
    try:
        follower.follow(trace)
    finally:
        followed.lives += 1
        followed.steps += follower.steps
    if not crashes:
        return
    source = random.Random(f"{seed}/{number}/power")
    timeline = Timeline(trace)
    points = list(timeline.power_points())
    for index in range(crashes):
        crash_seq = source.choice(points)
        follower = Follower()
        follower.follow(trace, crash_seq)
        image = crash_image(timeline, crash_seq, Seeded(source), model=source.choice(_POWER))
        follower.lose_power(image)
        later = Session.start(setup, image, first_batch=session.next_batch)
        later.run(draw_run(seed, number + index + 1)[2])
        follower.follow(later.disk.trace)
        followed.lives += 1
        followed.steps += follower.steps
