"""The calibration itself: record each litmus, go through what the models allow of it, and look at real file systems.

    litmus -> FUSE recorder -> trace -> every answer of every model  -> allowed  \\
           -> ext4, XFS, btrfs on a recording device -> mounted cuts -> observed  -> comparison
"""

from __future__ import annotations

import platform
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from durakv_fuzz.block.real import REAL, missing, real
from durakv_fuzz.block.recorder import BlockRecorder
from durakv_fuzz.calibration.allowed import MARK, allowed
from durakv_fuzz.calibration.comparison import Calibration, Ground, Observation, Row
from durakv_fuzz.calibration.litmus import Litmus
from durakv_fuzz.calibration.observed import observe, record_on
from durakv_fuzz.calibration.suite import SUITE
from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.trace import Trace

_VERSION_FLAGS = {"btrfs": "--version"}


def run_calibration(
    filesystems: Sequence[str] = tuple(REAL),
    *,
    budget_seconds: float,
    images: int,
    litmuses: Iterable[Litmus] = tuple(SUITE.values()),
    progress: Callable[[str], None] = lambda line: None,
) -> Calibration:
    """Run these, by default the suite, on the file systems that can be had here.

    At most ``images`` states of the device are mounted for each litmus on each file system.  What time one litmus has
    not spent is shared by those after it; each is looked at a little, however late it is.
    ``progress`` is told a line for each litmus on each file system.  Raises ``ValueError`` for a name that is no file
    system's, and what ``BlockRecorder`` and ``Recorder`` raise when the machine has too little of something.
    """
    suite = list(litmuses)
    reasons = {name: missing(name) for name in filesystems}
    usable = [name for name in filesystems if not reasons[name]]
    began = time.monotonic()
    left = len(suite) * len(usable)
    observed: dict[str, dict[str, Observation]] = {litmus.name: {} for litmus in suite}
    permitted = {litmus.name: allowed(litmus, record(litmus)) for litmus in suite}
    progress(f"{len(suite)} litmus tests, what the models allow of them: {time.monotonic() - began:.1f} s")
    for name in usable:
        for litmus in suite:
            share = max(0.0, began + budget_seconds - time.monotonic()) / left
            left -= 1
            seen = observed[litmus.name][name] = observe(litmus, record_on(name, litmus), images=images, seconds=share)
            progress(f"{name}: {litmus.name}: {seen.states} states, {seen.seconds:.1f} s" + " (cut)" * seen.cut_short)
    return Calibration(
        [Row(litmus, permitted[litmus.name], observed[litmus.name]) for litmus in suite],
        [ground(name) for name in usable],
        {name: reason for name, reason in reasons.items() if reason},
        platform.release(),
        datetime.now(UTC).strftime("%Y-%m-%d"),
        time.monotonic() - began,
    )


def record(litmus: Litmus) -> Trace:
    """Perform it on the recorder of files: the trace that the models are asked about."""
    with Recorder() as recorder:
        litmus.prepare(recorder.directory)
        recorder.settle()
        recorder.note(MARK, "prepared")
        litmus.perform(recorder.directory, lambda step: recorder.note(MARK, step))
        recorded = recorder.trace()
    trace = Trace(recorded.base)
    trace.operations, trace.notes, trace.seq = recorded.operations, recorded.notes, recorded.seq
    return trace


def ground(filesystem: str) -> Ground:
    """How it was made, and how it is mounted when nothing is said."""
    kind = real(filesystem)
    with BlockRecorder(filesystem) as recorder:
        options = _mount_options(recorder.directory)
    return Ground(
        filesystem, _version(kind.program, _VERSION_FLAGS.get(filesystem, "-V")), " ".join(kind.make), options
    )


def _version(program: str, flag: str) -> str:
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin") or program
    done = subprocess.run([path, flag], capture_output=True, text=True, timeout=10, check=False)
    return next(iter((done.stdout + done.stderr).splitlines()), program).strip()


def _mount_options(directory: Path) -> str:
    """Of what is mounted there."""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape").splitlines():
        _, place, _, options, *_ = line.split(" ")
        if place == str(directory):
            return options
    raise FileNotFoundError(f"nothing is mounted at {directory}")
