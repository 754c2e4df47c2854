"""The promise: everything that can be crashed is, within about the time given; the rest is told, with the reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from durakv.bench import loss as loss_module
from durakv.bench.loss import measure_losses
from durakv.bench.loss_ledger import POWER_CUT, SIGKILL, Ledger, is_broken
from durakv.bench.loss_servers import Server
from durakv.bench.results import Disk, Latency, Loss, RawLoop
from durakv.durability import FsyncPolicy
from durakv_fuzz.demo.kill import WriterError

RAW = RawLoop("preallocated", 100, Latency(100, 9000, 11_000, 15_000, 20_000, 20_000))


def disk(*raw: RawLoop) -> Disk:
    return Disk("d", "ext4", "vda", "rw", "write back", raw, ())


def without_servers() -> tuple[list[Server], list[str]]:
    return [], ["redis-server: none here"]


def test_every_policy_is_crashed_both_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "find_servers", without_servers)
    told: list[str] = []
    losses, left_out = measure_losses(tmp_path / "new", disk=disk(RAW), seconds=0, seed=1, progress=told.append)
    assert [(loss.store, loss.setting, loss.crash) for loss in losses] == [
        ("durakv", policy, crash) for crash in (SIGKILL, POWER_CUT) for policy in ("always", "everysec", "no")
    ]
    assert not any(is_broken(loss) for loss in losses), [loss.note for loss in losses]
    assert left_out == ["redis-server: none here"]
    assert len(told) == len(losses)
    cut = losses[3]
    assert cut.writes_per_second == pytest.approx(80, rel=0.1), (
        "as often as this disk can sync, with something to spare"
    )
    assert list((tmp_path / "new").iterdir()) == []


def test_without_a_measured_disk_no_power_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WriterError("the disk is gone")

    monkeypatch.setattr(loss_module, "find_servers", without_servers)
    monkeypatch.setattr(loss_module, "measure_kills", fail)
    losses, left_out = measure_losses(tmp_path, disk=disk(), seconds=0, seed=1, progress=print)
    assert losses == []
    assert left_out == [
        "redis-server: none here",
        "power cuts: no raw loop was measured on this disk, so it is not known how long a sync takes",
        "durakv always: killed: the disk is gone",
        "durakv everysec: killed: the disk is gone",
        "durakv no: killed: the disk is gone",
    ]


def test_without_strace_the_servers_power_is_not_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise WriterError("not now")

    def find() -> tuple[list[Server], list[str]]:
        return [Server("redis-server", "/bin/redis-server", "7")], []

    monkeypatch.setattr(loss_module, "find_servers", find)
    for name in ("measure_kills", "measure_server_kills", "measure_power_cuts"):
        monkeypatch.setattr(loss_module, name, fail)
    monkeypatch.setenv("PATH", str(tmp_path))
    losses, left_out = measure_losses(tmp_path, disk=disk(RAW), seconds=0, seed=1, progress=print)
    assert losses == []
    assert left_out[0] == "redis-server: power cuts: there is no strace on this machine to record its calls; install it"
    assert len(left_out) == 10


def test_a_broken_promise_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(policy: FsyncPolicy, *_: object, **__: object) -> Loss:
        ledger = Ledger(store="durakv", setting=policy, crash=SIGKILL, lost_max=0, age_max_seconds=0.0)
        ledger.count(acknowledged=9, survived=9 if policy is FsyncPolicy.NO else 8, oldest_seconds=0.125)
        return ledger.loss(method="made up", writes_per_second=None, notes=[])

    monkeypatch.setattr(loss_module, "find_servers", without_servers)
    monkeypatch.setattr(loss_module, "measure_kills", measure)
    told: list[str] = []
    losses, _ = measure_losses(tmp_path, disk=disk(), seconds=0, seed=1, progress=told.append)
    assert [is_broken(loss) for loss in losses] == [True, True, False]
    assert [told[1], told[3]] == [f"durakv {loss.setting}: killed: {loss.note}" for loss in losses[:2]]
    assert len(told) == 5
