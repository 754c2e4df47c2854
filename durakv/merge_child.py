"""The child process of a rewrite: ``python -m durakv.merge_child``.

    stdin     one line of JSON: the filesystem's path and the task; then it stays open for as long as the parent lives
    stdout    one JSON object a line: progress, and at the end a result or a failure

The child sees files that no longer change and writes one that nothing names yet.  It never touches the manifest, so
whatever becomes of it, nothing that counts has changed.

It notices its parent's death by the end of stdin and ends at the next step, a few milliseconds later.  (Not by
``PR_SET_PDEATHSIG``: that follows the thread that started the child, not the process.)  It runs at a low priority, so
that on a busy machine the writers come first, and it imports little: what it imports counts as memory of the rewrite.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import sys
import time
from typing import Any

from durakv.directory import base_temporary
from durakv.errors import Corruption, UnsupportedVersion
from durakv.machine import Unmergeable
from durakv.merge import MergeTask, load_merger, merge_steps
from durakv.storage.posix import PosixFilesystem

NICE = 10
"""How much lower than its parent's its priority is."""

REST = 1.0
"""After each step it rests for so many times as long as the step took, so that the disk is free for the writers."""

PROGRESS_SECONDS = 0.1


def main() -> int:
    """Do the merge that stdin describes; tell the result or the failure."""
    os.nice(NICE)
    order = json.loads(_read_order())
    task = MergeTask.from_json(order["task"])
    try:
        load_merger(task.merger)
    except Exception as error:  # noqa: BLE001 - importing it runs code of the program's
        _tell({"failure": {"kind": "Unimportable", "text": f"{type(error).__name__}: {error}"}})
        return 1
    try:
        _tell({"result": _run(order["path"], task)})
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent wants to know
        _tell({"failure": describe_failure(error)})
        return 1
    return 0


def _run(path: str, task: MergeTask) -> dict[str, Any]:
    filesystem = PosixFilesystem(path)
    steps = merge_steps(filesystem, task)
    told = 0.0
    while True:
        began = time.monotonic()
        try:
            progress = next(steps)
        except StopIteration as finished:
            result = finished.value
            break
        if _orphaned():
            steps.close()
            raise SystemExit(1)
        now = time.monotonic()
        time.sleep(REST * (now - began))
        if now - told >= PROGRESS_SECONDS:
            told = now
            _tell({"progress": progress})
    if _orphaned():
        # Nobody is left to publish it, and the next owner may have looked for debris already.
        filesystem.remove(base_temporary(task.number))
        raise SystemExit(1)
    return {
        "bytes": result.bytes,
        "copied": result.copied,
        "rebuilt": result.rebuilt,
        "passes": result.passes,
        "peak_bytes": peak_bytes(),
    }


def describe_failure(error: Exception) -> dict[str, Any]:
    """An error as JSON; ``merge_process`` makes an error of it again."""
    described: dict[str, Any] = {"kind": type(error).__name__, "text": str(error) or type(error).__name__}
    if isinstance(error, Corruption):
        described |= {"kind": "Corruption", "arguments": [error.name, error.offset, error.reason, error.remedy]}
    elif isinstance(error, UnsupportedVersion):
        described |= {"kind": "UnsupportedVersion", "arguments": [error.name, error.version, error.remedy]}
    elif isinstance(error, Unmergeable):
        described["kind"] = "Unmergeable"
    elif isinstance(error, OSError):
        described |= {"kind": "OSError", "errno": error.errno}
    return described


def peak_bytes() -> int:
    """The most memory this process ever held."""
    with contextlib.suppress(OSError), open("/proc/self/status", "rb") as status:
        for line in status:
            if line.startswith(b"VmHWM:"):
                return int(line.split()[1]) * 1024
    import resource

    # On Linux this would be the parent's memory if that is more: exec keeps the high-water mark.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _read_order() -> bytes:
    # Unbuffered: what stands in a buffer would hide the end of stdin from select.
    order = b""
    while not order.endswith(b"\n"):
        data = os.read(0, 1 << 16)
        if not data:
            raise SystemExit(1)
        order += data
    return order


def _orphaned() -> bool:
    return bool(select.select([0], [], [], 0)[0]) and not os.read(0, 1)


def _tell(message: dict[str, Any]) -> None:
    try:
        # On a line of its own, whatever a merger may have printed before.
        os.write(1, b"\n%b\n" % json.dumps(message).encode())
    except BrokenPipeError:
        raise SystemExit(1) from None


if __name__ == "__main__":
    sys.exit(main())
