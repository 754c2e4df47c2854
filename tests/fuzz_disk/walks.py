"""Random programs over a tree, done to a recorded one and to a naive one of nested dictionaries."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from .trees import Outcome, Program


@dataclass(slots=True)
class Naive:
    """A directory: names with directories, or with the one-element list that all links of a file share."""

    names: dict[str, Naive | list[bytes]] = field(default_factory=dict[str, "Naive | list[bytes]"])

    def outcome(self, prefix: str = "") -> Outcome:
        found: set[tuple[str, bytes | str]] = set()
        for name, thing in self.names.items():
            if isinstance(thing, Naive):
                found |= {(prefix + name, "dir"), *thing.outcome(f"{prefix}{name}/")}
            else:
                found.add((prefix + name, thing[0]))
        return frozenset(found)

    def at(self, path: str) -> tuple[Naive, str]:
        parent, _, name = path.rpartition("/")
        directory = self
        for part in parent.split("/") if parent else ():
            inner = directory.names[part]
            assert isinstance(inner, Naive)
            directory = inner
        return directory, name


class Walk:
    """A random program, done to a recorded tree and to a naive one."""

    def __init__(self, seed: int, after: Callable[[Program, str], None] | None = None) -> None:
        self.random = random.Random(seed)
        self.program = Program()
        self.naive = Naive()
        self._after = after
        self._count = 0

    def go(self, steps: int) -> Walk:
        calls = [self.create, self.create, self.mkdir, self.write, self.rename, self.link, self.remove]
        for _ in range(steps):
            self.random.choice(calls)()
        return self

    def create(self) -> None:
        path = self._new()
        self.program.create(path)
        directory, name = self.naive.at(path)
        directory.names[name] = [b""]
        self._done(path)

    def mkdir(self) -> None:
        path = self._new()
        self.program.mkdir(path)
        directory, name = self.naive.at(path)
        directory.names[name] = Naive()
        self._done(path)

    def write(self) -> None:
        if path := self._some(files=True):
            data = b"%d" % self.random.randrange(100)
            directory, name = self.naive.at(path)
            held = directory.names[name]
            assert isinstance(held, list)
            self.program.write(path, data)
            held[0] = data + held[0][len(data) :]
            if self._after is not None:
                self.program.sync(path)

    def rename(self) -> None:
        old, new = self._some(), self._new()
        if old and not new.startswith(f"{old}/"):
            self.program.rename(old, new)
            (from_, name), (to, new_name) = self.naive.at(old), self.naive.at(new)
            to.names[new_name] = from_.names.pop(name)
            self._done(new)
            self._done(old)

    def link(self) -> None:
        old, new = self._some(files=True), self._new()
        if old:
            self.program.link(old, new)
            (from_, name), (to, new_name) = self.naive.at(old), self.naive.at(new)
            to.names[new_name] = from_.names[name]
            self._done(new)

    def remove(self) -> None:
        path = self._some()
        if path and not any(other.startswith(f"{path}/") for other in self.program.numbers):
            self.program.remove(path)
            directory, name = self.naive.at(path)
            del directory.names[name]
            self._done(path)

    def _done(self, path: str) -> None:
        if self._after is not None:
            self._after(self.program, path)

    def _some(self, *, files: bool = False) -> str:
        paths = sorted(path for path in self.program.numbers if path and (not files or not self.is_directory(path)))
        return self.random.choice(paths) if paths else ""

    def _new(self) -> str:
        self._count += 1
        directories = ["", *(path for path in sorted(self.program.numbers) if path and self.is_directory(path))]
        parent = self.random.choice(directories)
        return f"{parent}/{self._count}" if parent else str(self._count)

    def is_directory(self, path: str) -> bool:
        directory, name = self.naive.at(path)
        return isinstance(directory.names[name], Naive)
