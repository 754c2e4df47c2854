"""What a disk holds while no machine runs: a tree of directories, as programs other than the engine make it."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

import msgspec

from durakv_fuzz.content import SMALL_BYTES, Content, Draft

ROOT = 0
"""The number of the directory that everything is in."""

_MODE_MAX = 0o7777
_READ_BYTES = 1 << 18

_NO_ATTRIBUTES: Mapping[str, bytes] = MappingProxyType({})


class NodeKind(StrEnum):
    """What a name can stand for."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Node:
    """One file, directory or symbolic link."""

    kind: NodeKind
    data: bytes | Content = b""
    """A file's content, a symbolic link's target.  Of large files in crash images ``Content``, which knows holes.

    Both have a length and slices, and ``bytes(data)``.
    """

    mode: int = 0o644
    """Permission bits."""

    owner: int = 0
    group: int = 0
    attributes: Mapping[str, bytes] = field(default_factory=lambda: _NO_ATTRIBUTES)
    """Extended attributes."""

    _fingerprint: int | None = field(default=None, init=False, repr=False, compare=False)

    def fingerprint(self) -> int:
        """A hash of all of it, which is remembered."""
        if self._fingerprint is None:
            attributes = frozenset(self.attributes.items()) if self.attributes else None
            found = hash((self.kind, self.data, self.mode, self.owner, self.group, attributes))
            object.__setattr__(self, "_fingerprint", found)
            return found
        return self._fingerprint


EMPTY_DIRECTORY = Node(NodeKind.DIRECTORY, mode=0o755)


@dataclass(frozen=True, slots=True)
class Tree:
    """A directory at rest, with all beneath it.  Never changed, so that bytes may be shared.

    Names stand for numbers, so that a file may have several; directories have one.
    """

    nodes: Mapping[int, Node] = field(default_factory=lambda: {ROOT: EMPTY_DIRECTORY})
    entries: Mapping[tuple[int, str], int] = field(default_factory=dict[tuple[int, str], int])
    """From a directory's number and a name in it to a number."""

    def children(self) -> dict[int, dict[str, int]]:
        """For each directory, its names."""
        found: dict[int, dict[str, int]] = {
            number: {} for number, node in self.nodes.items() if node.kind is NodeKind.DIRECTORY
        }
        for (directory, name), number in self.entries.items():
            found[directory][name] = number
        return found

    def paths(self) -> dict[str, int]:
        """Every path beneath the root, with ``/`` between names, in order; directories before what is in them."""
        children = self.children()
        paths: dict[str, int] = {}
        waiting = [("", ROOT)]
        while waiting:
            path, number = waiting.pop()
            if path:
                paths[path] = number
            names = sorted(children.get(number, {}).items(), reverse=True)
            prefix = f"{path}/" if path else ""
            waiting += [(prefix + name, child) for name, child in names]
        return paths

    def path_of(self, number: int) -> str:
        """The first path of a number, ``.`` for the root; empty if it has none."""
        return "." if number == ROOT else next((path for path, at in self.paths().items() if at == number), "")

    def fingerprint(self) -> int:
        """A cheap digest for telling trees of one timeline apart; another process gives another number.

        What a directory's number is counts; a file's counts only if it has several names.
        """
        names = Counter(self.entries.values())
        hashes = {number: node.fingerprint() for number, node in self.nodes.items()}
        files = NodeKind.FILE
        return (
            hash(
                frozenset(
                    (place, hashes[number], number if names[number] > 1 or self.nodes[number].kind is not files else -1)
                    for place, number in self.entries.items()
                )
            )
            ^ hashes[ROOT]
        )

    def digest(self) -> str:
        """The same in every process, whatever the numbers are: 32 hexadecimal digits."""
        state = hashlib.blake2b(digest_size=16)
        first: dict[int, str] = {}
        for path, number in self.paths().items():
            node = self.nodes[number]
            twin = first.setdefault(number, path)
            name = os.fsencode(path)
            head = f"{node.kind}:{node.mode}:{node.owner}:{node.group}:{twin}:{sorted(node.attributes.items())}"
            state.update(b"%d:%b%b:%d:" % (len(name), name, head.encode("utf-8", "surrogateescape"), len(node.data)))
            state.update(bytes(node.data) if len(node.data) <= SMALL_BYTES else Content.of(node.data).digest())
        return state.hexdigest()

    def save(self, directory: Path) -> None:
        """Write it out into a directory that is there and empty; owners are set if this process may."""
        written: dict[int, Path] = {}
        for path, number in self.paths().items():
            node, place = self.nodes[number], directory / path
            if number in written:
                os.link(written[number], place, follow_symlinks=False)
                continue
            written[number] = place
            if node.kind is NodeKind.DIRECTORY:
                place.mkdir()
            elif node.kind is NodeKind.LINK:
                place.symlink_to(os.fsdecode(bytes(node.data)))
            else:
                _write(place, node.data)
            if os.geteuid() == 0:
                os.chown(place, node.owner, node.group, follow_symlinks=False)
            for name, value in node.attributes.items():
                os.setxattr(place, name, value, follow_symlinks=False)
        for number, place in written.items():
            if self.nodes[number].kind is not NodeKind.LINK:
                place.chmod(self.nodes[number].mode)

    @classmethod
    def load(cls, directory: Path) -> Tree:
        """Read a real directory of files, directories and links; raises ``ValueError`` for anything else in it."""
        nodes: dict[int, Node] = {ROOT: _node_of(directory)}
        entries: dict[tuple[int, str], int] = {}
        seen: dict[tuple[int, int], int] = {}

        def walk(place: Path, number: int) -> None:
            for child in sorted(place.iterdir()):
                status = child.lstat()
                identity = (status.st_dev, status.st_ino)
                known = seen.get(identity)
                if known is None:
                    known = seen[identity] = len(nodes)
                    nodes[known] = _node_of(child)
                    if nodes[known].kind is NodeKind.DIRECTORY:
                        walk(child, known)
                entries[number, child.name] = known

        walk(directory, ROOT)
        return cls(nodes, entries)


