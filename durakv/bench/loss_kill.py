"""durakv is killed with SIGKILL: a process that writes to a real directory, as fast as it can, and says so."""

from __future__ import annotations

import random
import time
from pathlib import Path

from durakv.bench.loss_ledger import SIGKILL, Ledger
from durakv.bench.results import Loss
from durakv.durability import Durability, FsyncPolicy
from durakv_fuzz.demo.kill import kill_round

LIFE_SECONDS = 0.4
"""How long a process writes before it is killed, on average."""
LIVES_MAX = 60


def measure_kills(
    policy: FsyncPolicy, directory: Path, *, seconds: float, generator: random.Random, level: Durability | None = None
) -> Loss:
    """Kill processes for so long, at least one; each begins in a new directory below this one.

    ``level`` breaks the promise on purpose: writes are acknowledged at that level, whatever the policy says.
    Raises ``durakv_fuzz.demo.kill.WriterError`` if a process cannot do its work.
    """
    deadline = time.monotonic() + seconds
    ledger = Ledger(store="durakv", setting=policy, crash=SIGKILL, lost_max=0, age_max_seconds=0.0)
    rates: list[float] = []
    longest = 0.0
    while not rates or (len(rates) < LIVES_MAX and time.monotonic() + longest < deadline):
        started = time.monotonic()
        place = directory / f"life-{len(rates) + 1}"
        tally = kill_round(policy, place, seconds=LIFE_SECONDS, lives=1, seed=generator.randrange(1 << 32), level=level)
        rates.append(tally.writes_per_second or 0.0)
        ledger.count(
            acknowledged=tally.acknowledged,
            survived=tally.survived,
            oldest_seconds=tally.oldest_lost_seconds,
            where=place.name,
            damage="; ".join(tally.reasons),
        )
        longest = max(longest, time.monotonic() - started)
    return ledger.loss(
        method=f"{len(rates)} processes, each killed at a random instant and its directory opened again",
        writes_per_second=sum(rates) / len(rates),
        notes=["one thread, each write when the one before is acknowledged"],
    )
