"""Lives written by hand for the calls that chance seldom makes, and a crash of each at every point.

A failed swap of the manifest, a close on a full disk, a base of many parts: a campaign meets some of them late, and
then crashes around few of their calls.  These lives are short, so every crash point of them is tried, with everything
lost and with everything kept.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator

from durakv_fuzz.armed import CALLS, ERRORS, RECORDED
from durakv_fuzz.campaign import Failure, Summary, stable_digest
from durakv_fuzz.choose import Recording as Recorder
from durakv_fuzz.choose import harshest, kindest
from durakv_fuzz.lives import Crash, Recording
from durakv_fuzz.machines import MachineKind
from durakv_fuzz.model import Model, crash_image
from durakv_fuzz.quiet import quiet
from durakv_fuzz.script import Action, Script, Setup, Step
from durakv_fuzz.trace import Kind
from durakv_fuzz.witness import Witness, witness

_WRITE = Step(Action.WRITE, (3, 0, 0, 1, 300))
_LONG = Step(Action.WRITE, (3, 0, 0, 0, 400_000, 0, 1, 400_000, 0, 2, 400_000))
_MIDDLING = Step(Action.WRITE, (3, 0, 0, 0, 60_000, 0, 1, 60_000))
_FILL = Step(Action.WRITE, (3, 0, 0, 0, 2600))
"""Most of a segment."""

RUNS_FROM = 1_000_000_000
"""Their numbers, as runs of a campaign; no worker gets so far."""

_FAILING_CALLS = 40
"""An open has fewer calls that change something; a fault that comes too late changes nothing."""


def directed_lives() -> Iterator[tuple[str, Setup, Script]]:
    """Name, engine and program of each."""
    frozen = Setup()
    yield "a new directory", frozen, (Step(Action.CLOSE),)
    yield "a segment that nothing was written to", frozen, (_WRITE, Step(Action.REOPEN), Step(Action.CLOSE))
    full = _fault(0, frozenset({Kind.CREATE}), errno.ENOSPC)
    yield "no room for the last manifest", frozen, (_WRITE, full, Step(Action.CLOSE))
    empty = (_WRITE, Step(Action.REOPEN), full, Step(Action.CLOSE))
    yield "no room for the last manifest, and nothing written", frozen, empty
    large = Setup(segment_bytes=3 << 20)
    yield "files that are given back bit by bit", large, (_LONG, Step(Action.REWRITE, (1,)), Step(Action.CLOSE))
    for kind in MachineKind.FROZEN, MachineKind.SLOTTED:
        setup = Setup(machine=kind, segment_bytes=1 << 18)
        for count in range(1, 5):
            closed = (_MIDDLING, Step(Action.REWRITE), Step(Action.STEP, (count,)), Step(Action.CLOSE))
            yield f"a {kind} rewrite that is given up after {count} steps", setup, closed
    ahead = (_FILL, Step(Action.STEP, (8,)))
    yield "a segment made ahead of need, and never used", frozen, (*ahead, Step(Action.CLOSE))
    yield "a segment made ahead of need, and too small", frozen, (*ahead, _LONG, Step(Action.CLOSE))
    for spared in range(_FAILING_CALLS):
        fault = _fault(spared, RECORDED, errno.EIO)
        opens = (_WRITE, fault, Step(Action.KILL), Step(Action.MEND), Step(Action.KILL), _WRITE)
        yield f"an open whose call {spared} fails", frozen, opens


def run_directed() -> Summary:
    """Live them all and crash them everywhere, until something is found."""
    summary = Summary(0)
    started = time.monotonic()
    with quiet():
        for number, (name, setup, script) in enumerate(directed_lives()):
            _sweep(Recording.first(setup, script), summary, RUNS_FROM + number, name)
            summary.runs += 1
            if summary.failures:
                break
    summary.seconds = time.monotonic() - started
    return summary


def _sweep(recording: Recording, summary: Summary, number: int, name: str) -> None:
    timeline = recording.timeline
    seen: dict[int, Witness] = {}
    tried: list[Crash] = []
    for violation in recording.history.violations[:1]:
        case = recording.case(Crash(recording.trace.seq, Model.PROCESS_CRASH, ()))
        summary.failures.append(Failure(violation, case, number, name))
    points = [(seq, Model.POWER_LOSS, choose) for seq in timeline.power_points() for choose in (harshest, kindest)]
    points += [(seq, Model.PROCESS_CRASH, kindest) for seq in timeline.kill_points()]
    for crash_seq, model, choose in points:
        recorder = Recorder(choose)
        image = crash_image(timeline, crash_seq, recorder, model=model)
        crash = Crash(crash_seq, model, tuple(recorder.answers))
        fingerprint = image.fingerprint()
        if fingerprint not in seen:
            seen[fingerprint] = witness(image, recording.setup)
            summary.distinct.add(stable_digest(image))
        summary.checks += 1
        summary.stages["directed"] += 1
        expectation = recording.expect(crash)
        summary.judged[expectation.policy or "", model] += 1
        judgement = seen[fingerprint].judge(expectation)
        if judgement.violation is not None and not summary.failures:
            summary.failures.append(Failure(judgement.violation, recording.case(crash), number, name))
        tried.append(crash)
    summary.coverage.saw(timeline, tried)


def _fault(spared: int, kinds: frozenset[Kind], error: int) -> Step:
    return Step(Action.FAULT, (spared, CALLS.index(kinds), ERRORS.index(error), 0, 0, 0, 1))
