"""The promise: the demonstration says *kept* of an engine that keeps the contract, and *BROKEN* of one that does not.

Method: break the promise in the ways engines break it (sync nothing, forget the directory, acknowledge early), with
real processes and with the simulated disk, and read the verdict.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from durakv.durability import Durability, FsyncPolicy
from durakv.storage.filesystem import File, Filesystem, Lock
from durakv_fuzz.demo.kill import WriterError, kill_round
from durakv_fuzz.demo.power import power_round
from durakv_fuzz.demo.tally import KILL, Crash, Tally
from durakv_fuzz.demo.workload import Found

POINTS = 120


class LyingFile:
    """A file whose syncs return at once and did nothing."""

    def __init__(self, file: File) -> None:
        self._file = file

    @property
    def name(self) -> str:
        return self._file.name

    def read_at(self, size: int, offset: int, /) -> bytes:
        return self._file.read_at(size, offset)

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        self._file.write_at(data, offset)

    def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        self._file.write_at(data, offset)

    def window(self, size: int, /) -> None:
        return None

    def sync(self) -> None:
        return

    def truncate(self, size: int, /) -> None:
        self._file.truncate(size)

    def size(self) -> int:
        return self._file.size()

    def close(self) -> None:
        self._file.close()


class LyingFilesystem:
    """A filesystem that does not sync its files, or not its directory."""

    def __init__(self, filesystem: Filesystem, *, files: bool, directory: bool) -> None:
        self._filesystem = filesystem
        self._files = files
        self._directory = directory

    def describe(self) -> str:
        return f"lying {self._filesystem.describe()}"

    def make_root(self) -> None:
        self._filesystem.make_root()

    def exists_root(self) -> bool:
        return self._filesystem.exists_root()

    def list(self) -> list[str]:
        return self._filesystem.list()

    def create(self, name: str, /) -> File:
        file = self._filesystem.create(name)
        return LyingFile(file) if self._files else file

    def open(self, name: str, /, *, writable: bool = False) -> File:
        file = self._filesystem.open(name, writable=writable)
        return LyingFile(file) if self._files else file

    def rename(self, old: str, new: str, /) -> None:
        self._filesystem.rename(old, new)

    def remove(self, name: str, /) -> None:
        self._filesystem.remove(name)

    def sync_directory(self) -> None:
        if not self._directory:
            self._filesystem.sync_directory()

    def free_bytes(self) -> int:
        return self._filesystem.free_bytes()

    def lock(self, name: str, /) -> Lock:
        return self._filesystem.lock(name)


def syncs_no_file(filesystem: Filesystem) -> Filesystem:
    return LyingFilesystem(filesystem, files=True, directory=False)


def syncs_no_directory(filesystem: Filesystem) -> Filesystem:
    return LyingFilesystem(filesystem, files=False, directory=True)


@pytest.mark.parametrize("policy", FsyncPolicy)
def test_the_engine_keeps_the_contract_when_the_power_is_cut(policy: FsyncPolicy) -> None:
    tally = power_round(policy, points=POINTS)
    assert tally.kept, tally.reasons
    assert tally.crashes == 2 * POINTS
    assert tally.verdict == "kept " + {"always": "C1 C3 C6", "everysec": "C1 C4 C6", "no": "C1 C5 C6"}[policy]
    if policy is FsyncPolicy.ALWAYS:
        assert (tally.survived, tally.lost_max) == (tally.acknowledged, 0)
    else:
        assert tally.lost_max > 0, "a round in which nothing can be lost shows nothing"
    if policy is FsyncPolicy.EVERYSEC:
        assert 0.5 < tally.oldest_lost_seconds <= 1.01


@pytest.mark.parametrize("policy", FsyncPolicy)
@pytest.mark.parametrize("wrap", [syncs_no_file, syncs_no_directory])
def test_a_disk_that_lies_breaks_the_contract(policy: FsyncPolicy, wrap: object) -> None:
    assert callable(wrap)
    tally = power_round(policy, points=POINTS, wrap=wrap)
    assert not tally.kept
    assert tally.verdict.startswith("BROKEN C")
    assert tally.reasons


def test_acknowledging_before_the_sync_breaks_the_contract() -> None:
    tally = power_round(FsyncPolicy.ALWAYS, points=POINTS, level=Durability.WRITTEN)
    assert set(tally.broken) == {"C3"}
    assert tally.verdict == "BROKEN C3"
    assert tally.lost_max > 0


def test_the_same_seed_tells_the_same() -> None:
    one, other = (power_round(FsyncPolicy.EVERYSEC, writes=60, points=40, seed=7) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("policy", FsyncPolicy)
def test_the_engine_keeps_the_contract_when_its_process_is_killed(policy: FsyncPolicy, tmp_path: Path) -> None:
    tally = kill_round(policy, tmp_path / "data", seconds=0.4, lives=2)
    assert tally.kept, tally.reasons
    assert (tally.crashes, tally.lost_max) == (2, 0)
    assert tally.writes_per_second is not None
    assert tally.writes_per_second > 0


def test_acknowledging_before_the_write_breaks_the_contract(tmp_path: Path) -> None:
    tally = kill_round(FsyncPolicy.NO, tmp_path / "data", seconds=0.6, lives=3, level=Durability.APPLIED)
    assert set(tally.broken) == {"C2"}
    assert tally.lost_max > 0
    assert tally.survived < tally.acknowledged
    assert 0 < tally.oldest_lost_seconds < 0.6


def test_a_writer_that_cannot_open_is_told(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file stands where the directory should be")
    with pytest.raises(WriterError, match="data"):
        kill_round(FsyncPolicy.NO, tmp_path / "data", seconds=0.1)


def crash(acknowledged: int, *, promised: int | None = None) -> Crash:
    promised = acknowledged if promised is None else promised
    return Crash(acknowledged, acknowledged + 1, promised, "C2", "here")


def test_the_tally_judges_each_crash() -> None:
    tally = Tally(policy=FsyncPolicy.NO, crash=KILL, clauses=("C1", "C2"))
    assert not tally.kept, "nothing was tried yet"
    assert tally.count(crash(10), Found(10)) is None
    assert tally.count(crash(10), Found(11)) is None
    assert tally.verdict == "kept C1 C2"
    assert tally.count(crash(10, promised=7), Found(7)) == 8
    assert tally.kept
    assert tally.lost_max == 3
    assert tally.count(crash(10), Found(12)) is None
    assert tally.verdict == "BROKEN C1"
    assert tally.count(crash(10), Found(9)) == 10
    assert tally.count(crash(10), Found(10, "a key holds something else")) is None
    assert tally.broken == {"C1": 2, "C2": 1}
    assert (tally.crashes, tally.acknowledged, tally.survived) == (6, 60, 56)
