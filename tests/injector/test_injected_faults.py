"""The promise: a fault reaches the program as the kernel's own would, at exactly the call that was meant, and whatever
was not meant happens as always.

Method: small programs, forked or executed, write to a directory under one fault each; what they saw and what they left
is looked at.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from durakv_fuzz.injector import (
    ALWAYS,
    SYNCS,
    Call,
    CannotInject,
    Ended,
    Fail,
    Fault,
    Kill,
    Short,
    Slow,
    Watch,
    interrupt,
    missing,
    start,
    start_function,
)

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"system calls cannot be stopped: {missing()}")

FDATASYNC = frozenset({"fdatasync"})
WAITS_KILLABLE = tuple(map(int, platform.release().split(".")[:2])) >= (5, 19)
needs_killable = pytest.mark.skipif(not WAITS_KILLABLE, reason="it needs Linux 5.19")


def ended(body: Callable[[], object], directory: Path, *faults: Fault, stderr: int | None = None) -> Ended:
    with start_function(body, Watch(directory, faults), stderr=stderr) as run:
        return run.wait(20)


class Logger:
    """Appends lines, syncs each, and acknowledges it to a pipe, as a program that keeps its word does."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "log"
        self._read, self._write = os.pipe()

    def __call__(self) -> None:
        log = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for number in range(30):
            os.write(log, b"line %d\n" % number)
            os.fdatasync(log)
            os.write(self._write, b"a")

    def acknowledged(self) -> int:
        os.close(self._write)
        with os.fdopen(self._read, "rb") as pipe:
            return len(pipe.read())

    def lines(self) -> int:
        return self.path.read_bytes().count(b"\n")


def test_a_run_without_faults_tells_all_calls_in_order(tmp_path: Path) -> None:
    program = Logger(tmp_path)
    end = ended(program, tmp_path)
    assert (end.code, end.killed, program.acknowledged(), program.lines()) == (0, False, 30, 30)
    assert [call.name for call in end.calls] == ["openat", *["write", "fdatasync"] * 30]
    assert end.calls[1] == Call(2, "write", "log", size=7, thread=end.calls[1].thread)


def test_the_twentieth_sync_is_where_it_dies_with_twenty_lines_written_and_nineteen_acknowledged(
    tmp_path: Path,
) -> None:
    program = Logger(tmp_path)
    end = ended(program, tmp_path, Kill(at=20, calls=FDATASYNC))
    assert (end.code, end.killed, end.fired) == (-signal.SIGKILL, True, (1,))
    assert (program.lines(), program.acknowledged()) == (20, 19)
    assert [call.name for call in end.calls].count("fdatasync") == 20


@pytest.mark.parametrize(("after", "lines"), [(False, 19), pytest.param(True, 20, marks=needs_killable)])
def test_a_kill_at_a_write_comes_before_it_or_right_after_it(tmp_path: Path, after: bool, lines: int) -> None:
    program = Logger(tmp_path)
    end = ended(program, tmp_path, Kill(at=20, calls=frozenset({"write"}), after=after))
    assert (program.lines(), program.acknowledged(), len(end.calls)) == (lines, 19, 40)


@needs_killable
def test_between_a_call_and_the_kill_after_it_the_program_does_nothing(tmp_path: Path) -> None:
    """It acknowledges in shared memory, some hundred nanoseconds after the call, and without another call."""
    for at in range(1, 11):
        path = tmp_path / str(at)
        with mmap.mmap(-1, 4096) as acknowledged:

            def body(path: Path = path, acknowledged: mmap.mmap = acknowledged) -> None:
                file = os.open(path, os.O_CREAT | os.O_WRONLY)
                for number in range(20):
                    os.write(file, b"x")
                    acknowledged[number] = 1

            ended(body, tmp_path, Kill(at, frozenset({"write"}), after=True))
            assert path.stat().st_size == at
            assert acknowledged[:20] == b"\1" * (at - 1) + b"\0" * (21 - at)


