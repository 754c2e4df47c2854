"""One mounted connection to the kernel: requests come out of it, replies go into it.

The process that serves must never touch what it mounted: it would wait for itself.  Once the connection is closed,
whoever still waits gets an error from the kernel, mapped pages that were not written yet are dropped, and programs that
are left in it can do nothing any more; so a new tree is best served by a new connection on the same directory.
"""

from __future__ import annotations

import ctypes
import os
import stat
from errno import EACCES, EAGAIN, EINTR, EINVAL, ENODEV, ENOENT, EPERM
from pathlib import Path

from durakv_fuzz.recorder.wire import (
    READ_BYTES,
    REPLY,
    WANTED,
    InitFlag,
    Opcode,
    ProtocolError,
    Request,
    answer_init,
    request_of,
)

DEVICE = Path("/dev/fuse")

_MS_NOSUID = 2
_MS_NODEV = 4
_MNT_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


class Unmounted(Exception):
    """The kernel has nothing more to ask: somebody else unmounted or aborted this connection."""


class Connection:
    """A file system's side of one mount: not thread-safe, one process reads and answers.

    ``directory`` has to be there; it is a file if the mounted root is one (``root_type``, as in a mode).  Permission
    bits are checked by the kernel; every user may come in.  Raises ``OSError`` where /dev/fuse cannot be opened or the
    mount is refused.
    """

    def __init__(
        self,
        directory: Path,
        *,
        source: str = "durakv",
        root_type: int = stat.S_IFDIR,
        wanted: InitFlag = WANTED,
    ) -> None:
        self.directory = directory
        self.fd = os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        """For ``poll``: readable when there is a request."""
        self._buffer = bytearray(READ_BYTES)
        self._view = memoryview(self._buffer)
        self._ready = False
        self._wanted = wanted
        try:
            _mount(source, directory, f"fd={self.fd},rootmode={root_type:o},user_id={os.geteuid()},"
                   f"group_id={os.getegid()},default_permissions,allow_other")  # fmt: skip
        except OSError:
            os.close(self.fd)
            raise

    def read(self) -> Request | None:
        """The next request, or None if there is none now; INIT and DESTROY are answered here.

        The request is only good until the next one is read.  Raises ``Unmounted`` at the end, ``ProtocolError`` for
        a kernel that is too old.
        """
        while True:
            try:
                size = os.readv(self.fd, [self._buffer])
            except OSError as failure:
                if failure.errno == EAGAIN:
                    return None
                if failure.errno in (EINTR, ENOENT):  # ENOENT: the caller was killed before its request was read
                    continue
                if failure.errno == ENODEV:
                    raise Unmounted(f"{self.directory} was unmounted") from failure
                raise
            request = request_of(self._view, size)
            if request.opcode == Opcode.INIT:
                self.reply(request.unique, answer_init(request.body, self._wanted))
                self._ready = True
            elif request.opcode == Opcode.DESTROY:
                self.reply(request.unique)
            elif not self._ready:
                raise ProtocolError(f"request {request.opcode} came before INIT")
            else:
                return request

    def reply(self, unique: int, *parts: bytes | bytearray | memoryview) -> None:
        """Answer a request; whether its caller is still there makes no difference."""
        self._send(unique, 0, parts)

    def fail(self, unique: int, error: int) -> None:
        """Answer a request with an ``errno``."""
        self._send(unique, error, ())

    def close(self) -> None:
        """Abort and unmount; never waits, whoever uses it.  A second time it does nothing."""
        if self.fd < 0:
            return
        # In this order: unmounting first might wait for requests that only this process could answer.
        os.close(self.fd)
        self.fd = -1
        unmount(self.directory)

    def _send(self, unique: int, error: int, parts: tuple[bytes | bytearray | memoryview, ...]) -> None:
        size = REPLY.size + sum(map(len, parts))
        try:
            os.writev(self.fd, [REPLY.pack(size, -error, unique), *parts])
        except OSError as failure:
            if failure.errno == ENODEV:
                raise Unmounted(f"{self.directory} was unmounted") from failure
            if failure.errno not in (ENOENT, EINTR):  # ENOENT: interrupted or aborted meanwhile
                raise


def unmount(directory: Path) -> bool:
    """Detach what is mounted there last, in use or not; False if nothing is."""
    if _libc.umount2(os.fsencode(directory), _MNT_DETACH) == 0:
        return True
    error = ctypes.get_errno()
    if error in (EINVAL, ENOENT):
        return False
    raise OSError(error, f"cannot unmount: {os.strerror(error)}", str(directory))


def unusable() -> str:
    """Why this process cannot mount such a file system; empty if it seems to be able to."""
    try:
        os.close(os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except OSError as failure:
        remedy = {EACCES: "be root, or give this user the device", EPERM: "be root, or give this user the device"}
        return f"cannot open {DEVICE}: {failure.strerror}; {remedy.get(failure.errno or 0, 'load the module fuse')}"
    return ""


def _mount(source: str, directory: Path, options: str) -> None:
    result = _libc.mount(
        source.encode(),
        os.fsencode(directory),
        b"fuse.durakv",
        ctypes.c_ulong(_MS_NOSUID | _MS_NODEV),
        options.encode(),
    )
    if result != 0:
        error = ctypes.get_errno()
        remedy = "; be root, or enter a user and mount namespace (unshare -Urm)" if error == EPERM else ""
        raise OSError(error, f"cannot mount a FUSE file system: {os.strerror(error)}{remedy}", str(directory))
