"""Of a recorded program: pairs of changes of which a crash lost the first and kept the second.

    pairs = Pairs(timeline)
    for state in states: pairs.saw(state)
    len(pairs.tried), len(pairs.possible)

Most bugs of order are one such pair.  Changes with the same path but for the numbers in it count as one.
"""

from __future__ import annotations

import re

from durakv_fuzz.coverage import CrashPoint, Pair, Unit, UnitFates, open_units, ordered_pairs
from durakv_fuzz.model import Model
from durakv_fuzz.roles import sketch
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.tree_model import crash_tree

UNITS_MAX = 16
"""Of a moment at which more than so many changes are in doubt, pairs are taken of the last ones."""

_PLACE = re.compile(r"#\d+ | \[\d+, \d+\)| to \d+")


class Pairs:
    """See the module.  Only power losses that are not ordered count: where there is an order, most are impossible."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._at: dict[int, frozenset[Pair]] = {}
        self._briefs: dict[str, str] = {}
        for moment in timeline.moments:
            if moment.version not in self._at and moment.open_count > 1:
                units = open_units(moment)[-UNITS_MAX:]
                self._at[moment.version] = frozenset(pair for _, _, pair in ordered_pairs(units, self._brief))
        self.possible: frozenset[Pair] = frozenset().union(*self._at.values())
        """Pairs whose fates were open at the same time."""
        self.tried: set[Pair] = set()

    def saw(self, crash: CrashPoint) -> None:
        """This crash was judged."""
        moment = self._timeline.moments[crash.crash_seq]
        if crash.model is not Model.POWER_LOSS or self._at.get(moment.version, frozenset()) <= self.tried:
            return
        fates = UnitFates(crash.answers)
        crash_tree(self._timeline, crash.crash_seq, fates, model=crash.model)
        units = open_units(moment)[-UNITS_MAX:]
        self.tried |= fates.pairs(units, self._brief)

    def _brief(self, unit: Unit) -> str:
        brief = self._briefs.get(unit.label)
        if brief is None:
            brief = self._briefs[unit.label] = sketch(_PLACE.sub("", unit.label))
        return brief
