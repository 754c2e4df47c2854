"""The promise: Prometheus sees every counter of every engine under its own name, and a closed engine as down.

Method: scrape real engines through the client library's own text format and its own parser.
"""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

import durakv
import durakv.aio
from durakv.clock import ManualClock
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.faults import Fault, fail_nth
from durakv_fuzz.trace import Kind
from tests.hosts import host

prometheus_client = host("prometheus_client")

from prometheus_client.parser import text_string_to_metric_families  # noqa: E402

from durakv.adapters.prometheus import HELP, DurakvCollector  # noqa: E402


def scrape(collector: DurakvCollector) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    registry = prometheus_client.CollectorRegistry()
    registry.register(collector)
    text = prometheus_client.generate_latest(registry).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_it_exports_every_counter_and_no_other(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data", fsync="always") as db:
        db.set(b"key", b"value")
        expected = {(f"durakv_{name}", ()): float(value) for name, value in db.counters().items()}
        assert scrape(DurakvCollector(db)) == expected
        assert expected[("durakv_writes_total", ())] == expected[("durakv_syncs_total", ())] == 1
        assert set(HELP) == set(db.counters())


def test_engines_of_every_kind_are_told_apart_by_their_labels(tmp_path: Path) -> None:
    async def main() -> None:
        async with durakv.aio.open(tmp_path / "one") as one:
            with durakv.open(tmp_path / "two") as two:
                await one.set(b"key", b"value")
                collector = DurakvCollector(one, labels={"store": "one"}).add(two.engine, labels={"store": "two"})
                seen = scrape(collector)
                assert seen[("durakv_applied_seq", (("store", "one"),))] == 1
                assert seen[("durakv_applied_seq", (("store", "two"),))] == 0
                collector.remove(two.engine)
                assert {labels for _, labels in scrape(collector)} == {(("store", "one"),)}
                with pytest.raises(ValueError, match="was not added"):
                    collector.remove(two.engine)

    asyncio.run(main())


def test_a_closed_engine_is_down_and_says_nothing_else(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "data")
    collector = DurakvCollector(db)
    db.close()
    assert scrape(collector) == {("durakv_up", ()): 0.0}


def test_a_poisoned_engine_is_down_and_still_tells_what_it_counted() -> None:
    disk = SimulatedDisk()
    db = durakv.open(None, filesystem=disk, clock=ManualClock(), background=False, fsync="always")
    disk.faults = fail_nth(0, Fault(errno.EIO), kinds=(Kind.WRITE_THROUGH,))
    with pytest.raises(durakv.Poisoned):
        db.set(b"key", b"value")
    seen = scrape(DurakvCollector(db))
    assert (seen[("durakv_up", ())], seen[("durakv_poisoned", ())]) == (0, 1)
    assert seen[("durakv_unsynced_commands", ())] == 1


def test_labels_that_do_not_tell_engines_apart_are_refused(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        collector = DurakvCollector(db, labels={"store": "one"})
        with pytest.raises(ValueError, match="use the same names"):
            collector.add(db, labels={"shop": "two"})
        with pytest.raises(ValueError, match="give one of them another value"):
            collector.add(db, labels={"store": "one"})


def test_a_registry_notices_a_second_collector(tmp_path: Path) -> None:
    with durakv.open(tmp_path / "data") as db:
        registry: Any = prometheus_client.CollectorRegistry()
        registry.register(DurakvCollector(db))
        with pytest.raises(ValueError, match="Duplicated"):
            registry.register(DurakvCollector(db))
