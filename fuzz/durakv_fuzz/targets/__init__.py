"""Programs that the laboratory knows how to test: stores, servers, libraries, and plain ways of saving a file.

Nothing of a program is imported before it is asked for; what is not installed says so in ``missing()``.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from durakv_fuzz.targets.target import Target

_MODULES = {
    "durakv": "durakv",
    "redis": "redis",
    "redis-8": "redis",
    "valkey": "redis",
    "valkey-8": "redis",
    "sqlite": "sqlite",
    "lmdb": "lmdb",
    "rocksdb": "rocksdb",
    "leveldb": "leveldb",
    "diskcache": "pickles",
    "persist-queue": "pickles",
    "zodb": "pickles",
    "dbm": "dbms",
    "shelve": "dbms",
    "git": "git",
    "file": "files",
}

NAMES = tuple(_MODULES)


def subjects(name: str | None = None) -> list[Target]:
    """Every setting of the program of that name, or of all; ``LookupError`` if there is none."""
    if name is not None and name not in _MODULES:
        raise LookupError(f"{name!r}: no such program; there are {', '.join(NAMES)}")
    found: list[Target] = []
    for module in dict.fromkeys(_MODULES.values()) if name is None else (_MODULES[name],):
        targets = cast("Callable[[], list[Target]]", import_module(f"durakv_fuzz.targets.{module}").targets)
        found += [target for target in targets() if name in (None, target.name)]
    return found


def find(name: str, setting: str) -> Target:
    """The program with that setting; ``LookupError`` says which there are."""
    settings = {target.setting: target for target in subjects(name)}
    if setting not in settings:
        raise LookupError(f"{name} has no setting {setting!r}; it has {', '.join(settings)}")
    return settings[setting]
