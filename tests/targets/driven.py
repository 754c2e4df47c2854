"""A drive in a process of its own, for tests that kill it: tells on its standard output what it would tell a campaign.

    python driven.py NAME SETTING DIRECTORY COUNT HELD

After it told that the number HELD was acknowledged it waits to be killed, so that it never ends before that.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from durakv_fuzz.targets import find


class Told:
    """A teller whose lines are out before it returns."""

    def __init__(self, held: int) -> None:
        self._held = held

    def issued(self, number: int) -> None:
        os.write(1, b"issued %d\n" % number)

    def acked(self, number: int) -> None:
        os.write(1, b"acked %d\n" % number)
        if number == self._held:
            signal.pause()

    def synced(self, number: int) -> None:
        os.write(1, b"synced %d\n" % number)


if __name__ == "__main__":
    name, setting, directory, count, held = sys.argv[1:]
    find(name, setting).drive(Path(directory), range(int(count)), Told(int(held)))
