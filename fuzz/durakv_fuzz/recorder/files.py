"""Requests about what is in a file, and barriers."""

from __future__ import annotations

import heapq
import stat
import time
from errno import EFBIG, EINVAL, EIO, EISDIR, ENOSPC, EOPNOTSUPP

from durakv_fuzz.recorder.connection import Connection
from durakv_fuzz.recorder.inodes import Inode, Inodes
from durakv_fuzz.recorder.log import Log
from durakv_fuzz.recorder.wire import (
    FALLOCATE_IN,
    FALLOCATE_KEEP_SIZE,
    FALLOCATE_PUNCH_HOLE,
    FALLOCATE_ZERO_RANGE,
    NAME_BYTES_MAX,
    READ_IN,
    STATFS_OUT,
    WRITE_DROP_PRIVILEGES,
    WRITE_IN,
    WRITE_OUT,
    Handlers,
    Opcode,
    Reply,
    Request,
)
from durakv_fuzz.trace import Kind, Operation

FILE_BYTES_MAX = 1 << 40
"""The largest file, holes counted."""

_BLOCK = 4096


class Files:
    """Reads, writes, sizes."""

    def __init__(self, inodes: Inodes, log: Log, capacity_bytes: int, record_bytes_max: int) -> None:
        self._inodes = inodes
        self._log = log
        self._capacity_bytes = capacity_bytes
        self._record_bytes_max = record_bytes_max

    def handlers(self) -> Handlers:
        """Which requests it answers."""
        return {
            Opcode.READ: self._read,
            Opcode.WRITE: self._write,
            Opcode.FALLOCATE: self._fallocate,
            Opcode.STATFS: self._statfs,
        }

    def resize(self, inode: Inode, size: int, caller: int) -> None:
        """Cut a file, or let it grow by a hole."""
        if size == inode.content.size:
            return
        if size > FILE_BYTES_MAX:
            raise OSError(EFBIG, "file too large")
        operation = Operation(Kind.TRUNCATE, inode.name, file=inode.number, directory=inode.directory, size=size)
        self._log.did(operation, caller)
        self._inodes.grew(inode, inode.content.truncate(size))
        inode.modified = inode.changed = time.time_ns()

    def _read(self, request: Request) -> Reply:
        _, offset, size, *_ = READ_IN.unpack_from(request.body)
        return (self._file(request.node).content.read(offset, size),)

    def _write(self, request: Request) -> Reply:
        _, offset, size, flags, *_ = WRITE_IN.unpack_from(request.body)
        data = bytes(request.body[WRITE_IN.size : WRITE_IN.size + size])
        if len(data) != size:
            raise OSError(EIO, "a write without its data")
        inode = self._file(request.node)
        self._store(inode, offset, data, request.pid)
        if flags & WRITE_DROP_PRIVILEGES and inode.drop_privileges():
            self._log.did(inode.set_node(), request.pid)
        return (WRITE_OUT.pack(size, 0),)

    def _store(self, inode: Inode, offset: int, data: bytes, caller: int) -> None:
        if offset + len(data) > FILE_BYTES_MAX:
            raise OSError(EFBIG, "file too large")
        self._reserve(len(data))
        operation = Operation(
            Kind.WRITE,
            inode.name,
            file=inode.number,
            directory=inode.directory,
            offset=offset,
            size=len(data),
            data=data,
        )
        self._log.did(operation, caller)
        self._inodes.grew(inode, inode.content.write(offset, data))
        inode.modified = inode.changed = time.time_ns()

    def _reserve(self, size: int) -> None:
        recorded = self._log.recorded_bytes + size
        if self._inodes.stored + size > self._capacity_bytes or recorded > self._record_bytes_max:
            raise OSError(ENOSPC, "no space left")

    def _fallocate(self, request: Request) -> Reply:
        _, offset, length, mode, _ = FALLOCATE_IN.unpack_from(request.body)
        inode = self._file(request.node)
        end = offset + length
        if end > FILE_BYTES_MAX:
            raise OSError(EFBIG, "file too large")
        what = mode & ~FALLOCATE_KEEP_SIZE
        if what not in (0, FALLOCATE_PUNCH_HOLE, FALLOCATE_ZERO_RANGE):
            raise OSError(EOPNOTSUPP, "a kind of allocation that is not served")
        if what == FALLOCATE_PUNCH_HOLE and not mode & FALLOCATE_KEEP_SIZE:
            raise OSError(EOPNOTSUPP, "a hole does not change the size")
        if what != FALLOCATE_PUNCH_HOLE and end - inode.content.size > self._capacity_bytes - self._inodes.stored:
            raise OSError(ENOSPC, "no space left")
        if what:
            self._zero(inode, offset, length, request.pid)
        if not mode & FALLOCATE_KEEP_SIZE and end > inode.content.size:
            self.resize(inode, end, request.pid)
        return ()

    def _zero(self, inode: Inode, offset: int, length: int, caller: int) -> None:
        """As writes of zeros; where there is a hole already, nothing is recorded."""
        held, grown = inode.content.zero(offset, length)
        self._inodes.grew(inode, grown)
        for begin, size in held:
            operation = Operation(
                Kind.WRITE, inode.name, file=inode.number, directory=inode.directory, offset=begin, size=size,
                data=bytes(size),
            )  # fmt: skip
            self._log.did(operation, caller)
        inode.modified = inode.changed = time.time_ns()

    def _statfs(self, request: Request) -> Reply:
        blocks = self._capacity_bytes // _BLOCK
        free = max(0, self._capacity_bytes - self._inodes.stored) // _BLOCK
        return (STATFS_OUT.pack(blocks, free, free, 1 << 20, 1 << 20, _BLOCK, NAME_BYTES_MAX, _BLOCK, 0),)

    def _file(self, node: int) -> Inode:
        inode = self._inodes[node]
        if inode.is_directory:
            raise OSError(EISDIR, "a directory")
        if not stat.S_ISREG(inode.mode):
            raise OSError(EINVAL, "no file")
        return inode


class Barriers:
    """Syncs: each takes a while in which others are served, so that a crash can come in between."""

    def __init__(self, inodes: Inodes, log: Log, connection: Connection, seconds: float) -> None:
        self._inodes = inodes
        self._log = log
        self._connection = connection
        self._seconds = seconds
        self._waiting: list[tuple[float, int, int, Operation]] = []

    def handlers(self) -> Handlers:
        """Which requests it answers."""
        return {Opcode.FSYNC: self._sync, Opcode.FSYNCDIR: self._sync_directory}

    def due(self) -> float | None:
        """When, on the monotonic clock, the next one returns; None if none is under way."""
        return self._waiting[0][0] if self._waiting else None

    def release(self) -> None:
        """Let those return whose time has come."""
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, unique, operation = heapq.heappop(self._waiting)
            self._log.end(operation)
            self._connection.reply(unique)

    def _sync(self, request: Request) -> Reply | None:
        inode = self._inodes[request.node]
        return self._begin(request, Operation(Kind.SYNC, inode.name, file=inode.number, directory=inode.directory))

    def _sync_directory(self, request: Request) -> Reply | None:
        inode = self._inodes.directory(request.node)
        name = inode.name
        return self._begin(request, Operation(Kind.SYNC_DIRECTORY, name, file=inode.number, directory=inode.directory))

    def _begin(self, request: Request, operation: Operation) -> Reply | None:
        self._log.start(operation, request.pid)
        if self._seconds <= 0:
            self._log.end(operation)
            return ()
        heapq.heappush(self._waiting, (time.monotonic() + self._seconds, operation.start, request.unique, operation))
        return None
