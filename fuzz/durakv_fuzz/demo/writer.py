"""The process that is killed: ``python -m durakv_fuzz.demo.writer DIRECTORY POLICY FIRST SECONDS [LEVEL]``.

It writes number after number and says so on stdout, each as soon as it is acknowledged:

    record := number:u64 seconds:f64      little-endian; the seconds are those of the monotonic clock

The first record has the number before the first: the database is open.  It ends by itself after ``SECONDS``, should
nobody kill it.  ``LEVEL`` breaks the engine's promise on purpose: what it acknowledges has only reached that level.
"""

from __future__ import annotations

import os
import sys
import time

from durakv.durability import Durability
from durakv.keyspace.database import open
from durakv_fuzz.demo.kill import RECORD
from durakv_fuzz.demo.workload import write


def main(directory: str, policy: str, first: str, seconds: str, level: str | None = None) -> None:
    """Write and acknowledge until killed."""
    durability = None if level is None else Durability[level]
    number = int(first)
    with open(directory, fsync=policy) as db:
        tell(number - 1)
        end = time.monotonic() + float(seconds)
        while time.monotonic() < end:
            write(db, number, durability)
            tell(number)
            number += 1


def tell(number: int) -> None:
    """Acknowledge a number, by a system call: it must not wait in a buffer that dies with this process."""
    os.write(1, RECORD.pack(number, time.monotonic()))


if __name__ == "__main__":
    main(*sys.argv[1:])
