"""The promise: of a campaign that is interrupted nothing stays; of one that is killed, nothing once the next starts.

Method: the command crashes a service, in memory and on a real ext4, and gets a signal some random time after it made
its first directory.  Everything it starts carries a word in its environment, and everything it makes is in a temporary
directory of its own, so that mounts, loop devices, processes and files of it can be told from others'.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.block.real_filesystems import needs

from .disks_here import needs_memory

EXAMPLES = Path(__file__).parents[2] / "fuzz" / "example" / "programs"
PATIENCE_SECONDS = 20.0
DELAY_SECONDS_MAX = 1.2
INTERRUPTED = 130
MARK = "DURAKV_TEST_MARK"


@dataclass(frozen=True)
class Place:
    """Where a campaign leaves things, if it leaves any."""

    directory: Path
    mark: str

    def command(self, disk: str, *limits: str) -> subprocess.Popen[bytes]:
        """A campaign against the service, which is slow enough to be met at work."""
        python = sys.executable
        return subprocess.Popen(
            [
                *(python, "-m", "durakv.cli", "fuzz", "program", "--disk", disk, *limits, "--ready", "ready"),
                *("--driver", f"{python} {EXAMPLES}/kv_driver.py {{port}} {{first}} {{count}}"),
                *("--check", f"{python} {EXAMPLES}/kv_check.py {{port}}"),
                *("--", python, str(EXAMPLES / "kv_service.py"), "{dir}", "{port}"),
            ],
            env={
                **os.environ,
                "TMPDIR": str(self.directory),
                MARK: self.mark,
                "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
            },
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=_as_from_a_terminal,
        )

    def left(self) -> list[str]:
        """What is there of it."""
        files = [str(path) for path in self.directory.iterdir()]
        mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(self.directory) in line]
        loops: list[str] = []
        for path in Path("/sys/block").glob("loop*/loop/backing_file"):
            with suppress(OSError):  # it may be let go of meanwhile
                loops += [str(path)] if str(self.directory) in path.read_text() else []
        return files + mounts + loops + [f"process {pid}" for pid in self.processes()]

    def processes(self) -> Iterator[int]:
        """Those that carry the word, but for those that have ended."""
        word = f"{MARK}={self.mark}".encode()
        for process in Path("/proc").iterdir():
            with suppress(OSError):
                if process.name.isdecimal() and word in (process / "environ").read_bytes().split(b"\0"):
                    yield int(process.name)


def _as_from_a_terminal() -> None:
    """What runs in the background ignores SIGINT, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextmanager
def at_work(place: Place, disk: str) -> Generator[subprocess.Popen[bytes]]:
    """A campaign that has made its first directory."""
    with place.command(disk, "--budget", "60s") as campaign:
        try:
            assert soon(lambda: any(place.directory.iterdir()) or campaign.poll() is not None)
            assert campaign.poll() is None, campaign.stderr
            yield campaign
        finally:
            campaign.kill()


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.005)
    return True


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    directory = tmp_path / "temporary"
    directory.mkdir()
    place = Place(directory, uuid.uuid4().hex)
    yield place
    for pid in place.processes():
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def here(disk: str) -> None:
    if disk == "memory":
        needs_memory()
    else:
        needs(disk)


MOMENTS = [("memory", 0), ("memory", 1), ("ext4", 2)]
MORE_MOMENTS = [(disk, moment) for disk in ("memory", "ext4") for moment in range(3, 6)]
ALL_MOMENTS = [
    *(pytest.param(*one, id="-".join(map(str, one))) for one in MOMENTS),
    *(pytest.param(*one, id="-".join(map(str, one)), marks=pytest.mark.long) for one in MORE_MOMENTS),
]


@pytest.mark.parametrize(("disk", "moment"), ALL_MOMENTS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_an_interrupted_campaign_leaves_nothing(number: signal.Signals, disk: str, moment: int, place: Place) -> None:
    here(disk)
    with at_work(place, disk) as campaign:
        time.sleep(random.Random(f"{moment} {number}").uniform(0, DELAY_SECONDS_MAX))
        campaign.send_signal(number)
        _, said = campaign.communicate(timeout=PATIENCE_SECONDS)
        assert not place.left()
    assert campaign.returncode == INTERRUPTED, said
    assert said.splitlines()[-1] == b"durakv: interrupted"


@pytest.mark.parametrize(("disk", "moment"), ALL_MOMENTS)
def test_a_killed_campaign_leaves_nothing_once_the_next_has_begun(disk: str, moment: int, place: Place) -> None:
    here(disk)
    with at_work(place, disk) as campaign:
        time.sleep(random.Random(f"{moment} killed").uniform(0, DELAY_SECONDS_MAX))
        campaign.kill()
        campaign.wait()
        assert soon(lambda: not any(place.processes())), place.left()
    with place.command(disk, "--states", "1") as following:
        _, said = following.communicate(timeout=60)
        assert following.returncode == 0, said
    assert not place.left()
