"""What a real file system leaves of a litmus: recorded once on a device of sectors, cut everywhere, mounted again."""

from __future__ import annotations

import errno
import time

from durakv_fuzz.block.crash_mount import CrashMount
from durakv_fuzz.block.enumerate import DeviceState, device_states
from durakv_fuzz.block.mounts import MountError, sync_filesystem
from durakv_fuzz.block.recorder import BlockRecorder
from durakv_fuzz.block.trace import BlockTrace
from durakv_fuzz.calibration.allowed import MARK, step_at
from durakv_fuzz.calibration.comparison import Observation
from durakv_fuzz.calibration.litmus import Litmus
from durakv_fuzz.tree import Tree

_STATES_PER_IMAGE = 3
"""States that differ by a mark alone are mounted once; there are as many steps at least."""


def record_on(filesystem: str, litmus: Litmus) -> BlockTrace:
    """Perform it there, and let the kernel write back what is left, so that a crash may come in the middle of that.

    Raises what ``BlockRecorder`` does.
    """
    with BlockRecorder(filesystem) as recorder:
        litmus.prepare(recorder.directory)
        recorder.settle()
        recorder.note(MARK, "prepared")
        litmus.perform(recorder.directory, lambda step: recorder.note(MARK, step))
        sync_filesystem(recorder.directory)
        return recorder.stop()


def observe(litmus: Litmus, trace: BlockTrace, *, images: int, seconds: float) -> Observation:
    """Mount at most so many distinct images of the device, at most for so long; at least one."""
    began = time.monotonic()
    outcomes: dict[str, str] = {}
    seen: set[tuple[int, str]] = set()
    cut_short = False
    with CrashMount(trace) as mount:
        for state in device_states(trace, budget=images * _STATES_PER_IMAGE):
            image = state.key.partition("-")[0]
            if image not in outcomes:
                cut_short = bool(outcomes) and time.monotonic() - began > seconds
                if cut_short or len(outcomes) >= images:
                    break
                outcomes[image] = _outcome(litmus, mount, state)
            step = step_at(trace.notes, state.crash_seq)
            if step >= 0:
                seen.add((step, outcomes[image]))
    return Observation(frozenset(seen), len(outcomes), time.monotonic() - began, cut_short)


def _outcome(litmus: Litmus, mount: CrashMount, state: DeviceState) -> str:
    """A file system that gives up is an outcome, too, and one that no model allows."""
    try:
        with mount.mounted(state) as directory:
            return litmus.observe(Tree.load(directory))
    except MountError as failure:
        return f"cannot be mounted ({_name(failure)})"
    except OSError as failure:
        return f"cannot be read ({_name(failure)})"


def _name(failure: OSError) -> str:
    return errno.errorcode.get(failure.errno or 0, str(failure))
