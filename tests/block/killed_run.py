"""A run that is killed in the middle: it tells where it works, and waits for its end.

python killed_run.py recorder|mount
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from durakv_fuzz.block.crash_mount import CrashMount
from durakv_fuzz.block.enumerate import device_states
from durakv_fuzz.block.recorder import BlockRecorder


def tell(directory: Path) -> None:
    os.write(sys.stdout.fileno(), os.fsencode(directory) + b"\n")


def main(what: str) -> None:
    with BlockRecorder("ext4") as recorder:
        fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_WRONLY)
        os.write(fd, b"data")
        os.fsync(fd)
        if what == "recorder":
            tell(recorder.directory)
            time.sleep(60)
        os.close(fd)
        trace = recorder.stop()
    with CrashMount(trace) as crashes:
        for state in device_states(trace, budget=1):
            with crashes.mounted(state) as directory:
                (directory / "more").write_bytes(b"more")
                tell(directory)
                time.sleep(60)


if __name__ == "__main__":
    main(sys.argv[1])
