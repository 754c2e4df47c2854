"""The promise: power cuts take from durakv what its contract allows, and an engine that breaks it is found.

Method: the measurement itself, with few cuts; then on engines and disks that are broken on purpose.
"""

from __future__ import annotations

import random

import pytest

from durakv.bench.loss_ledger import is_broken
from durakv.bench.loss_power import measure_power_cuts
from durakv.bench.loss_recording import Speed, record
from durakv.bench.results import Latency, Loss
from durakv.durability import FsyncPolicy
from durakv_fuzz.disk import SimulatedFile
from durakv_fuzz.mutants import MUTANTS
from durakv_fuzz.quiet import quiet

SPEED = Speed(
    sync=Latency(1000, p50_us=400, p90_us=900, p99_us=3000, p999_us=20_000, max_us=50_000),
    write=Latency(1000, p50_us=4, p90_us=6, p99_us=20, p999_us=100, max_us=900),
    writes_per_second=200,
    seconds=2.5,
)
CUTS = 25


def measure(policy: FsyncPolicy, *, cuts: int = CUTS, seed: int = 1) -> Loss:
    with quiet():
        return measure_power_cuts(policy, SPEED, seconds=60, generator=random.Random(seed), cuts_max=cuts)


def test_always_loses_nothing() -> None:
    loss = measure(FsyncPolicy.ALWAYS)
    assert not is_broken(loss), loss.note
    assert len(loss.lost) == len(loss.acknowledged) == len(loss.oldest_seconds) == 2 * CUTS
    assert set(loss.lost) == {0}
    assert max(loss.acknowledged) > 400
    assert (loss.promised_lost_max, loss.promised_age_max_seconds) == (0, 0.0)


def test_everysec_loses_a_second_at_most() -> None:
    loss = measure(FsyncPolicy.EVERYSEC)
    assert not is_broken(loss), loss.note
    assert loss.promised_lost_max is None
    assert loss.promised_age_max_seconds is not None
    assert 0.5 < max(loss.oldest_seconds) <= loss.promised_age_max_seconds < 1.2
    assert max(loss.lost) == pytest.approx(max(loss.oldest_seconds) * SPEED.writes_per_second, abs=2)


def test_no_may_lose_all() -> None:
    loss = measure(FsyncPolicy.NO)
    assert not is_broken(loss), loss.note
    assert loss.promised_age_max_seconds is None
    lost_all = [lost == told for lost, told in zip(loss.lost, loss.acknowledged, strict=True)]
    assert all(lost_all[::2]), "nothing was synced, and every other state is the harshest"
    assert not all(lost_all[1::2])


def test_the_same_seed_measures_the_same() -> None:
    assert measure(FsyncPolicy.EVERYSEC, cuts=10) == measure(FsyncPolicy.EVERYSEC, cuts=10)
    assert measure(FsyncPolicy.EVERYSEC, cuts=10) != measure(FsyncPolicy.EVERYSEC, cuts=10, seed=2)


@pytest.mark.parametrize("policy", [FsyncPolicy.ALWAYS, FsyncPolicy.EVERYSEC])
def test_a_disk_whose_sync_does_nothing_is_found(policy: FsyncPolicy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimulatedFile, "write_through", SimulatedFile.write_at)
    monkeypatch.setattr(SimulatedFile, "sync", lambda _file: None)
    loss = measure(policy)
    assert is_broken(loss)
    assert "it does not open again" in loss.note or "acknowledged writes lost" in loss.note


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (FsyncPolicy.ALWAYS, "no fsync before ack"),
        (FsyncPolicy.ALWAYS, "ack before fsync"),
        (FsyncPolicy.EVERYSEC, "everysec never syncs"),
        (FsyncPolicy.EVERYSEC, "everysec syncs every five seconds"),
        (FsyncPolicy.EVERYSEC, "manifest not synced before rename"),
    ],
)
def test_a_broken_engine_is_found(policy: FsyncPolicy, name: str) -> None:
    with MUTANTS[name].applied():
        loss = measure(policy)
    assert is_broken(loss), f"{name}: {max(loss.lost)} lost, {max(loss.oldest_seconds)} s"


def test_the_writer_keeps_its_pace_beside_the_background() -> None:
    recording = record(FsyncPolicy.EVERYSEC, SPEED, random.Random(3))
    first, last = recording.span
    assert recording.acknowledgements == pytest.approx(SPEED.seconds * SPEED.writes_per_second, rel=0.02)
    assert last - first == pytest.approx(SPEED.seconds, rel=0.05)
    when = [recording.when(number) for number in range(1, recording.acknowledgements + 1)]
    assert when == sorted(when)
    assert recording.acknowledged(recording.point(when[9])) == 10
    assert recording.acknowledged(recording.point(when[9] - 1e-6)) == 9
    assert recording.attempted(recording.point(when[9])) >= 10
