"""The promise: programs run in the recorded directory as they are, and nothing that they do to it is missed.

Method: databases, a version control system and a server work in it; afterwards they are asked whether all is well, and
the record, read by another hand, has to give exactly what is there.
"""

from __future__ import annotations

import fcntl
import gc
import mmap
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.trace import Kind
from durakv_fuzz.tree import EMPTY

from .replay import needs_recorder, replay

pytestmark = needs_recorder

MIB = 1 << 20


@pytest.fixture(scope="module")
def shared() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def recorder(shared: Recorder) -> Recorder:
    shared.load(EMPTY)
    return shared


def nothing_missed(recorder: Recorder) -> None:
    trace, tree = recorder.trace(), recorder.tree()
    assert replay(trace).digest() == tree.digest()


@pytest.mark.parametrize("mode", ["delete", "truncate", "persist", "memory", "wal"])
def test_sqlite_in_each_journal_mode(recorder: Recorder, mode: str) -> None:
    database = sqlite3.connect(recorder.directory / "database", isolation_level=None)
    database.execute(f"pragma journal_mode={mode}")
    database.execute("pragma synchronous=full")
    database.execute("create table numbers (number integer, text text)")
    syncs = recorder.counts().operations
    for number in range(30):
        database.execute("insert into numbers values (?, ?)", (number, "x" * 5000))
    database.execute("delete from numbers where number < 10")
    database.execute("vacuum")
    assert recorder.counts().operations > syncs + 31
    assert database.execute("pragma integrity_check").fetchall() == [("ok",)]
    other = sqlite3.connect(recorder.directory / "database")
    assert other.execute("select count(*) from numbers").fetchall() == [(20,)]
    nothing_missed(recorder)
    other.close()
    database.close()
    nothing_missed(recorder)
    committed = sum(operation.kind is Kind.SYNC for operation in recorder.trace().operations)
    assert committed >= 31, "a commit without a sync"


def test_lmdb_in_a_mapped_gibibyte_takes_no_gibibyte(recorder: Recorder) -> None:
    lmdb = pytest.importorskip("lmdb")
    with lmdb.open(str(recorder.directory / "data"), map_size=1 << 30, writemap=True) as environment:
        for number in range(10):
            with environment.begin(write=True) as transaction:
                transaction.put(b"%d" % number, b"x" * 3000)
        with environment.begin() as transaction:
            assert transaction.get(b"7") == b"x" * 3000
        assert (recorder.directory / "data" / "data.mdb").stat().st_size == 1 << 30
        recorder.settle()
    operations = recorder.trace().operations
    assert sum(len(operation.data) for operation in operations) < 8 * MIB
    assert recorder.counts().stored_bytes < 8 * MIB
    written = b"".join(operation.data for operation in operations if operation.kind is Kind.WRITE)
    assert b"x" * 3000 in written, "what was written by way of the map is not in the record"


def test_git(recorder: Recorder) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("there is no git")
    environment = {
        **os.environ, "HOME": "/", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
    }  # fmt: skip
    place = recorder.directory / "work"

    def run(*arguments: str) -> None:
        subprocess.run([git, *arguments], cwd=place, env=environment, check=True, capture_output=True)

    place.mkdir()
    run("init", "-q")
    for number in range(3):
        (place / f"file{number}").write_text("text\n" * number)
        run("add", "-A")
        run("commit", "-qm", f"commit {number}")
    run("gc", "-q")
    run("fsck", "--strict")
    nothing_missed(recorder)


def test_redis_appends_and_starts_again_on_what_it_left(recorder: Recorder) -> None:
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("there is no redis-server")

    def start() -> tuple[subprocess.Popen[bytes], socket.socket]:
        # Its socket is in the recorded directory too: such things can be made there, and are no part of the tree.
        at = recorder.directory / "redis.sock"
        server = subprocess.Popen(
            [binary, "--port", "0", "--unixsocket", str(at), "--dir", str(recorder.directory), "--appendonly", "yes",
             "--appendfsync", "always", "--save", ""],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        client = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + 10
        while True:
            try:
                client.connect(str(at))
                return server, client
            except OSError:
                assert time.monotonic() < deadline, "redis-server does not answer"
                time.sleep(0.01)

    def ask(client: socket.socket, command: bytes) -> bytes:
        client.sendall(command + b"\r\n")
        return client.recv(1000)

    server, client = start()
    try:
        for number in range(50):
            assert ask(client, b"SET key:%d %d" % (number, number)) == b"+OK\r\n"
    finally:
        server.kill()
        server.wait()
        client.close()
    assert {operation.task.split("/")[0] for operation in recorder.trace().operations} >= {"redis-server"}
    nothing_missed(recorder)
    left = recorder.tree()
    assert not any("redis.sock" in path for path in left.paths())
    recorder.load(left)
    server, client = start()
    try:
        assert ask(client, b"DBSIZE") == b":50\r\n"
    finally:
        server.kill()
        server.wait()
        client.close()


def test_synchronous_writes_are_recorded_with_their_syncs(recorder: Recorder) -> None:
    for flag in (os.O_SYNC, os.O_DSYNC):
        recorder.load(EMPTY)
        fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_WRONLY | flag)
        os.write(fd, b"one")
        os.write(fd, b"two")
        os.close(fd)
        kinds = [operation.kind for operation in recorder.trace().operations]
        assert kinds == [Kind.CREATE, Kind.WRITE, Kind.SYNC, Kind.WRITE, Kind.SYNC]


