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


def follow_lives(seed: int, runs: int, *, first_run: int = 0, crashes: int = 2) -> Followed:
    """Each run of a campaign, and a chain of so many power losses, each in the life after the one before.

    Ends with the first deviation.
    """
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
    follower = Follower()
    try:
        follower.follow(session.disk.trace)
    finally:
        followed.lives += 1
        followed.steps += follower.steps
    if not crashes:
        return
    source = random.Random(f"{seed}/{number}/power")
    follower = Follower()
    for later in range(1, crashes + 1):
        # Early in a later life is in the middle of its recovery.
        timeline = Timeline(session.disk.trace)
        crash_seq = source.choice(list(timeline.power_points()))
        follower.follow(session.disk.trace, crash_seq)
        image = crash_image(timeline, crash_seq, Seeded(source), model=source.choice(_POWER))
        follower.lose_power(image)
        session = Session.start(setup, image, first_batch=session.next_batch)
        session.run(draw_run(seed, number + later)[2])
        followed.lives += 1
    follower.follow(session.disk.trace)
    followed.steps += follower.steps
