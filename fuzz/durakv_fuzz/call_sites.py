"""Every call through the door to the disk that stands in a program's source: what a campaign ought to reach.

Found in the syntax tree, by the method's name and by what it is called on.  A receiver that nobody has told apart is
listed as well, so that a new name for a file cannot hide its calls.  An assignment to a part of a window is a write.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import durakv
from durakv_fuzz.sites import short_path, split_site
from durakv_fuzz.trace import Kind

_METHODS = {
    "make_root": Kind.MAKE_ROOT,
    "create": Kind.CREATE,
    "write_at": Kind.WRITE,
    "write_through": Kind.WRITE_THROUGH,
    "truncate": Kind.TRUNCATE,
    "sync": Kind.SYNC,
    "rename": Kind.RENAME,
    "remove": Kind.REMOVE,
    "sync_directory": Kind.SYNC_DIRECTORY,
    "lock": Kind.CREATE,  # makes the lock's file
}
_DOORS = frozenset({"file", "filesystem", "copy"})
_OTHERS = frozenset({"self", "engine", "requests", "store", "waiters", "expected", "digest"})
_IMPLEMENTATIONS = ("storage/posix", "storage/conformance", "storage/filesystem", "conformance.py", "testing.py")
"""What stands behind the door, or tests it."""
_ELSEWHERE = ("keyspace/", "bench/", "adapters/", "durable_dict/")
"""What is no part of an engine at work: neither a state machine nor who uses the public API sees the door, and what
measures has files of its own."""

EXCUSES = {
    "durakv/repair.py": "repair is no part of an engine's life; its own tests crash it",
    "durakv/cli/salvaging.py": "a repair of single files, which no engine has open",
    "durakv/merge_child.py": "a process of its own on real files, where it is killed at every system call",
}
"""Modules whose calls no campaign makes, and why."""


@dataclass(frozen=True, slots=True, order=True)
class CallSite:
    """One call in the source."""

    path: str
    line: int
    last_line: int
    function: str
    kind: Kind
    ordinal: int
    """1 for the first call of its kind in its function."""

    @property
    def key(self) -> str:
        """Its name, which stays when lines move."""
        ordinal = f" {self.ordinal}" if self.ordinal > 1 else ""
        return f"{self.path} {self.function} {self.kind}{ordinal}"


@dataclass(frozen=True, slots=True)
class CallSites:
    """The calls of one package."""

    sites: tuple[CallSite, ...]
    doubtful: tuple[str, ...]
    """Calls of methods with such a name on something that is not known to be a file, nor not to be one."""

    def find(self, site: str, kind: Kind) -> str:
        """The key for a call that was recorded there; of code that is not of the package, one made of what is known."""
        path, line, function = split_site(site)
        for known in self._by_path().get(path, ()):
            if known.kind is kind and known.line <= line <= known.last_line:
                return known.key
        return f"{path} {function} {kind}"

    def excuse(self, key: str) -> str:
        """Why no campaign makes that call; empty if one should."""
        return EXCUSES.get(key.split()[0], "")

    def _by_path(self) -> Mapping[str, list[CallSite]]:
        return _group(self.sites)


@lru_cache(8)
def call_sites(package: Path | None = None) -> CallSites:
    """The call sites of a package's folder; of the engine unless told otherwise."""
    folder = Path(durakv.__file__).parent if package is None else package
    sites: list[CallSite] = []
    doubtful: list[str] = []
    for path in sorted(folder.rglob("*.py")):
        if path.relative_to(folder).as_posix().startswith(_IMPLEMENTATIONS + _ELSEWHERE):
            continue
        counts: dict[tuple[str, Kind], int] = {}
        for function, call in _calls(ast.parse(path.read_text(encoding="utf-8")), ""):
            if isinstance(call, ast.Subscript):
                receiver, name = "file", "write_at"
            else:
                method = call.func
                assert isinstance(method, ast.Attribute), "only calls of methods are listed"
                receiver, name = _last_name(method.value), method.attr
            if receiver in _DOORS:
                kind = _METHODS[name]
                ordinal = counts[function, kind] = counts.get((function, kind), 0) + 1
                last_line = call.end_lineno or call.lineno
                sites.append(CallSite(short_path(path), call.lineno, last_line, function, kind, ordinal))
            elif receiver not in _OTHERS:
                doubtful.append(f"{short_path(path)}:{call.lineno} {receiver}.{name}")
    return CallSites(tuple(sites), tuple(doubtful))


def _calls(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call | ast.Subscript]]:
    """Calls of such methods below a node in the order of the source, with the function around each."""
    found = [*_below(node, function)]
    return iter(sorted(found, key=lambda pair: (pair[1].lineno, pair[1].col_offset)))


def _below(node: ast.AST, function: str) -> Iterator[tuple[str, ast.Call | ast.Subscript]]:
    for child in ast.iter_child_nodes(node):
        inner = function
        if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner = f"{function}.{child.name}" if function else child.name
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in _METHODS:
            yield function, child
        if isinstance(child, ast.Subscript) and type(child.ctx) is ast.Store and _last_name(child.value) == "window":
            yield function, child
        yield from _below(child, inner)


def _last_name(node: ast.expr) -> str:
    """``file`` for ``work.segment.file``, ``self._file`` and ``file``."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else "?"
    return name.strip("_")


@lru_cache(8)
def _group(sites: tuple[CallSite, ...]) -> Mapping[str, list[CallSite]]:
    groups: dict[str, list[CallSite]] = {}
    for site in sites:
        groups.setdefault(site.path, []).append(site)
    return groups
