"""Rounds: every contestant takes its turn in each, in rotating order, the raw loop among them.

The order rotates so that nobody always comes after the same one, or first, when the disk has rested.  Every figure is
kept with the raw loop's of the same round: a disk that is slow for a while is slow for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from durakv.bench.contestants import Contestant, RawLoad
from durakv.bench.quiet import Gate
from durakv.bench.results import Case, Round

RAW_SECONDS_MAX = 1.0
"""A turn of the raw loop is not longer, however long those of the others are."""

Told = Callable[[str, float], None]
"""Called with what is measured now, and which part of the stage, from 0 to 1, is done."""


class Tally:
    """What came of all contests so far."""

    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.failures: list[str] = []
        """Contestants that could not be measured to the end, each with its reason."""


def rotated(contestants: Sequence[Contestant], turn: int) -> list[Contestant]:
    """The order of a round."""
    start = turn % len(contestants)
    return [*contestants[start:], *contestants[:start]]


def contest(
    contestants: Sequence[Contestant],
    raw: Sequence[RawLoad],
    tally: Tally,
    *,
    rounds: int,
    seconds: float,
    gate: Gate,
    tell: Told,
    show_raw: bool = True,
) -> None:
    """Measure everybody so often; ``raw`` has a loop for every value size, which is among the cases if shown.

    A contestant that fails takes no further part; what it did until then is kept, and the failure is told.  When it
    is interrupted, the tally gets the whole rounds that there are.
    """
    everybody = [*raw, *contestants]
    rounds_of: dict[str, list[Round]] = {one.case.name: [] for one in everybody}
    failed: dict[str, str] = {}
    turns = rounds * len(everybody)
    try:
        for number in range(rounds):
            found: dict[str, Round] = {}
            for turn, one in enumerate(rotated(everybody, number)):
                name = one.case.name
                if name in failed:
                    continue
                tell(name, (number * len(everybody) + turn) / turns)
                gate.wait()
                try:
                    with gate.turn():
                        found[name] = one.measure(min(seconds, RAW_SECONDS_MAX) if one in raw else seconds)
                    one.settle()
                except Exception as failure:
                    if one in raw:
                        raise  # without it nothing else can be judged
                    failed[name] = f"{failure or type(failure).__name__}"
            rates = {loop.case.value_bytes: found[loop.case.name].rate for loop in raw}
            for one in everybody:
                if (row := found.get(one.case.name)) is not None:
                    rounds_of[one.case.name].append(replace(row, raw_rate=rates[one.case.value_bytes]))
    finally:
        for one in everybody if show_raw else contestants:
            if rows := rounds_of[one.case.name]:
                tally.cases.append(replace(one.case, rounds=tuple(rows)))
        tally.failures += [f"{name}: {reason}" for name, reason in failed.items()]
