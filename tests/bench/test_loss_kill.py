"""The promise: SIGKILL takes nothing that was acknowledged, and an engine that acknowledges too early is found."""

from __future__ import annotations

import random
from pathlib import Path

from durakv.bench.loss_kill import measure_kills
from durakv.bench.loss_ledger import is_broken
from durakv.durability import Durability, FsyncPolicy


def test_kills_take_nothing(tmp_path: Path) -> None:
    loss = measure_kills(FsyncPolicy.NO, tmp_path, seconds=0, generator=random.Random(1))
    assert not is_broken(loss), loss.note
    assert loss.lost == (0,)
    assert loss.acknowledged > (0,)
    assert loss.writes_per_second is not None
    assert loss.writes_per_second > 0
    assert (loss.promised_lost_max, loss.promised_age_max_seconds) == (0, 0.0)


def test_acknowledging_before_the_write_is_found(tmp_path: Path) -> None:
    generator = random.Random(1)
    for attempt in range(5):
        place = tmp_path / str(attempt)
        loss = measure_kills(FsyncPolicy.NO, place, seconds=0, generator=generator, level=Durability.APPLIED)
        if is_broken(loss):
            break
    assert is_broken(loss)
    assert max(loss.lost) > 0
    assert max(loss.oldest_seconds) > 0
