"""The promise: a program sees no difference between the recorded directory and one on a real disk.

Method: the same random calls on both, answer by answer, with files held open over renames and removals; at the end the
two directories, what the recorder says is there, and its record read by another hand are one tree.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from durakv_fuzz.recorder.recorder import Recorder
from durakv_fuzz.tree import Tree

from .replay import needs_recorder, replay

NAMES = ["a", "b", "c", "d", "ä", os.fsdecode(b"\xff\xfe")]
STEPS = 1500

_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100


def _checked(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), "")


def renameat2(old: Path, new: Path, flags: int) -> None:
    _checked(_libc.renameat2(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), flags))


def fallocate(fd: int, mode: int, offset: int, length: int) -> None:
    _checked(_libc.fallocate(fd, mode, ctypes.c_long(offset), ctypes.c_long(length)))


class Actor:
    """One of the two: a directory, and files open in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.open: list[int] = []

    def path(self, generator: random.Random) -> Path:
        path = self.root
        for _ in range(generator.choice((1, 1, 1, 2, 2, 3))):
            path /= generator.choice(NAMES)
        return path

    def step(self, seed: int) -> object:
        """A call and its answer, the same for the same seed."""
        generator = random.Random(seed)
        call: Callable[[random.Random], object] = getattr(self, generator.choice(CALLS))
        try:
            return call.__name__, call(generator)
        except OSError as failure:
            return call.__name__, failure.errno

    def do_open(self, generator: random.Random) -> object:
        flags = generator.choice((os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_RDWR | os.O_CREAT | os.O_TRUNC))
        flags |= generator.choice((0, 0, os.O_EXCL if flags & os.O_CREAT else 0, os.O_APPEND))
        self.open.append(os.open(self.path(generator), flags, generator.choice((0o644, 0o600, 0o755))))
        if len(self.open) > 8:
            os.close(self.open.pop(generator.randrange(8)))
        return None

    def on_open(self, generator: random.Random) -> object:
        if not self.open:
            return None
        fd = generator.choice(self.open)
        offset = generator.choice((0, 1, 4095, 4096, 70_000, generator.randrange(200_000)))
        size = generator.choice((1, 100, 5000, 66_000))
        what = generator.randrange(8)
        if what == 0:
            return os.pwrite(fd, generator.randbytes(size), offset)
        if what == 1:
            return os.write(fd, generator.randbytes(size))
        if what == 2:
            return os.pread(fd, size, offset)
        if what == 3:
            os.ftruncate(fd, offset)
        if what == 4:
            generator.choice((os.fsync, os.fdatasync))(fd)
        if what == 5:
            fallocate(fd, generator.choice((0, 1, 3, 16, 17)), offset, size)
        if what == 6:
            length = os.fstat(fd).st_size
            if not length:
                return None
            with mmap.mmap(fd, length) as mapped:
                begin = generator.randrange(length)
                mapped[begin : begin + 10] = generator.randbytes(len(mapped[begin : begin + 10]))
                return mapped[:]
        status = os.fstat(fd)
        return status.st_size, status.st_nlink, status.st_mode

    def do_mkdir(self, generator: random.Random) -> None:
        os.mkdir(self.path(generator), generator.choice((0o755, 0o700)))

    def do_remove(self, generator: random.Random) -> object:
        return generator.choice((os.unlink, os.unlink, os.rmdir))(self.path(generator))

    def do_rename(self, generator: random.Random) -> None:
        renameat2(self.path(generator), self.path(generator), generator.choice((0, 0, 0, 1, 2)))

    def do_link(self, generator: random.Random) -> None:
        os.link(self.path(generator), self.path(generator), follow_symlinks=False)

    def do_symlink(self, generator: random.Random) -> None:
        os.symlink(generator.choice(NAMES), self.path(generator))

    def do_readlink(self, generator: random.Random) -> object:
        return os.readlink(self.path(generator))

    def do_list(self, generator: random.Random) -> object:
        path = self.path(generator)
        with os.scandir(generator.choice((path, self.root))) as entries:
            return sorted((entry.name, entry.is_dir(follow_symlinks=False), entry.is_symlink()) for entry in entries)

    def do_stat(self, generator: random.Random) -> object:
        status = os.stat(self.path(generator), follow_symlinks=generator.random() < 0.3)
        size = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
        return status.st_mode, size, status.st_uid, status.st_gid, status.st_nlink

    def do_change(self, generator: random.Random) -> object:
        path = self.path(generator)
        what = generator.randrange(5)
        if what == 0:
            os.chmod(path, generator.choice((0o644, 0o600, 0o4755, 0o777)))
        if what == 1 and os.geteuid() == 0:
            os.chown(path, generator.randrange(3), generator.randrange(3), follow_symlinks=False)
        if what == 2:
            os.utime(path, ns=(123, 456_000_000_789))
            return path.stat().st_mtime_ns
        if what == 3:
            os.truncate(path, generator.randrange(10_000))
        return path.read_bytes()


CALLS = [name for name in vars(Actor) if name.startswith("do_")] + ["on_open"] * 6 + ["do_open"] * 3


@needs_recorder
@pytest.mark.parametrize("seed", range(4))
def test_no_call_is_answered_otherwise_than_on_a_real_disk(seed: int, tmp_path: Path) -> None:
    with Recorder() as recorder:
        actors = [Actor(tmp_path), Actor(recorder.directory)]
        generator = random.Random(seed)
        try:
            for number in range(STEPS):
                step = generator.getrandbits(32)
                real, served = (actor.step(step) for actor in actors)
                assert served == real, f"step {number}"
        finally:
            for actor in actors:
                for fd in actor.open:
                    os.close(fd)
        tree, trace = recorder.tree(), recorder.trace()
        assert tree.digest() == Tree.load(recorder.directory).digest()
        assert tree.digest() == Tree.load(tmp_path).digest(), "the two directories are not alike"
        assert replay(trace).digest() == tree.digest(), "the record tells another story"
        numbers = [operation.start for operation in trace.operations]
        assert numbers == sorted(numbers)
        assert all(operation.start < operation.end < trace.seq for operation in trace.operations)
