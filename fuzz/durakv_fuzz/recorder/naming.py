"""Requests about names: what is looked up, listed, made, moved and taken away."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from errno import EEXIST, EINVAL, EISDIR, ENAMETOOLONG, ENOENT, ENOTDIR, ENOTEMPTY, EPERM

from durakv_fuzz.recorder.inodes import Inode, Inodes
from durakv_fuzz.recorder.log import Log
from durakv_fuzz.recorder.wire import (
    ATTRIBUTES,
    CREATE_IN,
    ENTRY,
    FOREVER_SECONDS,
    LINK_IN,
    MKDIR_IN,
    MKNOD_IN,
    NAME_BYTES_MAX,
    OPEN_KEEP_CACHE,
    OPEN_OUT,
    READ_IN,
    RENAME2_IN,
    RENAME_EXCHANGE,
    RENAME_IN,
    RENAME_NOREPLACE,
    Handlers,
    Opcode,
    Reply,
    Request,
    directory_entry,
    names_of,
)
from durakv_fuzz.trace import Kind, Operation

_ABSENT = ENTRY.pack(0, 0, FOREVER_SECONDS, 0, 0, 0) + bytes(ATTRIBUTES.size)
"""A name that stands for nothing, which the kernel may remember: only through it can that change."""


class Naming:
    """Everything that goes by names."""

    def __init__(self, inodes: Inodes, log: Log) -> None:
        self._inodes = inodes
        self._log = log

    def handlers(self) -> Handlers:
        """Which requests it answers."""
        return {
            Opcode.LOOKUP: self._lookup,
            Opcode.MKNOD: self._mknod,
            Opcode.MKDIR: self._mkdir,
            Opcode.CREATE: self._create,
            Opcode.SYMLINK: self._symlink,
            Opcode.READLINK: self._readlink,
            Opcode.LINK: self._link,
            Opcode.UNLINK: self._unlink,
            Opcode.RMDIR: self._rmdir,
            Opcode.RENAME: self._rename,
            Opcode.RENAME2: self._rename2,
            Opcode.READDIR: self._readdir,
            Opcode.READDIRPLUS: self._readdirplus,
        }

    def _lookup(self, request: Request) -> Reply:
        directory = self._inodes.directory(request.node)
        (name,) = names_of(request.body, 0)
        inode = directory.names.get(name)
        if inode is None:
            if len(name) > NAME_BYTES_MAX:
                raise OSError(ENAMETOOLONG, "name too long")
            return (_ABSENT,)
        return (inode.entry(),)

    def _mknod(self, request: Request) -> Reply:
        mode, *_ = MKNOD_IN.unpack_from(request.body)
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode) and not stat.S_ISSOCK(mode):
            raise OSError(EPERM, "no devices here")
        return (self._make(request, MKNOD_IN.size, mode).entry(),)

    def _mkdir(self, request: Request) -> Reply:
        mode, _ = MKDIR_IN.unpack_from(request.body)
        return (self._make(request, MKDIR_IN.size, stat.S_IFDIR | stat.S_IMODE(mode)).entry(),)

    def _create(self, request: Request) -> Reply:
        _, mode, *_ = CREATE_IN.unpack_from(request.body)
        return self._make(request, CREATE_IN.size, mode).entry(), OPEN_OUT.pack(0, OPEN_KEEP_CACHE, 0)

    def _symlink(self, request: Request) -> Reply:
        name, target = names_of(request.body, 0, 2)
        directory = self._free(request.node, name)
        inode = self._inodes.create(stat.S_IFLNK | 0o777, request.uid, request.gid, directory)
        inode.target = target
        self._record_new(request, Kind.SYMLINK, directory, name, inode)
        return (inode.entry(),)

    def _readlink(self, request: Request) -> Reply:
        inode = self._inodes[request.node]
        if not stat.S_ISLNK(inode.mode):
            raise OSError(EINVAL, "no symbolic link")
        return (inode.target,)

    def _link(self, request: Request) -> Reply:
        (linked,) = LINK_IN.unpack_from(request.body)
        (name,) = names_of(request.body, LINK_IN.size)
        inode, directory = self._inodes[linked], self._free(request.node, name)
        if inode.is_directory:
            raise OSError(EPERM, "a directory has one name")
        self._record(request, Kind.LINK, directory, name, inode)
        self._inodes.attach(directory, name, inode)
        return (inode.entry(),)

    def _unlink(self, request: Request) -> Reply:
        directory, name, inode = self._there(request.node, request.body, 0)
        if inode.is_directory:
            raise OSError(EISDIR, "a directory")
        return self._remove(request, directory, name, inode)

    def _rmdir(self, request: Request) -> Reply:
        directory, name, inode = self._there(request.node, request.body, 0)
        if not inode.is_directory:
            raise OSError(ENOTDIR, "no directory")
        if inode.names:
            raise OSError(ENOTEMPTY, "not empty")
        return self._remove(request, directory, name, inode)

    def _rename(self, request: Request) -> Reply:
        (new_directory,) = RENAME_IN.unpack_from(request.body)
        return self._move(request, RENAME_IN.size, new_directory, 0)

    def _rename2(self, request: Request) -> Reply:
        new_directory, flags, _ = RENAME2_IN.unpack_from(request.body)
        return self._move(request, RENAME2_IN.size, new_directory, flags)

    def _move(self, request: Request, at: int, new_node: int, flags: int) -> Reply:
        if flags not in (0, RENAME_NOREPLACE, RENAME_EXCHANGE):
            raise OSError(EINVAL, "a kind of rename that is not served")
        name, new_name = names_of(request.body, at, 2)
        directory, new_directory = self._inodes.directory(request.node), self._inodes.directory(new_node)
        inode, target = directory.names.get(name), new_directory.names.get(new_name)
        if inode is None or (target is None and flags == RENAME_EXCHANGE):
            raise OSError(ENOENT, "no such name")
        if target is None:
            self._free(new_node, new_name)
        elif flags == RENAME_NOREPLACE:
            raise OSError(EEXIST, "the name is taken")
        if flags == RENAME_EXCHANGE and target is not None:
            if inode.recorded is not target.recorded:
                raise OSError(EINVAL, "a socket or pipe is not recorded, so it cannot change places with what is")
            self._record(request, Kind.EXCHANGE, directory, name, inode, new_directory, new_name)
            self._inodes.detach(directory, name, keep=True)
            self._inodes.detach(new_directory, new_name, keep=True)
            self._inodes.attach(directory, name, target)
            self._inodes.attach(new_directory, new_name, inode)
            return ()
        if target is inode:  # two names of one file: nothing happens
            return ()
        if target is not None:
            _check_replaced(inode, target)
        if inode.recorded:
            self._record(request, Kind.RENAME, directory, name, inode, new_directory, new_name)
        elif target is not None:
            self._record(request, Kind.REMOVE, new_directory, new_name, target)
        if target is not None:
            self._inodes.detach(new_directory, new_name)
        self._inodes.detach(directory, name, keep=True)
        self._inodes.attach(new_directory, new_name, inode)
        return ()

    def _readdir(self, request: Request) -> Reply:
        _, offset, size, *_ = READ_IN.unpack_from(request.body)
        lines: list[bytes] = []
        for name, inode, cookie in _listing(self._inodes.directory(request.node), offset):
            line = directory_entry(inode.node, cookie, name, stat.S_IFMT(inode.mode) >> 12)
            size -= len(line)
            if size < 0:
                break
            lines.append(line)
        return (b"".join(lines),)

    def _readdirplus(self, request: Request) -> Reply:
        _, offset, size, *_ = READ_IN.unpack_from(request.body)
        lines: list[bytes] = []
        for name, inode, cookie in _listing(self._inodes.directory(request.node), offset):
            line = directory_entry(inode.node, cookie, name, stat.S_IFMT(inode.mode) >> 12)
            size -= len(line) + len(_ABSENT)
            if size < 0:
                break
            # The two dots are not counted as looked up.
            lines += (_ABSENT if name in (b".", b"..") else inode.entry()), line
        return (b"".join(lines),)

    def _make(self, request: Request, at: int, mode: int) -> Inode:
        (name,) = names_of(request.body, at)
        directory = self._free(request.node, name)
        inode = self._inodes.create(mode, request.uid, request.gid, directory)
        kind = Kind.MAKE_DIRECTORY if inode.is_directory else Kind.CREATE
        self._record_new(request, kind, directory, name, inode)
        return inode

    def _remove(self, request: Request, directory: Inode, name: bytes, inode: Inode) -> Reply:
        self._record(request, Kind.REMOVE, directory, name, inode)
        self._inodes.detach(directory, name)
        return ()

    def _free(self, node: int, name: bytes) -> Inode:
        """The directory, in which the name is free."""
        directory = self._inodes.directory(node)
        if name in directory.names:
            raise OSError(EEXIST, "the name is taken")
        if len(name) > NAME_BYTES_MAX:
            raise OSError(ENAMETOOLONG, "name too long")
        if not directory.links:
            raise OSError(ENOENT, "the directory was removed")
        return directory

    def _there(self, node: int, body: memoryview, at: int) -> tuple[Inode, bytes, Inode]:
        directory = self._inodes.directory(node)
        (name,) = names_of(body, at)
        inode = directory.names.get(name)
        if inode is None:
            raise OSError(ENOENT, "no such name")
        return directory, name, inode

    def _record_new(self, request: Request, kind: Kind, directory: Inode, name: bytes, inode: Inode) -> None:
        data = inode.target
        if inode.recorded and not inode.is_plain and kind is not Kind.SYMLINK:
            data = inode.settings()
        self._record(request, kind, directory, name, inode, data=data)
        self._inodes.attach(directory, name, inode)
        if kind is Kind.SYMLINK and not inode.is_plain:
            self._log.did(inode.set_node(), request.pid)

    def _record(
        self,
        request: Request,
        kind: Kind,
        directory: Inode,
        name: bytes,
        inode: Inode,
        new_directory: Inode | None = None,
        new_name: bytes = b"",
        data: bytes = b"",
    ) -> None:
        if not inode.recorded:
            return
        operation = Operation(
            kind,
            os.fsdecode(name),
            os.fsdecode(new_name),
            inode.number,
            directory.number,
            0 if new_directory is None else new_directory.number,
            data=data,
        )
        self._log.did(operation, request.pid)


def _check_replaced(inode: Inode, target: Inode) -> None:
    if target.is_directory is not inode.is_directory:
        raise OSError(EISDIR if target.is_directory else ENOTDIR, "a directory is replaced by a directory only")
    if target.names:
        raise OSError(ENOTEMPTY, "not empty")


def _listing(directory: Inode, offset: int) -> Iterator[tuple[bytes, Inode, int]]:
    """What follows a place in a directory, with the place after each."""
    if offset < 1:
        yield b".", directory, 1
    if offset < 2:
        yield b"..", directory.parent, 2
    cookies = directory.cookies
    for name, inode in directory.names.items():
        cookie = cookies[name]
        if cookie > offset:
            yield name, inode, cookie
