"""What an engine tells: the recovery report of an open (C13) and the status of now (C4)."""

from __future__ import annotations

from typing import Any

import msgspec

from durakv.durability import FsyncPolicy
from durakv.health import Health


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A torn tail that was cut off (C8)."""

    name: str
    """The segment."""
    offset: int
    """Where its last good byte ends."""
    bytes: int
    """How many bytes that are not just preallocated zeros were cut."""
    first_lost_seq: int
    """The first number that may have been lost."""
    reason: str
    """What was found there."""
    allowed: str
    """Why the contract allows the loss."""

    def __str__(self) -> str:
        return f"{self.name}: cut {self.bytes} bytes at byte {self.offset} ({self.reason}); {self.allowed}"


class RecoveryReport(msgspec.Struct, kw_only=True):
    """What an open found and did.  Silence means that nothing happened (C13)."""

    created: bool = False
    """Whether the directory was new."""
    clean: bool = True
    """Whether the last owner closed it."""
    files: int = 0
    base_keys: int = 0
    lazy: bool = False
    """Whether the slots of the base were left to be loaded when they are needed; ``base_keys`` counts them all."""
    batches: int = 0
    """Batches replayed from the log."""
    commands: int = 0
    """Commands replayed from the log."""
    foreign_commands: int = 0
    """Commands that a stock server had appended, which carry no checksum."""
    bytes: int = 0
    """Bytes read."""
    last_seq: int = 0
    """The last number of the recovered state."""
    retired: int = 0
    """Numbers an earlier owner may have given out without a trace; they are not given out again."""
    cut: Cut | None = None
    debris: tuple[str, ...] = ()
    """Files left by a crash, worth nothing, now removed."""
    seconds: float = 0.0

    @property
    def commands_per_second(self) -> float:
        """The rate of the replay."""
        return self.commands / self.seconds if self.seconds else 0.0

    @property
    def lost_at_most(self) -> tuple[int, int] | None:
        """The first and last number that an earlier owner may have given out and that are not there; None if none.

        A bound and no estimate: it is what would have fitted into the rest of the segment.  What was acknowledged at
        a level that survives the crash at hand is not among them (C2, C3).
        """
        return (self.last_seq + 1, self.last_seq + self.retired) if self.retired else None

    def to_dict(self) -> dict[str, Any]:
        """The report for programs: numbers, texts, lists and dictionaries that ``json`` takes, under stable names."""
        cut, lost = self.cut, self.lost_at_most
        return {
            "created": self.created,
            "clean": self.clean,
            "lazy": self.lazy,
            "files": self.files,
            "base_keys": self.base_keys,
            "replayed_batches": self.batches,
            "replayed_commands": self.commands,
            "foreign_commands": self.foreign_commands,
            "read_bytes": self.bytes,
            "seconds": self.seconds,
            "last_seq": self.last_seq,
            "lost_at_most": None
            if lost is None
            else {"commands": self.retired, "first_seq": lost[0], "last_seq": lost[1]},
            "cut": None
            if cut is None
            else {
                "file": cut.name,
                "offset_bytes": cut.offset,
                "cut_bytes": cut.bytes,
                "first_lost_seq": cut.first_lost_seq,
                "reason": cut.reason,
                "allowed": cut.allowed,
            },
            "debris": list(self.debris),
        }

    def lines(self) -> list[str]:
        """The report for people; empty if there is nothing to say."""
        lines: list[str] = []
        if self.cut is not None:
            lines.append(str(self.cut))
        if not self.clean:
            lines.append(f"the last owner did not close the directory; recovered up to number {self.last_seq}")
        if self.foreign_commands:
            lines.append(f"read {self.foreign_commands} commands that a stock server appended without checksums")
        lines.extend(f"removed {name}, left by a crash" for name in self.debris)
        return lines


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The state of an engine at one moment; the exposure is what a power loss now would take."""

    policy: FsyncPolicy
    applied_seq: int
    written_seq: int
    synced_seq: int
    unsynced_commands: int
    """Applied commands that a power loss now could take back."""
    unsynced_bytes: int
    unsynced_age_seconds: float
    """The age of the oldest of them."""
    pending_bytes: int
    """Applied bytes that even a crash of the process could take back."""
    health: Health
    """Whether somebody has to look at it, and whether a restart would help."""
    reasons: tuple[str, ...]
    """Why ``health`` is not OK, and what to do, a sentence each."""
    healthy: bool
    """The narrower question whether what the policy promises is kept (C4): False when the engine is dead or an unsynced
    write is older than promised, whatever else ``health`` may complain of."""
    stalled: bool
    """Whether writers wait for a slow disk."""
    poisoned: str | None
    """The failure after which the engine takes no more writes (C7)."""
    slots_to_load: int
    """After a lazy open: how many slots of the base were not needed yet, and not reached by the background either."""
    sync_seconds: float
    """How long the sync under way has lasted; 0 if there is none."""
    logged_bytes: int
    """Bytes of the batches logged since the open."""
    log_bytes: int
    """The size of the log."""
    base_bytes: int
    segments: int
    writes: int
    """System calls that wrote to the log."""
    syncs: int
    """Syncs of the log that returned."""
    rotations: int
    healed: int
    """Full disks that were healed in place."""
    rewriting: bool
    rewrite_progress: float
    """From 0 to 1 while a rewrite is under way."""
    rewrites: int
    rewrites_failed: int
    """How many failed since the open."""
    rewrite_failures: int
    """Consecutive failures; the next automatic rewrite backs off accordingly."""
    rewrite_error: str | None
