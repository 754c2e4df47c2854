"""Traces of trees, written by hand: a program with paths, and every tree that a crash of it may leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from durakv_fuzz.model import Model
from durakv_fuzz.timeline import Timeline
from durakv_fuzz.trace import Kind, Operation, Trace
from durakv_fuzz.tree import EMPTY_DIRECTORY, ROOT, Node, NodeKind, Tree, pack_status
from durakv_fuzz.tree_model import crash_tree

from .litmus import Every

Outcome: TypeAlias = frozenset[tuple[str, bytes | str]]
"""Paths with contents; of a directory ``dir``, of a link ``-> target``."""


def one(**files: bytes | str) -> Outcome:
    """An outcome; ``_`` stands for ``/``."""
    return frozenset((name.replace("_", "/"), data) for name, data in files.items())


def seen(tree: Tree) -> Outcome:
    found: dict[str, bytes | str] = {}
    for path, number in tree.paths().items():
        node = tree.nodes[number]
        if node.kind is NodeKind.DIRECTORY:
            found[path] = "dir"
        elif node.kind is NodeKind.LINK:
            found[path] = f"-> {bytes(node.data).decode()}"
        else:
            found[path] = bytes(node.data)
    return frozenset(found.items())


def outcomes(
    source: Program | Timeline, *, crash_seq: int | None = None, model: Model = Model.POWER_LOSS
) -> set[Outcome]:
    """What a crash there (at the end, unless told) may leave."""
    timeline = source if isinstance(source, Timeline) else Timeline(source.trace)
    choose, found = Every(), set[Outcome]()
    while True:
        at = timeline.trace.seq if crash_seq is None else crash_seq
        found.add(seen(crash_tree(timeline, at, choose, model=model)))
        if not choose.advance():
            return found


def tree_of(files: Mapping[str, bytes | str]) -> Tree:
    """A tree with these paths, as ``seen`` tells them; directories come before what is in them."""
    nodes: dict[int, Node] = {ROOT: EMPTY_DIRECTORY}
    entries: dict[tuple[int, str], int] = {}
    numbers = {"": ROOT}
    for path, data in files.items():
        parent, _, name = path.rpartition("/")
        number = numbers[path] = len(nodes)
        nodes[number] = EMPTY_DIRECTORY if data == "dir" else Node(NodeKind.FILE, _bytes(data))
        entries[numbers[parent], name] = number
    return Tree(nodes, entries)


class Program:
    """Calls by path, as they succeed; what is wrong raises ``KeyError``."""

    def __init__(self, base: Tree | Mapping[str, bytes | str] | None = None) -> None:
        tree = base if isinstance(base, Tree) else tree_of(base or {})
        self.trace = Trace(tree)
        self.numbers = {"": ROOT, **tree.paths()}
        self._next = max(tree.nodes) + 1

    def do(self, operation: Operation, during: Callable[[], object] | None = None) -> Operation:
        self.trace.start(operation)
        if during is not None:
            during()
        self.trace.end(operation)
        return operation

    def create(self, path: str, data: bytes = b"", *, mode: int | None = None) -> int:
        status = b"" if mode is None else pack_status(Node(NodeKind.FILE, mode=mode))
        number = self._make(Kind.CREATE, path, status)
        if data:
            self.write(path, data)
        return number

    def mkdir(self, path: str) -> int:
        return self._make(Kind.MAKE_DIRECTORY, path)

    def symlink(self, target: str, path: str) -> int:
        return self._make(Kind.SYMLINK, path, target.encode())

    def link(self, old: str, new: str) -> None:
        directory, name = self._place(new)
        number = self.numbers[new] = self.numbers[old]
        self.do(Operation(Kind.LINK, name, file=number, directory=directory))

    def write(self, path: str | int, data: bytes, offset: int = 0) -> None:
        self.do(Operation(Kind.WRITE, file=self._number(path), offset=offset, size=len(data), data=data))

    def truncate(self, path: str | int, size: int) -> None:
        self.do(Operation(Kind.TRUNCATE, file=self._number(path), size=size))

    def sync(self, path: str | int, during: Callable[[], object] | None = None) -> None:
        self.do(Operation(Kind.SYNC, file=self._number(path)), during)

    def sync_directory(self, path: str = "", during: Callable[[], object] | None = None) -> None:
        self.do(Operation(Kind.SYNC_DIRECTORY, file=self.numbers[path]), during)

    def sync_all(self) -> None:
        self.do(Operation(Kind.SYNC_ALL))

    def set_mode(self, path: str, mode: int) -> None:
        number = self.numbers[path]
        self.do(Operation(Kind.SET_NODE, file=number, data=pack_status(Node(NodeKind.FILE, mode=mode))))

    def rename(self, old: str, new: str) -> None:
        self._two(Kind.RENAME, old, new)
        self.numbers = {
            new + path.removeprefix(old) if path == old or path.startswith(f"{old}/") else path: number
            for path, number in self.numbers.items()
            if path != new
        }

    def exchange(self, old: str, new: str) -> None:
        """Of files; directories would take what is in them along."""
        self._two(Kind.EXCHANGE, old, new)
        self.numbers[old], self.numbers[new] = self.numbers[new], self.numbers[old]

    def remove(self, path: str) -> int:
        """A file, or a directory with nothing in it."""
        directory, name = self._place(path)
        number = self.numbers.pop(path)
        self.do(Operation(Kind.REMOVE, name, file=number, directory=directory))
        return number

    def _two(self, kind: Kind, old: str, new: str) -> None:
        (directory, name), (new_directory, new_name) = self._place(old), self._place(new)
        number = self.numbers[old]
        self.do(Operation(kind, name, new_name, number, directory, new_directory))

    def _make(self, kind: Kind, path: str, data: bytes = b"") -> int:
        directory, name = self._place(path)
        number = self.numbers[path] = self._next
        self._next += 1
        self.do(Operation(kind, name, file=number, directory=directory, data=data))
        return number

    def _place(self, path: str) -> tuple[int, str]:
        parent, _, name = path.rpartition("/")
        return self.numbers[parent], name

    def _number(self, path: str | int) -> int:
        return path if isinstance(path, int) else self.numbers[path]


def _bytes(data: bytes | str) -> bytes:
    return data if isinstance(data, bytes) else data.encode()
