"""The promise: the record has everything in its order; syncs take their time; one tree's life never touches another's.

Method: small programs whose calls are known, threads that come in between, and a look at numbers, starts and ends.
"""

from __future__ import annotations

import errno
import mmap
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from durakv_fuzz.recorder.process import ServerEnded
from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.recorder.refusals import Refusal
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.tree import EMPTY, EMPTY_DIRECTORY, Node, NodeKind, Tree

from .replay import needs_recorder, replay

pytestmark = needs_recorder

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SAMPLE = Tree(
    {
        0: EMPTY_DIRECTORY,
        7: Node(NodeKind.DIRECTORY, mode=0o700, owner=1, group=2),
        3: Node(NodeKind.FILE, b"text", mode=0o640, attributes={"user.colour": b"red\0"}),
        9: Node(NodeKind.LINK, b"folder/file", mode=0o777),
    },
    {(0, "folder"): 7, (7, "file"): 3, (0, "again"): 3, (0, "link"): 9, (7, os.fsdecode(b"\xff")): 3},
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Recorder]:
    with Recorder() as recorder:
        yield recorder


@pytest.fixture
def recorder(shared: Recorder) -> Recorder:
    shared.load(EMPTY)
    return shared


def of_kind(recorder: Recorder, kind: Kind) -> list[Operation]:
    return [operation for operation in recorder.trace().operations if operation.kind is kind]


def test_others_are_served_while_a_sync_takes_its_time(recorder: Recorder) -> None:
    recorder.load(EMPTY, sync_seconds=0.1)
    fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_RDWR)
    syncing = threading.Thread(target=os.fsync, args=(fd,))
    began = time.monotonic()
    syncing.start()
    while not of_kind(recorder, Kind.SYNC):
        time.sleep(0.001)
    (recorder.directory / "other").write_bytes(b"in between")
    wrote = time.monotonic() - began
    syncing.join()
    took = time.monotonic() - began
    os.close(fd)
    (sync,), (write,) = of_kind(recorder, Kind.SYNC), of_kind(recorder, Kind.WRITE)
    assert sync.start < write.start < write.end < sync.end
    assert wrote < 0.1 <= sync.ended - sync.started <= took


def test_syncs_that_overlap_end_each_in_its_time(recorder: Recorder) -> None:
    recorder.load(EMPTY, sync_seconds=0.02)
    files = [os.open(recorder.directory / f"{number}", os.O_CREAT | os.O_RDWR) for number in range(8)]
    threads = [threading.Thread(target=os.fdatasync, args=(fd,)) for fd in files]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 8 * 0.02, "one waited for the other"
    syncs = of_kind(recorder, Kind.SYNC)
    assert sorted(sync.file for sync in syncs) == list(range(1, 9))
    assert all(sync.ended - sync.started >= 0.02 for sync in syncs)
    for fd in files:
        os.close(fd)


def test_a_sync_under_way_has_no_end(recorder: Recorder) -> None:
    recorder.load(EMPTY, sync_seconds=0.2)
    fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_RDWR)
    syncing = threading.Thread(target=os.fsync, args=(fd,))
    syncing.start()
    while not (syncs := of_kind(recorder, Kind.SYNC)):
        time.sleep(0.001)
    assert syncs[0].end == -1
    syncing.join()
    os.close(fd)


def test_what_is_noted_before_a_call_is_before_it_and_what_is_noted_after_an_answer_is_after_it(
    recorder: Recorder,
) -> None:
    fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_RDWR)
    for number in range(300):
        recorder.note("issued", number)
        os.write(fd, b"%d" % number)
        recorder.note("acknowledged", number)
    os.close(fd)
    trace = recorder.trace()
    told = {(note.kind, note.payload): note.seq for note in trace.notes}
    writes = [operation for operation in trace.operations if operation.kind is Kind.WRITE]
    assert len(writes) == 300
    for number, write in enumerate(writes):
        assert told["issued", number] < write.start < write.end < told["acknowledged", number]


