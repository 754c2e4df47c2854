"""The promise: the real disk does what the door says also when the machine is hostile.

Method: real directories with odd things planted in them, real limits (descriptors, sizes, space, permissions) in
child processes, and real deaths of lock owners.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from durakv.storage.posix import PosixFilesystem
from durakv.storage.posix_file import write_all
from durakv.storage.posix_lock import PATIENCE_SECONDS


@pytest.fixture
def filesystem(tmp_path: Path) -> PosixFilesystem:
    filesystem = PosixFilesystem(tmp_path / "root")
    filesystem.make_root()
    return filesystem


def run_child(program: str, *arguments: object) -> str:
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_missing_parents_are_made(tmp_path: Path) -> None:
    filesystem = PosixFilesystem(tmp_path / "a" / "b" / "c")
    assert not filesystem.exists_root()
    filesystem.make_root()
    assert filesystem.exists_root()
    assert filesystem.path == str(tmp_path / "a" / "b" / "c")
    filesystem.make_root()


def test_each_parent_that_gains_an_entry_is_synced_before_anything_is_made_below(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("strace is not installed")
    program = "import sys; from durakv.storage.posix import PosixFilesystem; PosixFilesystem(sys.argv[1]).make_root()"
    command = [strace, "-y", "-e", "trace=mkdir,mkdirat,fsync", sys.executable, "-c", program, f"{tmp_path}/a/b"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if "ptrace" in result.stderr:
        pytest.skip("tracing is not allowed here")
    calls = [line.split(" = ")[0] for line in result.stderr.splitlines() if str(tmp_path) in line and "= 0" in line]
    made = [call for call in calls if call.startswith("mkdir")]
    synced = [call.split("<")[1].rstrip(">)") for call in calls if call.startswith("fsync")]
    assert len(made) == 2
    assert synced[-2:] == [str(tmp_path), f"{tmp_path}/a"]
    assert calls.index(made[1]) > max(index for index, call in enumerate(calls) if call.endswith(f"<{tmp_path}>)"))


def test_a_file_in_the_place_of_the_root_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    filesystem = PosixFilesystem(tmp_path / "file")
    assert not filesystem.exists_root()
    with pytest.raises(NotADirectoryError):
        filesystem.make_root()
    with pytest.raises(NotADirectoryError):
        PosixFilesystem(tmp_path / "file" / "below").make_root()


def test_what_is_stored_is_for_its_owner_only(tmp_path: Path, filesystem: PosixFilesystem) -> None:
    filesystem.create("a").close()
    assert (tmp_path / "root").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "root" / "a").stat().st_mode & 0o777 == 0o600


@pytest.mark.timeout(20)
@pytest.mark.parametrize("writable", [False, True])
def test_only_regular_files_are_opened_and_nothing_hangs_or_is_followed(
    tmp_path: Path, filesystem: PosixFilesystem, writable: bool
) -> None:
    root = tmp_path / "root"
    (tmp_path / "outside").write_bytes(b"not ours")
    (root / "link").symlink_to(tmp_path / "outside")
    (root / "dangling").symlink_to(tmp_path / "nothing")
    (root / "directory").mkdir()
    os.mkfifo(root / "pipe")
    for name in ("link", "dangling", "directory", "pipe"):
        with pytest.raises(OSError, match=name) as caught:
            filesystem.open(name, writable=writable)
        assert not isinstance(caught.value, FileNotFoundError)
        with pytest.raises(FileExistsError):
            filesystem.create(name)
        with pytest.raises(OSError, match=name):
            filesystem.lock(name)
    assert not (tmp_path / "nothing").exists()
    assert (tmp_path / "outside").read_bytes() == b"not ours"


def test_a_vanished_directory_is_noticed(tmp_path: Path, filesystem: PosixFilesystem) -> None:
    filesystem.create("a").close()
    shutil.rmtree(tmp_path / "root")
    assert not filesystem.exists_root()
    for call in (lambda: filesystem.create("b"), filesystem.list, filesystem.sync_directory, filesystem.make_root):
        with pytest.raises(FileNotFoundError):
            call()


def test_a_directory_that_took_the_place_of_ours_is_never_written(tmp_path: Path, filesystem: PosixFilesystem) -> None:
    (tmp_path / "root").rename(tmp_path / "moved")
    (tmp_path / "root").mkdir()
    filesystem.create("a").close()
    assert os.listdir(tmp_path / "moved") == ["a"]
    assert os.listdir(tmp_path / "root") == []
    assert not filesystem.exists_root()
    with pytest.raises(FileNotFoundError, match="open it again"):
        filesystem.sync_directory()


def test_a_closed_filesystem_does_nothing_more(filesystem: PosixFilesystem) -> None:
    file = filesystem.create("a")
    filesystem.close()
    filesystem.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        filesystem.create("b")
    file.write_at(b"open files live on", 0)


def test_a_write_goes_on_until_all_is_taken() -> None:
    taken = bytearray(10)

    def stingy(data: memoryview, offset: int) -> int:
        taken[offset : offset + 3] = data[:3]
        return min(3, len(data))

    write_all(stingy, memoryview(b"01234567"), 2)
    assert taken == b"\0\x0001234567"
    with pytest.raises(OSError, match="wrote nothing"):
        write_all(lambda data, offset: 0, memoryview(b"x"), 0)


@pytest.mark.parametrize("call", ["write_at", "write_through"])
def test_a_write_that_comes_up_short_goes_on_and_meets_the_error(tmp_path: Path, call: str) -> None:
    program = """
        import resource, sys
        from durakv.storage.posix import PosixFilesystem
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
        filesystem = PosixFilesystem(sys.argv[1])
        filesystem.make_root()
        file = filesystem.create("a")
        try:
            getattr(file, sys.argv[2])(b"x" * 20_000, 0)
        except OSError as failure:
            print(failure.errno, file.size())
    """
    assert run_child(program, tmp_path / "root", call) == f"{errno.EFBIG} 10000\n"


def test_running_out_of_descriptors_is_an_error_that_leaks_none(tmp_path: Path) -> None:
    program = """
        import errno, os, resource, sys
        from durakv.storage.posix import PosixFilesystem
        filesystem = PosixFilesystem(sys.argv[1])
        filesystem.make_root()
        before = len(os.listdir("/proc/self/fd"))
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + 5, before + 5))
        for attempt in range(3):
            files = []
            try:
                while True:
                    files.append(filesystem.create(f"{attempt}.{len(files)}"))
            except OSError as failure:
                assert failure.errno == errno.EMFILE
            for call in (filesystem.list, lambda: filesystem.lock("lock"), lambda: filesystem.open("0.0")):
                try:
                    call()
                except OSError as failure:
                    assert failure.errno == errno.EMFILE
            for file in files:
                file.close()
            assert len(os.listdir("/proc/self/fd")) == before
            assert len(files) >= 4
        filesystem.lock("lock").release()
    """
    run_child(program, tmp_path / "root")


def test_a_directory_without_permission_is_refused(tmp_path: Path, filesystem: PosixFilesystem) -> None:
    filesystem.create("a").close()
    program = """
        import os, sys
        from durakv.storage.posix import PosixFilesystem
        os.chmod(sys.argv[1], 0o555)
        os.chmod(os.path.join(sys.argv[1], "a"), 0o444)
        root = os.open(sys.argv[1], os.O_RDONLY)
        if os.getuid() == 0:
            os.setuid(65534)
        filesystem = PosixFilesystem(f"/proc/self/fd/{root}/.")
        for call in (
            lambda: filesystem.create("b"),
            lambda: filesystem.open("a", writable=True),
            lambda: filesystem.remove("a"),
            lambda: filesystem.rename("a", "b"),
            lambda: filesystem.lock("lock"),
        ):
            try:
                call()
            except PermissionError:
                continue
            sys.exit("not refused")
        print(filesystem.list(), filesystem.open("a").size())
    """
    assert run_child(program, tmp_path / "root") == "['a'] 0\n"


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small file system is not allowed here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("call", ["write_at", "write_through"])
def test_a_full_disk_is_an_error_and_heals_when_there_is_room(tiny: Path, call: str) -> None:
    filesystem = PosixFilesystem(tiny)
    assert 0 < filesystem.free_bytes() <= 65536
    file = filesystem.create("a")
    with pytest.raises(OSError, match="No space left") as caught:
        getattr(file, call)(bytes(100_000), 0)
    assert caught.value.errno == errno.ENOSPC
    assert filesystem.free_bytes() == 0
    file.truncate(0)
    getattr(file, call)(b"fits", 0)
    file.sync()
    assert file.read_at(10, 0) == b"fits"
    file.close()
    filesystem.close()


HOLD = """
    import os, sys, time
    from durakv.storage.posix import PosixFilesystem
    lock = PosixFilesystem(sys.argv[1]).lock("lock")
    child = os.fork() if sys.argv[2] == "fork" else -1
    if child <= 0:
        # The child speaks, once it is awake: before that it has not had the time to close its copy.
        print(os.getpid() if child == 0 else -1, flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["alone", "fork"])
