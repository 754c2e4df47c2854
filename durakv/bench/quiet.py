"""A gate for measurements: other programs on the machine are waited for, but not for ever."""

from __future__ import annotations

import time
from collections.abc import Callable

from durakv.bench.kernel import Foreign

SHARE_MAX = 0.2
"""Of one processor: what others may use without being told."""

_LOOK_SECONDS = 0.1


class Gate:
    """Waits before a turn if the turn before was disturbed, with so many seconds of patience in all."""

    def __init__(self, patience_seconds: float, foreign: Callable[[], Foreign] = Foreign) -> None:
        self.waited_seconds = 0.0
        self.turns = 0
        self.disturbed = 0
        """How many turns shared the processors with others."""
        self.share_max = 0.0
        """The most that others used during a turn."""
        self._patience = patience_seconds
        self._foreign = foreign
        self._is_quiet = False

    def wait(self) -> None:
        """Return when the machine is quiet, or when patience has run out."""
        while not self._is_quiet and self.waited_seconds < self._patience:
            foreign = self._foreign()
            time.sleep(_LOOK_SECONDS)
            self.waited_seconds += _LOOK_SECONDS
            self._is_quiet = (foreign.share() or 0.0) <= SHARE_MAX

    def turn(self) -> Turn:
        """Watch one turn."""
        return Turn(self, self._foreign())

    def ended(self, share: float) -> None:
        """Count a turn during which others used that share."""
        self.turns += 1
        self.share_max = max(self.share_max, share)
        self._is_quiet = share <= SHARE_MAX
        if not self._is_quiet:
            self.disturbed += 1

    @property
    def warning(self) -> str | None:
        """What readers of the figures must know, if others disturbed them."""
        if not self.disturbed:
            return None
        return (
            f"other programs used more than {SHARE_MAX:.0%} of a processor during {self.disturbed} of {self.turns} "
            f"measurements, up to {self.share_max:.0%}; absolute figures are too low then, ratios less so"
        )


class Turn:
    """One measurement that is watched: ``with gate.turn():``."""

    def __init__(self, gate: Gate, foreign: Foreign) -> None:
        self._gate = gate
        self._foreign = foreign

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._gate.ended(self._foreign.share() or 0.0)
