"""The promise: a forced close waits for no disk, tells whoever waits, keeps what was acknowledged, and gives the
directory up as soon as, and not before, the last call into it has returned.

Method: a simulated disk whose syncs hang until they are let go, callers in threads of their own, and after it power
cuts at every event of the trace.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import durakv
from durakv.durability import Durability, FsyncPolicy
from durakv.errors import Closed, Locked
from durakv.health import Health
from durakv_fuzz.choose import harshest
from durakv_fuzz.disk import SimulatedDisk
from durakv_fuzz.model import crash_image
from tests.hanging import PATIENCE_SECONDS, Caller, Hanging
from tests.support import Opened, numbers, open_engine, put

WRITTEN, SYNCED = Durability.WRITTEN, Durability.SYNCED
AT_ONCE_SECONDS = 5.0
"""What a call that waits for no disk takes at the very most, on a busy machine."""


@pytest.fixture
def hanging() -> Iterator[Hanging]:
    hanging = Hanging()
    yield hanging
    hanging.let_go()


def reopened(disk: SimulatedDisk) -> Opened:
    return open_engine(disk)


def test_it_gives_up_a_quiet_directory_at_once_and_keeps_what_was_written() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO, background=True)
    engine.apply(put(1))
    assert engine.abort()
    again, journal, _ = reopened(disk)
    assert numbers(journal) == [1]
    assert not again.report.clean, "it was not closed, and the next open says so"
    again.close()


def test_while_a_sync_hangs_it_tells_everybody_and_keeps_the_lock_until_the_call_returns(hanging: Hanging) -> None:
    engine, _, _ = open_engine(hanging.disk, background=True)
    engine.apply(put(1))
    hanging.hang()
    leader = Caller(lambda: engine.apply(put(2)))
    assert hanging.hung.wait(PATIENCE_SECONDS)
    follower = Caller(lambda: engine.apply(put(3)))
    while engine.applied_seq < 3:
        time.sleep(0.001)
    started = time.monotonic()
    assert not engine.abort(timeout=0.05)
    assert time.monotonic() - started < AT_ONCE_SECONDS
    assert isinstance(follower.outcome(), Closed), "who only waits is told at once"
    assert leader.is_alive(), "nobody can interrupt the call itself"
    with pytest.raises(Closed, match="by force"):
        engine.apply(put(4))
    assert engine.status().health is Health.DEAD
    engine.close()  # which must not hang either
    with pytest.raises(Locked):
        reopened(hanging.disk)
    hanging.let_go()
    assert isinstance(leader.outcome(), Closed), "nothing is acknowledged after a forced close"
    assert engine.abort(timeout=PATIENCE_SECONDS)
    again, journal, _ = reopened(hanging.disk)
    assert numbers(journal)[:1] == [1]
    assert numbers(journal) in ([1], [1, 2]), "what was not acknowledged may be there, in order"
    again.close()


def test_the_sync_of_the_background_may_hang_too(hanging: Hanging) -> None:
    engine, _, _ = open_engine(hanging.disk, fsync=FsyncPolicy.EVERYSEC, background=True)
    hanging.hang()
    engine.apply(put(1))
    assert hanging.hung.wait(PATIENCE_SECONDS)
    assert not engine.abort(timeout=0.05)
    with pytest.raises(Locked):
        reopened(hanging.disk)
    hanging.let_go()
    assert engine.abort(timeout=PATIENCE_SECONDS)
    again, journal, _ = reopened(hanging.disk)
    assert numbers(journal) == [1], "it was acknowledged at WRITTEN (C2)"
    again.close()


def test_a_close_that_hangs_is_ended_by_it(hanging: Hanging) -> None:
    engine, _, _ = open_engine(hanging.disk, fsync=FsyncPolicy.NO, background=True)
    engine.apply(put(1))
    hanging.hang()
    closing = Caller(engine.close)
    assert hanging.hung.wait(PATIENCE_SECONDS)
    assert not engine.abort(timeout=0.05)
    hanging.let_go()
    assert isinstance(closing.outcome(), Closed), "it did not complete the log, and says so"
    assert engine.abort(timeout=PATIENCE_SECONDS)
    again, journal, _ = reopened(hanging.disk)
    assert numbers(journal) == [1]
    again.close()


def test_a_power_cut_at_any_point_of_it_keeps_every_synced_acknowledgement() -> None:
    disk = SimulatedDisk()
    engine, _, _ = open_engine(disk, fsync=FsyncPolicy.NO, background=False)
    for number in range(1, 6):
        engine.apply(put(number), SYNCED if number == 3 else WRITTEN)
    before = disk.trace.seq
    assert engine.abort()
    again, journal, _ = reopened(disk)
    assert numbers(journal) == [1, 2, 3, 4, 5]
    again.apply(put(6), SYNCED)
    synced = disk.trace.seq
    assert again.abort()
    for seq in range(before, disk.trace.seq + 1):
        survived = numbers(reopened(SimulatedDisk(crash_image(disk.trace, seq, harshest))).journal)
        assert survived == [1, 2, 3, 4, 5, 6][: len(survived)]
        assert len(survived) >= (6 if seq >= synced else 3), f"lost an acknowledged write at event {seq}"


def test_a_rewrite_under_way_is_ended_and_whoever_waits_for_it_is_told(tmp_path: Path) -> None:
    db = durakv.open(tmp_path / "data", fsync="no")
    for number in range(2000):
        db.set(b"key:%d" % number, b"v" * 500)
    rewriting = Caller(db.rewrite)
    while not db.status().rewriting and rewriting.is_alive():
        time.sleep(0.0005)
    assert db.abort(timeout=PATIENCE_SECONDS)
    assert rewriting.outcome() is None or isinstance(rewriting.raised, Closed)
    with pytest.raises(Closed):
        db.get(b"key:1")
    with durakv.open(tmp_path / "data") as again:
        assert again.dbsize() == 2000


def test_after_a_close_it_does_nothing_and_says_that_the_directory_is_free() -> None:
    engine, _, _ = open_engine(SimulatedDisk())
    engine.close()
    assert engine.abort(timeout=0)
    assert engine.abort(timeout=0)


_AT_EXIT = """
import atexit, sys, durakv
db = durakv.open(sys.argv[1], fsync="no")
atexit.register(getattr(db, sys.argv[2]))
db.set(b"key", b"value")
"""

_NEVER = """
import sys, durakv
db = durakv.open(sys.argv[1], fsync=sys.argv[2])
db.set(b"key", b"value")
"""

_RAISES = """
import sys, durakv
with durakv.open(sys.argv[1], fsync="no") as db:
    db.set(b"key", b"value")
    raise SystemExit(7)
