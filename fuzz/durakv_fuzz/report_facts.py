"""The figures that every form of the report shows, worked out once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from durakv_fuzz.call_sites import CallSites, call_sites
from durakv_fuzz.campaign import Summary
from durakv_fuzz.coverage import Pair, Phase

_AGES = (0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
"""Where the bars of the loss window end, in seconds."""


@dataclass(frozen=True, slots=True)
class Facts:
    """See the module."""

    summary: Summary
    known: CallSites | None = None
    """The call sites there are; the engine's unless told otherwise."""

    @property
    def sites(self) -> CallSites:
        """The call sites there are."""
        return self.known or call_sites()

    @property
    def states_per_second(self) -> float:
        """Distinct states; campaigns that were added up in different processes have the seconds of all."""
        return len(self.summary.distinct) / self.summary.seconds if self.summary.seconds else 0.0

    @property
    def missing(self) -> dict[str, Phase]:
        """What every call site lacks that lacks something."""
        return self.summary.coverage.missing(self.sites)

    @property
    def phases_known(self) -> int:
        """Before, inside and after each call site."""
        return 3 * len(self.sites.sites)

    @property
    def phases_covered(self) -> int:
        """How many of those were crash points."""
        return self.phases_known - sum(int(lack).bit_count() for lack in self.missing.values())

    @property
    def untried(self) -> list[Pair]:
        """Pairs of which no crash lost the first and kept the second."""
        return sorted(self.summary.coverage.possible - self.summary.coverage.tried)


def age_bars(seconds: Sequence[float]) -> list[tuple[str, int]]:
    """How many crashes lost something of which age: label and count of each bar."""
    bars: list[tuple[str, int]] = []
    low = -1.0
    for high in _AGES:
        bars.append((f"≤{high:g}", sum(1 for age in seconds if low < age <= high)))
        low = high
    bars.append((f">{low:g}", sum(1 for age in seconds if age > low)))
    return bars
