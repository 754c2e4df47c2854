"""What the kernel knows by node numbers: the tree that is served, as it is now.

A node's number in the kernel is its number in the tree plus one, as the kernel's root is 1.  Sockets, pipes and devices
can be made, so that programs run; but they are not part of the tree, and nothing about them is recorded.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import time
from errno import ENOTDIR, ESTALE

from durakv_fuzz.recorder.memory import FileMemory
from durakv_fuzz.recorder.wire import ATTRIBUTES, ATTRIBUTES_HEAD, ENTRY, FOREVER_SECONDS, ROOT_NODE
from durakv_fuzz.trace import Kind, Operation
from durakv_fuzz.tree import Node, NodeKind, Tree

_FORMAT = {NodeKind.FILE: stat.S_IFREG, NodeKind.DIRECTORY: stat.S_IFDIR, NodeKind.LINK: stat.S_IFLNK}
_DEFAULT_MODE = {stat.S_IFREG: Node(NodeKind.FILE).mode, stat.S_IFDIR: 0o755, stat.S_IFLNK: 0o777}
_FIRST_FOREIGN = 1 << 48
_SECOND = 1_000_000_000


class Inode:
    """One file, directory, link, or something that is not recorded."""

    __slots__ = (
        "attributes", "changed", "content", "cookies", "directory", "group", "links", "lookups", "mode", "modified",
        "name", "names", "node", "owner", "parent", "read", "subdirectories", "target",
    )  # fmt: skip

    def __init__(self, node: int, mode: int, owner: int, group: int) -> None:
        self.node = node
        self.mode = mode
        """Type and permission bits."""
        self.owner = owner
        self.group = group
        self.attributes: dict[str, bytes] = {}
        self.content = FileMemory()
        self.target = b""
        self.names: dict[bytes, Inode] = {}
        self.cookies: dict[bytes, int] = {}
        """For each name of a directory, where a reading goes on after it: numbers only grow, in the order of names."""
        self.subdirectories = 0
        self.parent = self
        self.links = 0
        self.lookups = 0
        """How often the kernel was given this node and has not forgotten it."""
        self.name = ""
        self.directory = 0
        """The name it had last, and the number of the directory that was in."""
        self.read = self.modified = self.changed = time.time_ns()

    @property
    def number(self) -> int:
        """Its number in the tree."""
        return self.node - ROOT_NODE

    @property
    def recorded(self) -> bool:
        """Whether a tree can hold it."""
        return self.node < _FIRST_FOREIGN

    @property
    def is_directory(self) -> bool:
        """Whether names can be in it."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_plain(self) -> bool:
        """Whether it is what a tree takes for granted of something new: mode, owner, group and attributes."""
        default = _DEFAULT_MODE[stat.S_IFMT(self.mode)]
        return stat.S_IMODE(self.mode) == default and not self.owner and not self.group and not self.attributes

    def settings(self) -> bytes:
        """Mode, owner, group and extended attributes, as ``set_node`` records them."""
        attributes = {name: base64.b64encode(value).decode() for name, value in self.attributes.items()}
        mode = stat.S_IMODE(self.mode)
        return json.dumps({"mode": mode, "owner": self.owner, "group": self.group, "attributes": attributes}).encode()

    def set_node(self) -> Operation:
        """The call that makes it what it is now."""
        return Operation(Kind.SET_NODE, self.name, file=self.number, directory=self.directory, data=self.settings())

    def drop_privileges(self) -> bool:
        """Clear what whoever writes to a program must not keep; returns whether there was anything."""
        before = self.mode
        if not self.is_directory:
            self.mode &= ~stat.S_ISUID
            if self.mode & stat.S_IXGRP:
                self.mode &= ~stat.S_ISGID
        capability = self.attributes.pop("security.capability", None)
        return self.mode != before or capability is not None

    def entry(self) -> bytes:
        """As a reply to a lookup, which the kernel counts."""
        self.lookups += 1
        return ENTRY.pack(self.node, 0, FOREVER_SECONDS, FOREVER_SECONDS, 0, 0) + self._stat()

    def stat(self) -> bytes:
        """As a reply to GETATTR."""
        return ATTRIBUTES_HEAD.pack(FOREVER_SECONDS, 0, 0) + self._stat()

    def _stat(self) -> bytes:
        if self.is_directory:
            size, stored, links = 4096, 4096, 2 + self.subdirectories if self.links else 0
        else:
            size, stored, links = self.content.size or len(self.target), self.content.stored, self.links
        return ATTRIBUTES.pack(
            self.node, size, -(-stored // 512), self.read // _SECOND, self.modified // _SECOND,
            self.changed // _SECOND, self.read % _SECOND, self.modified % _SECOND, self.changed % _SECOND,
            self.mode, links, self.owner, self.group, 0, 4096, 0,
        )  # fmt: skip


class Inodes:
    """All that the kernel may still ask for: whatever has a name, or was looked up and not forgotten."""

    def __init__(self, tree: Tree) -> None:
        self._cookie = 2  # of "..", after "."
        self._by_node: dict[int, Inode] = {}
        self.stored = 0
        """Bytes of memory that files with a name take.

        What has none is not counted: the kernel tells only some time later that it has forgotten it.
        """
        for number, node in tree.nodes.items():
            inode = Inode(number + ROOT_NODE, _FORMAT[node.kind] | node.mode, node.owner, node.group)
            inode.attributes.update(node.attributes)
            if node.kind is NodeKind.FILE:
                inode.content = FileMemory(node.data)
            elif node.kind is NodeKind.LINK:
                inode.target = node.data
                inode.mode = stat.S_IFLNK | 0o777
            self._by_node[inode.node] = inode
        self.root = self._by_node[ROOT_NODE]
        self.root.lookups = self.root.links = 1
        for (directory, name), number in tree.entries.items():
            self.attach(self._by_node[directory + ROOT_NODE], os.fsencode(name), self._by_node[number + ROOT_NODE])
        self._next = max(self._by_node) + 1
        self._next_foreign = _FIRST_FOREIGN

    def __getitem__(self, node: int) -> Inode:
        inode = self._by_node.get(node)
        if inode is None:
            raise OSError(ESTALE, "no such node")
        return inode

    def directory(self, node: int) -> Inode:
        """The same, where it must be a directory."""
        inode = self[node]
        if not inode.is_directory:
            raise OSError(ENOTDIR, "no directory")
        return inode

    def create(self, mode: int, owner: int, group: int, parent: Inode) -> Inode:
        """A new node without a name; below a directory with the set-group bit it gets that one's group."""
        if parent.mode & stat.S_ISGID:
            group = parent.group
            if stat.S_ISDIR(mode):
                mode |= stat.S_ISGID
        if stat.S_IFMT(mode) in _DEFAULT_MODE:
            node, self._next = self._next, self._next + 1
        else:
            node, self._next_foreign = self._next_foreign, self._next_foreign + 1
        inode = self._by_node[node] = Inode(node, mode, owner, group)
        return inode

    def attach(self, directory: Inode, name: bytes, inode: Inode) -> None:
        """Give it a name that is free."""
        self._cookie += 1
        directory.names[name] = inode
        directory.cookies[name] = self._cookie
        inode.links += 1
        if inode.links == 1:
            self.stored += inode.content.stored
        directory.subdirectories += inode.is_directory
        inode.parent = directory
        inode.name, inode.directory = os.fsdecode(name), directory.number
        _touch(directory, inode)

    def detach(self, directory: Inode, name: bytes, *, keep: bool = False) -> None:
        """Take a name away; a node with none that the kernel forgot is gone, unless it is to be kept."""
        inode = directory.names.pop(name)
        del directory.cookies[name]
        inode.links -= 1
        if not inode.links:
            self.stored -= inode.content.stored
        directory.subdirectories -= inode.is_directory
        _touch(directory, inode)
        if not keep:
            self._drop_unused(inode)

    def grew(self, inode: Inode, count: int) -> None:
        """Its content takes so much more memory, or less."""
        if inode.links:
            self.stored += count

    def forget(self, node: int, count: int) -> None:
        """The kernel forgot it so often."""
        inode = self._by_node.get(node)
        if inode is not None:
            inode.lookups -= count
            self._drop_unused(inode)

    def tree(self, bytes_max: int) -> Tree:
        """What is there now; raises ``ValueError`` if that would take more memory than ``bytes_max``, holes counted."""
        nodes: dict[int, Node] = {}
        entries: dict[tuple[int, str], int] = {}
        waiting, room = [self.root], bytes_max
        while waiting:
            inode = waiting.pop()
            room -= inode.content.size
            if room < 0:
                raise ValueError(f"the files and their holes have more than {bytes_max} bytes; make them smaller")
            nodes[inode.number] = _node_of(inode)
            for name, child in inode.names.items():
                if child.recorded:
                    entries[inode.number, os.fsdecode(name)] = child.number
                    if child.number not in nodes:
                        waiting.append(child)
        return Tree(nodes, entries)

    def _drop_unused(self, inode: Inode) -> None:
        if inode.links <= 0 and inode.lookups <= 0:
            self._by_node.pop(inode.node, None)


def _node_of(inode: Inode) -> Node:
    if inode.is_directory:
        kind, data = NodeKind.DIRECTORY, b""
    elif stat.S_ISLNK(inode.mode):
        kind, data = NodeKind.LINK, inode.target
    else:
        kind, data = NodeKind.FILE, inode.content.whole()
    return Node(kind, data, stat.S_IMODE(inode.mode), inode.owner, inode.group, dict(inode.attributes))


def _touch(directory: Inode, inode: Inode) -> None:
    now = time.time_ns()
    directory.modified = directory.changed = inode.changed = now
