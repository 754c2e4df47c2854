"""The promise: the load side is measured on the same keys in every form, and a ratio says how many times as fast ours
is.  What was measured is not judged here.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from durakv.bench.load_side import (
    BASE,
    BATCHES,
    LOG,
    SAVE,
    SERVER_BASE,
    SERVER_LOG,
    LoadSide,
    Sample,
    data_set,
    take_turns,
    verdicts,
)
from durakv.bench.stock_loader import StockLoader
from durakv_formats.rdb import RdbWriter
from tests.keyspace.stock_server import REQUIRED


def test_the_data_set_is_what_it_says() -> None:
    commands = list(data_set(300))
    assert len({key for _, key, _ in commands}) == 300
    assert {(name, len(key), len(value)) for name, key, value in commands} == {(b"SET", 16, 100)}


def test_each_of_ours_finds_every_key_and_can_be_measured_again(tmp_path: Path) -> None:
    runs = LoadSide(tmp_path / "files", 300, server=None).contestants()
    taken = take_turns(runs, 2)
    assert list(taken) == [LOG, BATCHES, BASE, SAVE]
    for name, samples in taken.items():
        assert [sample.keys for sample in samples] == [300, 300], name
        assert all(sample.seconds > 0 for sample in samples), name
    assert not (tmp_path / "files" / "saved").exists(), "what was saved for the measurement is gone"


def test_a_verdict_is_the_median_of_the_ratios_of_the_rounds() -> None:
    def samples(*seconds: float) -> list[Sample]:
        return [Sample(one, 10, 100) for one in seconds]

    taken = {LOG: samples(1, 1, 1), SERVER_LOG: samples(3, 1, 2), BASE: samples(2, 2, 2), SERVER_BASE: samples(2, 4, 9)}
    found = {verdict.name: verdict for verdict in verdicts(taken, keys=10)}
    assert [(name, verdict.measured, verdict.met) for name, verdict in found.items()] == [
        ("log replay / AOF load, 10 keys", 2, True),
        ("base load / RDB load, 10 keys", 2, False),
    ]


def test_a_server_can_be_asked_in_a_folder_whose_name_is_longer_than_that_of_a_socket_may_be(tmp_path: Path) -> None:
    binary = shutil.which("redis-server")
    if binary is None:
        assert not os.environ.get(REQUIRED), f"no redis-server on this machine, and {REQUIRED} is set"
        pytest.skip("no redis-server on this machine")
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    writer = RdbWriter()
    (folder / "dump.rdb").write_bytes(writer.begin() + writer.end())
    with StockLoader(binary, folder, appendonly=False) as server:
        assert server.loaded_seconds() > 0
        assert server.save_seconds(compressed=False) > 0
