"""What is said over /dev/fuse: FUSE protocol 7.31 to 7.40, as far as a file system in memory speaks it.

    request := length:u32 opcode:u32 unique:u64 node:u64 uid:u32 gid:u32 pid:u32 extensions:u16 padding:u16 body
    reply   := length:u32 -errno:i32 unique:u64 body                                           in this machine's order

``pid`` is the number of the calling thread, 0 where the kernel itself calls (write-back of mapped pages).  The bodies
are in the structs below; names in them end with a NUL.  The numbers are the kernel's (``linux/fuse.h``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct

MAJOR = 7
MINOR_MIN = 31
MINOR = 40
"""The newest minor version that this was written for; of the two sides' the smaller is spoken."""

ROOT_NODE = 1
"""The node number of the mounted root."""

WRITE_BYTES_MAX = 1 << 20
"""The most that one request writes or reads; the kernel splits what is larger."""

PAGE_BYTES = 4096
NAME_BYTES_MAX = 255
FOREVER_SECONDS = 1 << 31
"""Of names and attributes: valid until the kernel itself changes them, for nobody else does."""


class Opcode(IntEnum):
    """The requests that are served or refused by name."""

    LOOKUP = 1
    FORGET = 2
    GETATTR = 3
    SETATTR = 4
    READLINK = 5
    SYMLINK = 6
    MKNOD = 8
    MKDIR = 9
    UNLINK = 10
    RMDIR = 11
    RENAME = 12
    LINK = 13
    OPEN = 14
    READ = 15
    WRITE = 16
    STATFS = 17
    RELEASE = 18
    FSYNC = 20
    SETXATTR = 21
    GETXATTR = 22
    LISTXATTR = 23
    REMOVEXATTR = 24
    FLUSH = 25
    INIT = 26
    OPENDIR = 27
    READDIR = 28
    RELEASEDIR = 29
    FSYNCDIR = 30
    ACCESS = 34
    CREATE = 35
    INTERRUPT = 36
    DESTROY = 38
    IOCTL = 39
    BATCH_FORGET = 42
    FALLOCATE = 43
    READDIRPLUS = 44
    RENAME2 = 45
    LSEEK = 46
    COPY_FILE_RANGE = 47
    TMPFILE = 51


UNANSWERED = frozenset({Opcode.FORGET, Opcode.BATCH_FORGET, Opcode.INTERRUPT})
"""Requests that get no reply."""


class InitFlag(IntFlag):
    """What the kernel offers and a file system takes, in INIT."""

    ASYNC_READ = 1 << 0
    BIG_WRITES = 1 << 5
    READDIRPLUS = 1 << 13
    READDIRPLUS_AUTO = 1 << 14
    ASYNC_DIO = 1 << 15
    PARALLEL_DIROPS = 1 << 18
    MAX_PAGES = 1 << 22
    CACHE_SYMLINKS = 1 << 23
    HANDLE_KILLPRIV_V2 = 1 << 28


WANTED = (
    InitFlag.ASYNC_READ
    | InitFlag.BIG_WRITES
    | InitFlag.READDIRPLUS
    | InitFlag.READDIRPLUS_AUTO
    | InitFlag.ASYNC_DIO
    | InitFlag.PARALLEL_DIROPS
    | InitFlag.MAX_PAGES
    | InitFlag.CACHE_SYMLINKS
)
"""No write-back cache: each write comes when the program makes it.  No locks: the kernel keeps them by itself."""


class Set(IntFlag):
    """Which fields of a SETATTR hold."""

    MODE = 1 << 0
    UID = 1 << 1
    GID = 1 << 2
    SIZE = 1 << 3
    ATIME = 1 << 4
    MTIME = 1 << 5
    ATIME_NOW = 1 << 7
    MTIME_NOW = 1 << 8
    DROP_PRIVILEGES = 1 << 11
    """The set-user and set-group bits are to be cleared."""


OPEN_DIRECT_IO = 1 << 0
OPEN_KEEP_CACHE = 1 << 1

WRITE_DROP_PRIVILEGES = 1 << 2
"""Of a WRITE's flags; offered with ``HANDLE_KILLPRIV_V2``, without which the kernel asks before each write."""

FSYNC_DATA_ONLY = 1 << 0

FALLOCATE_KEEP_SIZE = 1 << 0
FALLOCATE_PUNCH_HOLE = 1 << 1
FALLOCATE_ZERO_RANGE = 1 << 4

RENAME_NOREPLACE = 1 << 0
RENAME_EXCHANGE = 1 << 1

HEADER = Struct("=IIQQIIIHH")
REPLY = Struct("=IiQ")

INIT_IN = Struct("=IIII")
_INIT_OUT = Struct("=IIIIHHIIHHI28x")
ATTRIBUTES = Struct("=QQQQQQIIIIIIIIII")
"""ino size blocks atime mtime ctime (seconds) atime mtime ctime (nanoseconds) mode nlink uid gid rdev blksize flags"""

ENTRY = Struct("=QQQQII")
"""node generation name-valid attributes-valid (seconds) name-valid attributes-valid (nanoseconds); attributes follow"""

