"""The promise: a program that relies on ``sync(2)`` or ``syncfs(2)`` is judged by them, though no disk sees them.

Method: a program that saves with nothing else, crashed in a campaign; the same on a disk that is not told of such calls
is convicted, so that it is this that acquits.  And what a watched call promises is what a plain one does.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from durakv_fuzz.injector import missing as cannot_stop
from durakv_fuzz.program.calls import CallFailed, CallHung
from durakv_fuzz.program.campaign import Campaign, Limits
from durakv_fuzz.program.disks import Disk
from durakv_fuzz.program.memory_disk import MemoryDisk, MemoryRecording, TreeRun
from durakv_fuzz.program.oracle import Verdict
from durakv_fuzz.program.recorded_calls import recorded_call
from durakv_fuzz.program.recording import Recording
from durakv_fuzz.program.subject import Plan, Promise
from durakv_fuzz.recorder.recorder import Recorder, missing
from durakv_fuzz.targets.files import SavedFile
from durakv_fuzz.trace import Kind
from durakv_fuzz.tree import EMPTY

pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"no recorder: {missing()}"),
    pytest.mark.skipif(bool(cannot_stop()), reason=f"system calls cannot be stopped: {cannot_stop()}"),
]


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def recording(recorder: Recorder) -> MemoryRecording:
    recorder.load(EMPTY, sync_seconds=0.002)
    return MemoryRecording(recorder)


@dataclass
class Untold:
    """A recording that nobody tells of such syncs."""

    recording: Recording
    directory: Path = field(init=False)

    def __post_init__(self) -> None:
        self.directory = self.recording.directory

    def note(self, kind: str, payload: int | str) -> None:
        self.recording.note(kind, payload)

    def settle(self) -> None:
        self.recording.settle()


class UntoldDisk(MemoryDisk):
    """The disk in memory, as it was without this."""

    def record(self, work: Callable[[Recording], None], *, sync_seconds: float) -> TreeRun:
        return super().record(lambda recording: work(Untold(recording)), sync_seconds=sync_seconds)


def save_and_sync(directory: Path, content: bytes) -> None:
    new = directory / "new"
    new.write_bytes(content)
    os.sync()
    new.rename(directory / "state.json")
    os.sync()


SYNCING = SavedFile("sync", Promise.ALWAYS, "in other words", save_and_sync)


def convicted(disk: Disk) -> int:
    campaign = Campaign(SYNCING, disk, [Plan(4, sync_seconds=0.002)], Limits(states=60))
    return sum(count for (_, verdict), count in campaign.run().verdicts.items() if verdict is not Verdict.KEPT)


def test_a_program_that_relies_on_sync_is_acquitted_and_only_because_it_is_seen(recorder: Recorder) -> None:
    assert convicted(MemoryDisk(recorder)) == 0
    assert convicted(UntoldDisk(recorder)) > 0


def test_a_sync_has_a_width_and_comes_after_what_was_written_also_by_way_of_a_map(
    recorder: Recorder, recording: MemoryRecording
) -> None:
    def work() -> None:
        with (recording.directory / "f").open("w+b") as file:
            file.truncate(4096)
            with mmap.mmap(file.fileno(), 4096) as mapped:
                mapped[:5] = b"mapped"[:5]
                os.sync()
                recording.note("after", 0)

    recorded_call(recording, work, 20.0)
    trace = recorder.trace()
    (sync,) = [operation for operation in trace.operations if operation.kind is Kind.SYNC_ALL]
    (write,) = [operation for operation in trace.operations if operation.kind is Kind.WRITE]
    (note,) = trace.notes
    assert write.data[:5] == b"mappe"
    assert write.end < sync.start < sync.end < note.seq
    assert sync.ended - sync.started >= 0.002
    assert sync.task.startswith(("python", "pytest")), sync.task


def test_syncfs_counts_if_it_is_about_this_disk(recorder: Recorder, recording: MemoryRecording, tmp_path: Path) -> None:
    libc = ctypes.CDLL(None)

    def work() -> None:
        for place in (tmp_path, recording.directory):
            descriptor = os.open(place, os.O_RDONLY)
            assert libc.syncfs(descriptor) == 0

    recorded_call(recording, work, 20.0)
    assert [operation.kind for operation in recorder.trace().operations] == [Kind.SYNC_ALL]


def test_what_it_starts_is_watched_too_and_gone_afterwards(recorder: Recorder, recording: MemoryRecording) -> None:
    words = "import os, sys, time; os.sync(); print('.', flush=True); time.sleep(60)"

    def leave() -> None:
        started = subprocess.Popen([sys.executable, "-c", words], stdout=subprocess.PIPE, start_new_session=True)
        assert started.stdout is not None
        started.stdout.readline()
        recording.note("pid", started.pid)

    recorded_call(recording, leave, 20.0)
    trace = recorder.trace()
    assert [operation.kind for operation in trace.operations] == [Kind.SYNC_ALL]
    assert not Path("/proc", str(trace.notes[0].payload)).exists()


def test_it_fails_and_hangs_as_a_plain_call_does(recording: MemoryRecording) -> None:
    with pytest.raises(CallFailed, match="ZeroDivisionError"):
        recorded_call(recording, lambda: 1 // 0, 5.0)
    with pytest.raises(CallFailed, match="without a word"):
        recorded_call(recording, lambda: os._exit(3), 5.0)
    began = time.monotonic()
    with pytest.raises(CallHung, match=r"0\.2 s"):
        recorded_call(recording, lambda: time.sleep(60), 0.2)
    assert time.monotonic() - began < 5
