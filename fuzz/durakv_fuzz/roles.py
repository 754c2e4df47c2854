"""What a file of a data directory is for, told by its name; names that differ in their numbers only are one."""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

from durakv.directory import LOCK_NAME, MANIFEST_NAME, MANIFEST_TEMPORARY


class Role(StrEnum):
    """The files of a data directory."""

    MANIFEST = "manifest"
    SEGMENT = "segment"
    BASE = "base"
    TEMPORARY_MANIFEST = "temporary manifest"
    TEMPORARY_BASE = "temporary base"
    LOCK = "lock"
    DIRECTORY = "directory"
    """No file: the call was about the names."""
    OTHER = "other"


_NAMES = {
    MANIFEST_NAME: Role.MANIFEST,
    MANIFEST_TEMPORARY: Role.TEMPORARY_MANIFEST,
    LOCK_NAME: Role.LOCK,
    "": Role.DIRECTORY,
}
_PATTERNS = {
    "appendonly.aof.N.incr.aof": Role.SEGMENT,
    "appendonly.aof.N.base.dkv": Role.BASE,
    "temp-appendonly.aof.N.base.dkv": Role.TEMPORARY_BASE,
    # As stock servers name theirs:
    "appendonly.aof.N.base.rdb": Role.BASE,
    "appendonly.aof.N.base.aof": Role.BASE,
}
_RANDOM = re.compile(r"\b(?=\w*\d[A-Za-z]+\d)\w{6,}")
_DIGITS = re.compile(r"\d+")


@lru_cache(4096)
def role_of(name: str) -> Role:
    """The role of a file of that name."""
    role = _NAMES.get(name)
    return role if role is not None else _PATTERNS.get(without_numbers(name), Role.OTHER)


def sketch(text: str) -> str:
    """Text about files with every number as ``N``, and every word that looks drawn by lot, as ``3f9a07``."""
    return without_numbers(_RANDOM.sub("N", text))


def without_numbers(name: str) -> str:
    """The name with every number written as ``N``: the role of a file of any program, as far as a name can tell."""
    return _DIGITS.sub("N", name)
