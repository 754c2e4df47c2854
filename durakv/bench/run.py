"""A whole run: the disk, the rounds, open loops, sweeps, losses, rewrites, opens; and what came of them as a report.

What fails, or cannot be measured here, is left out and told; the rest is measured all the same.  An interrupted run
is a report too, of what was measured until then.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from msgspec.structs import replace

from durakv import __version__
from durakv.bench.contest import Tally, contest
from durakv.bench.disk import probe
from durakv.bench.durakv_store import NAME
from durakv.bench.field import Field
from durakv.bench.host import machine
from durakv.bench.interference import interference
from durakv.bench.matrix import Plan
from durakv.bench.progress import Progress, room
from durakv.bench.quiet import Gate
from durakv.bench.recovery_time import recovery_times
from durakv.bench.results import VERSION, Disk, Interference, Loss, RecoveryPoint, Report, Shape
from durakv.bench.store import Setting
from durakv.bench.sweep import sweep
from durakv.durability import FsyncPolicy

INTERRUPTED = "interrupted"
"""How the entry of a report begins that says it is not whole."""


def run(directory: Path, plan: Plan, *, command: str, running: Sequence[Setting] = (), progress: Progress) -> Report:
    """Measure in a scratch directory below ``directory``, which is removed again.

    ``running`` are servers that run already.  Interrupted, it returns what was measured until then, unless that is
    nothing.
    """
    scratch = Path(tempfile.mkdtemp(prefix="durakv-bench-", dir=directory.resolve()))
    try:
        progress.stage("disk")
        return _Run(scratch, plan, progress).report(command, running)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class _Run:
    """What was found so far."""

    def __init__(self, directory: Path, plan: Plan, progress: Progress) -> None:
        self._began = time.monotonic()
        self._started = datetime.now(UTC).isoformat(timespec="seconds")
        self._directory = directory
        self._plan = plan
        self._progress = progress
        self._gate = Gate(plan.patience_seconds)
        self._disk: Disk = probe(directory)
        self._tally = Tally()
        self._losses: list[Loss] = []
        self._interferences: list[Interference] = []
        self._recoveries: list[RecoveryPoint] = []
        self._left_out: list[str] = []
        self._versions = {NAME: __version__}

    def report(self, command: str, running: Sequence[Setting]) -> Report:
        """Go through all stages."""
        stages: list[tuple[str, Callable[[], None]]] = [("throughput and latency", lambda: self._rounds(running))]
        if self._plan.has(NAME):
            stages += [
                *([("rewrite", self._rewrites)] if self._plan.rewrite_keys else []),
                *([("recovery", self._opens)] if self._plan.recovery_keys else []),
                *([("loss windows", self._crashes)] if self._plan.loss_seconds else []),
            ]
        for title, stage in stages:
            self._progress.stage(title)
            try:
                stage()
            except KeyboardInterrupt:
                self._left_out.insert(0, f"{INTERRUPTED} during {title}: what follows was not measured")
                break
            except Exception as failure:  # noqa: BLE001  what was measured before is not to be lost
                self._left_out.append(f"{title}: {failure or type(failure).__name__}")
        warning = self._gate.warning
        report = Report(
            version=VERSION,
            command=command,
            started=self._started,
            seconds=time.monotonic() - self._began,
            machine=machine(self._versions),
            disk=replace(self._disk, warnings=(*self._disk.warnings, *((warning,) if warning else ()))),
            cases=tuple(self._tally.cases),
            losses=tuple(self._losses),
            interferences=tuple(self._interferences),
            recoveries=tuple(self._recoveries),
            left_out=(*self._left_out, *self._tally.failures),
        )
        try:
            return replace(report, verdicts=room("targets").verdicts(report))
        except Exception as failure:  # noqa: BLE001  nor is all of it to be lost for a verdict
            return replace(report, left_out=(*report.left_out, f"targets: {failure or type(failure).__name__}"))

    # --- stages ---------------------------------------------------------------------------------------------------

    def _rounds(self, running: Sequence[Setting]) -> None:
        plan, tell = self._plan, self._progress.step
        with Field(self._directory, plan) as field:
            try:
                tell("stores are opened", 0.0)
                if plan.has(NAME):
                    field.add_durakv()
                if not plan.is_alone:
                    field.add_peers()
                for setting in running:
                    field.add(setting)
            finally:
                self._left_out += field.left_out
                self._versions |= field.versions
            if not field.contestants:
                raise ValueError("nothing that was asked for can be measured here; see --store, --shape and --policy")
            seconds = plan.turn_seconds(len(field.contestants))
            contest(
                field.contestants,
                field.raw,
                self._tally,
                rounds=plan.rounds,
                seconds=seconds,
                gate=self._gate,
                tell=tell,
            )
            self._progress.stage("open loops")
            contest(
                field.paced(plan.paced_rate(self._disk.raw[0].commits_per_second)),
                field.raw,
                self._tally,
                rounds=plan.paced_rounds,
                seconds=plan.paced_seconds,
                gate=self._gate,
                tell=tell,
                show_raw=False,
            )
            self._progress.stage("concurrency")
            for shape in (Shape.TASKS,) if plan.quick else (Shape.TASKS, Shape.THREADS):
                sweep(field, shape, self._tally, rounds=plan.sweep_rounds, seconds=seconds, gate=self._gate, tell=tell)

    def _rewrites(self) -> None:
        policies = [policy for policy in self._plan.policies if policy is not FsyncPolicy.NO] or self._plan.policies
        for policy in policies[:1] if self._plan.quick else policies:
            self._interferences.append(
                interference(
                    self._directory / f"rewrite-{policy}",
                    policy,
                    keys=self._plan.rewrite_keys,
                    value_bytes=self._plan.value_bytes[0],
                    rate=self._plan.paced_rate(self._disk.raw[0].commits_per_second),
                    rounds=self._plan.rewrite_rounds,
                    tell=self._progress.step,
                )
            )

    def _opens(self) -> None:
        plan = self._plan
        for point in recovery_times(
            self._directory,
            plan.recovery_keys,
            plan.value_bytes[0],
            opens=plan.recovery_opens,
            tell=self._progress.step,
        ):
            self._recoveries.append(point)

    def _crashes(self) -> None:
        began = time.monotonic()
        seconds = self._plan.crash_seconds(began - self._began)

        def tell(what: str) -> None:
            self._progress.step(what, min(1.0, (time.monotonic() - began) / seconds))

        losses, left_out = room("loss").measure_losses(
            self._directory,
            disk=self._disk,
            seconds=seconds,
            seed=self._plan.seed,
            progress=tell,
        )
        self._losses += losses
        self._left_out += left_out
