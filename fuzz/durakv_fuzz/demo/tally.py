"""What became of acknowledged writes, summed over the crashes of one round, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, field

from durakv.durability import FsyncPolicy
from durakv_fuzz.demo.workload import Found

KILL = "SIGKILL"
POWER = "power cut"

REASONS_MAX = 5


@dataclass(frozen=True, slots=True)
class Crash:
    """One crash, and what the writer's caller had been told before it."""

    acknowledged: int
    """Writes 1 to this one had been acknowledged."""
    attempted: int
    """No write above this one can have been made."""
    promised: int
    """Writes 1 to this one must survive."""
    promise: str
    """The clause that says so."""
    where: str
    """For people: how to find this crash again."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """One line of the table."""

    policy: FsyncPolicy
    crash: str
    clauses: tuple[str, ...]
    """What this round checks."""
    writes_per_second: float | None = None
    """None where the clock is simulated."""
    crashes: int = 0
    acknowledged: int = 0
    survived: int = 0
    lost_max: int = 0
    oldest_lost_seconds: float = 0.0
    broken: dict[str, int] = field(default_factory=dict[str, int])
    """By clause, how many crashes broke it."""
    reasons: list[str] = field(default_factory=list[str])
    """The first of them, for people."""

    @property
    def kept(self) -> bool:
        """Whether the contract held; a round without a crash or without a write proves nothing, so it did not."""
        return not self.broken and self.crashes > 0 and self.acknowledged > 0

    @property
    def verdict(self) -> str:
        """The word for the table."""
        if self.broken:
            return "BROKEN " + " ".join(sorted(self.broken))
        return "kept " + " ".join(self.clauses) if self.kept else "BROKEN: nothing was acknowledged"

    def count(self, crash: Crash, found: Found) -> int | None:
        """Judge one crash; return the first acknowledged write that was lost, if any."""
        self.crashes += 1
        self.acknowledged += crash.acknowledged
        survived = min(found.last, crash.acknowledged)
        self.survived += survived
        lost = crash.acknowledged - survived
        self.lost_max = max(self.lost_max, lost)
        if found.damage:
            self.blame("C1", f"{crash.where}: {found.damage}")
        if found.last > crash.attempted:
            self.blame("C1", f"{crash.where}: write {found.last} is there, but {crash.attempted} was the last one made")
        if found.last < crash.promised:
            self.blame(
                crash.promise,
                f"{crash.where}: writes up to {crash.promised} had to survive, but only those up to {found.last} did",
            )
        return survived + 1 if lost else None

    def age(self, seconds: float) -> None:
        """The oldest lost write of a crash had been acknowledged this long before it."""
        self.oldest_lost_seconds = max(self.oldest_lost_seconds, seconds)

    def blame(self, clause: str, reason: str) -> None:
        """A crash broke this clause."""
        self.broken[clause] = self.broken.get(clause, 0) + 1
        if len(self.reasons) < REASONS_MAX:
            self.reasons.append(f"{clause}: {reason}")
