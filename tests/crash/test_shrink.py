"""The promise: a failure becomes a story short enough to read, and its first lines name what is in the wrong order.

Method: break the engine on purpose, let the campaign find it, and shrink that without help.  What is left is minimal:
with any one loss of the crash taken back the broken engine keeps its promises, too.
"""

from __future__ import annotations

import pytest

from durakv_fuzz.failure_file import FailureFile
from durakv_fuzz.lives import play
from durakv_fuzz.losses import Losses
from durakv_fuzz.model import Model
from durakv_fuzz.mutants import MUTANTS, hunt
from durakv_fuzz.quiet import quiet
from durakv_fuzz.witness import witness

SEGMENT = "appendonly.aof.1.incr.aof"
TEMPORARY = "temp-appendonly.aof.manifest"
MANIFEST = "appendonly.aof.manifest"

WITNESSES = {
    "no fsync before ack": f"number 1 was acknowledged as SYNCED before #37 write_at {SEGMENT} [94, 220) was durable",
    "ack before write": "number 1 was acknowledged as WRITTEN before it had been written",
    "everysec never syncs": f"had been written for 1.30 s before #36 write_at {SEGMENT} [94, 220) was durable",
    "manifest published before the old segment is synced": (
        f"#57 rename {TEMPORARY} -> {MANIFEST} was durable before #36 write_at {SEGMENT} [94, "
    ),
    "manifest not synced before rename": (
        f"#8 rename {TEMPORARY} -> {MANIFEST} was durable before #6 write_at {TEMPORARY} [0, 83)"
    ),
    "no directory sync after rename": f"#12 create {SEGMENT} was durable before #10 rename {TEMPORARY} -> {MANIFEST}",
    "base published before its name is durable": "-> appendonly.aof.1.base.dkv",
}
"""What each break is told as."""

SEEDS = {"manifest published before the old segment is synced": 6}
"""Where the first seed meets a break in a second life, which is a longer story, another one is told."""

STEPS_MAX = 4


@pytest.fixture(scope="module", params=WITNESSES)
def shrunk(request: pytest.FixtureRequest) -> FailureFile:
    failure = hunt(MUTANTS[request.param], seed=SEEDS.get(request.param, 1)).failure
    assert failure is not None
    return FailureFile.of(failure, request.param).shrink()


def test_the_story_begins_with_the_two_operations(shrunk: FailureFile) -> None:
    verdict, line, *_ = shrunk.tell()
    assert verdict.startswith(shrunk.verdict)
    assert line.startswith("witness: ")
    assert WITNESSES[shrunk.mutant] in line


def test_the_program_is_short(shrunk: FailureFile) -> None:
    assert sum(len(life.script) for life in shrunk.case.lives) <= STEPS_MAX
    assert len(shrunk.case.lives) == 1


def test_no_loss_is_left_that_is_not_needed(shrunk: FailureFile) -> None:
    with MUTANTS[shrunk.mutant].applied(), quiet():
        recording = play(shrunk.case)
        timeline = recording.timeline
        losses = Losses.of(timeline, shrunk.case.lives[-1].crash)
        assert losses.answers or losses.model is Model.PROCESS_CRASH
        for key in losses.answers:
            answers = {other: answer for other, answer in losses.answers.items() if other != key}
            milder, image = Losses.make(timeline, losses.crash_seq, losses.model, answers)
            violation = recording.judge(milder.crash(), witness(image, shrunk.case.setup)).violation
            assert violation is None or violation.verdict is not shrunk.verdict, f"{key} need not be lost"


def test_a_written_failure_says_the_same_wherever_it_is_read(shrunk: FailureFile) -> None:
    again = FailureFile.load(shrunk.dump())
    assert again.tell() == shrunk.tell()
    kept = FailureFile.load(shrunk.dump().replace(f'"mutant": "{shrunk.mutant}"', '"mutant": ""'))
    assert kept.replay().violation is None, "the engine itself does it, too"
    assert kept.tell()[0] == "every promise was kept"
