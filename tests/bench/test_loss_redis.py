"""The promise: what is counted of a crashed server is what a real one serves afterwards, and nothing is left running.

Method: a redis-server under strace, and killed ones, for half a second each.
"""

from __future__ import annotations

import random
import time
from array import array
from pathlib import Path

import pytest

from durakv.bench.loss_ledger import is_broken
from durakv.bench.loss_redis import AOF_DIRECTORY, RunningServer, ServerError
from durakv.bench.loss_redis_kill import measure_server_kills
from durakv.bench.loss_redis_power import measure_server_power_cuts
from durakv.bench.loss_servers import Server
from durakv.bench.results import Loss

from .crashed_server import redis_server, strace


def power_cuts(policy: str, directory: Path) -> Loss:
    return measure_server_power_cuts(
        redis_server(),
        policy,
        directory,
        strace=strace(),
        rate=500,
        run_seconds=0.5,
        seconds=0,
        generator=random.Random(1),
        cuts=200,
    )


def test_a_power_cut_under_always_takes_nothing(tmp_path: Path) -> None:
    loss = power_cuts("always", tmp_path)
    assert not is_broken(loss), loss.note
    assert loss.lost == (0,) * 200
    assert max(loss.acknowledged) > 20
    assert loss.promised_lost_max == 0


def test_a_power_cut_under_no_takes_all(tmp_path: Path) -> None:
    loss = power_cuts("no", tmp_path)
    assert not is_broken(loss), loss.note
    assert loss.lost[::2] == loss.acknowledged[::2]
    assert loss.lost != loss.acknowledged
    assert loss.promised_age_max_seconds is None
    assert "3 of the files left loaded by a real server" in loss.method


def test_a_killed_server_is_asked_what_it_kept(tmp_path: Path) -> None:
    loss = measure_server_kills(redis_server(), "always", tmp_path, seconds=0, generator=random.Random(1))
    assert not is_broken(loss), loss.note
    assert loss.lost == (0,)
    assert loss.acknowledged > (0,)


def test_a_file_that_the_server_refuses_is_told_in_its_words(tmp_path: Path) -> None:
    server = redis_server()
    with RunningServer(server, tmp_path, "always") as running:
        running.write(array("q"), now=time.monotonic_ns, seconds=0.02)
        running.shut_down()
    (aof,) = (tmp_path / AOF_DIRECTORY).glob("*.incr.aof")
    aof.write_bytes(bytes(100) + aof.read_bytes())
    with pytest.raises(ServerError, match="Bad file format"):
        RunningServer(server, tmp_path, "always")


def test_a_program_that_is_no_server_is_told(tmp_path: Path) -> None:
    for program in ("/bin/false", "/nowhere/at/all"):
        with pytest.raises(ServerError, match="nonsense does not start"):
            RunningServer(Server("nonsense", program, "1"), tmp_path, "no")


def test_nothing_is_left_running(tmp_path: Path) -> None:
    under = ["/bin/sh", "-c", '"$@" & echo $! > pid; wait', "sh"]
    with RunningServer(redis_server(), tmp_path, "no", under=under) as running:
        running.write(array("q"), now=time.monotonic_ns, seconds=0.02)
        pid = int((tmp_path / "pid").read_text())
        assert Path(f"/proc/{pid}/exe").exists()
    for _ in range(500):
        if not Path(f"/proc/{pid}/exe").exists():
            return
        time.sleep(0.01)
    pytest.fail("the server goes on without what it ran under")
