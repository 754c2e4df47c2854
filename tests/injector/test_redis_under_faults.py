"""The promise: a server that nobody changed can be killed, and failed, at each of its calls, and is judged by what it
acknowledged.

Method: redis-server with ``appendfsync always`` and twenty SETs through a raw socket; then a new start.
"""

from __future__ import annotations

import errno
import time
from pathlib import Path

import pytest

from durakv_fuzz.injector import SYNCS, Ended, Fail, Fault, Kill, Short, Slow, Watch, missing, sweep
from tests.injector.redis_server import PROGRAM, ask, numbers_in, redis_server, set_numbers

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"system calls cannot be stopped: {missing()}"),
    pytest.mark.skipif(PROGRAM is None, reason="there is no redis-server here"),
]

COUNT = 20


def run(directory: Path, faults: tuple[Fault, ...]) -> tuple[Ended, frozenset[int]]:
    with redis_server(Watch(directory, faults)) as (program, connection):
        return set_numbers(program, connection, COUNT)


def check(directory: Path, _: Ended, acknowledged: frozenset[int]) -> str:
    found = numbers_in(directory, COUNT)
    if found is None:
        return "it does not start"
    lost = acknowledged - found
    return f"lost {sorted(lost)}" if lost else ""


def test_the_twentieth_sync_of_the_log_is_reached_with_nineteen_acknowledged(tmp_path: Path) -> None:
    ended, acknowledged = run(tmp_path, (Kill(at=COUNT, calls=frozenset({"fdatasync"}), path="*.incr.aof"),))
    assert (ended.killed, acknowledged) == (True, frozenset(range(COUNT - 1)))
    assert numbers_in(tmp_path, COUNT) == frozenset(range(COUNT)), "twenty were written, and SIGKILL takes no page"


def test_it_loses_nothing_that_it_acknowledged_wherever_it_is_killed(tmp_path: Path) -> None:
    outcome = sweep(run, check, Kill, scratch=tmp_path)
    assert not outcome.convicted, outcome.summary()
    assert not outcome.unfired, outcome.summary()
    assert len(outcome.points) > 2 * COUNT
    assert not list(tmp_path.iterdir())


def test_it_acknowledges_nothing_that_an_error_of_a_write_or_a_sync_took(tmp_path: Path) -> None:
    def full(number: int) -> Fault:
        return Fail(errno.ENOSPC, at=number, calls=frozenset({"write"}), path="*.incr.aof")

    def broken(number: int) -> Fault:
        return Fail(errno.EIO, at=number, calls=SYNCS, path="*.incr.aof")

    for fault in (full, broken):
        outcome = sweep(run, check, fault, scratch=tmp_path, points_max=8)
        assert not outcome.convicted, outcome.summary()
        assert not outcome.unfired, outcome.summary()
        assert len(outcome.points) == 9


def test_it_writes_the_rest_after_a_short_write_of_its_log(tmp_path: Path) -> None:
    ended, acknowledged = run(tmp_path, (Short(7, at=5, calls=frozenset({"write"}), path="*.incr.aof"),))
    assert ended.fired == (1,)
    assert numbers_in(tmp_path, COUNT) == acknowledged == frozenset(range(COUNT))


def test_it_takes_a_part_back_that_it_cannot_complete(tmp_path: Path) -> None:
    write = frozenset({"write"})
    faults = (Short(7, at=5, calls=write, path="*.incr.aof"), Fail(errno.ENOSPC, at=6, calls=write, path="*.incr.aof"))
    ended, acknowledged = run(tmp_path, faults)
    assert (ended.fired, ended.code) == ((1, 1), 1)
    assert "ftruncate" in [call.name for call in ended.calls]
    assert numbers_in(tmp_path, COUNT) == acknowledged < frozenset(range(COUNT))


def test_a_slow_sync_delays_the_answer(tmp_path: Path) -> None:
    with redis_server(Watch(tmp_path, (Slow(0.1, calls=frozenset({"fdatasync"}), path="*.incr.aof"),))) as (
        _,
        connection,
    ):
        assert connection is not None
        began = time.monotonic()
        assert ask(connection, "SET", "a", "b") == b"+OK\r\n"
        assert time.monotonic() - began >= 0.1


def test_its_syncs_are_seen_to_come_from_the_function_that_flushes_the_log(tmp_path: Path) -> None:
    with redis_server(Watch(tmp_path, stack_depth=10)) as (program, connection):
        assert connection is not None
        ask(connection, "SET", "a", "b")
        stacks = [call.stack for call in program.calls if call.name == "fdatasync" and call.path.endswith(".incr.aof")]
    assert stacks[-1][0].startswith("libc"), stacks
    # A distribution may strip even the names of exported functions; then offsets stand there.
    inside = [frame for frame in stacks[-1] if frame.startswith("redis-")]
    assert any("flushAppendOnlyFile" in frame for frame in inside) or all(": 0x" in frame for frame in inside), stacks
    assert inside, stacks