@needs_killable
@pytest.mark.parametrize("name", ["rename", "unlink", "mkdir", "openat"])
def test_a_kill_after_a_call_by_name_finds_it_done(tmp_path: Path, name: str) -> None:
    """On a machine that has only the newer call, that one."""
    (tmp_path / "old").touch()
    calls = frozenset({name, {"rename": "renameat"}.get(name, f"{name}at" if name != "openat" else name)})

    def body() -> None:
        if name == "rename":
            os.rename(tmp_path / "old", tmp_path / "new")
        elif name == "unlink":
            os.unlink(tmp_path / "old")
        elif name == "mkdir":
            os.mkdir(tmp_path / "made")
        else:
            os.close(os.open(tmp_path / "opened", os.O_CREAT | os.O_WRONLY))
        (tmp_path / "later").touch()

    assert ended(body, tmp_path, Kill(at=1, calls=calls, after=True)).code == -signal.SIGKILL
    left = {"rename": {"new"}, "unlink": set[str](), "mkdir": {"old", "made"}, "openat": {"old", "opened"}}[name]
    assert set(os.listdir(tmp_path)) == left


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_an_error_is_seen_by_the_program_and_nothing_happened(tmp_path: Path, error: int) -> None:
    def body() -> None:
        try:
            (tmp_path / "file").write_bytes(b"x" * 100)
        except OSError as failure:
            sys.exit(failure.errno)

    assert ended(body, tmp_path, Fail(error, calls=frozenset({"write"}))).code == error
    assert (tmp_path / "file").read_bytes() == b""


def test_a_failed_sync_did_not_sync_and_the_next_one_may(tmp_path: Path) -> None:
    def body() -> None:
        file = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
        outcomes: list[int] = []
        for _ in range(3):
            try:
                os.fsync(file)
                outcomes.append(0)
            except OSError as failure:
                outcomes.append(failure.errno or -1)
        sys.exit(0 if outcomes == [0, errno.EIO, 0] else 1)

    end = ended(body, tmp_path, Fail(errno.EIO, at=2, calls=SYNCS))
    assert (end.code, end.fired) == (0, (1,))


def test_an_interrupted_write_is_seen_by_who_looks_and_retried_by_who_retries(tmp_path: Path) -> None:
    def looks() -> None:
        file = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
        libc = ctypes.CDLL(None, use_errno=True)
        result = libc.write(file, b"hello", 5)
        sys.exit(ctypes.get_errno() if result == -1 else 0)

    def retries() -> None:  # Python does
        (tmp_path / "again").write_bytes(b"hello")

    assert ended(looks, tmp_path, interrupt()).code == errno.EINTR
    end = ended(retries, tmp_path, interrupt(times=3))
    assert (end.code, end.fired, (tmp_path / "again").read_bytes()) == (0, (3,), b"hello")


DATA = bytes(range(256)) * 40


def careful(file: int) -> None:
    left = DATA
    while left:
        left = left[os.write(file, left) :]


def careless(file: int) -> None:
    os.write(file, DATA)


@pytest.mark.parametrize(("write", "kept"), [(careful, DATA), (careless, DATA[:1000])])
@pytest.mark.parametrize("append", [0, os.O_APPEND])
def test_a_short_write_really_writes_and_only_the_careful_write_the_rest(
    tmp_path: Path, write: Callable[[int], None], kept: bytes, append: int
) -> None:
    (tmp_path / "file").write_bytes(b"HEAD" if append else b"")
    end = ended(lambda: write(os.open(tmp_path / "file", os.O_WRONLY | append)), tmp_path, Short(1000))
    assert (end.code, end.fired) == (0, (1,))
    assert (tmp_path / "file").read_bytes() == (b"HEAD" if append else b"") + kept


@pytest.mark.parametrize("how", ["pwrite", "writev", "pwritev"])
def test_every_kind_of_write_is_cut_short_in_its_own_place(tmp_path: Path, how: str) -> None:
    def body() -> None:
        file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
        os.write(file, b"....")
        written = {
            "pwrite": lambda: os.pwrite(file, b"abcdef", 2),
            "writev": lambda: os.writev(file, [b"ab", b"cd", b"ef"]),
            "pwritev": lambda: os.pwritev(file, [b"ab", b"", b"cdef"], 2),
        }[how]()
        assert written == 5
        assert os.lseek(file, 0, os.SEEK_CUR) == (9 if how == "writev" else 4), "the offset moved otherwise"

    end = ended(body, tmp_path, Short(5))
    assert (end.code, end.fired) == (0, (1,))
    assert (tmp_path / "file").read_bytes() == (b"....abcde" if how == "writev" else b"..abcde")


