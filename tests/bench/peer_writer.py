"""Writes to one peer with one setting, says after each acknowledgement what was acknowledged, and waits to be killed.

    python -m tests.bench.peer_writer NAME SETTING DIRECTORY

A line of standard output is the number of keys acknowledged so far; each line is one write of its own.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from durakv.bench import peers

PUTS = 30
BATCHES = 3
BATCH = 10
KEYS = PUTS + BATCHES * BATCH


def key(number: int) -> bytes:
    """One of the keys; its value is the key twice."""
    return b"key-%06d" % number


def main(name: str, chosen: str, directory: str) -> None:
    setting = next(setting for setting in peers.settings_of(name) if setting.setting == chosen)
    session = setting.open(Path(directory)).session()
    told(0)
    for number in range(PUTS):
        session.put(key(number), key(number) * 2)
        told(number + 1)
    for first in range(PUTS, KEYS, BATCH):
        session.put_many([(key(number), key(number) * 2) for number in range(first, first + BATCH)])
        told(first + BATCH)
    while True:
        time.sleep(60)


def told(count: int) -> None:
    os.write(1, b"%d acknowledged\n" % count)


if __name__ == "__main__":
    main(*sys.argv[1:])
