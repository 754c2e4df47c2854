"""One program on one disk after the other, from the first record to what is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from durakv_fuzz.block import real
from durakv_fuzz.model import Model
from durakv_fuzz.program.artefact import SUFFIX, Artefact, described, pack
from durakv_fuzz.program.block_disk import BlockDisk
from durakv_fuzz.program.campaign import Campaign, Finding, Limits, Outcome, Start, start_and_judge
from durakv_fuzz.program.disks import Disk
from durakv_fuzz.program.investigate import smallest, story, without_private_paths
from durakv_fuzz.program.memory_disk import MemoryDisk, TreeRun
from durakv_fuzz.program.seen import Seen, SeenFinding
from durakv_fuzz.program.subject import Plan, Promise, Subject
from durakv_fuzz.recorder import recorder
from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.trace_file import dump_trace

MEMORY = "memory"
REAL = ("ext4", "xfs", "btrfs")
DISKS = (MEMORY, *REAL)
MODELS: Mapping[str, Sequence[Model]] = {
    "killed": (Model.PROCESS_CRASH,),
    "ordered": (Model.ORDERED, Model.ORDERED_ZERO_TAIL),
    "posix": (Model.POWER_LOSS,),
}
"""The kinds of crashes of the disk in memory, by the name of their tier."""


@dataclass(frozen=True, slots=True)
class Examination:
    """What is to be tried with a program."""

    disks: Sequence[str] = (MEMORY,)
    models: Sequence[Model] = tuple(Model)
    """For the disk in memory."""

    limits: Limits = field(default_factory=lambda: Limits(seconds=60.0))
    """For each disk."""

    seed: int = 1
    fresh: bool | None = None
    """Whether the store is made during the run (True), beforehand (False), or one run after the other."""

    sync_seconds: float = 0.002
    """How long each sync takes on the recorded disk."""

    directory: Path | None = None
    """Where artefacts go; nowhere without it."""

    command: Mapping[str, str] = field(default_factory=dict[str, str])
    """Of a program that is no shipped target: what it was called with."""

    start: Start = start_and_judge

    sites: bool = False
    """Whether the disk in memory records where in the program each call was made, for the stories."""

    shrink_seconds: float = 10.0
    """How long a finding is made smaller; 0 tells it as it was found."""

    def plans(self, plan: Plan) -> list[Plan]:
        """The runs, in turn."""
        timed = replace(plan, sync_seconds=max(plan.sync_seconds, self.sync_seconds))
        if self.fresh is not None:
            return [replace(timed, prepared=not self.fresh)]
        return [timed, timed, timed, replace(timed, prepared=not timed.prepared)]


class Interrupted(KeyboardInterrupt):
    """A campaign was interrupted; what it had found is written down, but not made smaller."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen
        """What was seen until then; disks that it had not come to are not in it."""


def missing(disk: str) -> str:
    """Why a disk cannot be used here, in one line; empty if it can."""
    return recorder.missing() if disk == MEMORY else real.missing(disk)


def examine(
    subject: Subject,
    examination: Examination,
    plan: Plan,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Seen:
    """Run a campaign on each disk that can be used.

    Raises ``CannotRecord`` if the program fails without a crash, and :class:`Interrupted` in place of a
    ``KeyboardInterrupt`` that comes when some states were judged already.
    """
    seen = Seen.of(subject)
    if seen.missing:
        return seen
    for name in examination.disks:
        if reason := missing(name):
            seen.skipped |= dict.fromkeys(_tiers(name, examination.models), reason)
            continue
        with _disk(name, examination.models, sites=examination.sites) as disk:
            campaign = Campaign(
                subject,
                disk,
                examination.plans(plan),
                examination.limits,
                seed=examination.seed,
                start=examination.start,
            )
            outcome, interrupt = campaign.outcome, None
            try:
                campaign.run(progress)
            except KeyboardInterrupt as came:
                if not outcome.states:
                    raise
                # Nobody who interrupts wants to wait until findings are made smaller.
                interrupt, examination = came, replace(examination, shrink_seconds=0.0)
            told = [_tell(finding, subject, examination) for finding in _worth_telling(outcome, examination)]
        seen.add(outcome.verdicts, outcome.losses, outcome.lives, name, outcome.seconds, told)
        if interrupt is not None:
            raise Interrupted(seen) from interrupt
    return seen


@contextmanager
def _disk(name: str, models: Sequence[Model], *, sites: bool) -> Generator[Disk]:
    if name == MEMORY:
        with Recorder(sites=sites) as recorded:
            yield MemoryDisk(recorded, models)
    else:
        yield BlockDisk(name)


def _tiers(disk: str, models: Sequence[Model]) -> list[str]:
    if disk != MEMORY:
        return [disk]
    return [tier for tier, of in MODELS.items() if not set(of).isdisjoint(models)]


def _worth_telling(outcome: Outcome, examination: Examination) -> list[Finding]:
    """One of each kind, made smaller."""
    subject = outcome.subject
    kinds: dict[tuple[str, str, bool, str], Finding] = {}
    for finding in outcome.findings:
        if finding.kind in kinds:
            continue
        if subject.promise is not Promise.NONE and examination.shrink_seconds:
            seconds = examination.limits.check_seconds, examination.shrink_seconds
            finding = smallest(finding, subject, examination.start, check_seconds=seconds[0], seconds=seconds[1])
        # It may have become what another one is already.
        kinds.setdefault(finding.kind, finding)
    return list(kinds.values())


def _tell(finding: Finding, subject: Subject, examination: Examination) -> SeenFinding:
    told = story(finding)
    artefact = ""
    if examination.directory is not None:
        artefact = _write_down(finding, subject, examination, examination.directory, told.lines)
    finding.run.close()
    judgement = finding.judgement
    return SeenFinding(
        str(judgement.verdict),
        without_private_paths(judgement.reason),
        finding.crash.tier,
        finding.life,
        finding.plan.prepared,
        finding.crash.crash_seq,
        told.lines,
        artefact,
        told.witness,
        told.settled_by,
        told.roles,
        told.timeline,
    )


def _write_down(
    finding: Finding, subject: Subject, examination: Examination, directory: Path, lines: Sequence[str]
) -> str:
    crash, judgement, run = finding.crash, finding.judgement, finding.run
    when = "" if finding.plan.prepared else "-fresh"
    program = "-".join(filter(None, [subject.name, subject.setting]))
    words = f"{program}-{judgement.verdict}-{crash.tier}{when}-{finding.life}".lower()
    name = re.sub(r"[^a-z0-9.+_-]+", "-", words) + SUFFIX
    with run.serve(crash) as place:
        state = pack(place)
    crashed = described(subject, examination.command, judgement, crash, finding.told)
    trace = dump_trace(run.trace) if isinstance(run, TreeRun) else b""
    directory.mkdir(parents=True, exist_ok=True)
    Artefact(crashed, lines, state, trace).save(directory / name)
    return name