def test_a_slow_sync_takes_its_time_and_holds_nobody_else_up(tmp_path: Path) -> None:
    def body() -> None:
        slow, quick = (os.open(tmp_path / name, os.O_CREAT | os.O_WRONLY) for name in ("slow", "quick"))
        written = 0
        done = threading.Event()

        def sync() -> None:
            os.fsync(slow)
            done.set()

        began = time.monotonic()
        thread = threading.Thread(target=sync)
        thread.start()
        while not done.is_set():
            written += os.write(quick, b"x")
        thread.join()
        assert time.monotonic() - began >= 0.2
        assert written > 50, "writes of another thread waited for the sync"

    end = ended(body, tmp_path, Slow(0.2))
    assert (end.code, end.fired) == (0, (1,))


def test_threads_are_counted_in_one_order(tmp_path: Path) -> None:
    def body() -> None:
        def write(number: int) -> None:
            file = os.open(tmp_path / f"t{number}", os.O_CREAT | os.O_WRONLY)
            for _ in range(25):
                os.write(file, b"x")

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    end = ended(body, tmp_path)
    assert [call.index for call in end.calls] == list(range(1, 105))
    assert len({call.thread for call in end.calls}) == 4
    assert ended(body, tmp_path, Kill(at=60)).code == -signal.SIGKILL
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 104 + 60


def test_children_and_what_they_execute_are_counted_and_killed(tmp_path: Path) -> None:
    command = ["sh", "-c", "echo 1 > a; (echo 2 > b; sleep 100) & cat a > c; wait"]
    kill = Kill(at=1, path="c", calls=frozenset({"write", "copy_file_range"}))
    with start(command, Watch(tmp_path, (kill,)), cwd=tmp_path) as run:
        end = run.wait(20)
        assert end.code == -signal.SIGKILL
    assert (tmp_path / "c").read_bytes() == b""
    assert {call.path for call in end.calls} >= {"a", "c"}
    writers = {call.path: call.thread for call in end.calls}
    assert writers["c"] not in (run.pid, writers["a"]), "cat is a process of its own"


