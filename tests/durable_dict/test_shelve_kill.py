"""The promise: the comparison of the documentation runs, and a durable dict under ``always`` loses nothing in it.

Method: it is run with few crashes; its verdict on what nobody wrote is tried with stores that hold it.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from durakv_fuzz.targets.target import found_among
from tests.program.disks_here import needs_memory

SCRIPT = Path(__file__).parents[2] / "fuzz/example/services/shelve_kill.py"


@pytest.mark.slow
def test_it_prints_a_row_for_each_store_and_crash() -> None:
    needs_memory()
    command = [sys.executable, str(SCRIPT), "--kills", "1", "--cuts", "20"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    assert not done.stderr
    _, head, *rows = done.stdout.splitlines()
    assert head.split()[:3] == ["store", "crash", "crashes"]
    assert len(rows) % 4 == 0
    assert any(row.startswith("shelve dumb+sync") for row in rows)
    kills, cuts = (row.split() for row in rows if row.startswith("DurableDict always"))
    assert (kills[2:4], cuts[2:5]) == (["SIGKILL", "1"], ["power", "cut", "20"])
    for row in (kills, cuts):
        acked, survived, lost, wrong, refused = (int(number.replace(",", "")) for number in row[-5:])
        assert acked == survived > 0
        assert (lost, wrong, refused) == (0, 0, 0)


def test_a_setting_counts_with_its_value_or_a_later_one_and_nothing_else() -> None:
    spec = importlib.util.spec_from_file_location("shelve_kill", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    sys.modules["shelve_kill"] = script  # where its dataclasses look themselves up
    spec.loader.exec_module(script)
    mapping: dict[str, object] = {}
    store = script.Settings(mapping)
    for number in range(45):
        store.put(number, script.value_of(number))
    mapping["setting 1"] = script.grown(21, script.value_of(21))  # 41 is lost
    mapping["setting 2"] = b"0000000042.half"  # 2, 22 and 42
    mapping["setting 3"] = script.grown(44, script.value_of(44))  # another one's
    del mapping["setting 4"]
    found = found_among(store.pairs())
    assert set(range(45)) - found.numbers == {41, 2, 22, 42, 3, 23, 43, 4, 24, 44}
    assert len(found.wrong) == 2
