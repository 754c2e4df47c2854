"""What an engine's callers asked and what they were told: the only words the oracle listens to.

A program under test leaves them as notes in the trace of its disk, so that each has its place in the order of the
disk's calls, and its time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from durakv.durability import Durability, FsyncPolicy
from durakv.machine import Command
from durakv_fuzz.machines import Digest
from durakv_fuzz.oracle import Verdict


@dataclass(frozen=True, slots=True)
class Opened:
    """An open returned: what the machine holds, and which numbers the engine then named."""

    policy: FsyncPolicy
    state: Digest
    applied_seq: int
    last_seq: int
    """The last number of the recovered state, as the report has it."""
    lines: tuple[str, ...]
    """The report, for people."""


@dataclass(frozen=True, slots=True)
class Invoked:
    """A batch was handed to the engine."""

    batch: int
    """The laboratory's own name for it."""
    commands: tuple[Command, ...]


@dataclass(frozen=True, slots=True)
class Numbered:
    """The batch is applied, and this is its number: acknowledged at APPLIED."""

    batch: int
    seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The batch was refused: nothing of it was logged."""

    batch: int
    reason: str


@dataclass(frozen=True, slots=True)
class Promised:
    """Every number up to this one has reached the level: an acknowledgement, or a position that was read."""

    level: Durability
    seq: int


@dataclass(frozen=True, slots=True)
class Seen:
    """This is the state that a reader found, while nothing was under way."""

    state: Digest


@dataclass(frozen=True, slots=True)
class Policy:
    """This policy holds from now on."""

    policy: FsyncPolicy


@dataclass(frozen=True, slots=True)
class Failed:
    """Something else the caller asked for failed, so nothing is known about its outcome."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Poisoned:
    """The status says that nothing more can be promised."""

    reason: str


@dataclass(frozen=True, slots=True)
class Starved:
    """For so long the program got no time of its own, not even in the background."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Closed:
    """A close returned."""


@dataclass(frozen=True, slots=True)
class Killed:
    """The process ended without a word."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The engine did what its documentation rules out."""

    reason: str
    verdict: Verdict = Verdict.BROKEN


Word: TypeAlias = (
    Opened
    | Invoked
    | Numbered
    | Refused
    | Promised
    | Seen
    | Policy
    | Failed
    | Poisoned
    | Starved
    | Closed
    | Killed
    | Broken
)