def test_what_is_done_elsewhere_does_not_count(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "inside too"
    inside.mkdir()
    outside.mkdir()

    def body() -> None:
        (outside / "file").write_bytes(b"x")
        (inside / ".." / "inside too" / "other").write_bytes(b"x")
        os.rename(outside / "file", outside / "moved")
        _, writer = os.pipe()
        os.write(writer, b"x")
        os.close(os.open(outside, os.O_RDONLY))

    with start_function(body, Watch(inside, (Fail(errno.EIO, times=ALWAYS),))) as run:
        end = run.wait(20)
    assert (end.code, end.calls, end.fired) == (0, (), (0,))
    assert end.unfired == end.faults
    assert run.stopped > 4, "they were stopped, and let go"


def test_a_file_is_known_however_it_is_called(tmp_path: Path) -> None:
    directory, link = tmp_path / "real", tmp_path / "link"
    directory.mkdir()
    link.symlink_to(directory)

    def body() -> None:
        os.chdir(link)
        descriptor = os.open(".", os.O_RDONLY)
        for name in ("relative", link / "linked", directory / "sub" / ".." / "dotted"):
            if name == directory / "sub" / ".." / "dotted":
                os.mkdir("sub")
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
        os.close(os.open("at", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
        os.rename("at", tmp_path / "out")
        os.fsync(descriptor)
        removed = os.open("relative", os.O_WRONLY)
        os.unlink("relative")
        os.write(removed, b"x")
        os.truncate("linked", 5)

    with start_function(body, Watch(link)) as run:
        end = run.wait(20)
    assert end.code == 0
    assert [(call.path, call.to, call.size) for call in end.calls] == [
        ("relative", "", 0),
        ("linked", "", 0),
        ("sub", "", 0),
        ("dotted", "", 0),
        ("at", "", 0),
        ("at", str(tmp_path / "out"), 0),
        (".", "", 0),
        ("relative", "", 0),
        ("relative", "", 0),
        ("relative", "", 1),
        ("linked", "", 5),
    ]


def test_somebody_is_told_of_sync_before_it_begins(tmp_path: Path) -> None:
    told: list[float] = []

    def on_sync(call: Call) -> None:
        assert call.name == "sync"
        time.sleep(0.1)
        told.append(time.monotonic())

    def body() -> None:
        began = time.monotonic()
        os.sync()
        assert time.monotonic() - began >= 0.1

    # The real one would wait for everybody's disks.
    watch = Watch(tmp_path, (Fail(errno.EIO, calls=frozenset({"sync"})),), on_sync=on_sync)
    with start_function(body, watch) as run:
        assert run.wait(20).code == 0
    assert len(told) == 1


def test_who_has_synced_everything_itself_answers_and_no_fault_comes(tmp_path: Path) -> None:
    watch = Watch(tmp_path, (Fail(errno.EIO, calls=frozenset({"syncfs"})),), on_sync=lambda call: True)

    def body() -> None:
        descriptor = os.open(tmp_path, os.O_RDONLY)
        assert ctypes.CDLL(None).syncfs(descriptor) == 0

    with start_function(body, watch) as run:
        ended = run.wait(20)
    assert (ended.code, ended.fired, [call.name for call in ended.calls]) == (0, (0,), ["syncfs"])


@needs_killable
def test_a_call_that_signals_rain_upon_is_counted_once(tmp_path: Path) -> None:
    caught: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        caught.append(number)

    def body() -> None:
        signal.signal(signal.SIGALRM, handle)
        file = os.open(tmp_path / "file", os.O_CREAT | os.O_WRONLY)
        signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
        for _ in range(20):
            os.write(file, b"x")
        signal.setitimer(signal.ITIMER_REAL, 0)
        assert len(caught) >= 10, "it did not rain"

    end = ended(body, tmp_path, Slow(0.01, calls=frozenset({"write"})))
    assert (end.code, end.fired, len(end.calls)) == (0, (20,), 21)


def test_shared_mappings_and_their_syncs_are_seen_if_asked_for(tmp_path: Path) -> None:
    def body() -> None:
        file = os.open(tmp_path / "file", os.O_CREAT | os.O_RDWR)
        os.ftruncate(file, 8192)
        with mmap.mmap(file, 8192) as mapping:
            mapping[0] = 1
            mapping.flush()
        os.close(file)

    with start_function(body, Watch(tmp_path, calls=frozenset({"mmap", "msync", "close"}))) as run:
        end = run.wait(20)
    calls = [(call.name, call.path, call.size) for call in end.calls]
    assert [call for call in calls if call[0] != "close"] == [("mmap", "file", 8192), ("msync", "file", 8192)]
    assert ("close", "file", 0) in calls


def test_a_program_that_cannot_be_executed_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        start(["/no-such-program"], Watch(tmp_path))


def test_an_exception_in_a_callback_ends_the_run_and_is_told(tmp_path: Path) -> None:
    def on_call(call: Call) -> None:
        raise KeyError(call.path)

    with start_function(lambda: (tmp_path / "file").touch(), Watch(tmp_path, on_call=on_call)) as run:
        with pytest.raises(CannotInject, match="file"):
            run.wait(20)


def test_output_and_environment_are_those_that_were_given(tmp_path: Path) -> None:
    (tmp_path / "in").write_text("from a descriptor\n")
    reader, writer = os.pipe()
    given = os.open(tmp_path / "in", os.O_RDONLY)
    command = ["sh", "-c", f"echo $WHO; pwd; cat /dev/fd/{given}"]
    environment = {"PATH": os.environ["PATH"], "WHO": "me"}
    with os.fdopen(reader, "rb") as pipe:
        with start(
            command, Watch(tmp_path), cwd=tmp_path, environment=environment, stdout=writer, pass_fds=[given]
        ) as run:
            os.close(writer)
            os.close(given)
            assert run.wait(20).code == 0
        assert pipe.read().decode().split("\n")[:3] == ["me", str(tmp_path), "from a descriptor"]


def test_inside_it_is_said_why_no_second_one_can_be_had(tmp_path: Path) -> None:
    def body() -> None:
        missing.cache_clear()
        sys.exit("somebody listens to this process already" not in missing())

    assert ended(body, tmp_path).code == 0
