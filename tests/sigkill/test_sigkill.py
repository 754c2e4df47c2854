"""The promise: a process may be killed before any of its system calls, and what it acknowledged at WRITTEN or SYNCED is
there when the directory is opened again (C2), as a prefix of whole batches (C1), with nothing left over and no number
given out twice (C6, C9); a dead owner blocks nobody (C10).

Method: real files, real processes, SIGKILL.  A scripted run is stopped by the kernel at each call that touches the
disk, whoever makes it, main thread, background thread or merging child; at the n-th the owner is killed.  Then the
directory is opened twice and compared with what the run had been told.  Every n for which there is a call is tried.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from durakv.errors import Corruption
from tests.sigkill import syscalls
from tests.sigkill.driver import Run, Zygote, check

REQUIRED = "DURAKV_REQUIRE_SIGKILL"
"""Set to 1 where these tests must run: then they fail instead of being skipped."""

STRIDE = 3
"""The quick tests try every third call; which ones changes with every run."""

LIFE_CALLS_MIN = 250
CROWD_CALLS_MIN = 60
MERGING_CALLS_MIN = 110
"""Far below what there is; a sweep that finds less tests nothing."""

MEMORY = Path("/dev/shm")


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    reason = syscalls.unavailable()
    if reason and os.environ.get(REQUIRED) == "1":
        pytest.fail(f"{REQUIRED}=1, but processes cannot be stopped at their system calls: {reason}")
    if reason:
        pytest.skip(f"processes cannot be stopped at their system calls: {reason}")
    zygote = Zygote()
    yield zygote
    zygote.close()


@pytest.fixture
def scratch() -> Iterator[Path]:
    """Where runs live.  A kill leaves the page cache alone, so memory will do, and is five times as fast."""
    memory = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="durakv-sigkill-", dir=memory, ignore_cleanup_errors=True) as path:
        yield Path(path)


class Sweep:
    """Kills one script at many points, each time in a new directory."""

    def __init__(self, zygote: Zygote, scratch: Path, script: str) -> None:
        self.zygote = zygote
        self.scratch = scratch
        self.script = script
        self.killed = 0
        self.recovered: Counter[int] = Counter()

    def run(self, points: Iterable[int]) -> Sweep:
        """Kill at these points, up to the first behind the end of the script."""
        for point in points:
            directory = self.scratch / f"{point}"
            directory.mkdir()
            run = self.zygote.run(self.script, directory, point)
            self.judge(run, point)
            shutil.rmtree(directory)
            if not run.killed:
                assert run.done
                break
            self.killed += 1
        return self

    def judge(self, run: Run, point: int) -> None:
        try:
            self.recovered[check(run, self.zygote, keyspace=self.script == "merging")] += 1
        except (AssertionError, Corruption) as failure:
            last = run.calls[-1] if run.calls else "nothing"
            failure.add_note(f"{self.script!r} killed at its call {point}, {last} after {run.calls[-6:-1]}")
            raise


def changing_start() -> int:
    return int(time.time()) % STRIDE


def test_the_script_is_stopped_at_every_kind_of_call_and_at_the_right_one(zygote: Zygote, scratch: Path) -> None:
    directory = scratch / "clean"
    directory.mkdir()
    clean = zygote.run("life", directory)
    assert clean.done
    assert not clean.killed
    assert len(clean.calls) >= LIFE_CALLS_MIN
    made = {name.rstrip("2").removesuffix("at") for name in clean.calls}
    assert {"open", "pwrite64", "fsync", "fdatasync", "ftruncate", "rename", "unlink", "mkdir", "flock"} <= made
    check(clean, zygote)
    for point in (0, 1, 50, 200, len(clean.calls) - 1):
        directory = scratch / str(point)
        directory.mkdir()
        run = zygote.run("life", directory, point)
        assert run.killed
        assert not run.done
        assert run.calls == clean.calls[: point + 1], "the same calls every time"
        assert -1 <= run.acknowledged <= clean.acknowledged
        check(run, zygote)


def test_a_killed_life_keeps_what_it_acknowledged(zygote: Zygote, scratch: Path) -> None:
    sweep = Sweep(zygote, scratch, "life").run(range(changing_start(), 10_000, STRIDE))
    assert sweep.killed >= LIFE_CALLS_MIN // STRIDE - 1
    assert len(sweep.recovered) >= 12, "the kills must come at different times of the life"


def test_a_killed_crowd_keeps_what_it_acknowledged(zygote: Zygote, scratch: Path) -> None:
    sweep = Sweep(zygote, scratch, "crowd").run(range(changing_start(), 10_000, STRIDE))
    assert sweep.killed >= CROWD_CALLS_MIN // STRIDE - 1


def test_an_owner_killed_while_a_child_merges_keeps_what_it_acknowledged(zygote: Zygote, scratch: Path) -> None:
    sweep = Sweep(zygote, scratch, "merging").run(range(changing_start() * 3, 10_000, STRIDE * 3))
    assert sweep.killed >= MERGING_CALLS_MIN // STRIDE // 3 - 1


def kill_twice(zygote: Zygote, scratch: Path, first_points: Iterable[int], second_points: range) -> int:
    """Kill a life, then its successor while it recovers, at many points of each; return how many there were."""
    killed = 0
    for first in first_points:
        origin = scratch / f"first-{first}"
        origin.mkdir()
        before = zygote.run("life", origin, first)
        if not before.killed:
            break
        for second in second_points:
            directory = scratch / f"{first}-{second}"
            shutil.copytree(origin, directory)
            run = zygote.run("recover", directory, second)
            # What the first life was promised still holds.
            run.told = max(run.told, before.told)
            run.acknowledged = max(run.acknowledged, before.acknowledged)
            Sweep(zygote, scratch, f"life killed at {first}, then recover").judge(run, second)
            shutil.rmtree(directory)
            if not run.killed:
                break
            killed += 1
        shutil.rmtree(origin)
    return killed


def test_a_recovery_that_is_killed_loses_nothing_either(zygote: Zygote, scratch: Path) -> None:
    start = changing_start()
    killed = kill_twice(zygote, scratch, range(start * 15, 10_000, STRIDE * 15), range(start, 10_000, STRIDE))
    assert killed >= 40


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ("acknowledged before the write", r"command \d+ was acknowledged, \d+ are left \(C2\)"),
        ("written late", r"command \d+ was acknowledged, \d+ are left \(C2\)"),
        ("a batch in two parts", r"half a batch: .* \(C1\)"),
        ("manifest written over", r"appendonly\.aof\.manifest at byte 0"),
    ],
)
def test_a_mistake_made_on_purpose_is_found(zygote: Zygote, scratch: Path, mistake: str, told: str) -> None:
    with pytest.raises((AssertionError, Corruption), match=told):
        Sweep(zygote, scratch, mistake).run(range(10_000))


def test_a_next_owner_that_gives_out_numbers_again_is_found(
    zygote: Zygote, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing_retired(*, first: int, capacity: int) -> int:
        return first - 1

    monkeypatch.setattr("durakv.recovery.numbers_given_out_max", nothing_retired)
    with pytest.raises(AssertionError, match=r"number \d+ was given out before"):
        Sweep(zygote, scratch, "life").run(range(10_000))


SHARDS = 4


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize(
    ("script", "least"),
    [
        ("life", LIFE_CALLS_MIN),
        ("crowd", CROWD_CALLS_MIN),
        pytest.param("merging", MERGING_CALLS_MIN, marks=pytest.mark.long),  # some of its calls: see above
    ],
)
def test_every_call(zygote: Zygote, scratch: Path, script: str, least: int, shard: int) -> None:
    sweep = Sweep(zygote, scratch, script).run(range(shard, 10_000, SHARDS))
    assert sweep.killed >= least // SHARDS


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_call_of_a_recovery(zygote: Zygote, scratch: Path, shard: int) -> None:
    """After a kill at every eleventh call of a life."""
    killed = kill_twice(zygote, scratch, range(shard * 11, 10_000, SHARDS * 11), range(10_000))
    assert killed >= 150


def test_the_sweep_itself_ends(zygote: Zygote, scratch: Path) -> None:
    """Behind the last call there is nothing to kill, and that is noticed."""
    sweep = Sweep(zygote, scratch, "recover").run(itertools.count())
    assert 20 < sweep.killed < 200
