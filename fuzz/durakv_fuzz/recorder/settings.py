"""Requests about what a node is like: sizes, permission bits, owners, times, extended attributes."""

from __future__ import annotations

import os
import stat
import time
from errno import EEXIST, EINVAL, EISDIR, ENODATA, EOPNOTSUPP, ERANGE

from durakv_fuzz.recorder.files import Files
from durakv_fuzz.recorder.inodes import Inode, Inodes
from durakv_fuzz.recorder.log import Log
from durakv_fuzz.recorder.wire import (
    BATCH_FORGET_IN,
    FORGET_IN,
    FORGET_ONE,
    GETXATTR_IN,
    GETXATTR_OUT,
    SETATTR_IN,
    SETXATTR_IN,
    Handlers,
    Opcode,
    Reply,
    Request,
    Set,
    names_of,
)

_XATTR_CREATE = 1
_XATTR_REPLACE = 2
_SECOND = 1_000_000_000


class Settings:
    """Everything about a node that is neither its name nor its bytes."""

    def __init__(self, inodes: Inodes, log: Log, files: Files) -> None:
        self._inodes = inodes
        self._log = log
        self._files = files

    def handlers(self) -> Handlers:
        """Which requests it answers."""
        return {
            Opcode.GETATTR: self._getattr,
            Opcode.SETATTR: self._setattr,
            Opcode.GETXATTR: self._getxattr,
            Opcode.SETXATTR: self._setxattr,
            Opcode.LISTXATTR: self._listxattr,
            Opcode.REMOVEXATTR: self._removexattr,
            Opcode.FORGET: self._forget,
            Opcode.BATCH_FORGET: self._batch_forget,
        }

    def _getattr(self, request: Request) -> Reply:
        return (self._inodes[request.node].stat(),)

    def _setattr(self, request: Request) -> Reply:
        (valid, _, _, size, _, read, modified, _, read_rest, modified_rest, _, mode, _, owner, group, _) = (
            SETATTR_IN.unpack_from(request.body)
        )
        inode = self._inodes[request.node]
        before = inode.settings()
        if valid & Set.SIZE:
            if not stat.S_ISREG(inode.mode):
                raise OSError(EISDIR if inode.is_directory else EINVAL, "only a file has a size")
            self._files.resize(inode, size, request.pid)
        if valid & Set.DROP_PRIVILEGES or valid & (Set.UID | Set.GID):
            inode.drop_privileges()
        if valid & Set.MODE:
            inode.mode = stat.S_IFMT(inode.mode) | stat.S_IMODE(mode)
        if valid & Set.UID:
            inode.owner = owner
        if valid & Set.GID:
            inode.group = group
        now = inode.changed = time.time_ns()
        if valid & Set.ATIME:
            inode.read = now if valid & Set.ATIME_NOW else read * _SECOND + read_rest
        if valid & Set.MTIME:
            inode.modified = now if valid & Set.MTIME_NOW else modified * _SECOND + modified_rest
        self._record(request, inode, before)
        return (inode.stat(),)

    def _getxattr(self, request: Request) -> Reply:
        size, _ = GETXATTR_IN.unpack_from(request.body)
        (name,) = names_of(request.body, GETXATTR_IN.size)
        value = self._inodes[request.node].attributes.get(_attribute(name))
        if value is None:
            raise OSError(ENODATA, "no such attribute")
        return _sized(value, size)

    def _listxattr(self, request: Request) -> Reply:
        size, _ = GETXATTR_IN.unpack_from(request.body)
        names = self._inodes[request.node].attributes
        return _sized(b"".join(os.fsencode(name) + b"\0" for name in names), size)

    def _setxattr(self, request: Request) -> Reply:
        size, flags = SETXATTR_IN.unpack_from(request.body)
        (raw,) = names_of(request.body, SETXATTR_IN.size)
        begin = SETXATTR_IN.size + len(raw) + 1
        inode, name = self._inodes[request.node], _attribute(raw)
        if flags & _XATTR_CREATE and name in inode.attributes:
            raise OSError(EEXIST, "the attribute is there")
        if flags & _XATTR_REPLACE and name not in inode.attributes:
            raise OSError(ENODATA, "no such attribute")
        before = inode.settings()
        inode.attributes[name] = bytes(request.body[begin : begin + size])
        self._record(request, inode, before)
        return ()

    def _removexattr(self, request: Request) -> Reply:
        (raw,) = names_of(request.body, 0)
        inode = self._inodes[request.node]
        before = inode.settings()
        if inode.attributes.pop(_attribute(raw), None) is None:
            raise OSError(ENODATA, "no such attribute")
        self._record(request, inode, before)
        return ()

    def _forget(self, request: Request) -> Reply | None:
        (count,) = FORGET_IN.unpack_from(request.body)
        self._inodes.forget(request.node, count)
        return None

    def _batch_forget(self, request: Request) -> Reply | None:
        count, _ = BATCH_FORGET_IN.unpack_from(request.body)
        for at in range(BATCH_FORGET_IN.size, BATCH_FORGET_IN.size + count * FORGET_ONE.size, FORGET_ONE.size):
            node, lookups = FORGET_ONE.unpack_from(request.body, at)
            self._inodes.forget(node, lookups)
        return None

    def _record(self, request: Request, inode: Inode, before: bytes) -> None:
        if inode.recorded and inode.settings() != before:
            inode.changed = time.time_ns()
            self._log.did(inode.set_node(), request.pid)


def _attribute(name: bytes) -> str:
    """Access lists are refused, so that the permission bits say everything."""
    if name.startswith(b"system."):
        raise OSError(EOPNOTSUPP, "no such attributes here")
    return os.fsdecode(name)


def _sized(value: bytes, room: int) -> Reply:
    if not room:
        return (GETXATTR_OUT.pack(len(value), 0),)
    if len(value) > room:
        raise OSError(ERANGE, "more than there is room for")
    return (value,)