EMPTY = Tree()
"""A directory with nothing in it."""


def with_data(node: Node, data: Content) -> Node:
    """The node with another content."""
    return Node(node.kind, data.compact(), node.mode, node.owner, node.group, node.attributes)


class _Status(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """Everything about a node but its content."""

    mode: int
    owner: int = 0
    group: int = 0
    attributes: dict[str, bytes] = {}


_status_decoder = msgspec.json.Decoder(_Status)


def pack_status(node: Node) -> bytes:
    """Mode, owner, group and attributes as bytes: the ``data`` of ``Kind.SET_NODE``."""
    return msgspec.json.encode(_Status(node.mode, node.owner, node.group, dict(node.attributes)))


def with_status(node: Node, data: bytes) -> Node:
    """The node with what ``pack_status`` packed; raises ``ValueError`` if it is something else."""
    status = _status_decoder.decode(data)
    if not 0 <= status.mode <= _MODE_MAX or min(status.owner, status.group) < 0:
        raise ValueError(f"no file has mode {status.mode}, owner {status.owner} and group {status.group}")
    attributes = status.attributes or _NO_ATTRIBUTES
    return Node(node.kind, node.data, status.mode, status.owner, status.group, attributes)


def _write(path: Path, data: bytes | Content) -> None:
    if isinstance(data, bytes):
        path.write_bytes(data)
        return
    with path.open("wb") as file:
        for offset, part in data.extents():
            file.seek(offset)
            file.write(part)
        file.truncate(len(data))


def _read(path: Path) -> bytes | Content:
    draft = Draft(Content())
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            if part.strip(b"\0"):
                draft[file.tell() - len(part) : file.tell()] = part
        draft.resize(file.tell())
    return draft.freeze().compact()


def _node_of(path: Path) -> Node:
    status = path.lstat()
    mode = status.st_mode
    names = os.listxattr(path, follow_symlinks=False)
    attributes = {name: os.getxattr(path, name, follow_symlinks=False) for name in names}
    if stat.S_ISDIR(mode):
        kind: NodeKind = NodeKind.DIRECTORY
        data: bytes | Content = b""
    elif stat.S_ISLNK(mode):
        kind, data = NodeKind.LINK, os.fsencode(os.readlink(path))
    elif stat.S_ISREG(mode):
        kind, data = NodeKind.FILE, _read(path)
    else:
        raise ValueError(f"{path} is no file, directory or symbolic link; such things are not kept in a tree")
    return Node(kind, data, stat.S_IMODE(mode), status.st_uid, status.st_gid, attributes)
