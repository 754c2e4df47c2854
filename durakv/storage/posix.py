"""The real disk: the protocols of ``filesystem`` over POSIX calls, relative to a directory descriptor.

The root is opened once and every name is resolved under that descriptor, never through the path again.  So a process
whose directory was moved away or deleted cannot begin to write into another one that took its place; it is told at
the next ``list`` or ``sync_directory``, before anything is published.

Modes are 0600 for files and 0700 for the root: what is stored belongs to the program's users, and a umask that was
forgotten must not publish it.  Missing parents of the root are not ours and get the usual 0777 minus the umask.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import weakref

from durakv.storage.names import check_name
from durakv.storage.posix_file import PosixFile, sync_descriptor
from durakv.storage.posix_lock import PosixLock, lock_descriptor

_FILE_MODE = 0o600
_ROOT_MODE = 0o700
# O_NOFOLLOW: a symbolic link planted under one of our names must not lead us out of the directory.
# O_NONBLOCK: opening a FIFO must not wait for its other end; it means nothing for regular files.
_SAFE = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


class PosixFilesystem:
    """One directory of the machine's file system.

    It may be shared by threads.  A forked child gets a closed copy if it was in use: the directory is the parent's,
    and what is thrown away in the child must not remove files (C10).  ``dsync=False`` makes ``write_through`` two
    calls even where one would do.
    """

    def __init__(self, path: str | os.PathLike[str], *, dsync: bool = True) -> None:
        self._descriptor: int | None = None
        self._opening = threading.Lock()
        self._dsync = dsync
        # Joined, not normalised: "a/../b" is not "b" when a is a symbolic link.
        self._path = os.path.join(os.getcwd(), os.fspath(path)).rstrip("/") or "/"
        _IN_USE.add(self)

    def __del__(self) -> None:
        self.close()

    @property
    def path(self) -> str:
        """The absolute path of the directory, for child processes and messages."""
        return self._path

    def close(self) -> None:
        """Release the root descriptor; every later call fails with ``EBADF``.  Open files and locks live on."""
        with self._opening:
            if self._descriptor is not None and self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor = -1

    def disown(self) -> None:
        """Called in a forked child: close the copy of the root descriptor if there is one."""
        self._opening = threading.Lock()  # some other thread of the parent may have held it
        if self._descriptor is not None:
            self.close()

    def describe(self) -> str:
        """See :class:`Filesystem`."""
        return self._path

    def make_root(self) -> None:
        """See :class:`Filesystem`.

        Each entry is synced before anything is created below it.  So a maker that is killed on the way leaves at most
        one entry unsynced, the deepest, and the next maker syncs that one although it finds it there.
        """
        missing: list[str] = []
        existing = self._path
        while not os.path.isdir(existing) and existing != os.path.dirname(existing):
            missing.append(existing)
            existing = os.path.dirname(existing)
        with contextlib.suppress(PermissionError):
            # A directory we may not even read is none that we put an entry into.
            _sync_path(os.path.dirname(existing))
        for directory in reversed(missing):
            with contextlib.suppress(FileExistsError):
                os.mkdir(directory, _ROOT_MODE if directory == self._path else 0o777)
            _sync_path(os.path.dirname(directory))
        self._check_in_place()

    def exists_root(self) -> bool:
        """See :class:`Filesystem`."""
        try:
            self._check_in_place()
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True

    def list(self) -> list[str]:
        """See :class:`Filesystem`; ``FileNotFoundError`` when the path no longer leads to this directory."""
        # Through a descriptor of its own: two threads must not share one directory position.
        descriptor = os.open(".", _DIRECTORY, dir_fd=self._root())
        try:
            names = sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)
        # A deleted directory reads as an empty one, and an empty one is where somebody starts anew.
        self._check_in_place()
        return names

    def create(self, name: str, /) -> PosixFile:
        """See :class:`Filesystem`."""
        return PosixFile(self._open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL), name, dsync=self._dsync)

    def open(self, name: str, /, *, writable: bool = False) -> PosixFile:
        """See :class:`Filesystem`; ``OSError`` for anything but a regular file."""
        return PosixFile(self._open(name, os.O_RDWR if writable else os.O_RDONLY), name, dsync=self._dsync)

    def rename(self, old: str, new: str, /) -> None:
        """See :class:`Filesystem`."""
        root = self._root()
        os.rename(check_name(old), check_name(new), src_dir_fd=root, dst_dir_fd=root)

    def remove(self, name: str, /) -> None:
        """See :class:`Filesystem`."""
        os.unlink(check_name(name), dir_fd=self._root())

    def sync_directory(self) -> None:
        """See :class:`Filesystem`; ``FileNotFoundError`` when the path no longer leads to this directory."""
        sync_descriptor(self._root())
        self._check_in_place()

    def free_bytes(self) -> int:
        """See :class:`Filesystem`; what an unprivileged process may use."""
        status = os.fstatvfs(self._root())
        return status.f_bavail * status.f_frsize

    def lock(self, name: str, /) -> PosixLock:
        """See :class:`Filesystem`."""
        while True:
            descriptor = self._open(name, os.O_RDWR | os.O_CREAT)
            try:
                lock_descriptor(descriptor)
                if _same(os.fstat(descriptor), os.stat(name, dir_fd=self._root(), follow_symlinks=False)):
                    return PosixLock(descriptor)
            except FileNotFoundError:
                # Removed between our open and our lock: what we hold excludes nobody.  The same if it was replaced.
                os.close(descriptor)
                continue
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)

    def _root(self) -> int:
        descriptor = self._descriptor
        if descriptor is None:
            with self._opening:
                if self._descriptor is None:
                    self._descriptor = os.open(self._path, _DIRECTORY)
                descriptor = self._descriptor
        return descriptor

    def _open(self, name: str, flags: int) -> int:
        descriptor = os.open(check_name(name), flags | _SAFE, _FILE_MODE, dir_fd=self._root())
        try:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
                raise OSError(number, "it is not a regular file; move it out of the data directory", name)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _check_in_place(self) -> None:
        if not _same(os.fstat(self._root()), os.stat(self._path)):
            raise FileNotFoundError(
                errno.ENOENT, "the directory was moved or replaced while it was in use; open it again", self._path
            )


def _same(one: os.stat_result, other: os.stat_result) -> bool:
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _sync_path(path: str) -> None:
    descriptor = os.open(path, _DIRECTORY)
    try:
        sync_descriptor(descriptor)
    finally:
        os.close(descriptor)


def _disown_all() -> None:
    for filesystem in list(_IN_USE):
        filesystem.disown()


_IN_USE: weakref.WeakSet[PosixFilesystem] = weakref.WeakSet()
os.register_at_fork(after_in_child=_disown_all)
