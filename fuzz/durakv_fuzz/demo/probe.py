"""How long this disk takes to make a small write durable: a figure to judge the others by."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from durakv.storage.posix import PosixFilesystem
from durakv.storage.preallocate import create_zeroed

IMPLAUSIBLE_SECONDS = 10e-6
"""No disk that keeps its word is faster than this; memory, or a cache that answers early, is."""

ROUNDS = 50
_RECORD = bytes(256)
_FILE_BYTES = 64 << 10


def sync_seconds(directory: Path) -> float:
    """The median of a few durable writes, as the log makes them, in a directory of its own that is removed again."""
    filesystem = PosixFilesystem(str(directory))
    filesystem.make_root()
    file = create_zeroed(filesystem, "probe", _FILE_BYTES)
    try:
        seconds: list[float] = []
        for index in range(ROUNDS):
            started = time.perf_counter()
            file.write_through(_RECORD, index * len(_RECORD))
            seconds.append(time.perf_counter() - started)
    finally:
        file.close()
    filesystem.remove("probe")
    directory.rmdir()
    return statistics.median(seconds)
