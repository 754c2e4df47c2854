"""The promise: what somebody should know is logged once, at its level, under its name, with its values; the counters
and the report say the same as data.

Method: bring engines on a simulated disk into each of these states, and read the records.
"""

from __future__ import annotations

import errno
import json
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import durakv
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import DiskFull, DurakvError, Poisoned
from durakv.watch import LOOK_AGAIN_SECONDS
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.model import crash_image
from durakv_fuzz.trace import Kind, Operation
from tests.support import changed, died, open_engine, put

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 20.0


class Records(logging.Handler):
    """What was logged: (logger, level, event); and it uses the engine's lock, as a handler of its own might."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, str, str]] = []
        self.values: list[dict[str, object]] = []

    def emit(self, record: logging.LogRecord) -> None:
        values: dict[str, object] = record.__dict__["durakv"]
        record.getMessage()
        self.values.append(values)
        self.seen.append((record.name, record.levelname, str(values["event"])))


@pytest.fixture
def records() -> Iterator[Records]:
    handler = Records()
    logger = logging.getLogger("durakv")
    before, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(before)
    logger.propagate = propagates


def test_a_quiet_life_is_quiet(records: Records) -> None:
    disk = SimulatedDisk()
    for _ in range(2):
        engine, _, clock = open_engine(disk, fsync=FsyncPolicy.EVERYSEC)
        engine.apply(put(1))
        clock.advance(1.0)
        while engine.step():
            pass
        engine.close()
    assert records.seen == []


def test_an_unclean_end_is_information_and_a_cut_is_a_warning(records: Records) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO)
    for number in (1, 2):
        engine.apply(put(number))
    open_engine(died(disk)).engine.close()
    assert records.seen == [("durakv.recovery", "INFO", "recovered")]
    records.seen.clear()
    name = engine._commit.segment.name
    torn = bytearray(disk.image().files[name])
    torn[engine._commit.segment.offset - 1] ^= 1
    again, _, _ = open_engine(changed(disk, name, bytes(torn)))
    assert ("durakv.recovery", "WARNING", "cut") in records.seen
    report = again.report.to_dict()
    assert json.loads(json.dumps(report)) == report
    assert records.values[-1]["report"] == report
    cut = again.report.cut
    assert cut is not None
    assert report["cut"] == {
        "file": name,
        "offset_bytes": cut.offset,
        "cut_bytes": cut.bytes,
        "first_lost_seq": 2,
        "reason": cut.reason,
        "allowed": cut.allowed,
    }
    assert report["last_seq"] == 1
    assert report["lost_at_most"]["first_seq"] == 2
    assert report["lost_at_most"]["last_seq"] >= 2, "number 2 was given out, and is among those that may be lost"
    assert report["lost_at_most"]["last_seq"] == 1 + report["lost_at_most"]["commands"]
    again.close()


def test_what_a_power_cut_takes_is_within_what_the_report_says() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO)
    for number in range(1, 30):
        engine.apply(put(number))
    for seq in range(disk.trace.seq + 1):
        report = open_engine(SimulatedDisk(crash_image(disk.trace, seq, harshest))).engine.report
        if report.last_seq < 29 and not report.created and not report.clean:
            assert report.lost_at_most is not None
            assert report.lost_at_most[0] == report.last_seq + 1
    assert engine.report.to_dict()["lost_at_most"] is None


def test_a_failed_sync_is_an_error_told_once(records: Records) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    disk.faults = fail_nth(0, Fault(errno.EIO), kinds=(Kind.WRITE_THROUGH,))
    for _ in range(3):
        with pytest.raises(Poisoned):
            engine.apply(put(1))
    with pytest.raises(Poisoned):
        engine.close()
    assert records.seen == [("durakv.commit", "ERROR", "poisoned")]
    assert records.values[0]["synced_seq"] == 0


def test_a_healed_disk_is_information(records: Records) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO)
    disk.faults = fail_nth(0, Fault(errno.ENOSPC, done=3), kinds=(Kind.WRITE,))
    engine.apply(put(1))
    while engine.step():
        pass
    engine.close()
    assert records.seen == [("durakv.commit", "INFO", "healed")]
    assert engine.counters()["healed_total"] == 1


def test_a_full_disk_is_a_warning_once_and_the_room_that_comes_back_is_looked_for(records: Records) -> None:
    disk = SimulatedDisk()
    engine, _, clock = open_engine(disk)
    engine.apply(put(1, 2500))
    disk.capacity_bytes = sum(len(data) for data in disk.image().files.values())
    for _ in range(3):
        with pytest.raises(DiskFull):
            engine.apply(put(2, 3000))
        engine.step()
    assert records.seen == [("durakv.commit", "WARNING", "disk_full")]
    disk.capacity_bytes = None
    for _ in range(4):
        clock.advance(LOOK_AGAIN_SECONDS)
        engine.step()
    assert records.seen[1:] == [("durakv.commit", "INFO", "room_again")]
    assert engine.status().health is durakv.Health.OK
    engine.close()


def test_rewrites_are_told_well_or_not(records: Records) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    engine.apply(put(1))
    disk.capacity_bytes = sum(len(data) for data in disk.image().files.values())
    with pytest.raises(DurakvError):
        engine.rewrite()
    disk.capacity_bytes = None
    engine.rewrite()
    assert records.seen == [
        ("durakv.rewrite", "WARNING", "rewrite_failed"),
        ("durakv.rewrite", "INFO", "rewritten"),
    ]
    counted = engine.counters()
    assert (counted["rewrites_total"], counted["rewrite_failures_total"], counted["rewrite_failures_in_a_row"]) == (
        1,
        1,
        0,
    )
    engine.close()


def test_a_stall_is_a_warning_of_the_writer_that_waits_and_a_forced_close_is_one(records: Records) -> None:
    hung, go = threading.Event(), threading.Event()

    def during(operation: Operation) -> None:
        if operation.kind is Kind.SYNC and operation.name == name:
            hung.set()
            assert go.wait(PATIENCE_SECONDS)

    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.EVERYSEC, background=True, stall_seconds=0.01)
    name = engine._commit.segment.name
    engine.apply(put(1))
    disk.during = during
    syncing = threading.Thread(target=engine.sync)
    syncing.start()
    assert hung.wait(PATIENCE_SECONDS)
    writers = [threading.Thread(target=engine.apply, args=(put(number),)) for number in (2, 3)]
    for writer in writers:
        threading.Event().wait(0.05)
        writer.start()
    while not records.seen:
        threading.Event().wait(0.001)
    assert engine.status().stalled
    assert engine.counters()["sync_under_way_seconds"] > 0
    go.set()
    for thread in (syncing, *writers):
        thread.join(PATIENCE_SECONDS)
    assert records.seen == [("durakv.commit", "WARNING", "stalled")]
    disk.during = None
    assert engine.abort(timeout=PATIENCE_SECONDS)
    assert records.seen[1:] == [("durakv.commit", "WARNING", "aborted")]


def test_a_handler_may_use_the_engine(records: Records) -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk)
    asked: list[durakv.Health] = []

    class Asking(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            asked.append(engine.status().health)

    handler = Asking()
    logging.getLogger("durakv").addHandler(handler)
    disk.faults = fail_nth(0, Fault(errno.EIO), kinds=(Kind.WRITE_THROUGH,))
    with pytest.raises(Poisoned):
        engine.apply(put(1))
    logging.getLogger("durakv").removeHandler(handler)
    assert asked == [durakv.Health.DEAD]


def test_the_counters_have_what_the_status_has_and_go_on_after_the_end() -> None:
    engine, _, clock = open_engine(SimulatedDisk(), fsync=FsyncPolicy.NO)
    engine.apply(put(1))
    engine.apply(put(2), Durability.SYNCED)
    engine.apply(put(3))
    clock.advance(2.0)
    counted = engine.counters()
    status = engine.status()
    numbers = {name: value for name, value in counted.items() if hasattr(status, name)}
    assert len(numbers) > 10
    assert numbers == {name: getattr(status, name) or 0 for name in numbers}
    assert {"unsynced_commands": 1, "unsynced_age_seconds": 2.0, "synced_seq": 2}.items() <= counted.items()
    assert (counted["writes_total"], counted["syncs_total"]) == (status.writes, status.syncs)
    assert {type(value) for value in counted.values()} <= {int, float}
    engine.close()
    assert engine.counters()["up"] == 0


def test_the_page_has_every_event_and_every_counter() -> None:
    page = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    engine, _, _ = open_engine(SimulatedDisk())
    for name in (*engine.counters(), *engine.report.to_dict()):
        assert f"`{name}`" in page, name
    engine.close()
    for source in (ROOT / "durakv").rglob("*.py"):
        for event in re.findall(r'\bevent="(\w+)"', source.read_text(encoding="utf-8")):
            assert f"`{event}`" in page, f"{event} of {source.name}"
    for event in ("cut", "recovered", "healed", "room_again"):
        assert f"`{event}`" in page
