"""LMDB: a mapped B+ tree of pages that are never overwritten while they are in use; a commit for each number."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from durakv_fuzz.program.subject import Promise
from durakv_fuzz.targets.target import BENCH, Embedded, key_of

_MAP_BYTES = 2 << 20
_DOCS = "https://lmdb.readthedocs.io/en/release/#lmdb.Environment"
_SYNC = (
    "in other words: a commit returns after its pages, and then the page that names them, were flushed; of sync=False "
    f'it says "a system crash can corrupt the database or lose the last transactions" ({_DOCS})'
)
_NO_SYNC = (
    '"This optimization means a system crash can corrupt the database or lose the last transactions if buffers are not '
    'yet flushed to disk."; only "if the filesystem preserves write order and writemap=False, transactions exhibit ACI '
    f'(atomicity, consistency, isolation) properties and only lose D (durability)" ({_DOCS})'
)
_NO_META_SYNC = (
    '"This optimization maintains database integrity, but a system crash may undo the last committed transaction." '
    f"({_DOCS})"
)


def targets() -> list[Embedded]:
    """Synced, synced through the mapping, synced but for the last page, and not synced."""
    return [
        _target("sync", Promise.ALWAYS, _SYNC, {}),
        _target("sync+writemap", Promise.ALWAYS, _SYNC, {"writemap": True}),
        _target("nometasync", Promise.PREFIX, _NO_META_SYNC, {"metasync": False}, undone_max=1),
        _target("nosync", Promise.NONE, _NO_SYNC, {"sync": False}),
    ]


def _target(
    setting: str, promise: Promise, documented: str, flags: dict[str, bool], *, undone_max: int | None = None
) -> Embedded:
    return Embedded(
        name="lmdb",
        setting=setting,
        promise=promise,
        documented=documented,
        open=partial(_Environment, flags),
        release=_release,
        module="lmdb",
        remedy=BENCH,
        undone_max=undone_max,
    )


def _release() -> Mapping[str, str]:
    lmdb: Any = import_module("lmdb")
    return {"LMDB": ".".join(map(str, lmdb.version())), "lmdb (Python)": lmdb.__version__}


class _Environment:
    def __init__(self, flags: dict[str, bool], directory: Path) -> None:
        lmdb: Any = import_module("lmdb")
        self._environment: Any = lmdb.open(str(directory), map_size=_MAP_BYTES, **flags)

    def put(self, number: int, value: bytes, /) -> bool:
        with self._environment.begin(write=True) as transaction:
            transaction.put(key_of(number), value)
        return False

    def pairs(self) -> list[tuple[bytes, bytes]]:
        with self._environment.begin() as transaction:
            return [(bytes(key), bytes(value)) for key, value in transaction.cursor()]

    def close(self) -> None:
        self._environment.close()
