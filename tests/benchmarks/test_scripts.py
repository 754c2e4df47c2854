"""The promise: the benchmark scripts run and print what they say they print; what they measured is not judged here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.keyspace.stock_server import REQUIRED

HERE = Path(__file__).parent


def test_the_write_path_prints_every_contestant_and_verdict(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "write_path.py"), "--rounds", "1", "--seconds", "0.05"]
    run = subprocess.run([*command, "--directory", str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    assert run.stdout.count("target always") == 2, run.stdout
    for word in ("command:", "disk:", "raw pwrite+fdatasync", "64 asyncio tasks", "everysec"):
        assert word in run.stdout, run.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_the_load_prints_every_contestant(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        assert not os.environ.get(REQUIRED), f"no redis-server on this machine, and {REQUIRED} is set"
        pytest.skip("no redis-server on this machine: there is nothing to be compared with")
    command = [sys.executable, str(HERE / "load.py"), "--rounds", "1", "--keys", "500", "--directory", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for word in ("command:", "disk:", "redis-server loads", "read_rdb", "stock directory", "of ours", "durakv import"):
        assert word in run.stdout, run.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_replay_and_base_print_every_contestant_and_verdict(tmp_path: Path) -> None:
    if shutil.which("redis-server") is None:
        assert not os.environ.get(REQUIRED), f"no redis-server on this machine, and {REQUIRED} is set"
        pytest.skip("no redis-server on this machine: there is nothing to be compared with")
    command = [sys.executable, str(HERE / "replay_and_base.py"), "--rounds", "1", "--keys", "500"]
    run = subprocess.run([*command, "--directory", str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode in (0, 1), run.stderr
    assert run.stdout.count("\ntarget ") == 5, run.stdout + run.stderr
    for word in ("command:", "disk:", "replay, a SET a frame", "base load", "server: SAVE, uncompressed"):
        assert word in run.stdout, run.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_the_crash_states_print_both_rates_every_part_and_the_verdict() -> None:
    command = [sys.executable, str(HERE / "crash_states.py"), "--rounds", "1", "--programs", "3", "--states", "40"]
    for more in ([], ["--drawn"]):
        run = subprocess.run([*command, *more], capture_output=True, text=True, check=False)
        assert run.returncode in (0, 1), run.stderr
        for word in ("command:", "distinct states", "distinct images", "enumerating", "recovering", "judging"):
            assert word in run.stdout, run.stdout
        assert "violation" not in run.stdout, run.stdout
        assert ("target:" in run.stdout) == (not more), run.stdout


def test_the_durable_dict_prints_every_contestant(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "durable_dict.py"), "--rounds", "1", "--seconds", "0.02"]
    run = subprocess.run([*command, "--directory", str(tmp_path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    for word in ("command:", "disk:", "shelve dumb+sync", "sqlite3 WAL, FULL", "DurableDict always", "MsgpackCodec("):
        assert word in run.stdout, run.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"
