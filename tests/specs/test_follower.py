"""The promise: whatever the engine does, the model of the write path may do; and an engine that errs is told apart.

Method: lives of the campaign, with failing disks, rewrites and kills, are recorded and gone through step by step in the
machine; so are power losses in them, in the recoveries and lives that follow, and in those again.  Then the engine is
broken on purpose.
"""

from __future__ import annotations

import pytest

from durakv.durability import FsyncPolicy
from durakv_fuzz.choose import harshest
from durakv_fuzz.image import Image
from durakv_fuzz.model import crash_image
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.script import Action, Setup, Step
from durakv_fuzz.session import Session
from durakv_fuzz.specification.follower import Deviation, Follower
from durakv_fuzz.specification.lives import follow_lives
from durakv_fuzz.trace import Trace

RUNS = 150
STEPS_MIN = 10_000
SEGMENT = "appendonly.aof.1.incr.aof"

BREAKS = {
    "no fsync before ack": "is called synced",
    "ack before fsync": "is called synced",
    "ack before write": "is called written",
    "fsync retried after eio": "is called synced",
    "not poisoned": "",
    "window taken for the disk": "is called synced",
    "promise ahead of the sync": "a frame promises",
    "manifest published before the old segment is synced": "the old segment is not synced",
    "old segment not synced at rotation": "",
    "no directory sync after create": "which is not durable",
    "base published before its name is durable": "which is not durable",
    "seq reused after a cut": "may have been given out before",
    "tail not written again": "the tail is not durable",
}
"""What is broken, and a part of what is said of the first step that is not allowed."""


@pytest.mark.parametrize("first_run", range(0, 4 * RUNS, RUNS))
def test_the_engine_does_what_the_model_may_do(first_run: int) -> None:
    followed = follow_lives(11, RUNS, first_run=first_run)
    assert followed.deviation is None, f"run {followed.run}"
    assert followed.lives == 3 * RUNS
    assert followed.steps > STEPS_MIN


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "runs"), [pytest.param(20, 250), pytest.param(21, 500, marks=pytest.mark.long)])
def test_the_engine_does_what_the_model_may_do_in_thousands_of_lives(seed: int, runs: int) -> None:
    followed = follow_lives(seed, runs, crashes=3)
    assert followed.deviation is None, f"run {followed.run}"


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_engine_is_told_apart(name: str) -> None:
    with MUTANTS[name].applied():
        followed = follow_lives(1, 100, crashes=0)
    assert followed.deviation is not None
    assert BREAKS[name] in followed.deviation.reason


def _short_life() -> Trace:
    session = Session.start(Setup(policy=FsyncPolicy.ALWAYS))
    session.run((Step(Action.WRITE, (3, 0, 0, 0, 80)), Step(Action.WRITE, (3, 0, 0, 1, 80))))
    return session.disk.trace


def test_a_power_loss_that_takes_nothing_durable_is_allowed() -> None:
    trace = _short_life()
    follower = Follower()
    follower.follow(trace)
    follower.lose_power(crash_image(trace, trace.seq, harshest))
    assert follower.state.solid.bit_count() == 2


def test_a_disk_that_takes_what_is_durable_is_told_apart() -> None:
    trace = _short_life()
    image = crash_image(trace, trace.seq, harshest)
    content = bytes(image.files[SEGMENT][:])
    last = content.rindex(b"#DKV1")
    files = {**image.files, SEGMENT: content[:last] + bytes(len(content) - last)}
    follower = Follower()
    follower.follow(trace)
    with pytest.raises(Deviation, match="it took number 2, which is durable"):
        follower.lose_power(Image(files, exists=True))


def test_a_disk_that_brings_back_an_earlier_manifest_is_told_apart() -> None:
    trace = _short_life()
    image = crash_image(trace, trace.seq, harshest)
    files = {name: content for name, content in image.files.items() if name != "appendonly.aof.manifest"}
    follower = Follower()
    follower.follow(trace)
    with pytest.raises(Deviation, match="it left a manifest that says no base, no log, closed"):
        follower.lose_power(Image(files, exists=True))
