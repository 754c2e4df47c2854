"""What was observed of each litmus on each real file system, against what the models allow.

Sound means: whatever was observed, the model of the promises (``Model.POWER_LOSS``) allows, on every file system.  The
ordered models are milder and describe journalling file systems; what they do not allow is told, and is a fault of
theirs on ``ORDERED_FILESYSTEMS`` alone.  What is allowed and was never observed shows how pessimistic a model is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from durakv_fuzz.calibration.allowed import Seen
from durakv_fuzz.calibration.litmus import DONE, Litmus
from durakv_fuzz.model import Model

ORDERED_FILESYSTEMS = ("ext4", "xfs")


@dataclass(frozen=True, slots=True)
class Observation:
    """One litmus on one file system."""

    seen: Seen
    states: int
    """Distinct states of the device, each mounted and looked at; those that differ by a mark alone count once."""

    seconds: float
    cut_short: bool
    """Whether the time was over before the states were."""


@dataclass(frozen=True, slots=True)
class Row:
    """One litmus, with all that is known of it."""

    litmus: Litmus
    allowed: Mapping[Model, Seen]
    observed: Mapping[str, Observation]

    def beyond(self, filesystem: str, model: Model) -> list[tuple[str, str]]:
        """What was observed there and the model does not allow: steps and outcomes."""
        return self._told(self.observed[filesystem].seen - self.allowed[model])

    def never_seen(self, model: Model) -> list[tuple[str, str]]:
        """What the model allows and no file system showed."""
        seen = frozenset[tuple[int, str]]().union(*(each.seen for each in self.observed.values()))
        return self._told(self.allowed[model] - seen)

    def outcomes(self, seen: Seen, step: str = DONE) -> list[str]:
        """Of a crash at this step; sorted."""
        wanted = self.litmus.steps.index(step)
        return sorted(outcome for at, outcome in seen if at == wanted)

    def _told(self, seen: Seen) -> list[tuple[str, str]]:
        return [(self.litmus.steps[step], outcome) for step, outcome in sorted(seen)]


@dataclass(frozen=True, slots=True)
class Ground:
    """A file system as it was made and mounted."""

    name: str
    maker: str
    """The version that its ``mkfs`` told."""

    command: str
    options: str


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Something observed that a model does not allow."""

    litmus: str
    filesystem: str
    model: Model
    step: str
    outcome: str

    def __str__(self) -> str:
        where = f"{self.litmus}: {self.filesystem} left {self.outcome!r} after {self.step!r}"
        return f"{where}, which {self.model} does not allow"


@dataclass(frozen=True, slots=True)
class Calibration:
    """One run of the whole suite, or of a part."""

    rows: Sequence[Row]
    grounds: Sequence[Ground]
    skipped: Mapping[str, str]
    """File systems that could not be had, with the reason."""

    kernel: str
    date: str
    seconds: float

    def disagreements(self, model: Model, filesystems: Sequence[str] | None = None) -> list[Disagreement]:
        """Whatever was observed on these file systems and the model does not allow."""
        return [
            Disagreement(row.litmus.name, filesystem, model, step, outcome)
            for row in self.rows
            for filesystem in row.observed
            if filesystems is None or filesystem in filesystems
            for step, outcome in row.beyond(filesystem, model)
        ]

    def unsound(self) -> list[Disagreement]:
        """What convicts the model of the promises: empty, or verdicts cannot be trusted."""
        return self.disagreements(Model.POWER_LOSS)

    def states(self, filesystem: str) -> int:
        """How many states of a device were looked at."""
        return sum(row.observed[filesystem].states for row in self.rows if filesystem in row.observed)

    def spread(self, model: Model) -> tuple[int, int]:
        """Of the pairs of step and outcome that the model allows, how many were seen on some file system; and all."""
        total = sum(len(row.allowed[model]) for row in self.rows)
        return total - sum(len(row.never_seen(model)) for row in self.rows), total