def test_direct_writes(recorder: Recorder) -> None:
    fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(-1, 2 * MIB) as page:
        page[:] = b"p" * len(page)
        assert os.write(fd, page) == 2 * MIB
        assert os.preadv(fd, [page], MIB) == MIB
    os.close(fd)
    assert (recorder.directory / "file").read_bytes() == b"p" * 2 * MIB
    nothing_missed(recorder)


def test_pages_mapped_by_a_program_that_was_killed_are_there(recorder: Recorder) -> None:
    path = recorder.directory / "file"
    path.write_bytes(bytes(8192))
    child = os.fork()
    if child == 0:
        with open(path, "r+b") as file:
            mapped = mmap.mmap(file.fileno(), 8192)
            mapped[5000:5005] = b"hello"
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert recorder.tree().nodes[1].data[5000:5005] == b"hello"
    nothing_missed(recorder)


def test_a_file_that_is_removed_or_renamed_while_open_stays_what_it_is(recorder: Recorder) -> None:
    path = recorder.directory / "file"
    with path.open("w+b", buffering=0) as file:
        file.write(b"one")
        path.rename(recorder.directory / "other")
        file.write(b"two")
        (recorder.directory / "other").unlink()
        file.write(b"three")
        assert os.fstat(file.fileno()).st_nlink == 0
        assert os.listdir(recorder.directory) == []
        file.seek(0)
        assert file.read() == b"onetwothree"
    writes = [operation for operation in recorder.trace().operations if operation.kind is Kind.WRITE]
    assert [(operation.file, operation.data) for operation in writes] == [(1, b"one"), (1, b"two"), (1, b"three")]


def test_locks_hold_between_processes(recorder: Recorder) -> None:
    path = recorder.directory / "lock"
    for lock in (fcntl.flock, fcntl.lockf):
        with path.open("w") as file:
            lock(file, fcntl.LOCK_EX)
            name = lock.__name__
            script = f"import fcntl; fcntl.{name}(open({str(path)!r}, 'w'), fcntl.LOCK_EX | fcntl.LOCK_NB)"
            assert b"BlockingIOError" in subprocess.run([sys.executable, "-c", script], capture_output=True).stderr
        gc.collect()
        subprocess.run([sys.executable, "-c", script], check=True)


def test_what_no_tree_holds_can_be_made_and_is_not_recorded(recorder: Recorder) -> None:
    place = recorder.directory
    os.mkfifo(place / "pipe")
    (place / "file").write_bytes(b"x")
    os.rename(place / "pipe", place / "file")
    os.mkfifo(place / "pipe")
    (place / "new").write_bytes(b"y")
    os.rename(place / "new", place / "pipe")
    os.unlink(place / "file")
    assert list(recorder.tree().paths()) == ["pipe"]
    nothing_missed(recorder)


def test_files_without_a_name_are_refused_as_by_file_systems_that_have_none(recorder: Recorder) -> None:
    with pytest.raises(OSError, match="not supported"):
        os.open(recorder.directory, os.O_TMPFILE | os.O_RDWR)
    assert recorder.trace().operations == []


def test_copies_made_by_the_kernel_are_recorded_as_writes(recorder: Recorder) -> None:
    data = os.urandom(300_000)
    (recorder.directory / "from").write_bytes(data)
    with (recorder.directory / "from").open("rb") as source, (recorder.directory / "to").open("wb") as target:
        copied = 0
        while count := os.copy_file_range(source.fileno(), target.fileno(), MIB):
            copied += count
        assert copied == len(data)
        assert os.sendfile(target.fileno(), source.fileno(), 0, 1000) == 1000
    assert (recorder.directory / "to").read_bytes() == data + data[:1000]
    nothing_missed(recorder)


def test_many_names_in_one_directory_are_listed_once_each(recorder: Recorder) -> None:
    names = {f"name {number:04} {'x' * 50}" for number in range(3000)}
    for name in names:
        os.close(os.open(recorder.directory / name, os.O_CREAT))
    listed = os.listdir(recorder.directory)
    assert sorted(listed) == sorted(names)
    with os.scandir(recorder.directory) as entries:
        for number, entry in enumerate(entries):  # removed while they are listed
            os.unlink(entry.path)
            assert number < len(names)
    assert os.listdir(recorder.directory) == []


def test_a_tree_of_directories_is_copied_and_removed(recorder: Recorder) -> None:
    source = Path(__file__).parent.parent / "fuzz_disk"
    shutil.copytree(source, recorder.directory / "copy", ignore=shutil.ignore_patterns("__pycache__"))
    for path in source.glob("*.py"):
        assert (recorder.directory / "copy" / path.name).read_bytes() == path.read_bytes()
    nothing_missed(recorder)
    shutil.rmtree(recorder.directory / "copy")
    nothing_missed(recorder)
    assert recorder.tree().entries == {}
