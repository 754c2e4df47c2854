"""Calls that fail by plan: the third sync with EIO, the fifth write with ENOSPC."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from durakv_fuzz.trace import NAMING, Kind

REFUSABLE = NAMING | {Kind.WRITE, Kind.TRUNCATE, Kind.SYNC, Kind.SYNC_DIRECTORY}
"""What can fail.  A mapped page that is written back is a write too, but nobody may hear of its failing."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One call that fails and has no effect: the ``nth`` of its kind since the load, counted from 1.

    Of a failed sync, reads still show what it should have made durable, and later syncs say nothing about it.
    """

    kind: Kind
    nth: int
    error: int

    def __post_init__(self) -> None:
        if self.kind not in REFUSABLE or self.nth < 1 or self.error < 1:
            names = ", ".join(sorted(REFUSABLE))
            raise ValueError(f"{self}: kinds that can fail are {names}; they count from 1, and need an errno")


class Refusals:
    """What is still to fail."""

    def __init__(self, planned: Iterable[Refusal] = ()) -> None:
        self._planned = {(refusal.kind, refusal.nth): refusal for refusal in planned}
        self._seen: Counter[Kind] = Counter()

    def strike(self, kind: Kind) -> int:
        """A call of this kind begins: the ``errno`` it fails with, or 0."""
        if not self._planned:
            return 0
        self._seen[kind] += 1
        refusal = self._planned.pop((kind, self._seen[kind]), None)
        return 0 if refusal is None else refusal.error

    def unused(self) -> tuple[Refusal, ...]:
        """Those whose call never came; a test that planned them has shown nothing by passing."""
        return tuple(self._planned.values())