def test_notes_come_from_threads_and_forked_children_and_none_is_lost(recorder: Recorder) -> None:
    def tell(name: str) -> None:
        for number in range(500):
            recorder.note(name, number)

    children: list[int] = []
    for who in range(2):
        children.append(os.fork())
        if not children[-1]:
            tell(f"child {who}")
            os._exit(0)
    threads = [threading.Thread(target=tell, args=(f"thread {number}",)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for child in children:
        os.waitpid(child, 0)
    notes = recorder.trace().notes
    assert [note.seq for note in notes] == sorted({note.seq for note in notes})
    for name in ("thread 0", "thread 1", "child 0", "child 1"):
        assert [note.payload for note in notes if note.kind == name] == list(range(500))


def test_a_note_too_large_is_refused(recorder: Recorder) -> None:
    with pytest.raises(ValueError, match="65536"):
        recorder.note("large", "x" * (64 * KIB))
    recorder.note("large", "x" * (63 * KIB))
    assert [len(str(note.payload)) for note in recorder.trace().notes] == [63 * KIB]


def test_settling_covers_mapped_pages_too(recorder: Recorder) -> None:
    path = recorder.directory / "file"
    path.write_bytes(bytes(4096))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 4096) as mapped:
        mapped[:5] = b"hello"
        recorder.settle()
        last, settled = recorder.trace().operations[-2:]
    assert last.data[:5] == b"hello"
    assert settled.kind is Kind.SYNC_ALL
    assert settled.end > settled.start > last.end


def test_a_loaded_tree_is_served_as_it_is_and_its_numbers_stay(recorder: Recorder) -> None:
    recorder.load(SAMPLE)
    assert recorder.tree().digest() == SAMPLE.digest() == Tree.load(recorder.directory).digest()
    assert recorder.trace().operations == [], "looking is no change"
    place = recorder.directory
    assert (place / "link").read_bytes() == (place / "again").read_bytes() == b"text"
    (place / "folder" / "new").write_bytes(b"x")
    os.rename(place / "folder" / "file", place / "moved")
    fd = os.open(place / "folder", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    os.mkdir(place / "folder" / "next")
    create, write, rename, sync, make = recorder.trace().operations
    assert (create.kind, create.name, create.file, create.directory) == (Kind.CREATE, "new", 10, 7)
    assert (write.kind, write.file, write.name, write.data) == (Kind.WRITE, 10, "new", b"x")
    assert (rename.name, rename.directory, rename.new_name, rename.new_directory) == ("file", 7, "moved", 0)
    assert rename.file == 3
    assert (sync.kind, sync.file) == (Kind.SYNC_DIRECTORY, 7)
    assert (make.kind, make.file, make.directory) == (Kind.MAKE_DIRECTORY, 11, 7)
    assert write.task == f"{Path('/proc/self/comm').read_text().strip()}/{threading.get_native_id()}"
    assert recorder.trace().base is SAMPLE
    assert replay(recorder.trace()).digest() == recorder.tree().digest()


def test_sharing_what_was_sent_before_never_mixes_trees_up(recorder: Recorder) -> None:
    parts = [os.urandom(10_000) for _ in range(4)]
    for round_ in range(12):
        chosen = {number: Node(NodeKind.FILE, parts[(number * round_) % 4]) for number in range(1, 6)}
        tree = Tree({0: EMPTY_DIRECTORY, **chosen}, {(0, f"{number}"): number for number in chosen})
        recorder.load(tree)
        (recorder.directory / "1").write_bytes(b"changed")
        for number in range(2, 6):
            assert (recorder.directory / f"{number}").read_bytes() == chosen[number].data
    assert recorder.trace().base.nodes[1].data is chosen[1].data


def test_programs_of_an_old_tree_cannot_reach_the_new_one(recorder: Recorder) -> None:
    recorder.load(SAMPLE)
    program = subprocess.Popen(
        [sys.executable, "-c", _SURVIVOR], cwd=recorder.directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    assert program.stdout.readline() == b"ready\n"
    recorder.load(SAMPLE)
    program.stdin.close()
    answers = program.stdout.read().split()
    program.stdout.close()
    assert program.wait() == 0
    assert len(answers) == 4
    assert set(answers) <= {str(number).encode() for number in (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)}
    assert recorder.tree().digest() == SAMPLE.digest()
    assert recorder.trace().operations == []


_SURVIVOR = """
import mmap, os
file = os.open("again", os.O_RDWR)
mapped = mmap.mmap(file, 4)
mapped[:] = b"MINE"
print("ready", flush=True)
input_ended = os.read(0, 1)
for call in (
    lambda: os.pwrite(file, b"MINE", 0),
    lambda: os.open("new", os.O_CREAT),
    lambda: os.rename("link", "lost"),
    lambda: os.fsync(file),
):
    try:
        call()
        print("done")
    except OSError as failure:
        print(failure.errno)
"""


def test_a_sync_under_way_when_another_tree_is_loaded_fails_and_ends(recorder: Recorder) -> None:
    recorder.load(EMPTY, sync_seconds=60)
    fd = os.open(recorder.directory / "file", os.O_CREAT | os.O_RDWR)
    errors: list[int | None] = []

    def sync() -> None:
        try:
            os.fsync(fd)
        except OSError as failure:
            errors.append(failure.errno)

    syncing = threading.Thread(target=sync)
    syncing.start()
    while not of_kind(recorder, Kind.SYNC):
        time.sleep(0.001)
    recorder.load(EMPTY)
    syncing.join(5)
    assert errors in ([errno.ECONNABORTED], [errno.ENOTCONN])
    with pytest.raises(OSError):
        os.close(fd)


def test_files_that_are_full_and_records_that_are_full_are_answered_with_enospc() -> None:
    for capacity, record in ((MIB, GIB), (GIB, MIB)):
        with Recorder(capacity_bytes=capacity, record_bytes_max=record) as recorder:
            path = recorder.directory / "file"
            path.write_bytes(bytes(MIB // 2))
            with pytest.raises(OSError, match="No space"):
                path.write_bytes(b"x" * (3 * MIB))
            path.unlink()
            if capacity == MIB:
                path.write_bytes(bytes(MIB // 2))
                with path.open("r+b") as file, pytest.raises(OSError, match="No space"):
                    os.posix_fallocate(file.fileno(), 0, 3 * MIB)
                status = os.statvfs(recorder.directory)
                assert status.f_frsize * status.f_blocks == MIB
                assert status.f_frsize * status.f_bavail <= MIB // 2
            assert replay(recorder.trace()).digest() == recorder.tree().digest()


def test_holes_take_nothing(recorder: Recorder) -> None:
    path = recorder.directory / "file"
    with path.open("w+b") as file:
        file.truncate(GIB)
        file.seek(GIB // 2)
        file.write(b"middle")
        file.flush()
        os.posix_fallocate(file.fileno(), 0, GIB)
        assert os.pread(file.fileno(), 10, GIB // 2 - 2) == b"\0\0middle\0\0"
    assert path.stat().st_size == GIB
    assert path.stat().st_blocks * 512 < MIB
    assert recorder.counts().stored_bytes < MIB
    assert sum(len(operation.data) for operation in recorder.trace().operations) == len(b"middle")
    with pytest.raises(ServerEnded, match="smaller"):
        recorder.tree(bytes_max=GIB - 1)
    path.unlink()
    assert recorder.tree().entries == {}, "after a refusal it goes on"


def test_calls_fail_by_plan_and_what_never_failed_is_told(recorder: Recorder) -> None:
    never = Refusal(Kind.RENAME, 2, errno.EIO)
    planned = [
        Refusal(Kind.SYNC, 2, errno.EIO),
        Refusal(Kind.WRITE, 3, errno.ENOSPC),
        Refusal(Kind.REMOVE, 1, 5),
        never,
    ]
    recorder.load(EMPTY, refusals=planned)
    path = recorder.directory / "file"
    fd = os.open(path, os.O_CREAT | os.O_RDWR)
    calls: list[Callable[[int], object]] = [os.fsync, os.fdatasync, os.fsync]
    calls += [lambda fd: os.write(fd, b"x")] * 4
    answers: list[int | None] = []
    for call in calls:
        try:
            call(fd)
            answers.append(0)
        except OSError as failure:
            answers.append(failure.errno)
    os.close(fd)
    assert answers == [0, errno.EIO, 0, 0, 0, errno.ENOSPC, 0]
    assert path.read_bytes() == b"xxx"
    with pytest.raises(OSError, match="Input/output"):
        path.unlink()
    path.rename(recorder.directory / "other")
    assert recorder.counts().unused_refusals == (never,)
    failed = [operation for operation in recorder.trace().operations if operation.error]
    assert [(operation.kind, operation.done, operation.after) for operation in failed] == [
        (Kind.SYNC, False, "kept"), (Kind.WRITE, False, ""), (Kind.REMOVE, False, "")
    ]  # fmt: skip
    assert replay(recorder.trace()).digest() == recorder.tree().digest()
    with pytest.raises(ValueError, match="count from 1"):
        Refusal(Kind.READ, 1, errno.EIO)


def test_another_owner_is_held_to_permission_bits_and_recorded_as_owner(recorder: Recorder) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can act for others")
    os.chmod(recorder.directory, 0o777)
    (recorder.directory / "closed").write_bytes(b"x")
    os.chmod(recorder.directory / "closed", 0o600)
    child = os.fork()
    if child == 0:
        os.setgid(99)
        os.setuid(1234)
        try:
            os.open(recorder.directory / "closed", os.O_RDONLY)
        except PermissionError:
            os.mkdir(recorder.directory / "own", 0o750)
        os._exit(0)
    os.waitpid(child, 0)
    tree = recorder.tree()
    own = tree.nodes[tree.entries[0, "own"]]
    assert (own.owner, own.group, own.mode) == (1234, 99, 0o750)
    assert replay(recorder.trace()).digest() == tree.digest()


def test_attributes_are_kept_and_recorded(recorder: Recorder) -> None:
    path = recorder.directory / "file"
    path.write_bytes(b"")
    os.setxattr(path, "user.one", b"1\0")
    os.setxattr(path, "user.two", b"x" * 5000)
    os.setxattr(path, "user.one", b"2", os.XATTR_REPLACE)
    with pytest.raises(FileExistsError):
        os.setxattr(path, "user.one", b"", os.XATTR_CREATE)
    os.removexattr(path, "user.two")
    with pytest.raises(OSError, match="No data"):
        os.getxattr(path, "user.two")
    assert os.listxattr(path) == ["user.one"]
    assert os.getxattr(path, "user.one") == b"2"
    assert recorder.tree().nodes[1].attributes == {"user.one": b"2"}
    assert replay(recorder.trace()).digest() == recorder.tree().digest()


def test_a_server_that_was_killed_is_told_of(tmp_path: Path) -> None:
    with Recorder(within=tmp_path) as recorder:
        os.kill(recorder.server_pid, 9)
        with pytest.raises((ServerEnded, OSError)):
            recorder.tree()
        with pytest.raises(ServerEnded):
            while True:
                recorder.note("anybody", 0)
    assert list(tmp_path.iterdir()) == []