"""

_TERMINATED = """
import os, signal, sys, durakv
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with durakv.open(sys.argv[1], fsync="no") as db:
    db.set(b"key", b"value")
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()
"""


@pytest.mark.parametrize(
    ("program", "arguments", "code", "clean"),
    [
        (_AT_EXIT, ["close"], 0, True),
        (_AT_EXIT, ["abort"], 0, False),
        (_NEVER, ["everysec"], 0, False),
        (_NEVER, ["always"], 0, False),
        (_RAISES, [], 7, True),
        (_TERMINATED, [], 0, True),
    ],
    ids=["atexit close", "atexit abort", "no close, everysec", "no close, always", "exception", "SIGTERM"],
)
def test_a_program_that_ends_leaves_what_it_acknowledged(
    tmp_path: Path, program: str, arguments: list[str], code: int, *, clean: bool
) -> None:
    data = tmp_path / "data"
    done = subprocess.run([sys.executable, "-W", "error", "-c", program, str(data), *arguments], stderr=subprocess.PIPE)
    told = b"closed by force; 1 commands were not synced\n" if arguments == ["abort"] else b""
    assert done.returncode == code
    assert done.stderr.endswith(told)
    assert bool(done.stderr) == bool(told), "what is closed well is closed quietly"
    with durakv.open(data) as db:
        assert db.get(b"key") == b"value"
        assert db.report.clean == clean
