"""Disks that record a program and then serve what a power cut may have left: in memory, or a real file system.

A campaign sees both alike: it records a piece of work, gets a run, asks it for states, and opens them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from durakv_fuzz.program.recording import Recording
from durakv_fuzz.trace import Note


class Crash(Protocol):
    """One state that the disk may be in when the machine starts again."""

    @property
    def crash_seq(self) -> int:
        """What has a smaller number in the run happened."""
        ...

    @property
    def time(self) -> float:
        """On the clock of the run's notes."""
        ...

    @property
    def tier(self) -> str:
        """The kind of disk on which it can happen: a model's name, or a file system's."""
        ...

    @property
    def stage(self) -> str:
        """What kind of state it is, for statistics."""
        ...

    @property
    def key(self) -> str:
        """The same for two states, of any two runs on this disk, in which the same is there."""
        ...

    def choices(self) -> tuple[str, Sequence[int]]:
        """The model and the answers that make it again, from the run's trace."""
        ...


class Run(Protocol):
    """A recorded piece of work."""

    @property
    def notes(self) -> Sequence[Note]:
        """What was said, in order."""
        ...

    @property
    def is_empty(self) -> bool:
        """Whether nothing was done to the disk."""
        ...

    def crashes(self, count: int, seed: int) -> Iterator[Crash]:
        """Distinct states, at most so many, the telling ones first; the same arguments give the same."""
        ...

    def serve(self, crash: Crash) -> AbstractContextManager[Path]:
        """The directory as that crash left it; what a program does to it is forgotten at the end."""
        ...

    def serve_and_record(self, crash: Crash, work: Callable[[Recording], None]) -> Run:
        """Let a program work on what the crash left, and record that."""
        ...

    def smaller(self, crash: Crash, fails: Callable[[Crash], bool]) -> Crash:
        """A crash that fails too, on the mildest disk, as early and with as little lost as could be found."""
        ...

    def explain(self, crash: Crash) -> list[str]:
        """For people: the witness, if there is one, and what the crash decided."""
        ...

    def close(self) -> None:
        """Give back what it holds; it is got again if something is asked for after all."""
        ...


class Disk(Protocol):
    """Where programs are recorded."""

    @property
    def tier(self) -> str:
        """``memory``, or the file system's name."""
        ...

    def record(self, work: Callable[[Recording], None], *, sync_seconds: float) -> Run:
        """Let a program work in an empty directory, and return what it did."""
        ...
