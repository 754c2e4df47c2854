"""The promise: a run measures durakv end to end, tells what it left out, and leaves nothing behind.

Method: a plan of tiny turns on a real directory, with stand-ins for peers and crashes.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from durakv.bench.disk import probe
from durakv.bench.matrix import QUICK, Plan
from durakv.bench.progress import Silent
from durakv.bench.results import Case, Loss, Mode, Promise, Report, Shape, load, save
from durakv.bench.run import INTERRUPTED, run
from durakv.bench.store import Setting, Store
from durakv.options import Options
from durakv_formats import HEADER_BYTES
from tests.bench.doubles import Rooms
from tests.bench.fake_store import FakeStore

TINY = replace(
    QUICK,
    rounds=2,
    seconds=0.02,
    writers=(1, 2),
    key_space=500,
    rate=200.0,
    paced_seconds=0.1,
    rewrite_keys=0,
    rewrite_rounds=1,
    recovery_keys=(),
    patience_seconds=0.0,
    loss_seconds=0.0,
)


@pytest.fixture
def rooms(monkeypatch: pytest.MonkeyPatch) -> Rooms:
    monkeypatch.setattr("durakv.bench.interference.WINDOW_SECONDS", 0.1)
    monkeypatch.setattr("durakv.bench.raw.FILE_BYTES", 1 << 18)
    monkeypatch.setattr("durakv.bench.durakv_store.Options", partial(Options, segment_bytes=1 << 18))
    monkeypatch.setattr("durakv.bench.run.probe", partial(probe, rounds=1, seconds=0.01))
    monkeypatch.setattr("durakv.bench.matrix.BATCH", 10)
    monkeypatch.setattr("durakv.bench.matrix.WINDOW", 10)
    return Rooms(monkeypatch)


def measured(directory: Path, plan: Plan) -> Report:
    return run(directory, plan, command="durakv bench", progress=Silent())


def kinds(report: Report, setting: str) -> set[tuple[Shape, int, Mode]]:
    return {(case.shape, case.width, case.mode) for case in report.cases if case.setting == setting}


def test_durakv_is_measured_in_every_way(tmp_path: Path, rooms: Rooms) -> None:
    loss = Loss(
        store="durakv",
        setting="always",
        crash="SIGKILL",
        method="m",
        promised_lost_max=0,
        promised_age_max_seconds=None,
        acknowledged=(3,),
        lost=(0,),
        oldest_seconds=(0.0,),
    )
    rooms.losses = lambda directory: [loss]
    report = measured(tmp_path, replace(TINY, loss_seconds=1.0))
    assert list(tmp_path.iterdir()) == []
    assert report.left_out == ("LMDB: it is not installed", "power cuts: not in this test")
    expected = {
        (Shape.THREADS, 1, Mode.CLOSED),
        (Shape.THREADS, 1, Mode.OPEN),
        (Shape.BATCH, 10, Mode.CLOSED),
        (Shape.WINDOW, 10, Mode.CLOSED),
        (Shape.TASKS, 1, Mode.CLOSED),
        (Shape.TASKS, 2, Mode.CLOSED),
    }
    assert kinds(report, "everysec") == kinds(report, "no") == expected
    assert kinds(report, "always") >= expected | {(Shape.THREADS, 2, Mode.CLOSED)}
    assert len({case.name for case in report.cases}) == len(report.cases)
    for case in report.cases:
        for row in case.rounds:
            assert row.writes > 0
            assert row.raw_rate > 0
            assert row.service is not None
    assert report.losses == (loss,)
    assert report.verdicts[0].measured == len(report.cases)
    assert report.machine.versions.keys() == {"durakv"}


def test_what_is_counted_is_the_log_s(tmp_path: Path, rooms: Rooms) -> None:
    report = measured(tmp_path, replace(TINY, stores=("durakv",), shapes=(Shape.THREADS, Shape.BATCH)))
    always = next(case for case in report.cases if case.setting == "always" and case.width == 1)
    for row in always.rounds:
        assert row.counters is not None
        # An engine at rest writes down once more how far it is synced.
        assert row.counters.syncs in (row.writes, row.writes + 1)
        assert row.counters.log_writes in (row.writes, row.writes + 1)
        assert row.counters.log_bytes in (238 * row.writes, 238 * row.writes + HEADER_BYTES)
        assert row.counters.user_bytes == 116 * row.writes
    batch = next(case for case in report.cases if case.setting == "always" and case.shape is Shape.BATCH)
    for row in batch.rounds:
        assert row.counters is not None
        assert row.counters.syncs in (row.writes / 10, row.writes / 10 + 1)


def test_rewrites_and_opens_are_measured(tmp_path: Path, rooms: Rooms) -> None:
    plan = replace(TINY, stores=("durakv",), shapes=(Shape.BATCH,), rewrite_keys=2000, recovery_keys=(1000,))
    report = measured(tmp_path, plan)
    assert report.left_out == ()
    (rewrite,) = report.interferences
    assert (rewrite.keys, rewrite.offered_rate, rewrite.data_bytes) == (2000, 200.0, 232_000)
    assert rewrite.before.count >= 20
    assert rewrite.during.count > 0
    assert rewrite.extra_memory_bytes is not None
    assert [(point.what, point.keys) for point in report.recoveries] == [
        ("log", 1000),
        ("base", 1000),
    ]
    log, base = report.recoveries
    assert log.file_bytes > 1000 * 144
    assert log.file_bytes > base.file_bytes > 1000 * 100
    assert log.rss_bytes is not None


def peer(store: Store, name: str = "peer") -> Setting:
    return Setting(name, "as it is", Promise.PROCESS, lambda _: store, "7.1", "a note")


def test_peers_take_part_and_are_closed(tmp_path: Path, rooms: Rooms) -> None:
    store = FakeStore(write_seconds=0.0001)
    rooms.settings = [peer(store), peer(FakeStore(), "other")]
    report = measured(tmp_path, replace(TINY, stores=("peer",)))
    assert {case.store for case in report.cases} == {"raw", "peer"}
    assert {case.note for case in report.cases if case.store == "peer"} == {"a note"}
    assert report.machine.versions["peer"] == "7.1"
    assert store.closed
    assert store.sessions_open == 0
    assert report.interferences == ()
    assert report.recoveries == ()


def test_who_cannot_be_opened_is_left_out(tmp_path: Path, rooms: Rooms) -> None:
    def refuse(_: Path) -> Store:
        raise RuntimeError("no such library")

    rooms.settings = [Setting("peer", "s", Promise.NOTHING, refuse, "1"), peer(FakeStore(), "good peer")]
    report = measured(tmp_path, replace(TINY, stores=("peer",)))
    assert "peer, s: no such library" in report.left_out
    assert any(case.store == "good peer" for case in report.cases)


def test_a_store_of_no_such_name_is_told(tmp_path: Path, rooms: Rooms) -> None:
    report = measured(tmp_path, replace(TINY, stores=("sqlight",)))
    assert report.cases == ()
    assert "nothing that was asked for can be measured here" in report.left_out[0]


def test_external_generators_take_part(tmp_path: Path, rooms: Rooms) -> None:
    told = SimpleNamespace(writes=10, seconds=0.1, latency=None)
    rooms.externals = [
        SimpleNamespace(
            name="server",
            setting="appendfsync always",
            promise=Promise.POWER,
            shape=Shape.CLIENTS,
            width=50,
            value_bytes=100,
            client="generator",
            note="",
            measure=lambda seconds: told,
        )
    ]
    report = measured(tmp_path, replace(TINY, stores=("server",)))
    (case,) = (case for case in report.cases if case.store == "server")
    assert (case.client, [row.rate for row in case.rounds]) == ("generator", [100.0, 100.0])


def test_an_interrupted_run_keeps_what_was_measured(tmp_path: Path, rooms: Rooms) -> None:
    def interrupted(_: Path) -> list[Loss]:
        raise KeyboardInterrupt

    rooms.losses = interrupted
    report = measured(tmp_path, replace(TINY, shapes=(Shape.BATCH,), policies=TINY.policies[:1], loss_seconds=1.0))
    assert report.left_out[0].startswith(INTERRUPTED)
    assert any(case.store == "durakv" for case in report.cases)
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_fails_does_not_take_the_others_with_it(tmp_path: Path, rooms: Rooms) -> None:
    def broken(_: Path) -> list[Loss]:
        raise ValueError("a bug")

    rooms.losses = broken
    report = measured(tmp_path, replace(TINY, shapes=(Shape.BATCH,), stores=("durakv",), loss_seconds=1.0))
    assert report.left_out == ("loss windows: a bug",)
    assert report.cases


def test_the_sweep_ends_at_the_knee(tmp_path: Path, rooms: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("durakv.bench.sweep.KNEE_GROWTH", 1e9)
    plan = replace(TINY, stores=("durakv",), writers=(1,), shapes=(Shape.TASKS,), policies=TINY.policies[:1])
    widths = {case.width for case in measured(tmp_path, plan).cases if case.shape is Shape.TASKS}
    assert widths == {1, 2, 4}, "neither two nor four writers make a billion times what one makes"
    monkeypatch.setattr("durakv.bench.sweep.KNEE_GROWTH", 0.0)
    widths = {case.width for case in measured(tmp_path, plan).cases if case.shape is Shape.TASKS}
    assert widths == {1, 2, 4, 8, 16, 32, 64, 128, 256}


def test_a_report_is_read_as_it_was_saved(tmp_path: Path, rooms: Rooms) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    report = measured(scratch, replace(TINY, stores=("durakv",), shapes=(Shape.BATCH,)))
    save(report, tmp_path / "report.json")
    assert load(tmp_path / "report.json") == report
    assert isinstance(report.cases[0], Case)
