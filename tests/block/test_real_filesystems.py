"""The promise: what a real file system made durable is in every crash state of its device, and what it did not may go.

Method: small programs on ext4, XFS and btrfs, each recorded once; dozens of crash states are mounted by the file system
itself and read.  What is lost, torn or kept here was lost, torn or kept by the kernel.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durakv_fuzz.block.crash_mount import CrashMount
from durakv_fuzz.block.enumerate import DeviceState, device_states
from durakv_fuzz.block.mounts import MountError
from durakv_fuzz.block.real import REAL, MakeError, RealFilesystem, made, missing
from durakv_fuzz.block.recorder import BlockRecorder
from durakv_fuzz.block.states import Device
from durakv_fuzz.block.trace import BlockTrace
from durakv_fuzz.program.recording import Recording
from durakv_fuzz.trace import SECTOR_BYTES

from .real_filesystems import NAMES, loop_files, mounts_under, needs

BUDGET = 40
Program = Callable[[Path, BlockRecorder], None]


@pytest.fixture(params=NAMES)
def filesystem(request: pytest.FixtureRequest) -> str:
    return needs(str(request.param))


def recorded(
    filesystem: str, program: Program, *, prepare: Callable[[Path], None] | None = None, sync_seconds: float = 0.0
) -> BlockTrace:
    with BlockRecorder(filesystem, sync_seconds=sync_seconds) as recorder:
        if prepare is not None:
            prepare(recorder.directory)
        recorder.settle()
        program(recorder.directory, recorder)
        return recorder.stop()


def told(trace: BlockTrace, state: DeviceState, kind: str) -> int:
    """The last number that was told of before this crash; -1 if none was."""
    payloads = [note.payload for note in trace.notes_before(state.crash_seq) if note.kind == kind]
    return max((payload for payload in payloads if isinstance(payload, int)), default=-1)


def crashed(trace: BlockTrace, *, budget: int = BUDGET) -> Iterator[tuple[DeviceState, Path]]:
    with CrashMount(trace) as crashes:
        for state in device_states(trace, budget=budget):
            with crashes.mounted(state) as directory:
                yield state, directory


def write_file(path: Path, data: bytes, *, sync: bool) -> None:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o644)
    try:
        os.write(fd, data)
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


# --- what must survive ------------------------------------------------------------------------------------------------


def _appends(directory: Path, recorder: BlockRecorder) -> None:
    """Numbers that are synced before they are acknowledged, beside numbers that are only written."""
    fd = os.open(directory / "synced", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    sync_directory(directory)
    for number in range(25):
        write_file(directory / f"careless-{number}", b"%d" % number, sync=False)
        recorder.note("careless", number)
        os.write(fd, b"%06d;" % number)
        os.fsync(fd)
        recorder.note("acked", number)
    os.close(fd)


def test_what_was_synced_is_there_and_what_was_not_may_be_gone(filesystem: str) -> None:
    trace = recorded(filesystem, _appends)
    careless_lost, stages = 0, set[str]()
    for state, directory in crashed(trace):
        acked = told(trace, state, "acked")
        expected = b"".join(b"%06d;" % number for number in range(acked + 1))
        assert read(directory / "synced").startswith(expected)
        careless = told(trace, state, "careless")
        careless_lost += any(read(directory / f"careless-{n}") != b"%d" % n for n in range(careless + 1))
        stages.add(state.stage)
    assert careless_lost, "nothing that was never synced was ever lost"
    assert {"all kept", "all lost", "sample"} <= stages


def _replaces(directory: Path, recorder: BlockRecorder, *, synced_directory: bool) -> None:
    for number in range(20):
        write_file(directory / "temp", b"%06d" % number, sync=True)
        os.rename(directory / "temp", directory / "file")
        if synced_directory:
            sync_directory(directory)
        recorder.note("acked", number)


def _replaces_with_care(directory: Path, recorder: BlockRecorder) -> None:
    _replaces(directory, recorder, synced_directory=True)


def _replaces_without(directory: Path, recorder: BlockRecorder) -> None:
    _replaces(directory, recorder, synced_directory=False)


def _replaces_lost(filesystem: str, program: Program) -> int:
    trace = recorded(filesystem, program, prepare=lambda directory: write_file(directory / "file", b"-1", sync=True))
    lost = 0
    for state, directory in crashed(trace):
        data = read(directory / "file")
        assert len(data) in (2, 6), "a file that was replaced as a whole is half there"
        lost += int(data) < told(trace, state, "acked")
    return lost


def test_a_rename_is_lost_unless_its_directory_is_synced(filesystem: str) -> None:
    assert _replaces_lost(filesystem, _replaces_without) > 0
    assert _replaces_lost(filesystem, _replaces_with_care) == 0


def _new_files(directory: Path, recorder: BlockRecorder) -> None:
    for number in range(20):
        write_file(directory / f"new-{number}", b"%d" % number, sync=True)
        recorder.note("acked", number)


def test_syncing_a_new_file_makes_its_name_durable_on_these_file_systems(filesystem: str) -> None:
    trace = recorded(filesystem, _new_files)
    for state, directory in crashed(trace):
        for number in range(told(trace, state, "acked") + 1):
            assert read(directory / f"new-{number}") == b"%d" % number


# --- what may tear ----------------------------------------------------------------------------------------------------

_WIDE = 64 << 10


def _overwrites(directory: Path, recorder: BlockRecorder) -> None:
    fd = os.open(directory / "file", os.O_WRONLY)
    for letter in b"bcdef":
        os.pwrite(fd, bytes([letter]) * _WIDE, 0)
        os.fdatasync(fd)
    os.close(fd)


def test_an_overwritten_file_tears_where_it_is_written_in_place(filesystem: str) -> None:
    trace = recorded(
        filesystem, _overwrites, prepare=lambda directory: write_file(directory / "file", b"a" * _WIDE, sync=True)
    )
    mixed, within_a_page = 0, 0
    for _, directory in crashed(trace, budget=60):
        data = read(directory / "file")
        assert len(data) == _WIDE
        changes = [at for at in range(1, _WIDE) if data[at] != data[at - 1]]
        assert all(at % SECTOR_BYTES == 0 for at in changes)
        mixed += bool(changes)
        within_a_page += any(at % 4096 for at in changes)
    # btrfs writes elsewhere and then points there: old or new.
    assert (mixed > 0, within_a_page > 0) == (filesystem != "btrfs", filesystem != "btrfs")


# --- the recording ----------------------------------------------------------------------------------------------------


def test_a_flush_takes_its_time_and_what_is_told_meanwhile_is_inside_it() -> None:
    def program(directory: Path, recorder: BlockRecorder) -> None:
        syncing = threading.Thread(target=write_file, args=(directory / "file", b"data"), kwargs={"sync": True})
        syncing.start()
        time.sleep(0.15)
        recorder.note("meanwhile", 1)
        syncing.join()

    trace = recorded(needs("ext4"), program, sync_seconds=0.3)
    (note,) = trace.notes
    assert any(flush.start < note.seq < flush.end for flush in trace.flushes)
    device = Device(trace)
    inside = next(flush for flush in trace.flushes if flush.start < note.seq < flush.end)
    assert device.pending(note.seq)
    assert len(device.pending(inside.end + 1)) < len(device.pending(note.seq))
    assert trace.time_at(inside.end + 1) - trace.time_at(inside.start + 1) >= 0.3


def test_notes_of_forked_children_are_in_the_order_in_which_they_were_told() -> None:
    def program(directory: Path, recorder: BlockRecorder) -> None:
        for number in range(5):
            child = os.fork()
            if child == 0:
                write_file(directory / "file", b"%d" % number, sync=True)
                recorder.note("child", number)
                os._exit(0)
            os.waitpid(child, 0)
            recorder.note("parent", "seen")

    trace = recorded(needs("ext4"), program)
    assert [note.payload for note in trace.notes] == [word for n in range(5) for word in (n, "seen")]


def test_what_was_settled_is_in_every_state_and_what_came_after_the_end_in_none() -> None:
    with BlockRecorder(needs("xfs")) as recorder:
        recording: Recording = recorder
        assert recording.directory == recorder.directory
        write_file(recorder.directory / "before", b"settled", sync=False)
        recorder.settle()
        write_file(recorder.directory / "between", b"written", sync=True)
        trace = recorder.stop()
    for _, directory in crashed(trace, budget=12):
        assert read(directory / "before") == b"settled"
        assert sorted(path.name for path in directory.iterdir()) in (["before"], ["before", "between"])


def test_a_recovery_is_recorded_in_turn(filesystem: str) -> None:
    first = recorded(filesystem, _appends)
    *_, state = (s for s in device_states(first, budget=60) if s.stage == "sample" and told(first, s, "acked") >= 3)
    acked = b"".join(b"%06d;" % number for number in range(told(first, state, "acked") + 1))
    with CrashMount(first) as crashes, BlockRecorder(filesystem, blocks=crashes.blocks(state)) as recorder:
        assert read(recorder.directory / "synced").startswith(acked)
        write_file(recorder.directory / "recovered", b"yes", sync=True)
        sync_directory(recorder.directory)
        recorder.note("acked", 0)
        second = recorder.stop()
    assert second.writes
    assert second.base == crashes.blocks(state)
    for again, directory in crashed(second):
        assert read(directory / "synced").startswith(acked), "a crash in the recovery lost what the first one had not"
        assert read(directory / "recovered") == b"yes" or told(second, again, "acked") < 0


def test_a_program_that_stays_in_a_crash_state_does_not_stop_the_next_one() -> None:
    trace = recorded(needs("ext4"), _new_files)
    held: list[int] = []
    with CrashMount(trace) as crashes:
        for state in device_states(trace, budget=2):
            with crashes.mounted(state) as directory:
                held.append(os.open(directory / "held", os.O_CREAT | os.O_WRONLY))
    for fd in held:
        os.close(fd)


def test_a_program_that_goes_on_does_not_keep_the_recording_from_its_end() -> None:
    with BlockRecorder(needs("ext4")) as recorder:
        child = os.fork()
        if child == 0:  # it has the recorder's sockets too
            fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_WRONLY)
            recorder.note("open", fd)
            time.sleep(60)
            os._exit(0)
        try:
            while not (recorder.directory / "file").exists():
                time.sleep(0.005)
            began = time.monotonic()
            trace = recorder.stop()
            assert time.monotonic() - began < 8
            assert not recorder.directory.exists()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    assert trace.filesystem == "ext4"


# --- what is left, and what is missing --------------------------------------------------------------------------------


def test_nothing_is_left_behind(filesystem: str) -> None:
    with BlockRecorder(filesystem) as recorder:
        private = recorder.directory.parent
        assert len(mounts_under(private)) == 2
        trace = recorder.stop()
        assert not private.exists()
    with CrashMount(trace) as crashes:
        (state,) = device_states(trace, budget=1)
        with crashes.mounted(state) as directory:
            private = directory.parent
            assert len(mounts_under(private)) == 1
        assert not mounts_under(private)
    assert not private.exists()
    assert not [file for file in loop_files() if str(os.getpid()) in file]


def test_stopping_twice_is_told() -> None:
    with BlockRecorder(needs("ext4")) as recorder:
        recorder.stop()
        with pytest.raises(RuntimeError, match="stopped already"):
            recorder.stop()


def test_a_file_system_that_is_unknown_or_cannot_be_made_is_named() -> None:
    with pytest.raises(ValueError, match="'fat' is none of the file systems ext4, xfs, btrfs"):
        missing("fat")
    with pytest.raises(MakeError, match=r"mkfs\.nothing is not installed"):
        made(RealFilesystem("nothing", 1 << 20, ("mkfs.nothing",), ""))
    kind = REAL[needs("ext4")]
    with pytest.raises(MakeError, match=r"mkfs\.ext4 .* failed: "):
        made(RealFilesystem("ext4", 4096, kind.make, ""))


def test_a_device_that_holds_no_file_system_is_not_mounted_and_leaves_nothing() -> None:
    trace = BlockTrace(needs("ext4"), 64 << 20, {})
    with CrashMount(trace) as crashes:
        (state,) = device_states(trace, budget=1)
        with pytest.raises(MountError, match="cannot mount ext4: "):
            with crashes.mounted(state):
                raise AssertionError("zeros were mounted")


def test_a_flush_that_takes_no_possible_time_is_refused() -> None:
    with pytest.raises(ValueError, match="a flush cannot take"):
        BlockRecorder("ext4", sync_seconds=-1)
