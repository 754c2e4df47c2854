"""A teller that remembers, and a look at what runs on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from durakv_fuzz.targets.target import Target


@dataclass(slots=True)
class Remembering:
    """What was told, in order."""

    issues: list[int] = field(default_factory=list[int])
    acks: list[int] = field(default_factory=list[int])
    syncs: list[int] = field(default_factory=list[int])

    def issued(self, number: int) -> None:
        self.issues.append(number)

    def acked(self, number: int) -> None:
        assert number in self.issues, "nothing is acknowledged before it is issued"
        self.acks.append(number)

    def synced(self, number: int) -> None:
        assert number in self.acks, "nothing is synced before it is acknowledged"
        self.syncs.append(number)


def here(target: Target) -> Target:
    """The target; skips the test, visibly, if it cannot be run."""
    if reason := target.missing():
        pytest.skip(reason)
    return target


def no_process_names(word: str, seconds: float = 5.0) -> bool:
    """Whether no process has this in its command line, now or soon."""
    late = time.monotonic() + seconds
    while _named(word):
        if time.monotonic() > late:
            return False
        time.sleep(0.01)
    return True


def _named(word: str) -> bool:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            command = (place / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if word.encode() in command:
            return True
    return False
