"""What a real file system leaves of a litmus: recorded once on a device of sectors, cut everywhere, mounted again."""

from __future__ import annotations

import errno
import time

from durakv_fuzz.block.crash_mount import CrashMount
from durakv_fuzz.block.enumerate import DeviceState, device_states
from durakv_fuzz.block.mounts import MountError, sync_filesystem
from durakv_fuzz.block.recorder import BlockRecorder
from durakv_fuzz.block.states import Device
from durakv_fuzz.block.trace import BlockTrace
from durakv_fuzz.calibration.allowed import MARK, step_at
from durakv_fuzz.calibration.comparison import Observation
from durakv_fuzz.calibration.litmus import Litmus
from durakv_fuzz.choose import Recorded
from durakv_fuzz.tree import Tree

_REFUSED = "refused"
"""A torn write made the file system itself unreadable; of the litmus it says nothing."""

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
    refused = 0
    seen: set[tuple[int, str]] = set()
    cut_short = False
    device = Device(trace)
    with CrashMount(trace) as mount:
        for state in device_states(trace, budget=images * _STATES_PER_IMAGE):
            image = state.key.partition("-")[0]
            if image not in outcomes:
                cut_short = bool(outcomes) and time.monotonic() - began > seconds
                if cut_short or len(outcomes) >= images:
                    break
                outcomes[image] = _outcome(litmus, mount, device, state)
                refused += outcomes[image] == _REFUSED
            step = step_at(trace.notes, state.crash_seq)
            if step >= 0 and outcomes[image] != _REFUSED:
                seen.add((step, outcomes[image]))
    return Observation(frozenset(seen), len(outcomes), refused, time.monotonic() - began, cut_short)


def _outcome(litmus: Litmus, mount: CrashMount, device: Device, state: DeviceState) -> str:
    """Of a file system that gives up on a whole or missing write, too: that is an outcome which no model allows."""
    try:
        with mount.mounted(state) as directory:
            return litmus.observe(Tree.load(directory))
    except MountError as failure:
        return _REFUSED if _tears(device, state) else f"cannot be mounted ({_name(failure)})"
    except OSError as failure:
        return f"cannot be read ({_name(failure)})"


def _tears(device: Device, state: DeviceState) -> bool:
    """Whether some write of the device was torn."""
    answers = Recorded(state.answers)
    torn = False

    def choose(count: int, label: str, /) -> int:
        nonlocal torn
        torn = torn or label == "torn"
        return answers(count, label)

    device.image(state.crash_seq, choose)
    return torn


def _name(failure: OSError) -> str:
    return errno.errorcode.get(failure.errno or 0, str(failure))