def test_a_lock_excludes_another_process_and_a_dead_owner_never_blocks(
    tmp_path: Path, filesystem: PosixFilesystem, how: str
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(HOLD), str(tmp_path / "root"), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        child = int(owner.stdout.readline())
        try:
            with pytest.raises(BlockingIOError):
                filesystem.lock("lock")
            owner.kill()
            owner.wait()
            # The child was born with the lock's descriptor; it lives, and must not hold the lock for the dead.
            filesystem.lock("lock").release()
        finally:
            owner.kill()
            if child > 0:
                os.kill(child, signal.SIGKILL)


def test_a_lock_that_is_held_for_a_moment_only_is_waited_for(filesystem: PosixFilesystem) -> None:
    """As by the child of an owner that was killed just then: it lets go when its own program begins."""
    held = filesystem.lock("lock")
    letting_go = threading.Timer(PATIENCE_SECONDS / 3, held.release)
    letting_go.start()
    filesystem.lock("lock").release()
    letting_go.join()


def test_a_lock_file_that_was_replaced_is_locked_anew(tmp_path: Path, filesystem: PosixFilesystem) -> None:
    held = filesystem.lock("lock")
    (tmp_path / "root" / "lock").unlink()
    again = filesystem.lock("lock")
    with pytest.raises(BlockingIOError):
        filesystem.lock("lock")
    again.release()
    held.release()


def test_a_lock_that_nobody_holds_any_more_is_released(filesystem: PosixFilesystem) -> None:
    filesystem.lock("lock")
    filesystem.lock("lock").release()