ATTRIBUTES_HEAD = Struct("=QII")
"""valid (seconds) valid (nanoseconds) 0; attributes follow"""

FORGET_IN = Struct("=Q")
FORGET_ONE = Struct("=QQ")
BATCH_FORGET_IN = Struct("=II")
SETATTR_IN = Struct("=IIQQQQQQIIIIIIII")
"""valid 0 handle size lock-owner atime mtime ctime (seconds) atime mtime ctime (nanoseconds) mode 0 uid gid 0"""

MKNOD_IN = Struct("=IIII")
"""mode rdev umask 0"""
MKDIR_IN = Struct("=II")
"""mode umask"""
RENAME_IN = Struct("=Q")
"""new directory; old name, new name"""
RENAME2_IN = Struct("=QII")
"""new directory, flags, 0; old name, new name"""
LINK_IN = Struct("=Q")
"""linked node; new name"""
OPEN_IN = Struct("=II")
"""flags 0"""
CREATE_IN = Struct("=IIII")
"""flags mode umask 0; name"""
OPEN_OUT = Struct("=QII")
"""handle flags 0"""
READ_IN = Struct("=QQIIQII")
"""handle offset size flags lock-owner open-flags 0"""
WRITE_IN = Struct("=QQIIQII")
"""the same; data"""
WRITE_OUT = Struct("=II")
STATFS_OUT = Struct("=QQQQQIIII24x")
"""blocks free available files free-files block-size name-length fragment-size 0"""
FSYNC_IN = Struct("=QII")
"""handle flags 0"""
SETXATTR_IN = Struct("=II")
"""size flags; name, value"""
GETXATTR_IN = Struct("=II")
"""size 0; name"""
GETXATTR_OUT = Struct("=II")
FALLOCATE_IN = Struct("=QQQII")
"""handle offset length mode 0"""
LSEEK_IN = Struct("=QQII")
"""handle offset whence 0"""
LSEEK_OUT = Struct("=Q")
_DIRENT = Struct("=QQII")
"""ino next-offset name-length type; the name, padded to 8 bytes"""

READ_BYTES = HEADER.size + WRITE_IN.size + WRITE_BYTES_MAX + PAGE_BYTES
"""The room that a read of /dev/fuse needs."""


class ProtocolError(Exception):
    """The kernel speaks a protocol that this file system does not."""


@dataclass(slots=True)
class Request:
    """One request.  ``body`` is only good until the next one is read."""

    opcode: int
    unique: int
    node: int
    uid: int
    gid: int
    pid: int
    body: memoryview


Reply = tuple[bytes, ...]
"""A reply's parts, in order."""

Handlers = dict[int, Callable[[Request], Reply | None]]
"""By opcode.  None: it is answered later, or never; an ``OSError``'s number is the answer too."""


def request_of(buffer: memoryview, size: int) -> Request:
    """Take apart what was read; raises ``ProtocolError`` if the length does not fit."""
    if size < HEADER.size:
        raise ProtocolError(f"{size} bytes are no request: its head alone has {HEADER.size}")
    length, opcode, unique, node, uid, gid, pid, extensions, _ = HEADER.unpack_from(buffer)
    end = length - 8 * extensions
    if length != size or end < HEADER.size:
        raise ProtocolError(f"a request of {length} bytes, {8 * extensions} of extensions, came as {size}")
    return Request(opcode, unique, node, uid, gid, pid, buffer[HEADER.size : end])


def answer_init(body: memoryview, wanted: InitFlag) -> bytes:
    """The reply to INIT: the smaller version, and what is both offered and wanted.

    Raises ``ProtocolError`` for a kernel before 5.4 (7.31), which knows no large requests, or of another major version.
    """
    major, minor, readahead, offered = INIT_IN.unpack_from(body)
    if major != MAJOR or minor < MINOR_MIN:
        raise ProtocolError(
            f"the kernel speaks FUSE {major}.{minor}; {MAJOR}.{MINOR_MIN} or later is needed: Linux 5.4"
        )
    pages = WRITE_BYTES_MAX // PAGE_BYTES
    return _INIT_OUT.pack(
        MAJOR,
        min(minor, MINOR),
        readahead,
        offered & wanted,
        64,  # requests of the kernel's own at a time (read-ahead, write-back), and when that is many
        48,
        WRITE_BYTES_MAX,
        1,  # nanosecond: how fine times are
        pages,
        0,
        0,
    )


def names_of(body: memoryview, at: int, count: int = 1) -> list[bytes]:
    """The names that end a body; raises ``ProtocolError`` if there are fewer."""
    names = bytes(body[at:]).split(b"\0")
    if len(names) <= count:
        raise ProtocolError(f"{len(names) - 1} names came where {count} were due")
    return names[:count]


def directory_entry(node: int, offset: int, name: bytes, file_type: int) -> bytes:
    """One line of a READDIR: ``offset`` is where the next reading begins, ``file_type`` the mode's top four bits."""
    return (_DIRENT.pack(node, offset, len(name), file_type) + name).ljust(_DIRENT.size + (len(name) + 7 & ~7), b"\0")
