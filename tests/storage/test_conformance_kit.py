"""The promise: what passes ``check_filesystem`` keeps every promise of the door to the disk that shows without a crash.

Method: the real disk passes, with and without its fast paths; then, one promise at a time, a filesystem that breaks
it on purpose is refused, and by the check that is about that promise.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from durakv.storage.conformance import check_filesystem
from durakv.storage.filesystem import File, Filesystem, Lock, Window
from durakv.storage.posix import PosixFilesystem
from durakv_fuzz.disk import SimulatedDisk


@pytest.mark.parametrize("dsync", [True, False])
def test_the_real_disk_conforms(tmp_path: Path, dsync: bool) -> None:
    places = (tmp_path / str(number) / "root" for number in range(1000))
    check_filesystem(
        lambda: PosixFilesystem(next(places), dsync=dsync),
        again=lambda filesystem: PosixFilesystem(filesystem.describe()),
    )


class Passing:
    """A filesystem that hands everything on, to be broken in one place."""

    def __init__(self) -> None:
        self.disk = SimulatedDisk()

    def describe(self) -> str:
        return self.disk.describe()

    def make_root(self) -> None:
        self.disk.make_root()

    def exists_root(self) -> bool:
        return self.disk.exists_root()

    def list(self) -> list[str]:
        return self.disk.list()

    def create(self, name: str, /) -> File:
        return self.wrap(self.disk.create(name))

    def open(self, name: str, /, *, writable: bool = False) -> File:
        return self.wrap(self.disk.open(name, writable=writable))

    def rename(self, old: str, new: str, /) -> None:
        self.disk.rename(old, new)

    def remove(self, name: str, /) -> None:
        self.disk.remove(name)

    def sync_directory(self) -> None:
        self.disk.sync_directory()

    def free_bytes(self) -> int:
        return self.disk.free_bytes()

    def lock(self, name: str, /) -> Lock:
        return self.disk.lock(name)

    def wrap(self, file: File) -> File:
        return file


class PassingFile:
    """A file that hands everything on."""

    def __init__(self, file: File) -> None:
        self.file = file

    @property
    def name(self) -> str:
        return self.file.name

    def read_at(self, size: int, offset: int, /) -> bytes:
        return self.file.read_at(size, offset)

    def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        self.file.write_at(data, offset)

    def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
        self.file.write_through(data, offset)

    def sync(self) -> None:
        self.file.sync()

    def window(self, size: int, /) -> Window | None:
        return self.file.window(size)

    def truncate(self, size: int, /) -> None:
        self.file.truncate(size)

    def size(self) -> int:
        return self.file.size()

    def close(self) -> None:
        self.file.close()


def test_handing_on_to_a_good_filesystem_conforms() -> None:
    check_filesystem(Passing)


class CreateOpensWhatIsThere(Passing):
    def create(self, name: str, /) -> File:
        return self.disk.open(name, writable=True) if name in self.disk.list() else self.disk.create(name)


class OpenCreatesWhatIsMissing(Passing):
    def open(self, name: str, /, *, writable: bool = False) -> File:
        return self.disk.open(name, writable=True) if name in self.disk.list() else self.disk.create(name)


class ListsInOrderOfCreation(Passing):
    def list(self) -> list[str]:
        return list(reversed(self.disk.list()))


class RenameRefusesToReplace(Passing):
    def rename(self, old: str, new: str, /) -> None:
        if new in self.disk.list():
            raise FileExistsError(new)
        self.disk.rename(old, new)


class RenameCopies(Passing):
    def rename(self, old: str, new: str, /) -> None:
        source = self.disk.open(old)
        if new in self.disk.list():
            self.disk.remove(new)
        self.disk.create(new).write_at(source.read_at(source.size(), 0), 0)
        self.disk.remove(old)


class RemoveIgnoresWhatIsMissing(Passing):
    def remove(self, name: str, /) -> None:
        if name in self.disk.list():
            self.disk.remove(name)


class LockIsShared(Passing):
    def lock(self, name: str, /) -> Lock:
        try:
            return self.disk.lock(name)
        except BlockingIOError:
            return self.disk.lock(name + ".shared")


class NamesAreStripped(Passing):
    def create(self, name: str, /) -> File:
        return self.disk.create(name.strip("/"))


class RootIsMadeByItself(Passing):
    def __init__(self) -> None:
        super().__init__()
        self.disk.make_root()


class BrokenFiles(Passing):
    broken: type[PassingFile] = PassingFile

    def wrap(self, file: File) -> File:
        return self.broken(file)


class WritesStopAtAPipeful(BrokenFiles):
    class broken(PassingFile):
        def write_at(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
            self.file.write_at(memoryview(data).cast("B")[:65536], offset)


class WriteThroughAppends(BrokenFiles):
    class broken(PassingFile):
        def write_through(self, data: bytes | bytearray | memoryview, offset: int, /) -> None:
            self.file.write_through(data, self.file.size())


class Storing:
    """A window whose writes go elsewhere."""

    def __init__(self, file: File, shift: int) -> None:
        self.file = file
        self.shift = shift

    def __setitem__(self, place: slice, data: bytes, /) -> None:
        if self.shift < 4096:
            self.file.write_at(data, place.start + self.shift)


class WindowsAreShifted(BrokenFiles):
    class broken(PassingFile):
        def window(self, size: int, /) -> Window:
            return Storing(self.file, 1)


class WindowsLeadNowhere(BrokenFiles):
    class broken(PassingFile):
        def window(self, size: int, /) -> Window:
            return Storing(self.file, 4096)


class ReadsArePadded(BrokenFiles):
    class broken(PassingFile):
        def read_at(self, size: int, offset: int, /) -> bytes:
            return self.file.read_at(size, offset).ljust(size, b"\0")


class TruncateOnlyCuts(BrokenFiles):
    class broken(PassingFile):
        def truncate(self, size: int, /) -> None:
            self.file.truncate(min(size, self.file.size()))


class CloseForgetsNothing(BrokenFiles):
    class broken(PassingFile):
        def close(self) -> None:
            pass


class SizesAreRounded(BrokenFiles):
    class broken(PassingFile):
        def size(self) -> int:
            return -(-self.file.size() // 512) * 512


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (CreateOpensWhatIsThere, "create"),
        (OpenCreatesWhatIsMissing, "open"),
        (ListsInOrderOfCreation, "list"),
        (RenameRefusesToReplace, "rename"),
        (RenameCopies, "rename"),
        (RemoveIgnoresWhatIsMissing, "remove"),
        (LockIsShared, "lock"),
        (NamesAreStripped, "names"),
        (RootIsMadeByItself, "root"),
        (WritesStopAtAPipeful, "big_write"),
        (WriteThroughAppends, "write"),
        (WindowsAreShifted, "window"),
        (WindowsLeadNowhere, "window"),
        (ReadsArePadded, "create|read"),
        (TruncateOnlyCuts, "truncate"),
        (CloseForgetsNothing, "close"),
        (SizesAreRounded, "open|truncate|write"),
    ],
)
def test_a_filesystem_that_breaks_one_promise_is_refused(broken: Callable[[], Filesystem], check: str) -> None:
    with pytest.raises(AssertionError, match=rf"^({check}): "):
        check_filesystem(broken)
